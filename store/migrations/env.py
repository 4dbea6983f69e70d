"""Alembic's entry: it is handed an open transaction, and keeps its mark in a table of our own."""

from __future__ import annotations

from alembic import context

from store.migration import VERSION_TABLE
from store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()
