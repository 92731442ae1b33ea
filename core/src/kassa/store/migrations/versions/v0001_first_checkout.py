"""The first checkout: collections, sessions, payments, operations, captures, refunds, events, carts and orders."""

import sqlalchemy as sa
from alembic import op

from kassa.store.migrations.triggers import guard_status, refuse

revision = "0001"
down_revision = None

JSON = sa.JSON()
MOMENT = sa.DateTime(timezone=True)

OPERATION_MOVES = {
    "planned": ["canceled", "in_flight"],
    "in_flight": ["failed", "pending", "requires_more", "review", "succeeded", "unknown"],
    "requires_more": ["failed", "in_flight", "pending", "review", "succeeded", "unknown"],
    "pending": ["failed", "review", "succeeded", "unknown"],
    "unknown": ["failed", "in_flight", "pending", "requires_more", "review", "succeeded"],
    "review": ["failed", "succeeded"],
    "failed": ["succeeded"],
    "succeeded": [],
    "canceled": [],
}
SESSION_MOVES = {
    "pending": ["authorized", "canceled", "error", "pending_authorization", "requires_more"],
    "requires_more": ["authorized", "canceled", "error", "pending_authorization"],
    "pending_authorization": ["authorized", "canceled", "error"],
    "error": ["authorized", "canceled", "pending"],
    "authorized": ["canceled"],
    "canceled": ["authorized"],
}


def upgrade() -> None:
    """Create everything."""
    _create_tables()
    guard_status("operations", OPERATION_MOVES)
    guard_status("payment_sessions", SESSION_MOVES)
    _guard_history()


def _guard_history() -> None:
    """Events are only ever appended."""
    for change in ("UPDATE", "DELETE"):
        name = f"events_{change.lower()}"
        refuse(name, f"{change} ON events", None, "kassa: events are append-only")


def _create_tables() -> None:
    op.create_table(
        "carts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("region_id", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("shopper", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carts")),
    )

    op.create_table(
        "events",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("payment_collection_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("entity_id", sa.String(length=255), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )

    op.create_index("ix_events_payment_collection_id", "events", ["payment_collection_id"], unique=False)

    op.create_table(
        "payment_collections",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("region_id", sa.String(length=64), nullable=False),
        sa.Column("cart_id", sa.String(length=255), nullable=True),
        sa.Column("order_id", sa.String(length=255), nullable=True),
        sa.Column("order_is_paid", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT, nullable=True),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_collections")),
        sa.UniqueConstraint("store_id", "cart_id", name=op.f("uq_payment_collections_store_id_cart_id")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payment_collections_amount_positive")),
    )

    op.create_index("ix_payment_collections_due_at", "payment_collections", ["due_at"], unique=False)

    op.create_table(
        "cart_items",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("cart_id", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("variant_id", sa.String(length=255), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["cart_id"], ["carts.id"], name=op.f("fk_cart_items_cart_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cart_items")),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_cart_items_price")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_cart_items_quantity_positive")),
    )

    op.create_index("ix_cart_items_cart_id", "cart_items", ["cart_id"], unique=False)

    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("cart_id", sa.String(length=64), nullable=False),
        sa.Column("payment_collection_id", sa.String(length=64), nullable=True),
        sa.Column("region_id", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("is_paid", sa.Boolean(), nullable=False),
        sa.Column("shopper", JSON, nullable=False),
        sa.Column("items", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["cart_id"], ["carts.id"], name=op.f("fk_orders_cart_id")),
        sa.ForeignKeyConstraint(
            ["payment_collection_id"], ["payment_collections.id"], name=op.f("fk_orders_payment_collection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("cart_id", name=op.f("uq_orders_cart_id")),
    )

    op.create_table(
        "payment_sessions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("payment_collection_id", sa.String(length=64), nullable=False),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("provider_id", sa.String(length=128), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("provider_reference", sa.String(length=255), nullable=True),
        sa.Column("data", JSON, nullable=False),
        sa.Column("shopper", JSON, nullable=False),
        sa.Column("action", JSON, nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_collection_id"],
            ["payment_collections.id"],
            name=op.f("fk_payment_sessions_payment_collection_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_sessions")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payment_sessions_amount_positive")),
        sa.CheckConstraint(
            "status IN ('pending', 'requires_more', 'pending_authorization', 'authorized', 'error', 'canceled')",
            name=op.f("ck_payment_sessions_status"),
        ),
    )

    op.create_index(
        "ix_payment_sessions_payment_collection_id", "payment_sessions", ["payment_collection_id"], unique=False
    )

    op.create_index(
        "uq_payment_sessions_live_place",
        "payment_sessions",
        ["payment_collection_id", "place"],
        unique=True,
        sqlite_where=sa.text("status IN ('authorized', 'error', 'pending', 'pending_authorization', 'requires_more')"),
        postgresql_where=sa.text(
            "status IN ('authorized', 'error', 'pending', 'pending_authorization', 'requires_more')"
        ),
    )

    op.create_table(
        "payments",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("payment_collection_id", sa.String(length=64), nullable=False),
        sa.Column("payment_session_id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=128), nullable=False),
        sa.Column("provider_reference", sa.String(length=255), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("captured_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("capturing_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refunding_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("canceled_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("captured_at", MOMENT, nullable=True),
        sa.Column("canceled_at", MOMENT, nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payments_amount_positive")),
        sa.CheckConstraint(
            "captured_minor >= 0 AND capturing_minor >= 0 AND refunded_minor >= 0 AND refunding_minor >= 0 AND canceled_minor >= 0",
            name=op.f("ck_payments_never_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["payment_collection_id"], ["payment_collections.id"], name=op.f("fk_payments_payment_collection_id")
        ),
        sa.ForeignKeyConstraint(
            ["payment_session_id"], ["payment_sessions.id"], name=op.f("fk_payments_payment_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("payment_session_id", name=op.f("uq_payments_payment_session_id")),
        sa.UniqueConstraint(
            "store_id",
            "provider_id",
            "provider_reference",
            name=op.f("uq_payments_store_id_provider_id_provider_reference"),
        ),
    )

    op.create_index("ix_payments_payment_collection_id", "payments", ["payment_collection_id"], unique=False)

    op.create_index("ix_payments_store_created", "payments", ["store_id", "created_at"], unique=False)

    op.create_table(
        "operations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("payment_collection_id", sa.String(length=64), nullable=False),
        sa.Column("payment_session_id", sa.String(length=64), nullable=False),
        sa.Column("payment_id", sa.String(length=64), nullable=True),
        sa.Column("provider_id", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("hook", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("attempt_key", sa.String(length=80), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("first_sent_at", MOMENT, nullable=True),
        sa.Column("last_sent_at", MOMENT, nullable=True),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_collection_id"], ["payment_collections.id"], name=op.f("fk_operations_payment_collection_id")
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_operations_payment_id")),
        sa.ForeignKeyConstraint(
            ["payment_session_id"], ["payment_sessions.id"], name=op.f("fk_operations_payment_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operations")),
        sa.UniqueConstraint("attempt_key", name=op.f("uq_operations_attempt_key")),
        sa.CheckConstraint(
            "kind IN ('initiate', 'authorize', 'update', 'capture', 'refund', 'cancel')",
            name=op.f("ck_operations_kind"),
        ),
        sa.CheckConstraint(
            "status IN ('planned', 'in_flight', 'requires_more', 'pending', 'unknown', 'review', 'succeeded', 'failed', 'canceled')",
            name=op.f("ck_operations_status"),
        ),
    )

    op.create_index("ix_operations_due_at", "operations", ["due_at"], unique=False)

    op.create_index("ix_operations_payment_collection_id", "operations", ["payment_collection_id"], unique=False)

    op.create_index(
        "uq_operations_open_of_session",
        "operations",
        ["payment_session_id", "kind"],
        unique=True,
        sqlite_where=sa.text(
            "kind NOT IN ('capture', 'refund') AND status IN ('in_flight', 'pending', 'planned', 'requires_more', 'review', 'unknown')"
        ),
        postgresql_where=sa.text(
            "kind NOT IN ('capture', 'refund') AND status IN ('in_flight', 'pending', 'planned', 'requires_more', 'review', 'unknown')"
        ),
    )

    op.create_table(
        "captures",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("payment_collection_id", sa.String(length=64), nullable=False),
        sa.Column("payment_id", sa.String(length=64), nullable=False),
        sa.Column("operation_id", sa.String(length=64), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("provider_reference", sa.String(length=255), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["operation_id"], ["operations.id"], name=op.f("fk_captures_operation_id")),
        sa.ForeignKeyConstraint(
            ["payment_collection_id"], ["payment_collections.id"], name=op.f("fk_captures_payment_collection_id")
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_captures_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_captures")),
        sa.UniqueConstraint("operation_id", name=op.f("uq_captures_operation_id")),
        sa.UniqueConstraint("payment_id", "provider_reference", name=op.f("uq_captures_payment_id_provider_reference")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_captures_amount_positive")),
    )

    op.create_table(
        "refunds",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("payment_collection_id", sa.String(length=64), nullable=False),
        sa.Column("payment_id", sa.String(length=64), nullable=False),
        sa.Column("operation_id", sa.String(length=64), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("provider_reference", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["operation_id"], ["operations.id"], name=op.f("fk_refunds_operation_id")),
        sa.ForeignKeyConstraint(
            ["payment_collection_id"], ["payment_collections.id"], name=op.f("fk_refunds_payment_collection_id")
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("operation_id", name=op.f("uq_refunds_operation_id")),
        sa.UniqueConstraint("payment_id", "provider_reference", name=op.f("uq_refunds_payment_id_provider_reference")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_refunds_amount_positive")),
    )
