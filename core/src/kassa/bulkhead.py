"""A bulkhead: the threads on which one provider is called.  However many of its calls hang, no other lacks a thread."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TypeVar

ResultT = TypeVar("ResultT")

IDLE_SECONDS = 60.0
"""How long a thread waits for another call before it ends."""

_Job = Callable[[], None]
_Jobs = SimpleQueue[_Job | None]


class Bulkhead:
    """So many calls at once, and no more, each on a thread of this pool.  Safe to share between threads.

    Threads are started when they are needed and used again, the last used first: many SDKs keep a connection for each
    thread.  They are daemons, so that a call that hangs does not keep the process from ending.
    """

    def __init__(self, name: str, places: int) -> None:
        self.places = places
        self._name = name
        self._free = threading.Semaphore(places)
        self._lock = threading.Lock()
        self._idle: list[_Jobs] = []
        self._under_way = 0
        self._started = 0

    @property
    def under_way(self) -> int:
        """How many calls are being made at this moment, those that nobody waits for any more included."""
        return self._under_way

    def begin(self, work: Callable[[], ResultT], patience_seconds: float) -> Future[ResultT] | None:
        """Begin ``work`` on a thread of its own; None when no place came free in time, and nothing was begun."""
        if not self._free.acquire(timeout=patience_seconds):
            return None
        call: Future[ResultT] = Future()
        return call if self._hand_over(lambda: _run(work, call)) else None

    def close(self) -> None:
        """End the threads that wait for a call; those that make one go on with it."""
        with self._lock:
            for jobs in self._idle:
                jobs.put(None)
            self._idle.clear()

    def _hand_over(self, job: _Job) -> bool:
        with self._lock:
            self._under_way += 1
            if self._idle:
                self._idle.pop().put(job)
                return True
            self._started += 1
            name = f"{self._name} {self._started}"
        jobs: _Jobs = SimpleQueue()
        jobs.put(job)
        try:
            threading.Thread(target=self._work, args=(jobs,), name=name, daemon=True).start()
        except RuntimeError:  # the machine has no thread left for us
            self._leave()
            return False
        return True

    def _work(self, jobs: _Jobs) -> None:
        while True:
            job = self._next(jobs)
            if job is None:
                return
            job()
            del job  # what was asked and answered is not kept while this thread waits for the next call
            self._leave(jobs)

    def _leave(self, jobs: _Jobs | None = None) -> None:
        with self._lock:
            self._under_way -= 1
            if jobs is not None:
                self._idle.append(jobs)
        # Only now: whoever gets the place finds this thread idle, and there are never more threads than places.
        self._free.release()

    def _next(self, jobs: _Jobs) -> _Job | None:
        try:
            return jobs.get(timeout=IDLE_SECONDS)
        except Empty:
            with self._lock:
                if jobs in self._idle:
                    self._idle.remove(jobs)
                    return None
            # It was chosen for a call at the last moment.
            return jobs.get()


def _run(work: Callable[[], ResultT], call: Future[ResultT]) -> None:
    try:
        result = work()
    except BaseException as error:  # whoever waits for the call gets it
        call.set_exception(error)
    else:
        call.set_result(result)
