"""Reconciliation: compare our books with the provider's own list of payments, in both directions.

From their side: each payment that the provider lists is one of our sessions, and then what the list says of it is learned,
like a notice; or nobody here knows it, and it becomes a case.  From our side: each session that has a reference is on the
list, or it is looked up; what is not there either becomes a case.

Once a day, one window of time after the other, without gap or overlap, and whenever an operator asks.  The list is worked
through page by page under a lease.  A worker that dies loses the lease, and another goes on with the page; what was learned
from it already is no news the second time.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from sqlalchemy import Connection

from kassa import doubt, intents, learning, protocol
from kassa.errors import Conflict, InvalidData, NotAllowed
from kassa.ids import Kind, new_id
from kassa.model import CaseKind, OperationKind, PaymentSession, Reconciliation
from kassa.providers import ConfiguredProvider
from kassa.store import cases, collections, operations, reconciliations, sessions
from kassa.watching import ProviderCall, watched
from kassa.world import World
from kassa_sdk import (
    Found,
    ListPaymentsRequest,
    LookUpOutcome,
    LookUpRequest,
    Money,
    NotSent,
    PaymentFacts,
    PaymentPage,
    Unknown,
)
from kassa_sdk.outcomes import NotFound as NotThere

EVERY = timedelta(hours=24)
"""How long after the end of one daily window the next one is compared."""

MARGIN = timedelta(hours=1)
"""What is younger is left alone: it may be under way, and a provider's list may lag behind."""

LEASE = timedelta(minutes=10)
"""How long one page may take, before another worker takes it over."""

PAUSE = timedelta(minutes=15)
"""How long a provider is left alone whose list could not be read."""

BATCH = 50
"""How many sessions are looked up before the lease is renewed."""

OnProgress = Callable[[Reconciliation], None]

_log = logging.getLogger("kassa.reconciliation")


def reconcile_due(world: World) -> tuple[Reconciliation, ...]:
    """One page of each provider whose comparison is due or was left.  Returns the reconciliations as they then stand."""
    listing = [provider for provider in world.providers.values() if provider.manifest.lists_payments]
    worked = (_work_or_leave(world, provider) for provider in listing)
    return tuple(reconciliation for reconciliation in worked if reconciliation is not None)


def reconcile(
    world: World,
    provider_id: str,
    since: datetime | None = None,
    until: datetime | None = None,
    on_progress: OnProgress = lambda _: None,
) -> Reconciliation:
    """Compare now: the time from ``since``, or what the next daily comparison would.

    Not finished (``cause`` says why) where the provider's list could not be read; the worker goes on with it.  Raises
    NotFound, NotAllowed, InvalidData, Conflict.
    """
    provider = world.providers.find(provider_id)
    if not provider.manifest.lists_payments:
        raise NotAllowed(f"{provider.id} has no list of its payments; its manifest says so")
    window = None if since is None else _asked_for(since, until, world.clock())
    comparison = _Comparison(world, provider, _begun(world, provider, window))
    while comparison.held.finished_at is None and comparison.held.cause is None:
        comparison = comparison.next_step()
        on_progress(comparison.held)
    return comparison.held


def _work_or_leave(world: World, provider: ConfiguredProvider) -> Reconciliation | None:
    """One provider that cannot be compared keeps nobody from the others; it is due again when its lease ends."""
    held = _taken(world, provider)
    if held is None:
        return None
    try:
        worked = _Comparison(world, provider, held).next_step().held
        return worked if worked.finished_at or worked.cause else _let_go(world, worked)
    except Conflict as overtaken:
        _log.warning("%s", overtaken)
    except Exception as error:
        _log.error("%s could not be compared, and is tried again: %s", provider.id, type(error).__name__)
    return None


def _taken(world: World, provider: ConfiguredProvider) -> Reconciliation | None:
    """What the worker is to do for this provider now, held for it; None: nothing."""
    now = world.clock()

    def is_due(connection: Connection) -> bool:
        is_left = reconciliations.left(connection, provider.id, now) is not None
        return is_left or _next_window(connection, provider.id, now, EVERY) is not None

    def take(connection: Connection) -> Reconciliation | None:
        reconciliations.be_alone(connection, provider.id)
        left = reconciliations.left(connection, provider.id, now)
        if left is not None:
            return reconciliations.hold(connection, left, now + LEASE)
        window = _next_window(connection, provider.id, now, EVERY)
        return None if window is None else _added(connection, provider.id, window, now)

    # Asked first without a lock: nearly always there is nothing to do.
    return world.database.transact(take) if world.database.read(is_due) else None


@dataclass(frozen=True, slots=True)
class _Window:
    since: datetime
    until: datetime
    is_daily: bool


def _begun(world: World, provider: ConfiguredProvider, window: _Window | None) -> Reconciliation:
    now = world.clock()

    def begin(connection: Connection) -> Reconciliation:
        reconciliations.be_alone(connection, provider.id)
        if window is not None:
            return _added(connection, provider.id, window, now)
        newest = reconciliations.newest_daily(connection, provider.id)
        if newest is not None and newest.finished_at is None:
            return _resumed(connection, newest, now)
        due = _next_window(connection, provider.id, now, timedelta(0))
        if due is None:
            raise NotAllowed(
                f"there is nothing of {provider.id} to compare yet: a comparison begins with the first session, and the "
                f"last {MARGIN.total_seconds() / 60:g} minutes are left alone"
            )
        return _added(connection, provider.id, due, now)

    return world.database.transact(begin)


def _resumed(connection: Connection, newest: Reconciliation, now: datetime) -> Reconciliation:
    """Go on with the daily one that is not finished.  One that only waits for a silent provider waits no longer."""
    is_worked_at = newest.cause is None and newest.lease_until is not None and newest.lease_until > now
    if is_worked_at:
        raise Conflict(f"{newest.provider_id} is being compared by another process; see `kassa reconciliations`")
    return reconciliations.hold(connection, newest, now + LEASE)


def _next_window(connection: Connection, provider_id: str, now: datetime, pause: timedelta) -> _Window | None:
    """The day after the last one, once it is over for so long; None before that, and while that one is not finished."""
    newest = reconciliations.newest_daily(connection, provider_id)
    until = now - MARGIN
    if newest is None:
        # What the account did before is not ours.
        since = sessions.first_created_at(connection, provider_id)
    elif newest.finished_at is None or newest.until + pause > now:
        return None
    else:
        since = newest.until
    return _Window(since, until, is_daily=True) if since is not None and since < until else None


def _asked_for(since: datetime, until: datetime | None, now: datetime) -> _Window:
    latest = now - MARGIN
    for field, moment in (("since", since), ("until", until)):
        if moment is not None and moment.tzinfo is None:
            raise InvalidData(field, "expected a moment with its time zone")
    if until is not None and until > latest:
        raise InvalidData("until", f"expected {latest:%Y-%m-%dT%H:%M:%SZ} or earlier: what is younger is left alone")
    window = _Window(since, until or latest, is_daily=False)
    if window.since >= window.until:
        raise InvalidData("since", f"expected a moment before {window.until:%Y-%m-%dT%H:%M:%SZ}")
    return window


def _added(connection: Connection, provider_id: str, window: _Window, now: datetime) -> Reconciliation:
    reconciliation = Reconciliation(
        id=new_id(Kind.RECONCILIATION),
        provider_id=provider_id,
        since=window.since,
        until=window.until,
        is_daily=window.is_daily,
        cursor=None,
        lease_until=now + LEASE,
        listed=0,
        adopted=0,
        reported=0,
        cause=None,
        started_at=now,
        finished_at=None,
    )
    reconciliations.add(connection, reconciliation)
    return reconciliation


def _let_go(world: World, held: Reconciliation) -> Reconciliation:
    """Whoever comes next takes the next page: a long list keeps no worker from all else that is due."""
    return world.database.transact(lambda connection: reconciliations.hold(connection, held, world.clock()))


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One reconciliation in the hands of this process."""

    world: World
    provider: ConfiguredProvider
    held: Reconciliation

    def next_step(self) -> "_Comparison":
        """Compare one page; after the last one also the other direction."""
        held = self.held
        asked = ListPaymentsRequest(since=held.since, until=held.until, cursor=held.cursor)
        call = ProviderCall(self.provider.id, "list_payments")
        answer = watched(self.world.watchers, call, lambda: self.provider.list_payments(asked))
        match answer:
            case PaymentPage():
                return self._compared(answer)
            case NotSent() | Unknown():
                return self._postponed(f"the list could not be read: {answer.cause}")
            case _:
                assert_never(answer)

    def _compared(self, page: PaymentPage) -> "_Comparison":
        for facts in page.facts:
            self._compare(facts)
        if page.next_cursor is not None and page.next_cursor == self.held.cursor:
            return self._postponed("the list does not go on: its next page is the same page again")
        after = self._gone_on(page)
        return after if page.next_cursor is not None else after._seek_missing()

    def _gone_on(self, page: PaymentPage) -> "_Comparison":
        now = self.world.clock()
        references = [facts.provider_reference for facts in page.facts]

        def go_on(connection: Connection) -> Reconciliation:
            gone_on = reconciliations.go_on(connection, self.held, len(references), page.next_cursor, now + LEASE)
            sessions.mark_listed(connection, self.provider.id, references, now)
            return gone_on

        return self._after(go_on)

    def _postponed(self, cause: str) -> "_Comparison":
        lease_until = self.world.clock() + PAUSE
        return self._after(lambda connection: reconciliations.hold(connection, self.held, lease_until, cause))

    def _after(self, change: Callable[[Connection], Reconciliation]) -> "_Comparison":
        return replace(self, held=self.world.database.transact(change))

    def _compare(self, facts: PaymentFacts) -> None:
        """One payment, in a transaction of its own: one that cannot be merged keeps nobody from the others."""
        try:
            self.world.database.transact(lambda connection: self._learn_or_report(connection, facts))
        except Exception as error:
            _log.error("%s of %s could not be merged: %s", facts.provider_reference, self.provider.id, type(error))
            cause = f"what the provider lists of it could not be merged in our books ({type(error).__name__})"
            # Where the database is the reason, this fails as well, and the page is compared again.
            self.world.database.transact(lambda connection: self._report_stranger(connection, facts, cause))

    def _learn_or_report(self, connection: Connection, facts: PaymentFacts) -> None:
        session = _session_of(connection, self.provider.id, facts)
        if session is None:
            cause = (
                f"{self.provider.id} lists {_told(facts)}, and nothing here knows of it; its dashboard says who made it"
            )
            self._report_stranger(connection, facts, cause)
        elif session.provider_id != self.provider.id:
            return  # the same account under another name, which compares its own
        else:
            collections.lock(connection, session.store_id, session.payment_collection_id)
            self._learn(connection, sessions.load(connection, session.store_id, session.id), facts)

    def _learn(self, connection: Connection, session: PaymentSession, facts: PaymentFacts) -> None:
        if session.provider_reference not in (None, facts.provider_reference):
            # Two payments for one session: of an earlier try, and over; or money that nobody expects.
            if not _is_over(facts):
                known = f"session {session.id}, which is {session.provider_reference}"
                cause = f"{self.provider.id} lists {_told(facts)} for {known}"
                self._report(connection, session, CaseKind.ORPHAN, facts.provider_reference, cause, _amount(facts))
            return
        world = replace(self.world, store_id=session.store_id)
        if learning.learn(world, connection, session, facts):
            reconciliations.count(connection, self.held, adopted=1)

    def _report_stranger(self, connection: Connection, facts: PaymentFacts, cause: str) -> None:
        if _is_over(facts):
            return
        now = self.world.clock()
        case = cases.about_stranger(
            self.world.store_id, self.provider.id, facts.provider_reference, cause, now, _amount(facts)
        )
        reconciliations.count(connection, self.held, reported=cases.open_case(connection, case))

    def _report(  # a case is this many facts
        self,
        connection: Connection,
        session: PaymentSession,
        kind: CaseKind,
        subject: str,
        cause: str,
        amount: Money | None,
    ) -> None:
        case = cases.about(session, kind, subject, cause, self.world.clock(), amount)
        reconciliations.count(connection, self.held, reported=cases.open_case(connection, case))

    def _seek_missing(self) -> "_Comparison":
        """The other direction: our sessions of that time that were on no page."""
        comparison, after = self, ""
        while True:
            batch = comparison._not_listed(after)
            for session in batch:
                cause = comparison._seek(session)
                if cause is not None:
                    return comparison._postponed(cause)
            if len(batch) < BATCH:
                return comparison._finished()
            comparison, after = comparison._held_longer(), batch[-1].id

    def _not_listed(self, after: str) -> tuple[PaymentSession, ...]:
        held = self.held
        return self.world.database.read(
            lambda connection: sessions.not_listed_since(
                connection, held.provider_id, (held.since, held.until), held.started_at, after, BATCH
            )
        )

    def _seek(self, session: PaymentSession) -> str | None:
        """Look one session up by their reference; returns why nothing is known, where the provider does not tell."""
        by = frozenset[str]() if self.provider.manifest.look_up is None else self.provider.manifest.look_up.by
        found: LookUpOutcome = NotThere()
        if "provider_reference" in by:
            found = protocol.look_up(self.world, self.provider, session, self._question(session))
        match found:
            case Found():
                # It was created at another time there than here, such as after the end of the window.
                self._compare(found.facts)
            case NotThere():
                self.world.database.transact(lambda connection: self._report_missing(connection, session))
            case NotSent() | Unknown():
                return f"{session.provider_reference} could not be looked up: {found.cause}"
            case _:
                assert_never(found)
        return None

    def _question(self, session: PaymentSession) -> LookUpRequest:
        begun = self.world.database.read(
            lambda connection: operations.latest(connection, session.store_id, session.id, OperationKind.INITIATE)
        )
        return intents.look_up_request(begun, session)

    def _report_missing(self, connection: Connection, session: PaymentSession) -> None:
        cause = f"{self.provider.id} does not have {session.provider_reference}: is it another account now?"
        self._report(connection, session, CaseKind.MISSING, session.id, cause, session.amount)

    def _held_longer(self) -> "_Comparison":
        lease_until = self.world.clock() + LEASE
        return self._after(lambda connection: reconciliations.hold(connection, self.held, lease_until))

    def _finished(self) -> "_Comparison":
        now = self.world.clock()
        return self._after(lambda connection: reconciliations.finish(connection, self.held, now))


def _session_of(connection: Connection, provider_id: str, facts: PaymentFacts) -> PaymentSession | None:
    known = sessions.find_by_reference(connection, provider_id, facts.provider_reference)
    if known is not None or facts.our_reference is None:
        return known
    return sessions.find(connection, facts.our_reference)


def _is_over(facts: PaymentFacts) -> bool:
    """Whether nothing was taken, and nothing can be any more."""
    return facts.condition in doubt.CLOSED and not facts.captured and not facts.captures


def _amount(facts: PaymentFacts) -> Money | None:
    return facts.captured or facts.authorized


def _told(facts: PaymentFacts) -> str:
    amount = _amount(facts)
    told = f"{facts.provider_reference}" if amount is None else f"{facts.provider_reference} of {amount}"
    return told if facts.condition is None else f"{told} ({facts.condition})"
