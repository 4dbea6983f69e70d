"""The schema's history for Alembic: one file for each step, never changed once released."""
