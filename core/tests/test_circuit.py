"""The circuit: what it lets through, and when."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa.circuit import Admission, Circuit, Refusal

MOST_FAILURES = 3
PAUSE = timedelta(seconds=30)
LONGEST_CALL = timedelta(seconds=10)
START = datetime(2026, 1, 1, tzinfo=UTC)

ENDINGS = st.sampled_from(["succeeded", "failed", "give_back", "never told"])
PAUSES = st.integers(min_value=-40, max_value=90).map(lambda seconds: timedelta(seconds=seconds))


def circuit() -> Circuit:
    """A closed circuit that opens after three failures in a row."""
    return Circuit(MOST_FAILURES, PAUSE, LONGEST_CALL)


def let_through(circuit: Circuit, now: datetime) -> Admission:
    """A call that must be let through."""
    admission = circuit.admit(now)
    assert isinstance(admission, Admission)
    return admission


def opened(now: datetime = START) -> Circuit:
    """A circuit that has just opened."""
    broken = circuit()
    for _ in range(MOST_FAILURES):
        broken.failed(let_through(broken, now), now)
    return broken


def end(circuit: Circuit, admission: Admission, ending: str, now: datetime) -> None:
    """Tell the circuit how a call ended."""
    match ending:
        case "succeeded":
            circuit.succeeded(admission)
        case "failed":
            circuit.failed(admission, now)
        case "give_back":
            circuit.give_back(admission, now)


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    assert opened().admit(START) == Refusal(START, START + PAUSE)


def test_a_success_in_between_begins_the_count_again() -> None:
    lucky = circuit()
    for ending in ["failed", "failed", "succeeded", "failed", "failed"]:
        end(lucky, let_through(lucky, START), ending, START)
    assert lucky.refusal(START) is None


def test_after_its_pause_it_lets_one_call_through_and_refuses_the_others() -> None:
    broken = opened()
    let_through(broken, START + PAUSE)
    assert isinstance(broken.admit(START + PAUSE), Refusal)


def test_a_probe_that_succeeds_closes_it() -> None:
    broken = opened()
    assert broken.succeeded(let_through(broken, START + PAUSE))
    assert broken.refusal(START + PAUSE) is None


def test_a_probe_that_fails_leaves_it_open_for_another_pause() -> None:
    broken = opened()
    later = START + PAUSE + LONGEST_CALL
    assert broken.failed(let_through(broken, START + PAUSE), later) == Refusal(START, later + PAUSE)


def test_a_probe_that_was_not_made_leaves_its_place_to_the_next_call() -> None:
    broken = opened()
    broken.give_back(let_through(broken, START + PAUSE), START + PAUSE)
    let_through(broken, START + PAUSE)


def test_a_probe_whose_end_nobody_tells_keeps_the_others_out_only_as_long_as_a_call_can_take() -> None:
    broken = opened()
    let_through(broken, START + PAUSE)
    let_through(broken, START + PAUSE + LONGEST_CALL)


@pytest.mark.parametrize("ending", ["succeeded", "failed"])
def test_a_call_from_before_it_opened_changes_nothing_any_more(ending: str) -> None:
    broken = circuit()
    early = let_through(broken, START)
    for _ in range(MOST_FAILURES):
        broken.failed(let_through(broken, START), START)
    end(broken, early, ending, START + timedelta(seconds=20))
    assert broken.admit(START + timedelta(seconds=20)) == Refusal(START, START + PAUSE)


def test_a_clock_that_is_put_back_does_not_keep_it_open() -> None:
    broken = opened()
    let_through(broken, START - timedelta(hours=1))


@given(st.lists(st.tuples(ENDINGS, PAUSES)))
def test_whatever_happens_it_lets_a_call_through_again_in_the_end(history: list[tuple[str, timedelta]]) -> None:
    now, latest, tried = START, START, circuit()
    for ending, pause in history:
        now += pause
        latest = max(latest, now)
        admission = tried.admit(now)
        if isinstance(admission, Admission):
            end(tried, admission, ending, now)
    let_through(tried, latest + PAUSE + LONGEST_CALL)


@given(st.lists(st.tuples(ENDINGS, PAUSES)))
def test_it_refuses_nothing_before_so_many_failures_in_a_row(history: list[tuple[str, timedelta]]) -> None:
    now, tried, failures = START, circuit(), 0
    for ending, pause in history:
        now += pause
        admission = tried.admit(now)
        if failures < MOST_FAILURES:
            assert isinstance(admission, Admission)
        if isinstance(admission, Admission):
            end(tried, admission, ending, now)
            failures = {"succeeded": 0, "failed": failures + 1}.get(ending, failures)


@given(st.lists(st.integers(min_value=0, max_value=60), min_size=2))
def test_while_it_is_open_there_is_one_probe_at_a_time(moments: list[int]) -> None:
    broken = opened()
    probes = [
        moment for moment in sorted(moments) if isinstance(broken.admit(START + timedelta(seconds=moment)), Admission)
    ]
    apart = [later - earlier for earlier, later in pairwise(probes)]
    assert all(seconds >= LONGEST_CALL.total_seconds() for seconds in apart)
