"""Safe with money: notices, cases, disputes, client keys, the outbox, switches, reconciliation, reload requests."""

import sqlalchemy as sa
from alembic import op

from kassa.store.migrations.triggers import after_insert, guard_status

revision = "0002"
down_revision = "0001"

JSON = sa.JSON()
MOMENT = sa.DateTime(timezone=True)

NOTICE_MOVES = {
    "received": ["applied", "error", "ignored", "unmatched"],
    "unmatched": ["applied", "error", "expired"],
    "error": ["applied", "dead", "unmatched"],
    "expired": ["received"],
    "dead": ["received"],
    "applied": ["received"],
    "ignored": ["received"],
}
DELIVERY_MOVES = {
    "new": ["dead", "retry", "sent"],
    "retry": ["dead", "sent"],
    "sent": ["new"],
    "dead": ["new"],
}


def upgrade() -> None:
    """Add what the first checkout lacked."""
    _add_columns()
    _create_inbox()
    _create_outbox()
    _create_operation()
    guard_status("notices", NOTICE_MOVES)
    guard_status("deliveries", DELIVERY_MOVES)
    after_insert("events_outbox", "events", "INSERT INTO outbox (event_id) VALUES (NEW.id)")


def _add_columns() -> None:
    op.add_column("operations", sa.Column("client_key", sa.String(length=255), nullable=True))
    op.create_index(
        "ix_payment_sessions_reference", "payment_sessions", ["provider_id", "provider_reference"], unique=False
    )
    op.create_index(
        "ix_payment_sessions_provider_id_created_at", "payment_sessions", ["provider_id", "created_at"], unique=False
    )
    op.add_column("payment_sessions", sa.Column("listed_at", MOMENT, nullable=True))
    op.add_column("payments", sa.Column("returned_minor", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("refunds", sa.Column("failed_at", MOMENT, nullable=True))


def _create_inbox() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=128), nullable=False),
        sa.Column("dedupe_key", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("provider_reference", sa.String(length=255), nullable=True),
        sa.Column("facts", JSON, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=True),
        sa.Column("payment_collection_id", sa.String(length=64), nullable=True),
        sa.Column("payment_session_id", sa.String(length=64), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_collection_id"], ["payment_collections.id"], name=op.f("fk_notices_payment_collection_id")
        ),
        sa.ForeignKeyConstraint(
            ["payment_session_id"], ["payment_sessions.id"], name=op.f("fk_notices_payment_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.CheckConstraint(
            "status IN ('received', 'applied', 'ignored', 'unmatched', 'error', 'expired', 'dead')",
            name=op.f("ck_notices_status"),
        ),
        sa.UniqueConstraint("provider_id", "dedupe_key", name=op.f("uq_notices_provider_id_dedupe_key")),
    )
    op.create_index("ix_notices_due_at", "notices", ["due_at"], unique=False)
    op.create_index("ix_notices_payment_collection_id", "notices", ["payment_collection_id"], unique=False)

    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("payment_collection_id", sa.String(length=64), nullable=True),
        sa.Column("payment_session_id", sa.String(length=64), nullable=True),
        sa.Column("provider_id", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("closed_by", sa.String(length=255), nullable=True),
        sa.Column("closed_why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["payment_collection_id"], ["payment_collections.id"], name=op.f("fk_cases_payment_collection_id")
        ),
        sa.ForeignKeyConstraint(
            ["payment_session_id"], ["payment_sessions.id"], name=op.f("fk_cases_payment_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.CheckConstraint(
            "kind IN ('surplus', 'contradiction', 'unexplained', 'refund_failed', 'returned', 'disputed', 'orphan', 'missing', 'incomplete')",
            name=op.f("ck_cases_kind"),
        ),
        sa.CheckConstraint("status IN ('open', 'closed')", name=op.f("ck_cases_status")),
        sa.UniqueConstraint("store_id", "kind", "subject", name=op.f("uq_cases_store_id_kind_subject")),
    )
    op.create_index("ix_cases_due_at", "cases", ["due_at"], unique=False)
    op.create_index("ix_cases_payment_collection_id", "cases", ["payment_collection_id"], unique=False)

    op.create_table(
        "disputes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("payment_collection_id", sa.String(length=64), nullable=False),
        sa.Column("payment_id", sa.String(length=64), nullable=False),
        sa.Column("provider_reference", sa.String(length=255), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_collection_id"], ["payment_collections.id"], name=op.f("fk_disputes_payment_collection_id")
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_disputes_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        sa.CheckConstraint("status IN ('open', 'won', 'lost')", name=op.f("ck_disputes_status")),
        sa.UniqueConstraint("payment_id", "provider_reference", name=op.f("uq_disputes_payment_id_provider_reference")),
    )

    op.create_table(
        "idempotency_keys",
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("client_key", sa.String(length=255), nullable=False),
        sa.Column("verb", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("operation_id", sa.String(length=64), nullable=True),
        sa.Column("answer", JSON, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["operation_id"], ["operations.id"], name=op.f("fk_idempotency_keys_operation_id")),
        sa.PrimaryKeyConstraint("store_id", "client_key", name=op.f("pk_idempotency_keys")),
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_outbox_event_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_outbox")),
    )

    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store_id", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("subscriber", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_deliveries_event_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.CheckConstraint("status IN ('new', 'retry', 'sent', 'dead')", name=op.f("ck_deliveries_status")),
        sa.UniqueConstraint("event_id", "subscriber", name=op.f("uq_deliveries_event_id_subscriber")),
    )
    op.create_index("ix_deliveries_due_at", "deliveries", ["due_at"], unique=False)
    op.create_index(
        "ix_deliveries_waiting",
        "deliveries",
        ["subscriber", "event_id"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )


def _create_operation() -> None:
    op.create_table(
        "provider_switches",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=128), nullable=False),
        sa.Column("region_id", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("off_by", sa.String(length=255), nullable=False),
        sa.Column("off_at", MOMENT, nullable=False),
        sa.Column("on_by", sa.String(length=255), nullable=True),
        sa.Column("on_at", MOMENT, nullable=True),
        sa.Column("on_why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_switches")),
    )
    op.create_index(
        "uq_provider_switches_off",
        "provider_switches",
        ["provider_id", "region_id"],
        unique=True,
        sqlite_where=sa.text("on_at IS NULL"),
        postgresql_where=sa.text("on_at IS NULL"),
    )

    op.create_table(
        "reconciliations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=128), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.Column("is_daily", sa.Boolean(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("adopted", sa.Integer(), nullable=False),
        sa.Column("reported", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliations")),
    )
    op.create_index(
        "uq_reconciliations_daily",
        "reconciliations",
        ["provider_id", "since"],
        unique=True,
        sqlite_where=sa.text("is_daily"),
        postgresql_where=sa.text("is_daily"),
    )
    op.create_index(
        "ix_reconciliations_provider_id_finished_at", "reconciliations", ["provider_id", "finished_at"], unique=False
    )

    op.create_table(
        "reload_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("requested_by", sa.String(length=255), nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reload_requests")),
    )
