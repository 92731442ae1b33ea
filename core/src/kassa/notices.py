"""Notices: verify the raw bytes, store once, commit, and only then acknowledge; applied by the worker, or at once.

A message is never acknowledged and dropped: what matches no payment, or cannot be applied, is kept and tried again, and in
the end a person replays it.  What it says goes through ``learning``, like everything else that a provider tells.
"""

import hashlib
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from kassa import intents, learning, protocol
from kassa.errors import InvalidData, NotFound
from kassa.ids import Kind, new_id
from kassa.intents import LEASE
from kassa.model import OperationKind, PaymentSession, ReceivedNotice
from kassa.providers import ConfiguredProvider
from kassa.store import collections, events, notices, operations, payments, sessions
from kassa.store.database import is_unique_violation
from kassa.transitions import NoticeStatus
from kassa.world import World
from kassa_sdk import Found, LookUpOutcome, LookUpRequest, Notice, NotSent, PaymentFacts, RawNotice, Unknown
from kassa_sdk.outcomes import NotFound as NotThere

LARGEST_BODY = 1_048_576
"""Bytes of one message; the largest of any provider is far below."""

LONGEST_KEY = 255
BATCH = 20
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(hours=6)
MOST_ATTEMPTS = 24
"""After these tries, about four days, a message is left for a person."""

_log = logging.getLogger("kassa.notices")


def receive(world: World, provider_id: str, raw: RawNotice) -> tuple[ReceivedNotice, ...]:
    """Verify a message and store what it says; once it is stored, it may be acknowledged.

    Raises NotFound, InvalidData, Unverified, NoticeUnreadable; then nothing was stored.
    """
    if len(raw.body) > LARGEST_BODY:
        raise InvalidData("body", f"expected at most {LARGEST_BODY} bytes, not {len(raw.body)}")
    provider = world.providers.find(provider_id)
    if provider.manifest.notices == "none":
        raise NotFound(f"{provider.id} sends no notices; its manifest says so")
    told = [_received(provider, notice, raw, index) for index, notice in enumerate(provider.read_notice(raw))]
    try:
        return world.database.transact(lambda connection: _stored(connection, told))
    except IntegrityError as error:
        if not is_unique_violation(error):
            raise
        # The same message came twice at once; the other one is stored now.
        return world.database.transact(lambda connection: _stored(connection, told))


def apply_due(world: World) -> tuple[ReceivedNotice, ...]:
    """Apply the messages that are due now.  Returns them as they then stand."""
    now = world.clock()
    if not world.database.read(lambda connection: notices.is_any_due(connection, now)):
        return ()
    claimed = world.database.transact(lambda connection: notices.claim_due(connection, now, now + LEASE, BATCH))
    return tuple(_apply_or_leave(world, notice) for notice in claimed)


def apply_now(world: World, notice_id: str) -> ReceivedNotice:
    """Apply one message at once, whatever it waits for; one that was applied already is only returned.

    Raises NotFound.
    """
    notice = world.database.read(lambda connection: notices.load(connection, world.store_id, notice_id))
    return _apply_or_leave(world, notice) if notice.status in notices.WAITING else notice


def replay(world: World, notice_id: str) -> ReceivedNotice:
    """Apply one message again, also one that was given up; what is known already changes nothing.  Raises NotFound."""

    def begin_anew(connection: Connection) -> None:
        notice = notices.load(connection, world.store_id, notice_id, for_update=True)
        if notice.status in notices.WAITING:
            return
        fresh = notice.model_copy(update={"attempts": 0})
        notices.move(connection, fresh, NoticeStatus.RECEIVED, world.clock(), due_at=world.clock())

    world.database.transact(begin_anew)
    return apply_now(world, notice_id)


def _received(provider: ConfiguredProvider, notice: Notice, raw: RawNotice, index: int) -> ReceivedNotice:
    facts = notice.facts
    body_hash = f"sha256:{hashlib.sha256(raw.body).hexdigest()}/{index}"
    return ReceivedNotice(
        id=new_id(Kind.NOTICE),
        provider_id=provider.id,
        # An id that does not fit is as good as none.
        dedupe_key=notice.event_id if notice.event_id and len(notice.event_id) <= LONGEST_KEY else body_hash,
        type=notice.type[:LONGEST_KEY],
        status=NoticeStatus.RECEIVED,
        provider_reference=notice.provider_reference or (None if facts is None else facts.provider_reference),
        facts=facts,
        body=provider.readable(raw.body),
        store_id=None,
        payment_collection_id=None,
        payment_session_id=None,
        attempts=0,
        due_at=raw.received_at,
        cause=None,
        received_at=raw.received_at,
        updated_at=raw.received_at,
    )


def _stored(connection: Connection, told: list[ReceivedNotice]) -> tuple[ReceivedNotice, ...]:
    """Each message as it is stored: a repetition is the one that came first."""
    stored = []
    for notice in told:
        known = notices.find(connection, notice.provider_id, notice.dedupe_key)
        if known is None:
            notices.add(connection, notice)
        stored.append(known or notice)
    return tuple(stored)


def _apply_or_leave(world: World, notice: ReceivedNotice) -> ReceivedNotice:
    """One message that cannot be applied keeps nobody from the others."""
    try:
        return _apply(world, notice)
    except Exception as error:
        _log.error("%s could not be applied, and is tried again: %s", notice.id, type(error).__name__)
        return _set_aside(world, notice, f"could not be applied ({type(error).__name__})")


def _apply(world: World, notice: ReceivedNotice) -> ReceivedNotice:
    if notice.provider_reference is None and notice.facts is None:
        return _moved(world, notice, NoticeStatus.IGNORED, "it names no payment")
    session = world.database.read(lambda connection: _session_of(connection, notice))
    if session is None:
        return _unmatched(world, notice)
    notice = notices.about(notice, session)
    world = replace(world, store_id=session.store_id)
    provider = world.providers.get(notice.provider_id)
    if provider is None:
        return _set_aside(world, notice, f"{notice.provider_id} is not configured any more; configure it again")
    if notice.facts is not None and not _must_ask(world, provider, session, notice.facts):
        return _learn(world, notice, session, notice.facts)
    question = world.database.read(lambda connection: _question(connection, notice, session))
    found = protocol.look_up(world, provider, session, question)
    return _answered(world, notice, session, found)


def _session_of(connection: Connection, notice: ReceivedNotice) -> PaymentSession | None:
    if notice.provider_reference is not None:
        session = sessions.find_by_reference(connection, notice.provider_id, notice.provider_reference)
        if session is not None:
            return session
    ours = None if notice.facts is None else notice.facts.our_reference
    session = None if ours is None else sessions.find(connection, ours)
    return session if session is not None and session.provider_id == notice.provider_id else None


def _must_ask(world: World, provider: ConfiguredProvider, session: PaymentSession, facts: PaymentFacts) -> bool:
    if provider.manifest.look_up is None:
        return False

    def is_doubtful(connection: Connection) -> bool:
        payment = payments.of_session(connection, session.store_id, session.id)
        known = () if payment is None else operations.of_payment(connection, payment)
        return learning.is_doubtful(session, payment, known, facts)

    return world.database.read(is_doubtful)


def _question(connection: Connection, notice: ReceivedNotice, session: PaymentSession) -> LookUpRequest:
    begun = operations.latest(connection, session.store_id, session.id, OperationKind.INITIATE)
    asked = intents.look_up_request(begun, session)
    return asked.model_copy(update={"provider_reference": session.provider_reference or notice.provider_reference})


def _answered(world: World, notice: ReceivedNotice, session: PaymentSession, found: LookUpOutcome) -> ReceivedNotice:
    match found:
        case Found():
            return _learn(world, notice, session, found.facts)
        case NotThere():
            return _set_aside(
                world, notice, f"the provider does not find {notice.provider_reference}, of which it told"
            )
        case NotSent() | Unknown():
            return _set_aside(world, notice, f"the provider could not be asked: {found.cause}")
        case _:
            assert_never(found)


def _learn(world: World, notice: ReceivedNotice, session: PaymentSession, facts: PaymentFacts) -> ReceivedNotice:
    def learn(connection: Connection) -> ReceivedNotice:
        collections.lock(connection, session.store_id, session.payment_collection_id)
        current = sessions.load(connection, session.store_id, session.id)
        is_news = learning.learn(world, connection, current, facts)
        cause = None if is_news else "it says nothing new"
        return notices.move(connection, notice, NoticeStatus.APPLIED, world.clock(), cause=cause)

    return world.database.transact(learn)


def _unmatched(world: World, notice: ReceivedNotice) -> ReceivedNotice:
    cause = "no payment session of ours is known by this reference, yet"
    if notice.attempts >= MOST_ATTEMPTS:
        return _given_up(world, notice, NoticeStatus.EXPIRED, cause)
    return _moved(world, notice, NoticeStatus.UNMATCHED, cause, _next_try(notice, world.clock()))


def _set_aside(world: World, notice: ReceivedNotice, cause: str) -> ReceivedNotice:
    if notice.attempts >= MOST_ATTEMPTS and notice.status is NoticeStatus.ERROR:
        return _given_up(world, notice, NoticeStatus.DEAD, cause)
    return _moved(world, notice, NoticeStatus.ERROR, cause, _next_try(notice, world.clock()))


def _next_try(notice: ReceivedNotice, now: datetime) -> datetime:
    # The exponent is bounded, because a power of a large number of tries does not fit into any clock.
    pause: timedelta = FIRST_PAUSE * 2 ** min(notice.attempts, 15)
    return now + min(pause, LONGEST_PAUSE)


def _moved(
    world: World, notice: ReceivedNotice, following: NoticeStatus, cause: str, due_at: datetime | None = None
) -> ReceivedNotice:
    return world.database.transact(
        lambda connection: notices.move(connection, notice, following, world.clock(), cause=cause, due_at=due_at)
    )


def _given_up(world: World, notice: ReceivedNotice, following: NoticeStatus, cause: str) -> ReceivedNotice:
    """Left for a person, with an alarm."""

    def give_up(connection: Connection) -> ReceivedNotice:
        moved = notices.move(connection, notice, following, world.clock(), cause=cause)
        name = f"kassa.alarm.notice_{following.value}"
        store_id = notice.store_id or world.store_id
        data = {"cause": cause, "provider_id": notice.provider_id}
        events.append(connection, store_id, notice.payment_collection_id, name, notice.id, world.clock(), dict(data))
        return moved

    return world.database.transact(give_up)
