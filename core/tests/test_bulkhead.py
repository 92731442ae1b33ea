"""The bulkhead: so many calls at once, each on a thread of its own pool."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from kassa.bulkhead import Bulkhead

SOON = 30.0
"""Far longer than anything here takes; a test that waits so long has failed."""


@pytest.fixture
def bulkhead() -> Iterator[Bulkhead]:
    """One with two places."""
    bulkhead = Bulkhead("pp_acme_shop", places=2)
    yield bulkhead
    bulkhead.close()


def begun(bulkhead: Bulkhead, work: Callable[[], object]) -> Future[object]:
    """A call that must find a place."""
    call = bulkhead.begin(work, 0)
    assert call is not None
    return call


def wait_until_idle(bulkhead: Bulkhead) -> None:
    """A call has ended a moment before its thread is idle."""
    while bulkhead.under_way:
        pass


def test_a_call_runs_on_a_daemon_named_after_the_provider(bulkhead: Bulkhead) -> None:
    thread = begun(bulkhead, threading.current_thread).result(SOON)
    assert isinstance(thread, threading.Thread)
    assert (thread.name, thread.daemon) == ("pp_acme_shop 1", True)


def test_a_thread_is_started_when_it_is_needed() -> None:
    lazy = Bulkhead("pp_acme_lazy", places=2)
    assert [thread for thread in threading.enumerate() if thread.name.startswith("pp_acme_lazy")] == []
    begun(lazy, lambda: None).result(SOON)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("pp_acme_lazy")] == [
        "pp_acme_lazy 1"
    ]
    lazy.close()


def test_a_thread_is_used_again(bulkhead: Bulkhead) -> None:
    names = []
    for _ in range(3):
        names.append(begun(bulkhead, lambda: threading.current_thread().name).result(SOON))
        wait_until_idle(bulkhead)
    assert names == ["pp_acme_shop 1"] * 3


def test_there_are_never_more_calls_or_threads_than_places(bulkhead: Bulkhead) -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(bulkhead.under_way)

    def one(_: int) -> str:
        call = bulkhead.begin(lambda: (look(), threading.current_thread().name)[1], SOON)
        assert call is not None
        return call.result(SOON)

    with ThreadPoolExecutor(8) as callers:
        names = set(callers.map(one, range(400)))
    assert max(seen) <= 2
    assert names <= {"pp_acme_shop 1", "pp_acme_shop 2"}


def test_a_caller_who_finds_no_place_is_told_so_and_nothing_is_begun(bulkhead: Bulkhead) -> None:
    release = threading.Event()
    hung = [begun(bulkhead, lambda: release.wait(SOON)) for _ in range(2)]
    began = []
    assert bulkhead.begin(lambda: began.append(1), 0.01) is None
    release.set()
    assert [call.result(SOON) for call in hung] == [True, True]
    assert began == []


def test_a_caller_gets_the_place_that_comes_free_in_time(bulkhead: Bulkhead) -> None:
    release = threading.Event()
    hung = [begun(bulkhead, lambda: release.wait(SOON)) for _ in range(2)]
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(bulkhead.begin, lambda: "done", SOON)
        release.set()
        call = waiting.result(SOON)
    assert call is not None
    assert call.result(SOON) == "done"
    assert [each.result(SOON) for each in hung] == [True, True]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit("no"), KeyboardInterrupt()])
def test_whatever_a_call_raises_its_caller_gets_and_its_place_is_free_again(
    bulkhead: Bulkhead, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    for _ in range(3):
        call = bulkhead.begin(fail, SOON)
        assert call is not None
        assert call.exception(SOON) is error


def test_an_idle_thread_ends_when_it_is_closed(bulkhead: Bulkhead) -> None:
    thread = begun(bulkhead, threading.current_thread).result(SOON)
    assert isinstance(thread, threading.Thread)
    wait_until_idle(bulkhead)
    bulkhead.close()
    thread.join(SOON)
    assert not thread.is_alive()


def test_an_idle_thread_ends_when_nobody_needs_it(bulkhead: Bulkhead, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kassa.bulkhead.IDLE_SECONDS", 0.01)
    thread = begun(bulkhead, threading.current_thread).result(SOON)
    assert isinstance(thread, threading.Thread)
    thread.join(SOON)
    assert not thread.is_alive()
    assert begun(bulkhead, lambda: "done").result(SOON) == "done"
