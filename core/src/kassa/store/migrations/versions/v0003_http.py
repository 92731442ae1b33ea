"""The HTTP surface: API keys, reasons for refunds, what a shop notes on its carts."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add what a server needs beside an engine."""
    op.add_column("carts", sa.Column("metadata", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("carts", sa.Column("order_id", sa.String(length=64), nullable=True))
    op.add_column("carts", sa.Column("completed_at", MOMENT, nullable=True))
    op.execute(
        "UPDATE carts SET order_id = (SELECT id FROM orders WHERE orders.cart_id = carts.id),"
        " completed_at = (SELECT created_at FROM orders WHERE orders.cart_id = carts.id)"
    )
    op.add_column("payment_collections", sa.Column("for_order_id", sa.String(length=255), nullable=True))
    op.add_column("payment_collections", sa.Column("deleted_at", MOMENT, nullable=True))
    op.create_index("ix_payment_collections_order", "payment_collections", ["store_id", "order_id"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("shown", sa.String(length=80), nullable=False),
        sa.Column("scopes", sa.String(length=64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.CheckConstraint("kind IN ('publishable', 'secret')", name=op.f("ck_api_keys_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_keys_token_hash")),
    )
    op.create_index("ix_api_keys_store_id", "api_keys", ["store_id"], unique=False)
    op.create_table(
        "refund_reasons",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=255), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund_reasons")),
    )
    op.create_index(
        "uq_refund_reasons_store_id_code",
        "refund_reasons",
        ["store_id", "code"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    for table in ("operations", "refunds"):
        op.add_column(table, sa.Column("refund_reason_id", sa.String(length=64), nullable=True))
