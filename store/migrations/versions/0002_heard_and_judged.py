"""The engine keeps what readings change (``heard/<sign>``) apart from what instants change (``judged/<sign>``).

Until now both stood under ``sign/<sign>``. Nothing is lost: histories, scores and waiting forecasts go on.

Revision: 0002, after 0001.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OLD, HEARD, JUDGED = "sign/", "heard/", "judged/"
JUDGED_FIELDS = ("pending", "scores", "judged", "sums", "past_sums")
STATE = sa.table("runtime_state", sa.column("shard"), sa.column("key"), sa.column("document"))


def upgrade() -> None:
    connection = op.get_bind()
    old = connection.execute(sa.select(STATE).where(STATE.c.key.startswith(OLD, autoescape=True))).all()
    for shard, key, document in old:
        state, sign = json.loads(document), key.removeprefix(OLD)
        heard_ms, *times = state["times"]
        parts = {
            HEARD + sign: {"history": state["history"], "heard_ms": heard_ms, "late": state["late"]},
            JUDGED + sign: {name: state[name] for name in JUDGED_FIELDS} | {"times": times},
        }
        rows = [{"shard": shard, "key": name, "document": json.dumps(part)} for name, part in parts.items()]
        op.bulk_insert(STATE, rows)
        op.execute(sa.delete(STATE).where((STATE.c.shard == shard) & (STATE.c.key == key)))


def downgrade() -> None:
    message = "The store is not taken back to an older schema. Restore a backup instead."
    raise NotImplementedError(message)
