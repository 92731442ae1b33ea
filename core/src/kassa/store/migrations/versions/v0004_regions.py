"""The region of each session and operation; when a payment changed last; what is in doubt is found at once."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

OPEN = "status IN ('in_flight', 'pending', 'planned', 'requires_more', 'review', 'unknown')"


def upgrade() -> None:
    """Add them, from the collections that they are of."""
    for table in ("payment_sessions", "operations"):
        op.add_column(table, sa.Column("region_id", sa.String(length=64), server_default="", nullable=False))
        op.execute(
            f"UPDATE {table} SET region_id = (SELECT region_id FROM payment_collections"
            f" WHERE payment_collections.id = {table}.payment_collection_id)"
        )
    op.add_column("payments", sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE payments SET updated_at = coalesce(canceled_at, captured_at, created_at)")
    op.create_index(
        "ix_operations_open",
        "operations",
        ["store_id", "created_at"],
        unique=False,
        sqlite_where=sa.text(OPEN),
        postgresql_where=sa.text(OPEN),
    )
