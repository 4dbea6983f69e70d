"""The first schema: places, signs, readings, inbox, leases, runtime, episodes, ledger, audit.

Revision: 0001, after nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COUNTERS = ("inbox", "ledger", "audit")
CHAINED = ("ledger", "audit")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("sequence", COUNTED, autoincrement=False, nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit"),
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counter"),
    )
    op.create_table(
        "episode",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("place", sa.String(length=128), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("incident", sa.String(length=128), nullable=True),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_episode"),
    )
    op.create_index("ix_episode_opened_ms_id", "episode", ["opened_ms", "id"], unique=False)
    op.create_index("ix_episode_place_opened_ms_id", "episode", ["place", "opened_ms", "id"], unique=False)
    op.create_index("ix_episode_status_opened_ms_id", "episode", ["status", "opened_ms", "id"], unique=False)
    op.create_table(
        "incident",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("place", sa.String(length=128), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_incident"),
    )
    op.create_index("ix_incident_opened_ms_id", "incident", ["opened_ms", "id"], unique=False)
    op.create_index("ix_incident_place_opened_ms_id", "incident", ["place", "opened_ms", "id"], unique=False)
    op.create_index("ix_incident_status_opened_ms_id", "incident", ["status", "opened_ms", "id"], unique=False)
    op.create_table(
        "lease",
        sa.Column("shard", sa.String(length=128), nullable=False),
        sa.Column("holder", sa.String(length=256), nullable=True),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", name="pk_lease"),
    )
    op.create_table(
        "ledger",
        sa.Column("sequence", COUNTED, autoincrement=False, nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("before", COUNTED, nullable=True),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["before"], ["ledger.sequence"], name="fk_ledger_before"),
        sa.PrimaryKeyConstraint("sequence", name="pk_ledger"),
    )
    op.create_index("ix_ledger_name_sequence", "ledger", ["name", "sequence"], unique=False)
    op.create_index("ix_ledger_name_time_ms_sequence", "ledger", ["name", "time_ms", "sequence"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("position", COUNTED, sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.String(length=256), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("sent_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("position", name="pk_outbox"),
        sa.UniqueConstraint("id", name="uq_outbox_id"),
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["position"],
        unique=False,
        sqlite_where=sa.text("sent_ms IS NULL"),
        postgresql_where=sa.text("sent_ms IS NULL"),
    )
    op.create_table(
        "place",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("parent", sa.String(length=128), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["parent"], ["place.id"], name="fk_place_parent", deferrable=True, initially="DEFERRED"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_place"),
    )
    op.create_table(
        "runtime_offset",
        sa.Column("shard", sa.String(length=128), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["shard"], ["lease.shard"], name="fk_runtime_offset_shard"),
        sa.PrimaryKeyConstraint("shard", name="pk_runtime_offset"),
    )
    op.create_table(
        "runtime_state",
        sa.Column("shard", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=256), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shard"], ["lease.shard"], name="fk_runtime_state_shard"),
        sa.PrimaryKeyConstraint("shard", "key", name="pk_runtime_state"),
    )
    op.create_table(
        "sign",
        sa.Column("number", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("place", sa.String(length=128), nullable=False),
        sa.Column("interval_ms", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["place"], ["place.id"], name="fk_sign_place"),
        sa.PrimaryKeyConstraint("number", name="pk_sign"),
        sa.UniqueConstraint("id", name="uq_sign_id"),
    )
    op.create_table(
        "assignment",
        sa.Column("sign", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["sign"], ["sign.number"], name="fk_assignment_sign"),
        sa.PrimaryKeyConstraint("sign", name="pk_assignment"),
    )
    op.create_table(
        "inbox",
        sa.Column("sequence", COUNTED, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("sign", sa.Integer(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("quality", sa.SmallInteger(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["sign"], ["sign.number"], name="fk_inbox_sign"),
        sa.PrimaryKeyConstraint("sequence", name="pk_inbox"),
    )
    op.create_table(
        "reading",
        sa.Column("sign", sa.Integer(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("quality", sa.SmallInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["sign"], ["sign.number"], name="fk_reading_sign"),
        sa.PrimaryKeyConstraint("sign", "time_ms", "revision", name="pk_reading"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "verdict",
        sa.Column("sequence", COUNTED, autoincrement=False, nullable=False),
        sa.Column("episode", sa.String(length=128), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["episode"], ["episode.id"], name="fk_verdict_episode"),
        sa.ForeignKeyConstraint(["sequence"], ["inbox.sequence"], name="fk_verdict_sequence"),
        sa.PrimaryKeyConstraint("sequence", name="pk_verdict"),
    )
    op.create_index("ix_verdict_episode_sequence", "verdict", ["episode", "sequence"], unique=False)

    counter = sa.table("counter", sa.column("name", sa.String), sa.column("value", sa.BigInteger))
    op.bulk_insert(counter, [{"name": name, "value": 0} for name in COUNTERS])
    if op.get_bind().dialect.name == "sqlite":
        _append_only_sqlite()
    else:
        _append_only_postgresql()


def _append_only_sqlite() -> None:
    for name in CHAINED:
        refuse = f"SELECT RAISE(ABORT, '{name} is append-only');"
        for verb in ("UPDATE", "DELETE"):
            op.execute(f"CREATE TRIGGER {name}_no_{verb.lower()} BEFORE {verb} ON {name} BEGIN {refuse} END")
        # INSERT OR REPLACE would delete the old row without telling the trigger above.
        op.execute(
            f"CREATE TRIGGER {name}_no_replace BEFORE INSERT ON {name} "
            f"WHEN EXISTS (SELECT 1 FROM {name} WHERE sequence = NEW.sequence) BEGIN {refuse} END"
        )


def _append_only_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION cityforge_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for name in CHAINED:
        op.execute(
            f"CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION cityforge_append_only()"
        )


def downgrade() -> None:
    message = "The store is not taken back to an older schema. Restore a backup instead."
    raise NotImplementedError(message)
