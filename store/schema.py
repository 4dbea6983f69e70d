"""The tables as this program reads and writes them.

What made them, step by step, is in ``migrations``; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Counted = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts only INTEGER PRIMARY KEY

# Rows that serialise writers: the last sequence of the inbox, the ledger and the audit.
counter = Table(
    "counter",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

place = Table(
    "place",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("parent", ForeignKey("place.id", deferrable=True, initially="DEFERRED")),
    Column("document", Text, nullable=False),
)

sign = Table(
    "sign",
    metadata,
    Column("number", Integer, Identity(), primary_key=True),
    Column("id", String(128), nullable=False, unique=True),
    Column("place", ForeignKey("place.id"), nullable=False),
    Column("interval_ms", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

# All revisions of all readings, side by side by sign and time.
reading = Table(
    "reading",
    metadata,
    Column("sign", ForeignKey("sign.number"), primary_key=True),
    Column("time_ms", BigInteger, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("value", Float(53)),
    Column("quality", SmallInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The ordered log that the runtime reads.
inbox = Table(
    "inbox",
    metadata,
    Column("sequence", _Counted, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("sign", ForeignKey("sign.number")),
    Column("revision", Integer, nullable=False),
    Column("value", Float(53)),
    Column("quality", SmallInteger),
    Column("payload", Text),
)

verdict = Table(
    "verdict",
    metadata,
    Column("sequence", ForeignKey("inbox.sequence"), primary_key=True, autoincrement=False),
    Column("episode", ForeignKey("episode.id"), nullable=False),
    Column("document", Text, nullable=False),
    Index(None, "episode", "sequence"),
)

# The token only ever grows; a lease that is given back keeps its row, so that no token comes twice.
lease = Table(
    "lease",
    metadata,
    Column("shard", String(128), primary_key=True),
    Column("holder", String(256)),
    Column("token", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
)

runtime_offset = Table(
    "runtime_offset",
    metadata,
    Column("shard", ForeignKey("lease.shard"), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

runtime_state = Table(
    "runtime_state",
    metadata,
    Column("shard", ForeignKey("lease.shard"), primary_key=True),
    Column("key", String(256), primary_key=True),
    Column("document", Text, nullable=False),
)

episode = Table(
    "episode",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("place", String(128), nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("incident", String(128)),
    Column("opened_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    Column("document", Text, nullable=False),
    Index(None, "opened_ms", "id"),
    Index(None, "place", "opened_ms", "id"),
    Index(None, "status", "opened_ms", "id"),
)

incident = Table(
    "incident",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("place", String(128), nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    Column("document", Text, nullable=False),
    Index(None, "opened_ms", "id"),
    Index(None, "place", "opened_ms", "id"),
    Index(None, "status", "opened_ms", "id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("position", _Counted, Identity(), primary_key=True),
    Column("id", String(256), nullable=False, unique=True),
    Column("kind", String(64), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    Column("sent_ms", BigInteger),
)
# Only what still waits is looked for.
Index(
    "ix_outbox_pending",
    outbox.c.position,
    sqlite_where=outbox.c.sent_ms.is_(None),
    postgresql_where=outbox.c.sent_ms.is_(None),
)

# Who is champion, now and at any time. `before` is the entry whose champion a rollback would bring back.
ledger = Table(
    "ledger",
    metadata,
    Column("sequence", _Counted, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("action", String(16), nullable=False),
    Column("name", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("manifest", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("before", ForeignKey("ledger.sequence")),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index(None, "name", "sequence"),
    Index(None, "name", "time_ms", "sequence"),
)

assignment = Table(
    "assignment",
    metadata,
    Column("sign", ForeignKey("sign.number"), primary_key=True, autoincrement=False),
    Column("model", String(128), nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("sequence", _Counted, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
