"""Random stories: verbs, faults, notices, deaths, recovery, time and people, in any order; the books must never disagree.

Nothing that is drawn depends on what has happened, so that a story can be told again: a thing is named by its place among
its kind, the newest first, and a step that finds nothing to do does nothing.
"""

import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal

import httpx
from databases import Row
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from invariants import OPEN, ProviderPayment, violations, violations_at_any_moment
from people import decide_by_the_books
from stage import NeverSettled
from story import KEYS, Ground, Likely, Story, provider_of, wire_id

from kassa import Money, NewItem, PlannedSession
from kassa_simulator.control import NoticeSelection, NoticeTwist, WrittenNotice
from kassa_simulator.server.calls import Operation
from kassa_simulator.server.control import Deed
from kassa_simulator.server.faults import Fault

SIMULATED = list(KEYS)
PARTLY = ("capture", "refund", "open_dispute", "return")
PROVIDERS = [*SIMULATED, "default"]
PRICES = {"100 EUR": ("eu", "100.00", "EUR"), "60 EUR": ("eu", "60.00", "EUR"), "5 KWD": ("kw", "5.000", "KWD")}
SCRIPTS = [
    # Most shoppers just pay.
    *["approve"] * 8,
    "immediate_sale",
    "challenge",
    "redirect_sale",
    "pending",
    "pending_declined",
    "instructions",
    "decline",
    "initiate_declined",
    "capture_declined",
    "capture_pending",
    "refund_declined",
    "refund_pending",
    "refund_failed",
]
PARTS = ["all", "a third", "one", "too much"]
CLIENT_KEYS = ["key-1", "key-2"]
FAULTS = [
    # A provider that is silent is one that cuts the connection, only slower.
    Fault.ACT_THEN_CUT,
    Fault.CUT_BEFORE_ACTING,
    Fault.ACT_LATE,
    Fault.SERVER_ERROR_AFTER_ACTING,
    Fault.SERVER_ERROR_BEFORE_ACTING,
    Fault.STORED_SERVER_ERROR,
    Fault.TOO_MANY_REQUESTS,
    Fault.UNAUTHORIZED,
    Fault.WRONG_AMOUNT,
    Fault.WRONG_CURRENCY,
    Fault.MALFORMED_BODY,
    Fault.NOT_FOUND_YET,
]
HOOKS = [None, "initiate", "authorize", "action", "update", "capture", "refund", "cancel", "look_up", "list_payments"]
POINTS = ["commit:before", "commit:after", "call:before", "call:after"]
PAUSES = {"seconds": 10, "minutes": 150, "an hour": 3_600, "a day": 90_000, "a week": 700_000}
DEEDS: dict[str, tuple[Deed, ...]] = {
    "created": ("settle", "expire", "cancel"),
    "action_required": ("settle", "decline", "expire", "cancel"),
    "pending": ("settle", "decline", "expire", "cancel"),
    "authorized": ("capture", "capture", "refund", "cancel", "expire", "open_dispute", "return"),
    "declined": ("settle",),
    "canceled": ("settle", "refund"),
    "expired": ("settle", "refund"),
}
"""What somebody or something else may do to a payment at the provider, by its status there."""

Trouble = Fault | str | None
"""What goes wrong with one call: a fault of its provider, or a point at which the process dies."""

places, parts = st.integers(0, 4), st.sampled_from(PARTS)
providers, simulated = st.sampled_from(PROVIDERS), st.sampled_from(SIMULATED)
Plan = tuple[str, str]
"""A part of a split payment: its provider, and what happens there."""

troubles = st.sampled_from([*[None] * 12, *FAULTS[:-1], *POINTS])
scripts, keys = st.sampled_from(SCRIPTS), st.sampled_from([*[None] * 4, *CLIENT_KEYS])
plans = st.tuples(providers, scripts)


class Machine(RuleBasedStateMachine):
    """One story."""

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self.story = Story(ground)
        self.told_of: set[tuple[str, str]] = set()
        """The events of the providers of which a notice has come."""
        self.misled: set[str] = set()
        """The providers of which a notice has come that is not true."""

    # Clients

    @rule(price=st.sampled_from(list(PRICES)), key=keys)
    def fill_a_cart(self, price: str, key: str | None) -> None:
        self._fill_a_cart(price, key)

    @initialize(price=st.sampled_from(list(PRICES)), provider=providers, script=scripts, captured=parts)
    def begin(self, price: str, provider: str, script: str, captured: str) -> None:
        self.check_out(price, provider, script)
        if captured != "too much":
            self.capture(0, captured, None, None)

    @rule(price=st.sampled_from(list(PRICES)), provider=providers, script=scripts)
    def check_out(self, price: str, provider: str, script: str) -> None:
        self._fill_a_cart(price, None)
        self._open_a_session(0, provider, script, None)
        cart = self.story.newest("carts", 0)
        if cart is not None:
            self.story.ask("complete_cart", cart_id=cart["id"])

    @rule(cart=places, price=st.sampled_from(["60.00", "100.00", "0.00"]))
    def change_a_cart(self, cart: int, price: str) -> None:
        row = self.story.newest("carts", cart)
        if row is not None:
            items = [_item(price, row["currency"])]
            self.story.ask("replace_cart_items", cart_id=row["id"], items=items)

    @rule(cart=places, provider=providers, script=scripts, key=keys, trouble=troubles)
    def open_a_session(self, cart: int, provider: str, script: str, key: str | None, trouble: Trouble) -> None:
        self._cause(provider, trouble, "initiate")
        self._open_a_session(cart, provider, script, key)

    @rule(provider=providers, script=scripts, key=keys)
    def open_a_session_of_no_cart(self, provider: str, script: str, key: str | None) -> None:
        amount = Money.parse("30.00", "EUR")
        answer = self.story.ask("create_custom_payment_collection", region_id="eu", amount=amount)
        if answer is not None:
            self._open_a_session_in(answer.value.id, provider, script, key)

    @rule(cart=places, first=plans, second=plans, trouble=troubles, completes=st.booleans())
    def split(self, cart: int, first: Plan, second: Plan, trouble: Trouble, completes: bool) -> None:
        row = self.story.newest("carts", cart)
        if row is None:
            return
        answer = self.story.ask("create_payment_collection", cart_id=row["id"])
        if answer is None or answer.error is not None:
            return
        self._cause(first[0], trouble, "initiate")
        amount: Money = answer.value.amount
        part = Money(amount.minor // 3, amount.currency)
        planned = [_planned(first, part), _planned(second, amount - part)]
        self.story.ask("plan_payment_sessions", payment_collection_id=answer.value.id, planned=planned)
        if completes:
            self.story.ask("complete_cart", cart_id=row["id"])

    @rule(session=places, trouble=troubles)
    def update_a_session(self, session: int, trouble: Trouble) -> None:
        self._expect("payment_sessions", session, trouble, "update", _is_open)
        self._about("payment_sessions", session, "update_payment_session", "payment_session_id", _is_open)

    @rule(session=places, trouble=troubles)
    def delete_a_session(self, session: int, trouble: Trouble) -> None:
        self._expect("payment_sessions", session, trouble, "cancel", _is_open)
        self._about("payment_sessions", session, "delete_payment_session", "payment_session_id", _is_open)

    @rule(session=places, trouble=troubles)
    def authorize(self, session: int, trouble: Trouble) -> None:
        self._expect("payment_sessions", session, trouble, "authorize", _is_open)
        self._about("payment_sessions", session, "authorize_payment_session", "payment_session_id", _is_open)

    @rule(session=places, answer=st.sampled_from(["approve", "decline"]), comes_back=st.booleans())
    def answer_an_action(self, session: int, answer: Literal["approve", "decline"], comes_back: bool) -> None:
        row = self.story.newest("payment_sessions", session, lambda row: row["status"] == "requires_more")
        if row is None:
            return
        there = self.story.now.provider_payments.get(row["provider_reference"])
        if there is not None and there.status == "action_required":
            control = self.story.ground.simulators[there.provider].control
            control.answer_challenge(row["provider_reference"], answer)
            self.story.notice_what_is_there()
        if comes_back:
            self.story.ask("answer_action", payment_session_id=row["id"])

    @rule(cart=places, trouble=troubles)
    def complete(self, cart: int, trouble: Trouble) -> None:
        self._expect("payment_sessions", cart, trouble, "authorize", _is_open)
        ordered = {row["cart_id"] for row in self.story.now.tables["orders"]}
        self._about("carts", cart, "complete_cart", "cart_id", lambda row: row["id"] not in ordered)

    @rule(payment=places, part=parts, key=keys, trouble=troubles)
    def capture(self, payment: int, part: str, key: str | None, trouble: Trouble) -> None:
        self._expect("payments", payment, trouble, "capture", _is_capturable)
        self._move("capture_payment", payment, part, key)

    @rule(payment=places, part=parts, key=keys, trouble=troubles)
    def refund(self, payment: int, part: str, key: str | None, trouble: Trouble) -> None:
        self._expect("payments", payment, trouble, "refund", _is_refundable)
        self._move("refund_payment", payment, part, key)

    @rule(payment=places, key=keys, trouble=troubles)
    def cancel(self, payment: int, key: str | None, trouble: Trouble) -> None:
        self._expect("payments", payment, trouble, "cancel", _is_capturable)
        row = self.story.newest("payments", payment, _is_capturable)
        if row is not None:
            self.story.ask("cancel_payment", key, payment_id=row["id"])

    @rule(key=st.sampled_from(CLIENT_KEYS))
    def ask_again(self, key: str) -> None:
        request = self.story.told.requests.get(key)
        if request is not None:
            self.story.ask_for(request)

    # What goes wrong

    @rule(
        provider=simulated,
        fault=st.sampled_from(FAULTS),
        hook=st.sampled_from(HOOKS),
        calls=st.sampled_from([1, 2, 4]),
    )
    def something_goes_wrong(self, provider: str, fault: Fault, hook: Any, calls: int) -> None:
        if fault is Fault.NOT_FOUND_YET and provider != "lagging":
            # The manifests of the others make it proof.
            hook = "list_payments"
        self.story.ground.simulators[provider].control.add_fault(fault, hook, calls=calls)
        self.story.ground.seen[f"fault: {fault.value}"] += 1

    @rule()
    def all_goes_well_again(self) -> None:
        for simulator in self.story.ground.simulators.values():
            simulator.control.clear_faults()

    @rule(provider=simulated)
    def late_calls_arrive(self, provider: str) -> None:
        self.story.ground.simulators[provider].control.act_late_calls()
        self.story.notice_what_is_there()

    @rule(point=st.sampled_from(POINTS), passes=st.integers(1, 3))
    def the_process_will_die(self, point: str, passes: int) -> None:
        self.story.ground.death.awaits(point, passes)

    # What happens outside

    @rule(pause=st.sampled_from(list(PAUSES)))
    def time_passes(self, pause: str) -> None:
        self.story.stage.clock.forward(seconds=PAUSES[pause])
        self.story.notice_what_is_there()

    @rule(payment=places, deed=st.integers(0, 11))
    def somebody_acts_at_the_provider(self, payment: int, deed: int) -> None:
        there = list(self.story.now.provider_payments.items())
        if there:
            self._do(*there[-1 - payment % len(there)], deed)

    @rule(provider=simulated, back=st.integers(0, 4), twist=st.sampled_from(list(NoticeTwist)), at_once=st.booleans())
    def a_notice_comes(self, provider: str, back: int, twist: NoticeTwist, at_once: bool) -> None:
        letters = self._letters(provider)
        if not letters:
            return
        event_id = letters[-1 - back % len(letters)]["event_id"]
        control = self.story.ground.simulators[provider].control
        (letter,) = control.notices(NoticeSelection(event_id=event_id, twist=twist))
        self._bring(provider, letter, twist, at_once=at_once)

    @rule(provider=simulated, backwards=st.booleans())
    def notices_come(self, provider: str, backwards: bool) -> None:
        letters = self._letters_to_come(provider)
        for letter in reversed(letters) if backwards else letters:
            self._bring(provider, letter)

    # Who works

    @rule()
    def the_worker_passes(self) -> None:
        self.story.ask("work")

    @rule(operation=places)
    def look_again(self, operation: int) -> None:
        doubtful = self._in_doubt()
        if doubtful:
            self.story.ask("look_again", operation_id=doubtful[operation % len(doubtful)]["id"])

    @rule(operation=places)
    def a_person_decides(self, operation: int) -> None:
        doubtful = self._in_doubt()
        if doubtful:
            decide_by_the_books(self.story, doubtful[operation % len(doubtful)])

    @rule(provider=providers, is_off=st.booleans())
    def turn_a_switch(self, provider: str, is_off: bool) -> None:
        verb = "switch_provider_off" if is_off else "switch_provider_on"
        self.story.ask(verb, provider_id=wire_id(provider), who="Ada", why="to see what happens")

    @rule(provider=simulated)
    def compare_the_books(self, provider: str) -> None:
        self.story.ask("reconcile", provider_id=wire_id(provider))

    @rule(case=places)
    def close_a_case(self, case: int) -> None:
        row = self.story.newest("cases", case)
        if row is not None:
            self.story.ask("close_case", case_id=row["id"], who="Ada", why="talked to the shopper")

    @rule()
    def the_process_is_killed(self) -> None:
        self.story.restart()

    # What must be

    @invariant()
    def nothing_is_wrong(self) -> None:
        now = self.story.now
        self._require(violations_at_any_moment(now) + self.story.told.untrue(now))

    def teardown(self) -> None:
        """The end of the story, and what must be then."""
        try:
            if sys.exc_info()[0] is None:
                self._end()
        finally:
            self.story.close()

    def _end(self) -> None:
        self.story.ground.death.forget()
        self.all_goes_well_again()
        for provider in SIMULATED:
            self.late_calls_arrive(provider)
        self._settle()
        self._require_all_well()
        for operation in self._in_doubt():
            decide_by_the_books(self.story, operation)
        self._settle()
        self._require_all_well()
        left = [f"{row['id']} ({row['kind']}) is {row['status']} at the end" for row in self._in_doubt()]
        self._require(left)

    def _require_all_well(self) -> None:
        now = self.story.now
        self._require(violations(now) + self.story.told.untrue(now))

    def _settle(self) -> None:
        """Time passes, and every notice comes, until there is nothing to do and nothing to tell."""
        self.story.stage.clock.forward(days=3)
        while True:
            try:
                self.story.settle()
            except NeverSettled as never:
                self._require([str(never)])
            if self.misled:
                self._learn_the_truth()
            if not any([self._bring_what_is_left(provider) for provider in SIMULATED]):
                return

    def _learn_the_truth(self) -> None:
        began = self.story.began
        while self.misled:
            self.story.ask("reconcile", provider_id=wire_id(self.misled.pop()), since=began)

    def _bring_what_is_left(self, provider: str) -> bool:
        letters = self._letters_to_come(provider)
        for letter in letters:
            self._bring(provider, letter)
        return bool(letters)

    def _require(self, sentences: list[str]) -> None:
        if sentences:
            self.story.ground.violated.append(sentences)
            raise AssertionError("; ".join(sentences))

    # The steps of the rules

    def _expect(self, table: str, place: int, trouble: Trouble, hook: Operation, likely: Likely) -> None:
        """Trouble with the next call about one thing."""
        row = self.story.newest(table, place, likely)
        if row is not None:
            self._cause(provider_of(row), trouble, hook)

    def _cause(self, provider: str, trouble: Trouble, hook: Operation) -> None:
        if isinstance(trouble, Fault) and provider != "default":
            self.something_goes_wrong(provider, trouble, hook, 1)
        elif isinstance(trouble, str) and not isinstance(trouble, Fault):
            self.the_process_will_die(trouble, 1)

    def _fill_a_cart(self, price: str, key: str | None) -> None:
        region, amount, currency = PRICES[price]
        self.story.ask("create_cart", key, region_id=region, items=(_item(amount, currency),))

    def _open_a_session(self, cart: int, provider: str, script: str, key: str | None) -> None:
        row = self.story.newest("carts", cart)
        if row is None:
            return
        answer = self.story.ask("create_payment_collection", cart_id=row["id"])
        if answer is not None and answer.error is None:
            self._open_a_session_in(answer.value.id, provider, script, key)

    def _open_a_session_in(self, collection_id: str, provider: str, script: str, key: str | None) -> None:
        self.story.ask(
            "create_payment_session",
            key,
            payment_collection_id=collection_id,
            provider_id=wire_id(provider),
            data=_data(provider, script),
        )

    def _about(self, table: str, place: int, verb: str, name: str, likely: Likely = lambda _: True) -> None:
        row = self.story.newest(table, place, likely)
        if row is not None:
            self.story.ask(verb, **{name: row["id"]})

    def _move(self, verb: str, place: int, part: str, key: str | None) -> None:
        likely = _is_refundable if verb == "refund_payment" else _is_capturable
        row = self.story.newest("payments", place, likely)
        if row is not None:
            amounts = {"a third": row["amount_minor"] // 3, "one": 1, "too much": row["amount_minor"] + 1}
            amount = None if part == "all" else Money(amounts[part], row["currency"])
            self.story.ask(verb, key, payment_id=row["id"], amount=amount)

    def _do(self, reference: str, there: ProviderPayment, which: int) -> None:
        under_way = there.under_way()
        ends: tuple[Deed, ...] = ("settle_movement", "fail_movement") if under_way else ()
        deeds = (*ends, *DEEDS[there.status])
        deed = deeds[which % len(deeds)]
        if deed == "settle" and not _may_be_paid(there):
            return
        with suppress(httpx.HTTPStatusError):  # there is not so much to be moved
            self.story.ground.simulators[there.provider].control.do(
                deed,
                reference,
                amount=there.amount // 4 if deed in PARTLY else None,
                currency=there.currency,
                movement_id=next(iter(under_way), None),
            )
            self.story.ground.seen[f"at the provider: {deed}"] += 1
        self.story.notice_what_is_there()

    def _letters(self, provider: str) -> list[WrittenNotice]:
        """Every notice about the payments of this story, oldest first."""
        effects = self.story.effects(provider)
        if not effects:
            return []
        own = {effect.payment_id for effect in effects if effect.type == "payment_created"}
        control = self.story.ground.simulators[provider].control
        letters = control.notices(NoticeSelection(after=effects[0].number - 1))
        return [letter for letter in letters if json.loads(letter["body"])["payment"]["id"] in own]

    def _letters_to_come(self, provider: str) -> list[WrittenNotice]:
        return [letter for letter in self._letters(provider) if (provider, letter["event_id"]) not in self.told_of]

    def _bring(
        self, provider: str, letter: WrittenNotice, twist: NoticeTwist = NoticeTwist.TRUE, *, at_once: bool = True
    ) -> None:
        # It was signed by the clock of this machine, which nobody puts forward.
        answer = self.story.ask(
            "receive_notice",
            provider_id=wire_id(provider),
            body=letter["body"].encode(),
            headers=letter["headers"],
            received_at=datetime.now(UTC),
        )
        if answer is None:
            return
        is_taken = answer.error is None
        if twist in (NoticeTwist.FORGED, NoticeTwist.UNSIGNED, NoticeTwist.TAMPERED):
            self._require([f"a notice that was {twist.value} was taken"] if is_taken else [])
        if not is_taken:
            return
        self.told_of.add((provider, letter["event_id"]))
        if twist is not NoticeTwist.TRUE:
            self.misled.add(provider)
        self.story.ground.seen[f"notice: {twist.value}"] += 1
        if at_once:
            for notice in answer.value:
                self.story.ask("apply_notice", notice_id=notice.id)

    def _in_doubt(self) -> list[Row]:
        return [row for row in map(self._operation, self.story.known["operations"]) if row["status"] in OPEN]

    def _operation(self, operation_id: str) -> Row:
        return self.story.now.operations[operation_id]


def _may_be_paid(there: ProviderPayment) -> bool:
    """Whether the shopper may pay with the provider alone.

    A provider that takes no keys would hold the amount once more for an authorization of ours that comes later.
    """
    is_guarded = KEYS[there.provider] == "native" or there.status not in ("created", "declined")
    return is_guarded and not there.authorized


def _is_open(session: Row) -> bool:
    return session["status"] in ("pending", "error", "requires_more")


def _is_capturable(payment: Row) -> bool:
    used: int = payment["captured_minor"] + payment["capturing_minor"] + payment["canceled_minor"]
    return used < payment["amount_minor"]


def _is_refundable(payment: Row) -> bool:
    return bool(payment["refunded_minor"] + payment["refunding_minor"] < payment["captured_minor"])


def _data(provider: str, script: str) -> dict[str, str]:
    return {} if provider == "default" else {"scenario": script}


def _planned(plan: Plan, amount: Money) -> PlannedSession:
    provider, script = plan
    return PlannedSession(provider_id=wire_id(provider), amount=amount, data=_data(provider, script))


def _item(price: str, currency: str) -> NewItem:
    return NewItem(title="A thing", quantity=1, unit_price=Money.parse(price, currency))
