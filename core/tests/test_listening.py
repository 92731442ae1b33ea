"""Who is told which event, and when it is told again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa.listening import (
    DELIVERY_DEAD,
    LONGEST_PAUSE,
    LONGEST_REST,
    MOST_TRIES,
    Answer,
    NotTaken,
    Taken,
    is_to_be_told,
    matches,
    pause_after,
)
from kassa.model import Event
from kassa.rests import Rests

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Everybody:
    """Wants everything."""

    def wants(self, event_name: str) -> bool:
        """Yes."""
        return True

    def tell(self, event: Event, now: datetime) -> Answer:
        """It has it."""
        return Taken()


@pytest.mark.parametrize(
    ("patterns", "name", "is_wanted"),
    [
        (("*",), "payment.captured", True),
        (("payment.captured",), "payment.captured", True),
        (("payment.captured",), "payment.captured.again", False),
        (("payment.*",), "payment.payment_session.created", True),
        (("payment.*",), "payments.captured", False),
        (("payment.*",), "payment", False),
        (("order.*", "payment.refunded"), "payment.refunded", True),
        ((), "payment.captured", False),
    ],
)
def test_names_and_beginnings_of_names(patterns: tuple[str, ...], name: str, is_wanted: bool) -> None:
    assert matches(patterns, name) is is_wanted


def test_an_alarm_about_a_dead_delivery_goes_to_everybody_else() -> None:
    alarm = Event(
        id="evt_1",
        store_id="default",
        payment_collection_id=None,
        name=DELIVERY_DEAD,
        entity_id="delivery_1",
        data={"subscriber": "accounting"},
        created_at=NOW,
    )
    assert not is_to_be_told(alarm, "accounting", Everybody())
    assert is_to_be_told(alarm, "warehouse", Everybody())


@given(st.integers(0, 10**30))
def test_no_number_of_tries_makes_a_pause_overflow(tries: int) -> None:
    assert timedelta(0) < pause_after(tries) <= LONGEST_PAUSE


def test_all_tries_together_take_about_three_days() -> None:
    total = sum((pause_after(tries) for tries in range(1, MOST_TRIES)), timedelta())
    assert timedelta(days=2) < total < timedelta(days=4)


def test_one_that_is_not_reached_rests_longer_each_time_up_to_a_bound() -> None:
    rests, now = Rests(), NOW
    for _ in range(30):
        rests.note("accounting", NotTaken("no answer", is_about_listener=True), now)
        assert rests.is_resting("accounting", now)
        now += LONGEST_REST
        assert not rests.is_resting("accounting", now)
    rests.note("accounting", Taken(), now)
    assert not rests.is_resting("accounting", now)


def test_one_that_refuses_an_event_is_there_and_does_not_rest() -> None:
    rests = Rests()
    rests.note("accounting", NotTaken("it answered 422"), NOW)
    assert not rests.is_resting("accounting", NOW)
