"""The tables.  Every row about money carries its store and its payment collection.

The database repeats the rules: statuses are checked against the known words, their moves by triggers
(``migrations``), one live session a collection and one order a cart by unique indexes.
"""

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

from kassa.model import ApiKeyKind, CaseKind, CaseStatus, DisputeStatus, OperationKind
from kassa.transitions import (
    LIVE_SESSION,
    OPEN_OPERATION,
    DeliveryStatus,
    NoticeStatus,
    OperationStatus,
    SessionStatus,
)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC.  SQLite has no time zones, so they are taken off on the way in and put on on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware in, UTC stored."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC out, aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# Not JSONB: nothing is searched in these, and its import alone takes longer than all other tables together.
Json = JSON()
NullableJson = JSON(none_as_null=True)
Id = String(64)


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    words = ", ".join(f"'{value.value}'" for value in values)
    return CheckConstraint(f"{column} IN ({words})", name=column)


def _in(column: str, values: frozenset[OperationStatus] | frozenset[SessionStatus]) -> str:
    return f"{column} IN ({', '.join(sorted(repr(value.value) for value in values))})"


IS_OPEN = text(_in("status", OPEN_OPERATION))
"""Of an operation that is not settled: in the words of the index that finds it."""

payment_collections = Table(
    "payment_collections",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("region_id", String(64), nullable=False),
    Column("cart_id", String(255)),
    Column("order_id", String(255)),
    Column("order_is_paid", Boolean, nullable=False),
    # The order of which this is owed beyond what has paid it.
    Column("for_order_id", String(255)),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", BigInteger, CheckConstraint("amount_minor > 0", name="amount_positive"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("completed_at", UtcDateTime),
    Column("deleted_at", UtcDateTime),
    # When the worker completes it, should nobody else.
    Column("due_at", UtcDateTime, index=True),
    # One collection a cart, also when two requests come at once.
    UniqueConstraint("store_id", "cart_id"),
    Index("ix_payment_collections_order", "store_id", "order_id"),
)

payment_sessions = Table(
    "payment_sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("payment_collection_id", ForeignKey("payment_collections.id"), nullable=False, index=True),
    # Which of the collection's places it holds: the first, or one of several that the payment is split over.  None: its
    # money pays nothing that is owed; it is surplus, or given back.
    Column("place", Integer),
    Column("provider_id", String(128), nullable=False),
    Column("region_id", String(64), nullable=False, server_default=""),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", BigInteger, CheckConstraint("amount_minor > 0", name="amount_positive"), nullable=False),
    Column("status", String(32), _one_of("status", SessionStatus), nullable=False),
    Column("provider_reference", String(255)),
    Column("data", Json, nullable=False),
    Column("shopper", Json, nullable=False),
    Column("action", NullableJson),
    Column("failure", Text),
    # When it was last seen in the provider's own list of payments.
    Column("listed_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(
        "uq_payment_sessions_live_place",
        "payment_collection_id",
        "place",
        unique=True,
        sqlite_where=text(_in("status", LIVE_SESSION)),
        postgresql_where=text(_in("status", LIVE_SESSION)),
    ),
    # By this a notice finds its session.
    Index("ix_payment_sessions_reference", "provider_id", "provider_reference"),
    # By this a day is compared with the provider's list.
    Index("ix_payment_sessions_provider_id_created_at", "provider_id", "created_at"),
)

payments = Table(
    "payments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("payment_collection_id", ForeignKey("payment_collections.id"), nullable=False, index=True),
    Column("payment_session_id", ForeignKey("payment_sessions.id"), nullable=False, unique=True),
    Column("provider_id", String(128), nullable=False),
    Column("provider_reference", String(255), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("captured_minor", BigInteger, nullable=False, server_default="0"),
    Column("capturing_minor", BigInteger, nullable=False, server_default="0"),
    Column("refunded_minor", BigInteger, nullable=False, server_default="0"),
    Column("refunding_minor", BigInteger, nullable=False, server_default="0"),
    Column("canceled_minor", BigInteger, nullable=False, server_default="0"),
    Column("returned_minor", BigInteger, nullable=False, server_default="0"),
    Column("created_at", UtcDateTime, nullable=False),
    # When what is promised, taken or given back changed last.
    Column("updated_at", UtcDateTime),
    Column("captured_at", UtcDateTime),
    Column("canceled_at", UtcDateTime),
    CheckConstraint("amount_minor > 0", name="amount_positive"),
    CheckConstraint(
        "captured_minor >= 0 AND capturing_minor >= 0 AND refunded_minor >= 0 AND refunding_minor >= 0"
        " AND canceled_minor >= 0",
        name="never_negative",
    ),
    Index("ix_payments_store_created", "store_id", "created_at"),
    # A notice finds its payment by this; two payments are never the same one at the provider.
    UniqueConstraint("store_id", "provider_id", "provider_reference"),
)

operations = Table(
    "operations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("payment_collection_id", ForeignKey("payment_collections.id"), nullable=False, index=True),
    Column("payment_session_id", ForeignKey("payment_sessions.id"), nullable=False),
    Column("payment_id", ForeignKey("payments.id")),
    Column("provider_id", String(128), nullable=False),
    Column("region_id", String(64), nullable=False, server_default=""),
    Column("kind", String(16), _one_of("kind", OperationKind), nullable=False),
    Column("status", String(16), _one_of("status", OperationStatus), nullable=False),
    Column("currency", String(3)),
    Column("amount_minor", BigInteger),
    Column("hook", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("attempt_key", String(80), nullable=False, unique=True),
    Column("request", Text, nullable=False),
    Column("sends", Integer, nullable=False),
    Column("first_sent_at", UtcDateTime),
    Column("last_sent_at", UtcDateTime),
    Column("checks", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("lease_until", UtcDateTime),
    Column("due_at", UtcDateTime, index=True),
    Column("cause", Text),
    Column("answer", Text),
    Column("client_key", String(255)),
    Column("refund_reason_id", Id),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    # Captures and refunds may run beside each other, their amounts are reserved; of all else one at a time.
    Index(
        "uq_operations_open_of_session",
        "payment_session_id",
        "kind",
        unique=True,
        sqlite_where=text(f"kind NOT IN ('capture', 'refund') AND {_in('status', OPEN_OPERATION)}"),
        postgresql_where=text(f"kind NOT IN ('capture', 'refund') AND {_in('status', OPEN_OPERATION)}"),
    ),
    # What is in doubt, of which there is little among all that is settled.
    Index(
        "ix_operations_open",
        "store_id",
        "created_at",
        sqlite_where=IS_OPEN,
        postgresql_where=IS_OPEN,
    ),
)

captures = Table(
    "captures",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("payment_collection_id", ForeignKey("payment_collections.id"), nullable=False),
    Column("payment_id", ForeignKey("payments.id"), nullable=False),
    Column("operation_id", ForeignKey("operations.id"), unique=True),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", BigInteger, CheckConstraint("amount_minor > 0", name="amount_positive"), nullable=False),
    Column("provider_reference", String(255), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("payment_id", "provider_reference"),
)

refunds = Table(
    "refunds",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("payment_collection_id", ForeignKey("payment_collections.id"), nullable=False),
    Column("payment_id", ForeignKey("payments.id"), nullable=False),
    Column("operation_id", ForeignKey("operations.id"), unique=True),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", BigInteger, CheckConstraint("amount_minor > 0", name="amount_positive"), nullable=False),
    Column("provider_reference", String(255), nullable=False),
    Column("reason", Text),
    Column("refund_reason_id", Id),
    Column("created_at", UtcDateTime, nullable=False),
    # A person decided that it failed after all; it does not count.
    Column("failed_at", UtcDateTime),
    UniqueConstraint("payment_id", "provider_reference"),
)

events = Table(
    "events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("payment_collection_id", String(64), index=True),
    Column("name", String(64), nullable=False),
    Column("entity_id", String(255), nullable=False),
    Column("data", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

# One row an event, written by a trigger in the event's own transaction; gone once the event has its deliveries.
outbox = Table(
    "outbox",
    metadata,
    Column("event_id", ForeignKey("events.id"), primary_key=True),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("event_id", ForeignKey("events.id"), nullable=False),
    # The name of a subscriber or an extension in the configuration.
    Column("subscriber", String(64), nullable=False),
    Column("status", String(16), _one_of("status", DeliveryStatus), nullable=False),
    Column("attempts", Integer, nullable=False),
    # While it waits for a try, or for one that is under way.
    Column("due_at", UtcDateTime, index=True),
    Column("cause", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("event_id", "subscriber"),
    # What waits for one subscriber, in the order of the events.
    Index(
        "ix_deliveries_waiting",
        "subscriber",
        "event_id",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

# The inbox of verified messages.  Store and collection are known once a message is matched: providers know no stores.
notices = Table(
    "notices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("provider_id", String(128), nullable=False),
    # The provider's own id of the message; where it has none, a hash of its body.
    Column("dedupe_key", String(255), nullable=False),
    Column("type", String(255), nullable=False),
    Column("status", String(16), _one_of("status", NoticeStatus), nullable=False),
    Column("provider_reference", String(255)),
    Column("facts", NullableJson),
    # As it came, for a person to read: without secrets and card numbers.
    Column("body", Text, nullable=False),
    Column("store_id", String(64)),
    Column("payment_collection_id", ForeignKey("payment_collections.id"), index=True),
    Column("payment_session_id", ForeignKey("payment_sessions.id")),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcDateTime, index=True),
    Column("cause", Text),
    Column("received_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    # A repetition is stored once.
    UniqueConstraint("provider_id", "dedupe_key"),
)

cases = Table(
    "cases",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("payment_collection_id", ForeignKey("payment_collections.id"), index=True),
    Column("payment_session_id", ForeignKey("payment_sessions.id")),
    Column("provider_id", String(128), nullable=False),
    Column("kind", String(16), _one_of("kind", CaseKind), nullable=False),
    Column("status", String(16), _one_of("status", CaseStatus), nullable=False),
    # What it is about: the same thing makes one case, however often it is told.
    Column("subject", String(255), nullable=False),
    Column("currency", String(3)),
    Column("amount_minor", BigInteger),
    Column("cause", Text, nullable=False),
    # When the worker does what the policy says.
    Column("due_at", UtcDateTime, index=True),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("closed_by", String(255)),
    Column("closed_why", Text),
    UniqueConstraint("store_id", "kind", "subject"),
)

disputes = Table(
    "disputes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("payment_collection_id", ForeignKey("payment_collections.id"), nullable=False),
    Column("payment_id", ForeignKey("payments.id"), nullable=False),
    Column("provider_reference", String(255), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("status", String(16), _one_of("status", DisputeStatus), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("payment_id", "provider_reference"),
)

# A client's key, what was asked under it, and the answer: kept as long as the payment.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("store_id", String(64), primary_key=True),
    Column("client_key", String(255), primary_key=True),
    Column("verb", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("operation_id", ForeignKey("operations.id")),
    Column("answer", NullableJson),
    Column("created_at", UtcDateTime, nullable=False),
)

# Who switched which provider off, where, why and until when; a row stays when it is switched on again.
provider_switches = Table(
    "provider_switches",
    metadata,
    Column("id", Id, primary_key=True),
    Column("provider_id", String(128), nullable=False),
    # A region of the configuration, or * for all.
    Column("region_id", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("off_by", String(255), nullable=False),
    Column("off_at", UtcDateTime, nullable=False),
    Column("on_by", String(255)),
    Column("on_at", UtcDateTime),
    Column("on_why", Text),
    Index(
        "uq_provider_switches_off",
        "provider_id",
        "region_id",
        unique=True,
        sqlite_where=text("on_at IS NULL"),
        postgresql_where=text("on_at IS NULL"),
    ),
)

# One comparison of our books with a provider's own list, for payments that began in a window of time.
reconciliations = Table(
    "reconciliations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("provider_id", String(128), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("is_daily", Boolean, nullable=False),
    # The page of the list that is compared next, in the provider's words.
    Column("cursor", Text),
    Column("lease_until", UtcDateTime),
    Column("listed", Integer, nullable=False),
    Column("adopted", Integer, nullable=False),
    Column("reported", Integer, nullable=False),
    Column("cause", Text),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    # Each day is compared once; an operator may compare any time again.
    Index(
        "uq_reconciliations_daily",
        "provider_id",
        "since",
        unique=True,
        sqlite_where=text("is_daily"),
        postgresql_where=text("is_daily"),
    ),
    Index("ix_reconciliations_provider_id_finished_at", "provider_id", "finished_at"),
)

# Somebody asked every running process to read its configuration again.
reload_requests = Table(
    "reload_requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("requested_by", String(255), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
)

carts = Table(
    "carts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("region_id", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("shopper", Json, nullable=False),
    # Of the shop's own; kassa keeps it, and never looks into it.
    Column("metadata", Json, nullable=False, server_default="{}"),
    Column("is_of_catalogue", Boolean, nullable=False, server_default=false()),
    # Said here as well, so that who locks the cart sees it.
    Column("order_id", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("completed_at", UtcDateTime),
)

cart_items = Table(
    "cart_items",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("cart_id", ForeignKey("carts.id"), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("variant_id", String(255)),
    Column("quantity", Integer, CheckConstraint("quantity > 0", name="quantity_positive"), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", BigInteger, CheckConstraint("amount_minor >= 0", name="price"), nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("cart_id", ForeignKey("carts.id"), nullable=False, unique=True),
    Column("payment_collection_id", ForeignKey("payment_collections.id")),
    Column("region_id", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("is_paid", Boolean, nullable=False),
    Column("shopper", Json, nullable=False),
    Column("items", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("kind", String(16), _one_of("kind", ApiKeyKind), nullable=False),
    # Of what the client sends; a secret itself is nowhere.
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("shown", String(80), nullable=False),
    # Words with a space between: read whole, never searched.
    Column("scopes", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Index("ix_api_keys_store_id", "store_id"),
)

refund_reasons = Table(
    "refund_reasons",
    metadata,
    Column("id", Id, primary_key=True),
    Column("store_id", String(64), nullable=False),
    Column("code", String(255), nullable=False),
    Column("label", Text, nullable=False),
    Column("description", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    # One that is deleted is not offered any more; refunds go on saying it.
    Column("deleted_at", UtcDateTime),
    Index(
        "uq_refund_reasons_store_id_code",
        "store_id",
        "code",
        unique=True,
        sqlite_where=text("deleted_at IS NULL"),
        postgresql_where=text("deleted_at IS NULL"),
    ),
)
