"""The invariants of the engine, checked on a settled database against the provider's own books.

None of the engine's code is asked: the rows are read as they stand.  Each violation is a sentence that begins with the name
of its invariant.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from databases import Row, Tables
from provider_books import Effect

from kassa.transitions import OPERATION_MOVES, SESSION_MOVES, OperationStatus, SessionStatus

MOVES_MONEY = frozenset({"authorized", "sold", "captured", "refunded"})
"""The effects that may happen once for an operation, whatever happens on our side."""

SENT_ONCE = ("_keyless", "_lagging")
"""Providers that take no keys, or do not act upon them."""

RESERVING = {"in_flight", "requires_more", "pending", "unknown", "review"}
IN_DOUBT = {"unknown", "review"}
DUE = {"planned", "in_flight", "unknown", "pending"}
OPEN = RESERVING | {"planned"}
CLOSED_AT_PROVIDER = {"canceled", "declined", "expired"}
NEED_NOT_BE_CLOSED = {"pp_simulator_lagging"}
"""Of these providers ``if_close_unconfirmed`` is "allow"."""
OPERATION_EVENT = "kassa.operation."
SESSION_EVENT = "payment.payment_session."


@dataclass
class ProviderPayment:
    """One payment as the books add it up."""

    provider: str
    our_reference: str
    status: str = "created"
    amount: int = 0
    authorized: int = 0
    currency: str = ""

    def __post_init__(self) -> None:
        self.movements: dict[str, tuple[str, int, str]] = {}

    def taken(self, kind: str) -> Counter[tuple[str, int]]:
        """The movements of a kind that have succeeded: reference and amount."""
        return Counter(
            (reference, amount)
            for reference, (which, amount, status) in self.movements.items()
            if which == kind and status == "succeeded"
        )

    @property
    def is_held(self) -> bool:
        """Whether it has money of the shopper's: held, or taken and never released."""
        return (self.authorized > 0 and self.status == "authorized") or bool(self.taken("capture"))

    @property
    def is_given_back(self) -> bool:
        """Whether all that was authorized was taken, and all of it refunded."""
        return self.total("capture") == self.total("refund") == self.authorized > 0

    def under_way(self) -> list[str]:
        """The movements that are pending."""
        return [reference for reference, (_, _, status) in self.movements.items() if status == "pending"]

    def total(self, kind: str) -> int:
        """The sum of the movements of a kind that have succeeded."""
        return sum(amount for _, amount in self.taken(kind).elements())

    def apply(self, effect: Effect) -> None:
        match effect.type:
            case "amount_changed":
                self.amount = effect.amount or 0
            case "authorized" | "sold":
                self.status, self.authorized = "authorized", self.authorized + (effect.amount or 0)
            case "action_required" | "pending" | "declined" | "canceled" | "expired":
                self.status = effect.type
        if effect.type in ("sold", "captured", "refunded"):
            kind = "refund" if effect.type == "refunded" else "capture"
            status = effect.movement_status or "succeeded"
            self.movements[effect.movement_id or ""] = (kind, effect.amount or 0, status)
        elif effect.type in ("movement_settled", "movement_failed"):
            kind, amount, _ = self.movements[effect.movement_id or ""]
            status = "succeeded" if effect.type == "movement_settled" else "failed"
            self.movements[effect.movement_id or ""] = (kind, amount, status)


@dataclass(frozen=True)
class Settled:
    """What one run has left behind: our rows, and what happened at the providers."""

    tables: Tables
    effects: list[Effect]
    taken: list[str] | None = None
    """The ids of the events that the subscriber took; None: there is no subscriber."""

    @cached_property
    def provider_payments(self) -> dict[str, ProviderPayment]:
        payments: dict[str, ProviderPayment] = {}
        for effect in self.effects:
            if effect.type == "payment_created":
                payments[effect.payment_id or ""] = ProviderPayment(
                    effect.provider,
                    effect.our_reference or "",
                    amount=effect.amount or 0,
                    currency=effect.currency or "",
                )
                if effect.code:
                    payments[effect.payment_id or ""].status = "declined"
            elif effect.payment_id in payments:
                payments[effect.payment_id].apply(effect)
        return payments

    @cached_property
    def effects_of(self) -> dict[str, list[Effect]]:
        """The effects of each operation of ours."""
        effects: dict[str, list[Effect]] = defaultdict(list)
        for effect in self.effects:
            if effect.key:
                effects[operation_of(effect)].append(effect)
        return effects

    @cached_property
    def operations(self) -> dict[str, Row]:
        return {row["id"]: row for row in self.tables["operations"]}

    @cached_property
    def sessions(self) -> dict[str, Row]:
        return {row["id"]: row for row in self.tables["payment_sessions"]}

    @cached_property
    def history(self) -> dict[str, list[Row]]:
        """The events of each thing, oldest first."""
        history: dict[str, list[Row]] = defaultdict(list)
        for row in sorted(self.tables["events"], key=lambda row: str(row["id"])):
            history[row["entity_id"]].append(row)
        return history

    def status_before(self, event: Row, operation: Row) -> str | None:
        """How an operation stood when this happened; None: it was not there yet."""
        before = [each["name"] for each in self.history[operation["id"]] if str(each["id"]) < str(event["id"])]
        return before[-1].removeprefix(OPERATION_EVENT) if before else None

    def open_operations(self, session_id: str) -> list[Row]:
        return [
            row for row in self.operations.values() if row["payment_session_id"] == session_id and row["status"] in OPEN
        ]


Check = Callable[[Settled], Iterator[str]]


def violations(settled: Settled) -> list[str]:
    """Every sentence about what must never be; empty when all is well."""
    checks = (
        _movements_match,
        _promises_match,
        _given_up_is_closed,
        _not_given_up_in_doubt,
        _orders,
        _in_doubt_has_a_next_step,
        _every_event_is_told,
    )
    return violations_at_any_moment(settled) + _found(checks, settled)


def violations_at_any_moment(settled: Settled) -> list[str]:
    """What must not be either while much is still in doubt."""
    checks = (
        _one_effect_an_operation,
        _nothing_without_an_intent,
        _keyless_never_repeated,
        _sums_within_caps,
        _reservations_are_operations,
        _one_live_session,
        _operations_moved_by_the_table,
        _sessions_moved_by_the_table,
        _one_event_a_change,
        _one_effect_a_client_key,
        _not_begun_again_in_doubt,
    )
    return _found(checks, settled)


def _found(checks: Iterable[Check], settled: Settled) -> list[str]:
    return [f"{_name(check)}: {sentence}" for check in checks for sentence in check(settled)]


def _name(check: Check) -> str:
    return check.__name__.strip("_").replace("_", " ")


def operation_of(effect: Effect) -> str:
    """The operation whose attempt key the effect carries."""
    return (effect.key or "").rsplit("-", 2)[0]


def _one_effect_an_operation(settled: Settled) -> Iterator[str]:
    """Invariant 1."""
    counted = Counter(
        (operation_of(effect), effect.type) for effect in settled.effects if effect.key and effect.type in MOVES_MONEY
    )
    for (operation_id, what), times in counted.items():
        if times > 1:
            yield f"{operation_id} had {times} effects ({what}) at the provider"


def _nothing_without_an_intent(settled: Settled) -> Iterator[str]:
    """Invariant 10."""
    for effect in settled.effects:
        if effect.key and operation_of(effect) not in settled.operations:
            yield f"the provider did {effect.type} for {effect.key}, which no operation of ours has asked for"


def _keyless_never_repeated(settled: Settled) -> Iterator[str]:
    for row in settled.operations.values():
        if row["provider_id"].endswith(SENT_ONCE) and row["sends"] > 1:
            yield f"{row['id']} ({row['kind']}) was sent {row['sends']} times to a provider that takes no keys"


def _movements_match(settled: Settled) -> Iterator[str]:
    """Invariants 2 and 11: what happened there and what our books hold is the same, with amount and currency."""
    for row in settled.tables["payments"]:
        there = settled.provider_payments.get(row["provider_reference"])
        if there is None:
            if "simulator" in row["provider_id"]:
                yield f"{row['id']} is {row['provider_reference']}, which the provider does not have"
            continue
        if there.currency != row["currency"]:
            yield f"{row['id']} is in {row['currency']}, at the provider in {there.currency}"
        for kind in ("capture", "refund"):
            yield from _compare(settled, row, kind, there.taken(kind))


def _compare(settled: Settled, payment: Row, kind: str, there: Counter[tuple[str, int]]) -> Iterator[str]:
    here = Counter(
        (row["provider_reference"], row["amount_minor"])
        for row in settled.tables[f"{kind}s"]
        if row["payment_id"] == payment["id"] and row.get("failed_at") is None
    )
    for reference, amount in (here - there).keys():
        yield f"{payment['id']} has a {kind} {reference} of {amount} that the provider has not made"
    doubtful = sum(
        row["amount_minor"] or 0
        for row in settled.open_operations(payment["payment_session_id"])
        if row["kind"] == kind
    )
    missing = sum(amount * times for (_, amount), times in (there - here).items())
    if missing and missing != doubtful:
        yield f"the provider has made {kind}s of {missing} on {payment['id']} that our books lack, {doubtful} is in doubt"


def _promises_match(settled: Settled) -> Iterator[str]:
    ours = {row["provider_reference"]: row for row in settled.tables["payments"]}
    for reference, there in settled.provider_payments.items():
        session = settled.sessions.get(there.our_reference)
        if session is None:
            yield f"the provider has {reference} for {there.our_reference}, which is no session of ours"
            continue
        doubtful = settled.open_operations(session["id"])
        if session["provider_reference"] != reference and not doubtful and there.status not in CLOSED_AT_PROVIDER:
            yield f"{session['id']} is {reference} at the provider ({there.status}), and we do not know it"
        if there.is_held and reference not in ours and not doubtful:
            yield f"{there.authorized} is authorized on {reference} ({session['id']}), and we have no payment of it"
        if reference in ours and there.authorized != ours[reference]["amount_minor"] and not doubtful:
            yield f"{reference} holds {there.authorized}, our payment is about {ours[reference]['amount_minor']}"


def _given_up_is_closed(settled: Settled) -> Iterator[str]:
    """A session that was given up cannot be paid any more, unless the configuration takes that risk."""
    failed = {
        row["payment_session_id"]
        for row in settled.operations.values()
        if row["kind"] == "cancel" and row["status"] == "failed" and row["provider_id"] in NEED_NOT_BE_CLOSED
    }
    for there in settled.provider_payments.values():
        session = settled.sessions.get(there.our_reference)
        if session is None or session["status"] != "canceled" or settled.open_operations(session["id"]):
            continue
        if session["id"] not in failed and there.status not in CLOSED_AT_PROVIDER and not there.is_given_back:
            yield f"{session['id']} was given up, but the provider has it as {there.status}"


def _not_given_up_in_doubt(settled: Settled) -> Iterator[str]:
    """While nobody knows whether a session is paid, no other takes its place."""
    for row in settled.operations.values():
        session_id = row["payment_session_id"]
        given_up = [event for event in settled.history[session_id] if event["name"] == f"{SESSION_EVENT}canceled"]
        statuses = {settled.status_before(event, row) for event in given_up}
        if row["kind"] == "authorize" and statuses & {"in_flight", *IN_DOUBT}:
            yield f"{session_id} was given up while nobody knew what had come of {row['id']} (authorize)"


def _sums_within_caps(settled: Settled) -> Iterator[str]:
    """Invariant 3.  What somebody does in the provider's dashboard, while ours is in doubt, is not for us to prevent."""
    for row in settled.tables["payments"]:
        elsewhere = {kind: _moved_elsewhere(settled, row["id"], kind) for kind in ("capture", "refund")}
        used = row["captured_minor"] - elsewhere["capture"] + row["capturing_minor"] + row["canceled_minor"]
        if used > row["amount_minor"]:
            yield f"{row['id']} is about {row['amount_minor']}, but {used} is captured, in doubt or canceled"
        back = row["refunded_minor"] - elsewhere["refund"] + row["refunding_minor"]
        if back > row["captured_minor"]:
            yield f"{row['id']} has {row['captured_minor']} captured, but {back} is refunded or in doubt"
        for kind in ("capture", "refund"):
            total = sum(
                movement["amount_minor"]
                for movement in settled.tables[f"{kind}s"]
                if movement["payment_id"] == row["id"] and movement.get("failed_at") is None
            )
            column = "captured_minor" if kind == "capture" else "refunded_minor"
            if total != row[column]:
                yield f"{row['id']} has {column} {row[column]}, its {kind}s add up to {total}"


def _moved_elsewhere(settled: Settled, payment_id: str, kind: str) -> int:
    """What was captured or refunded without an operation of ours."""
    return sum(
        movement["amount_minor"]
        for movement in settled.tables[f"{kind}s"]
        if movement["payment_id"] == payment_id
        and movement["operation_id"] is None
        and movement.get("failed_at") is None
    )


def _reservations_are_operations(settled: Settled) -> Iterator[str]:
    """Invariant 4: what is reserved is exactly what is in doubt."""
    for row in settled.tables["payments"]:
        for kind, column in (("capture", "capturing_minor"), ("refund", "refunding_minor")):
            reserved = sum(
                operation["amount_minor"]
                for operation in settled.operations.values()
                if operation["payment_id"] == row["id"]
                and operation["kind"] == kind
                and operation["status"] in RESERVING
            )
            if reserved != row[column]:
                yield f"{row['id']} has {column} {row[column]}, its {kind}s in doubt come to {reserved}"


def _one_live_session(settled: Settled) -> Iterator[str]:
    """Invariant 5."""
    places = Counter(
        (row["payment_collection_id"], row["place"])
        for row in settled.sessions.values()
        if row["status"] != "canceled" and row["place"] is not None
    )
    for (collection, place), times in places.items():
        if times > 1:
            yield f"{collection} has {times} live sessions in place {place}"


def _orders(settled: Settled) -> Iterator[str]:
    """Invariant 5, and: no order without a payment, none lost when the money is promised."""
    carts = Counter(row["cart_id"] for row in settled.tables["orders"])
    orders = {row["cart_id"]: row for row in settled.tables["orders"]}
    for cart, times in carts.items():
        if times > 1:
            yield f"{cart} has {times} orders"
    for collection in settled.tables["payment_collections"]:
        promises = [
            row
            for row in settled.tables["payments"]
            if row["payment_collection_id"] == collection["id"]
            and settled.sessions[row["payment_session_id"]]["place"] is not None
        ]
        ordered = collection["cart_id"] in carts
        stands = [row for row in promises if row["canceled_at"] is None or row["captured_minor"]]
        if stands and collection["cart_id"] and not ordered and not _is_left_to_a_person(settled, collection, stands):
            yield f"{collection['cart_id']} is paid ({stands[0]['id']}), but no order was placed"
        order = orders.get(collection["cart_id"])
        if order and order["amount_minor"] and collection["order_is_paid"]:
            # The session of a payment that is canceled before its order is given up; afterwards it stays as it was.
            paid_by = [row for row in promises if settled.sessions[row["payment_session_id"]]["status"] != "canceled"]
            promised = sum(row["amount_minor"] for row in paid_by)
            if promised != order["amount_minor"]:
                yield f"{collection['cart_id']} has a paid order of {order['amount_minor']}, but payments of {promised}"
        if ordered and collection["order_id"] is None:
            yield f"{collection['cart_id']} has an order, which its collection {collection['id']} does not know"


def _is_left_to_a_person(settled: Settled, collection: Row, promises: list[Row]) -> bool:
    """Whether there is an alarm instead of an order: a call under review, surplus money, or a cart of another amount."""
    surplus = {case["payment_session_id"] for case in settled.tables["cases"] if case["kind"] == "surplus"}
    if any(each["payment_session_id"] in surplus for each in promises):
        return True
    if any(
        row["status"] == "review" for each in promises for row in settled.open_operations(each["payment_session_id"])
    ):
        return True
    items = [row for row in settled.tables["cart_items"] if row["cart_id"] == collection["cart_id"]]
    total = sum(row["quantity"] * row["amount_minor"] for row in items)
    is_told = any(row["name"] == "kassa.alarm.not_completed" for row in settled.history[collection["id"]])
    return is_told and all(row["amount_minor"] != total for row in promises)


def _in_doubt_has_a_next_step(settled: Settled) -> Iterator[str]:
    """Invariant 6."""
    for row in settled.operations.values():
        if row["status"] in DUE and row["due_at"] is None:
            yield f"{row['id']} ({row['kind']}) is {row['status']} and has no next check"
        names = {event["name"] for event in settled.history[row["id"]]}
        if row["status"] == "review" and "kassa.alarm.review" not in names:
            yield f"{row['id']} ({row['kind']}) is under review without an alarm"
        if row["status"] == "failed" and not row["cause"]:
            yield f"{row['id']} ({row['kind']}) failed without naming its evidence"
        if row["status"] == "in_flight":
            yield f"{row['id']} ({row['kind']}) is still in flight after recovery"


def _operations_moved_by_the_table(settled: Settled) -> Iterator[str]:
    """Invariants 4 and 7: one event a move, and SUCCEEDED never regresses."""
    known = {status.value for status in OperationStatus}
    for row in settled.operations.values():
        words = [event["name"].removeprefix(OPERATION_EVENT) for event in settled.history[row["id"]]]
        path = [word for word in words if word in known]
        if not path or path[-1] != row["status"]:
            yield f"{row['id']} is {row['status']}, its history ends with {path[-1:] or 'nothing'}"
        for current, following in itertools.pairwise(path):
            if OperationStatus(following) not in OPERATION_MOVES[OperationStatus(current)]:
                yield f"{row['id']} went from {current} to {following}"


def _sessions_moved_by_the_table(settled: Settled) -> Iterator[str]:
    known = {status.value for status in SessionStatus}
    for row in settled.sessions.values():
        words = [event["name"].removeprefix(SESSION_EVENT) for event in settled.history[row["id"]]]
        path = ["pending", *(word for word in words if word in known)]
        if path[-1] != row["status"]:
            yield f"{row['id']} is {row['status']}, its history ends with {path[-1]}"
        for current, following in itertools.pairwise(path):
            stays = current == following
            if not stays and SessionStatus(following) not in SESSION_MOVES[SessionStatus(current)]:
                yield f"{row['id']} went from {current} to {following}"


def _one_event_a_change(settled: Settled) -> Iterator[str]:
    """Invariant 7, for what is only ever added."""
    names = Counter(row["name"] for row in settled.tables["events"])
    for name, table in (
        ("payment.payment.created", "payments"),
        ("payment.payment_session.created", "payment_sessions"),
        ("payment.payment_collection.created", "payment_collections"),
        ("payment.captured", "captures"),
        ("payment.refunded", "refunds"),
    ):
        if names[name] != len(settled.tables[table]):
            yield f"there are {len(settled.tables[table])} {table}, but {names[name]} events {name}"
    told = names["order.placed"]
    noted = sum(1 for row in settled.tables["payment_collections"] if row["order_id"] is not None)
    if told != noted:
        yield f"{noted} collections know their order, but {told} events order.placed"


def _one_effect_a_client_key(settled: Settled) -> Iterator[str]:
    """Invariant 9."""
    used = Counter(
        (row["store_id"], row["client_key"])
        for row in settled.operations.values()
        if row["client_key"] is not None and row["status"] in OPEN | {"succeeded"}
    )
    for (_, key), times in used.items():
        if times > 1:
            yield f"{times} operations have succeeded, or may, under the client's key {key}"


def _not_begun_again_in_doubt(settled: Settled) -> Iterator[str]:
    """Without a client's key nobody can tell another try from another wish: while one is in doubt, no other is begun."""
    for row in settled.operations.values():
        if row["payment_id"] is None or row["client_key"] is not None:
            continue
        for other in settled.operations.values():
            begun = settled.history[row["id"]][:1]
            if _is_alike(row, other) and any(settled.status_before(event, other) in IN_DOUBT for event in begun):
                yield f"{row['id']} ({row['kind']}) was begun while nobody knew what had come of {other['id']}"


def _is_alike(one: Row, other: Row) -> bool:
    return one["id"] != other["id"] and all(
        one[column] == other[column] for column in ("payment_id", "kind", "amount_minor")
    )


def _every_event_is_told(settled: Settled) -> Iterator[str]:
    """No event is lost on its way to a subscriber; one that is told twice is the same event."""
    if settled.tables["outbox"]:
        yield f"{len(settled.tables['outbox'])} events are left in the outbox"
    if settled.taken is None:
        return
    known = {row["id"] for row in settled.tables["events"]}
    for event_id in known - set(settled.taken):
        yield f"the subscriber was never told of {event_id}"
    for event_id in set(settled.taken) - known:
        yield f"the subscriber was told of {event_id}, which has not happened"
