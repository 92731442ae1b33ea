"""The records of the engine: frozen, each loaded from its row, none with behaviour that needs I/O."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from kassa.transitions import LIVE_SESSION, DeliveryStatus, NoticeStatus, OperationStatus, SessionStatus
from kassa_sdk import Action, JsonObject, Money, PaymentFacts, Record, Shopper


class OperationKind(StrEnum):
    """What an operation asks of a provider.  Answering an action continues the authorization; it is no kind of its own."""

    INITIATE = "initiate"
    AUTHORIZE = "authorize"
    UPDATE = "update"
    CAPTURE = "capture"
    REFUND = "refund"
    CANCEL = "cancel"


class CollectionStatus(StrEnum):
    """How far a payment collection is paid; derived from amounts, the words are Medusa's."""

    NOT_PAID = "not_paid"
    AWAITING = "awaiting"
    PARTIALLY_AUTHORIZED = "partially_authorized"
    AUTHORIZED = "authorized"
    PARTIALLY_CAPTURED = "partially_captured"
    COMPLETED = "completed"
    CANCELED = "canceled"
    FAILED = "failed"


class PaymentStatus(StrEnum):
    """Whether a payment still promises money; how much of it was taken is an amount."""

    AUTHORIZED = "authorized"
    CANCELED = "canceled"


class CaseKind(StrEnum):
    """What a person should know about, or decide, although nothing of it waits for them."""

    SURPLUS = "surplus"
    """Money that nothing is owed for: a session that was given up is paid after all."""
    CONTRADICTION = "contradiction"
    """A verified message that contradicts what was asked: another amount, currency or payment."""
    UNEXPLAINED = "unexplained"
    """A total at the provider that is more than all that we know of."""
    REFUND_FAILED = "refund_failed"
    """The provider says that a refund failed, after it had said that it succeeded."""
    RETURNED = "returned"
    """A debit was returned: captured money is gone."""
    DISPUTED = "disputed"
    """The shopper disputes a payment."""
    ORPHAN = "orphan"
    """The provider lists a payment that we do not know."""
    MISSING = "missing"
    """We have a payment that the provider does not list."""
    INCOMPLETE = "incomplete"
    """A part of a split payment is promised, and the rest did not come: it is given back."""


class CaseStatus(StrEnum):
    """Whether a case still wants somebody's attention."""

    OPEN = "open"
    CLOSED = "closed"


class ApiKeyKind(StrEnum):
    """Where a key stands: in the pages of a storefront, for everybody to read, or in a backend."""

    PUBLISHABLE = "publishable"
    SECRET = "secret"


class Scope(StrEnum):
    """What a secret key opens.  ``admin`` opens everything."""

    READ = "read"
    CAPTURE = "capture"
    REFUND = "refund"
    ADMIN = "admin"


class DisputeStatus(StrEnum):
    """Where one dispute stands."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class PaymentSession(Record):
    """One try to pay through one provider.

    ``data`` is what the provider returned last, for the storefront to read; ``action`` is set while the shopper must act.
    ``failure`` says why it stands in error.  ``place`` is the place in its collection that it holds while it is live,
    counted from 0; None for one whose money pays nothing that is owed: it is surplus, or given back.
    """

    id: str
    store_id: str
    payment_collection_id: str
    place: int | None
    provider_id: str
    region_id: str
    amount: Money
    status: SessionStatus
    provider_reference: str | None
    data: JsonObject
    shopper: Shopper
    action: Action | None
    failure: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def is_live(self) -> bool:
        """Whether it holds its place in the collection."""
        return self.status in LIVE_SESSION and self.place is not None


def _changed_last(known: dict[str, Any]) -> datetime:
    moment: datetime = known["canceled_at"] or known["captured_at"] or known["created_at"]
    return moment


class Payment(Record):
    """Promised money.  ``capturing`` and ``refunding`` are reserved by operations whose fate is not settled.

    ``returned`` is what a bank has taken back of a debit, in total.
    """

    id: str
    store_id: str
    payment_collection_id: str
    payment_session_id: str
    provider_id: str
    provider_reference: str
    amount: Money
    captured: Money
    capturing: Money
    refunded: Money
    refunding: Money
    canceled: Money
    returned: Money
    created_at: datetime
    captured_at: datetime | None
    canceled_at: datetime | None
    # Answers that an earlier release has kept lack it, and payments that it made.
    updated_at: datetime = Field(default_factory=_changed_last)

    @property
    def status(self) -> PaymentStatus:
        """Canceled when it was given up with nothing taken."""
        given_up = self.canceled_at is not None and not self.captured
        return PaymentStatus.CANCELED if given_up else PaymentStatus.AUTHORIZED

    @property
    def standing(self) -> Money:
        """What is promised or taken, and neither released nor given back; what may be given back does not count."""
        return self.amount - self.canceled - self.refunded - self.refunding - self.returned


class Capture(Record):
    """One taking of money that happened.  ``operation_id`` is None where it was made elsewhere."""

    id: str
    payment_id: str
    operation_id: str | None
    amount: Money
    provider_reference: str
    created_at: datetime


class RefundReason(Record):
    """Why money is given back, in the shop's own words; ``code`` names it for the shop's programs."""

    id: str
    store_id: str
    code: str
    label: str
    description: str | None
    created_at: datetime
    updated_at: datetime


class Refund(Record):
    """One giving back of money that happened.  ``operation_id`` is None where it was made elsewhere.

    ``reason`` is what somebody wrote at this refund, ``refund_reason_id`` one of the shop's reasons.

    ``failed_at`` is set where a person has decided that it failed after all: then it does not count.
    """

    id: str
    payment_id: str
    operation_id: str | None
    amount: Money
    provider_reference: str
    reason: str | None
    refund_reason_id: str | None = None
    created_at: datetime
    failed_at: datetime | None = None


class PaymentLedger(Record):
    """A payment with every capture and refund of it, oldest first."""

    payment: Payment
    captures: tuple[Capture, ...]
    refunds: tuple[Refund, ...]


class PaymentCollection(Record):
    """What is owed for one purpose, with its sessions (oldest first, also those given up) and payments.

    ``order_id`` is the order that it has paid; ``for_order_id`` one of which this is owed beyond what has paid it.
    """

    id: str
    store_id: str
    region_id: str
    cart_id: str | None
    order_id: str | None
    order_is_paid: bool
    for_order_id: str | None = None
    amount: Money
    sessions: tuple[PaymentSession, ...] = ()
    payments: tuple[Payment, ...] = ()
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    deleted_at: datetime | None = None

    @property
    def live_sessions(self) -> tuple[PaymentSession, ...]:
        """The sessions that hold the collection's places, in order: one, or several that the payment is split over."""
        return tuple(sorted((each for each in self.sessions if each.is_live), key=lambda each: each.place or 0))

    @property
    def has_promise(self) -> bool:
        """Whether a payment stands for what is owed, or a part of it: authorized or captured, not given up."""
        return any(self.is_promised(session) for session in self.live_sessions)

    @property
    def is_covered(self) -> bool:
        """Whether payments stand for all that is owed."""
        standing = (self.standing(session) for session in self.live_sessions)
        return Money.total(standing, self.amount.currency) == self.amount

    def session(self, session_id: str) -> PaymentSession:
        """The session of this id, which is one of this collection's."""
        return next(session for session in self.sessions if session.id == session_id)

    def payment(self, payment_id: str) -> Payment:
        """The payment of this id, which is one of this collection's."""
        return next(payment for payment in self.payments if payment.id == payment_id)

    def payment_of(self, session_id: str) -> Payment | None:
        """The payment that a session became, if it did."""
        return next((payment for payment in self.payments if payment.payment_session_id == session_id), None)

    def is_promised(self, session: PaymentSession) -> bool:
        """Whether the payment of this session stands."""
        payment = self.payment_of(session.id)
        return payment is not None and payment.status is PaymentStatus.AUTHORIZED

    def standing(self, session: PaymentSession) -> Money:
        """How much of this session's payment stands: promised or taken, and neither released nor given back."""
        payment = self.payment_of(session.id)
        return Money.zero(self.amount.currency) if payment is None else payment.standing


class Operation(Record):
    """One intent towards a provider, durable before it is sent.

    ``hook``, ``attempt`` and ``attempt_key`` name the send that is under way or was last; ``request`` is exactly what was
    sent, as JSON, ``sends`` how often.  ``checks`` counts how often its fate was looked for.
    ``cause`` says what stands in the way, or by which evidence it failed; ``answer`` is what the provider said last, as
    JSON, for a person to read.  ``client_key`` is the key under which a client asked for it, and may ask again.
    ``refund_reason_id`` is why, for a refund.
    """

    id: str
    store_id: str
    payment_collection_id: str
    payment_session_id: str
    payment_id: str | None
    provider_id: str
    region_id: str
    kind: OperationKind
    status: OperationStatus
    amount: Money | None
    hook: str
    attempt: int
    attempt_key: str
    request: str
    sends: int
    first_sent_at: datetime | None
    last_sent_at: datetime | None
    checks: int
    generation: int
    lease_until: datetime | None
    due_at: datetime | None
    cause: str | None
    answer: str | None
    client_key: str | None = None
    refund_reason_id: str | None = None
    created_at: datetime
    updated_at: datetime


class WaitingKind(StrEnum):
    """What may wait."""

    OPERATION = "operation"
    NOTICE = "notice"
    DELIVERY = "delivery"
    CASE = "case"


class Waiting(Record):
    """How many of one kind wait for something, in every store, and since when the oldest does.

    ``of`` is the provider; of a delivery, who is told.  ``status`` is that of the operation, the notice or the delivery, and
    the kind of the case; ``region_id`` is known of operations.
    """

    kind: WaitingKind
    of: str
    region_id: str = ""
    status: str
    count: int
    oldest_at: datetime


class ReceivedNotice(Record):
    """One verified message of a provider, as it stands in the inbox.

    ``dedupe_key`` is the provider's own id of it, or a hash of its body.  ``facts`` is None where it only says that
    something happened to ``provider_reference``.  ``body`` is for a person to read: without secrets and card numbers.
    Store, collection and session are known once it is matched.
    """

    id: str
    provider_id: str
    dedupe_key: str
    type: str
    status: NoticeStatus
    provider_reference: str | None
    facts: PaymentFacts | None
    body: str
    store_id: str | None
    payment_collection_id: str | None
    payment_session_id: str | None
    attempts: int
    due_at: datetime | None
    cause: str | None
    received_at: datetime
    updated_at: datetime


class Case(Record):
    """Something about money that a person should know about, or decide.

    ``subject`` is what it is about: told again, the same thing makes no second case.
    """

    id: str
    store_id: str
    payment_collection_id: str | None
    payment_session_id: str | None
    provider_id: str
    kind: CaseKind
    status: CaseStatus
    subject: str
    amount: Money | None
    cause: str
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    closed_why: str | None


class Event(Record):
    """One fact of the append-only history, named as Medusa names its events."""

    id: str
    store_id: str
    payment_collection_id: str | None
    name: str
    entity_id: str
    data: JsonObject
    created_at: datetime


class ProviderSwitch(Record):
    """Somebody switched a provider off, in one region or everywhere (None); kept when it is switched on again.

    It speaks against new sessions only: what is under way goes on.
    """

    id: str
    provider_id: str
    region_id: str | None
    reason: str
    off_by: str
    off_at: datetime
    on_by: str | None = None
    on_at: datetime | None = None
    on_why: str | None = None

    @property
    def is_off(self) -> bool:
        """Whether it was not switched on again."""
        return self.on_at is None

    @property
    def where(self) -> str:
        """In words."""
        return "everywhere" if self.region_id is None else f"in region {self.region_id}"

    def concerns(self, provider_id: str, region_id: str) -> bool:
        """Whether this provider is not to be offered in this region."""
        return self.is_off and self.provider_id == provider_id and self.region_id in (None, region_id)


class Delivery(Record):
    """The telling of one event to one subscriber, or to one extension (``extension:NAME``).

    ``attempts`` counts every try, also one that nobody lived to note.  ``cause`` says why the last one failed.
    """

    id: str
    store_id: str
    event: Event
    subscriber: str
    status: DeliveryStatus
    attempts: int
    due_at: datetime | None
    cause: str | None
    created_at: datetime
    updated_at: datetime


class LineItem(Record):
    """One line of a cart: so many of something, at a unit price that the shop's side set."""

    id: str
    title: str
    variant_id: str | None = None
    quantity: int
    unit_price: Money

    @property
    def total(self) -> Money:
        """Unit price times quantity."""
        return self.unit_price * self.quantity


class Cart(Record):
    """A cart of the embedded driver.

    ``is_of_catalogue`` where the shopper fills it, at the catalogue's prices; otherwise its lines are the shop's alone.
    """

    id: str
    store_id: str
    region_id: str
    total: Money
    shopper: Shopper
    items: tuple[LineItem, ...]
    metadata: JsonObject = {}
    is_of_catalogue: bool = False
    order_id: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


class Order(Record):
    """An order of the embedded driver; ``is_paid`` is False while it waits for its money."""

    id: str
    store_id: str
    cart_id: str
    payment_collection_id: str | None
    region_id: str
    total: Money
    is_paid: bool
    shopper: Shopper
    items: tuple[LineItem, ...]
    created_at: datetime


class ApiKey(Record):
    """Who may ask the HTTP server for this store.  ``shown`` is all of a publishable key, and the end of a secret one."""

    id: str
    store_id: str
    kind: ApiKeyKind
    title: str
    shown: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    revoked_at: datetime | None = None


class Reconciliation(Record):
    """One time of one provider, compared with the provider's own list of payments.

    The payments that were created from ``since`` on and before ``until``; ``is_daily`` for the worker's own, which meet
    without gap or overlap, and not for those that an operator asked for.  ``listed`` counts what the provider lists,
    ``adopted`` the payments of which our books learned something, ``reported`` the cases that were opened.  ``cause`` says
    why it does not go on; until ``lease_until`` somebody works at it, or nobody tries.
    """

    id: str
    provider_id: str
    since: datetime
    until: datetime
    is_daily: bool
    cursor: str | None
    lease_until: datetime | None
    listed: int
    adopted: int
    reported: int
    cause: str | None
    started_at: datetime
    finished_at: datetime | None
