"""What the runs of one lane share: warm engines, databases, the providers' processes."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from databases import Databases, SqliteDatabases, postgresql_databases
from invariants import Settled, violations
from postgresql_server import PostgreSQLServer
from scenarios import SCENARIOS
from stage import CANARIES, CANARY_KEY, CANARY_SECRET, SOON, Clock, Stage, open_engine
from subscriber import SECRET, SubscriberProcess, running_subscriber

from kassa import KassaError
from kassa.store.watched import tell_statements
from kassa_simulator.process import SimulatorProcess, start_simulator

WARMED_BY = (
    "change a cart",
    "replace a session",
    "delete a session",
    "update a session",
    "complete, approved",
    "complete, pending",
    "answer, approved",
    "capture a part",
    "refund the rest",
    "cancel the rest",
    "recover a capture that never arrived",
    "recover a session that was replaced",
    "place the order that nobody fetched",
)
"""Scenarios that together need most of the code: forked processes inherit it loaded, and its statements compiled."""

STAGES_BETWEEN_BOOKS = 300
"""A provider with thousands of payments answers ever more slowly, and compares them all whenever its books are compared."""

WARMED_BY_TELLING = ("capture a part",)


class Theatre:
    """One run after the other.  Nothing of a run is left for the next but what stands in the provider's books."""

    def __init__(
        self,
        databases: dict[str, Databases],
        simulators: dict[str, SimulatorProcess],
        subscriber: SubscriberProcess,
    ) -> None:
        self.databases = databases
        self.simulators = simulators
        self._subscriber = subscriber
        self._taken_before = 0
        self._stages = 0
        self.clock = Clock()
        os.environ |= {
            "CANARY_KEY": CANARY_KEY,
            "CANARY_SECRET": CANARY_SECRET,
            "SUBSCRIBER_URL": subscriber.url,
            "SUBSCRIBER_SECRET": SECRET,
            **{f"{name.upper()}_URL": simulator.url for name, simulator in simulators.items()},
        }
        tell_statements()
        self._engines = {
            (kind, tells): open_engine(each.url, self.clock, tells=tells)
            for kind, each in databases.items()
            for tells in (False, True)
        }
        self._warm()

    def stage(self, database: str, provider: str, *, tells: bool = False) -> Stage:
        """A fresh shop; ``tells``: with a subscriber."""
        self._stages += 1
        if self._stages % STAGES_BETWEEN_BOOKS == 0:
            self._renew_books()
        self.databases[database].renew()
        self.clock.now = Clock().now
        self._taken_before = self._subscriber.file.stat().st_size
        return Stage(self._engines[database, tells], self.clock, provider, self.simulators, self._offsets())

    def check(self, database: str, stage: Stage) -> list[str]:
        """The invariants, on what a run has left behind."""
        self.clear_faults()
        databases = self.databases[database]
        taken = None if stage.engine is self._engines[database, False] else self._taken()
        tables = databases.read()
        found = violations(Settled(tables, stage.effects(), taken))
        return found + [f"the database holds the secret {each}" for each in CANARIES if databases.holds(each, tables)]

    def clear_faults(self) -> None:
        """The providers are in good health again."""
        for simulator in self.simulators.values():
            if simulator.control.faults():
                simulator.control.clear_faults()

    def _renew_books(self) -> None:
        for simulator in self.simulators.values():
            simulator.kill()
            simulator.books.unlink()
            simulator.restart()

    def _offsets(self) -> dict[str, int]:
        return {name: simulator.books.stat().st_size for name, simulator in self.simulators.items()}

    def _taken(self) -> list[str]:
        return self._subscriber.taken_since(self._taken_before)

    def _warm(self) -> None:
        for (kind, tells), engine in self._engines.items():
            for name in WARMED_BY_TELLING if tells else WARMED_BY:
                scenario = SCENARIOS[name]
                stage = self.stage(kind, scenario.providers[0], tells=tells)
                with suppress(KassaError):
                    scenario.act(stage, scenario.prepare(stage))
                stage.settle(within=SOON)
            engine.close()
        for simulator in self.simulators.values():
            # Ends every connection to it: two processes must never share one.
            simulator.restart()
        _require_one_thread()


def _require_one_thread() -> None:
    """A process with threads cannot be forked safely."""
    until = time.monotonic() + 5
    while threading.active_count() > 1 and time.monotonic() < until:
        time.sleep(0.01)
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        raise RuntimeError(f"closing an engine has left threads behind: {', '.join(others)}")


@contextmanager
def opened(folder: Path, kinds: list[str], server: PostgreSQLServer | None) -> Iterator[Theatre]:
    """A theatre with these kinds of databases."""
    with ExitStack() as stack:
        simulators = {
            name: stack.enter_context(
                start_simulator(
                    folder / f"{name}.jsonl",
                    keys="native" if name == "keyed" else "none",
                    api_key=CANARY_KEY,
                    webhook_secret=CANARY_SECRET,
                )
            )
            for name in ("keyed", "keyless")
        }
        databases: dict[str, Databases] = {}
        if "sqlite" in kinds:
            databases["sqlite"] = SqliteDatabases(folder)
        if "postgresql" in kinds:
            assert server is not None, "PostgreSQL needs a server"
            databases["postgresql"] = stack.enter_context(postgresql_databases(server))
        subscriber = stack.enter_context(running_subscriber(folder / "taken.txt"))
        yield Theatre(databases, simulators, subscriber)
