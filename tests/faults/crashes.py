"""The crash matrix: a client's process is really killed at a point, and what it leaves behind is recovered and checked.

A run is made of two processes: one that dies (``os.kill(os.getpid(), SIGKILL)``), and one that comes later.  Both are forked
from a parent that has imported everything and has no threads.
"""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from children import ACCIDENT, Tell, in_a_child
from provider_books import Effect
from scenarios import SCENARIOS, Scenario
from stage import SOON, NeverSettled, Stage, Things
from theatre import Theatre

from kassa import KassaError, failpoints
from kassa.errors import InternalError
from kassa_simulator.server.faults import Fault

ANSWERED = "answered"
"""The last point of every client: it has its answer."""


@dataclass(frozen=True, order=True)
class Variant:
    """One scenario under these circumstances."""

    scenario: str
    database: str
    provider: str
    client: str
    """``returns`` (asks again at once, and once more when all is settled) or ``never returns``."""
    answer: str
    """``arrives``, or ``lost``: the provider acts, and its answer is cut."""

    def __str__(self) -> str:
        return f"{self.scenario}/{self.database}/{self.provider}/{self.client}/{self.answer}"

    @classmethod
    def parse(cls, text: str) -> "Variant":
        """Back from ``str``."""
        return cls(*text.split("/"))


@dataclass(frozen=True)
class Crash:
    """One run: this variant, killed at this point; without a point nobody is killed, and the points are listed."""

    variant: Variant
    point: str | None = None

    def __str__(self) -> str:
        return str(self.variant) if self.point is None else f"{self.variant}@{self.point}"

    @classmethod
    def parse(cls, text: str) -> "Crash":
        """Back from ``str``."""
        variant, _, point = text.partition("@")
        return cls(Variant.parse(variant), point or None)


@dataclass
class Ended:
    """How a run ended.  ``trace``: the points that the client passed; ``passed``: all that anybody passed."""

    crash: str
    violations: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)


def variants(databases: list[str]) -> list[Variant]:
    """Every scenario under all circumstances that make sense for it."""
    return [
        Variant(each.name, database, provider, client, answer)
        for each in SCENARIOS.values()
        for database in databases
        for provider in each.providers
        for client in ("returns", "never returns")
        for answer in (("arrives",) if each.hook is None else ("arrives", "lost"))
    ]


def run(theatre: Theatre, crash: Crash) -> Ended:
    """One run, from a fresh database to the check."""
    scenario = SCENARIOS[crash.variant.scenario]
    stage = theatre.stage(crash.variant.database, crash.variant.provider, tells=scenario.tells)
    ended = Ended(str(crash))
    begun = in_a_child(lambda tell: _client(stage, scenario, crash, tell))
    ended.trace, ended.passed = begun.told.get("trace", []), begun.told.get("passed", [])
    if begun.error or begun.was_killed != (crash.point is not None):
        missed = f"{ACCIDENT}the client was not killed: it never came to {crash.point}"
        ended.violations.append(begun.error or missed)
        return ended
    things, now = begun.told["things"], datetime.fromisoformat(begun.told["now"])
    comes_back = _comes_back(scenario, crash.variant, was_answered="answered" in begun.told)
    later = in_a_child(lambda tell: _afterwards(stage, scenario, things, now, comes_back, tell))
    ended.passed = sorted({*ended.passed, *later.told.get("passed", [])})
    ended.violations += [later.error] if later.error else later.told.get("violations", [])
    ended.violations += theatre.check(crash.variant.database, stage)
    return ended


def _client(stage: Stage, scenario: Scenario, crash: Crash, tell: Tell) -> None:
    """The process that dies."""
    watcher = Watcher()
    failpoints.watch(watcher)
    things = scenario.prepare(stage)
    if crash.variant.answer == "lost" and scenario.hook is not None:
        stage.simulator.control.add_fault(Fault.ACT_THEN_CUT, scenario.hook)  # type: ignore[arg-type]
    tell(things=things, now=stage.clock.now.isoformat(), passed=sorted(watcher.passed))
    watcher.arm(crash.point)
    with errors_are_answers():
        scenario.act(stage, things)
        tell(answered=True)
    watcher(ANSWERED)
    tell(trace=watcher.trace, passed=sorted(watcher.passed))


def _comes_back(scenario: Scenario, variant: Variant, *, was_answered: bool) -> bool:
    """Whether the client asks again.  A provider tells its message until it is acknowledged, and may tell it once more."""
    return variant.client == "returns" or ("receive_notice" in scenario.verbs and not was_answered)


def _afterwards(stage: Stage, scenario: Scenario, things: Things, now: datetime, comes_back: bool, tell: Tell) -> None:
    """The process that comes later: the client asks again, or does not, and the worker does its work."""
    watcher = Watcher()
    failpoints.watch(watcher)
    stage.clock.now = now
    found: list[str] = []
    try:
        if comes_back:
            stage.clock.forward(seconds=1)
            found += _ask(scenario, stage, things)
        stage.settle(within=SOON)
        _let_the_outside_happen(stage)
        stage.settle()
        if comes_back:
            found += _ask(scenario, stage, things)
            stage.settle(within=SOON)
            _let_the_outside_happen(stage)
            stage.settle()
    except NeverSettled as never:
        found.append(str(never))
    tell(violations=found, passed=sorted(watcher.passed))


def _ask(scenario: Scenario, stage: Stage, things: Things) -> list[str]:
    """The client's call again; what it is told must be an answer, not an accident of ours."""
    try:
        scenario.act(stage, things)
    except InternalError as error:
        return [f"{ACCIDENT}the client who asked again was told {type(error).__name__}: {error}"]
    except KassaError:
        return []
    except Exception as error:
        return [f"{ACCIDENT}the client who asked again was told {type(error).__name__}: {error}"]
    return []


@contextmanager
def errors_are_answers() -> Iterator[None]:
    """Whatever a client is told, it goes on."""
    try:
        yield
    except KassaError as error:
        if isinstance(error, InternalError):
            raise


def _let_the_outside_happen(stage: Stage) -> None:
    """What the provider takes its time for comes to its end."""
    pending: dict[str, Effect] = {}
    for effect in stage.effects():
        if effect.type == "pending" or effect.movement_status == "pending":
            pending[effect.movement_id or effect.payment_id or ""] = effect
        elif effect.payment_id in pending or effect.type in ("movement_settled", "movement_failed"):
            pending.pop(effect.movement_id or effect.payment_id or "", None)
    for effect in pending.values():
        control = stage.simulators[effect.provider].control
        script = control.payment(effect.payment_id or "")["scenario"]
        if effect.movement_id is not None:
            end = "fail_movement" if script == "refund_failed" and effect.type == "refunded" else "settle_movement"
            control.do(end, effect.payment_id or "", movement_id=effect.movement_id)  # type: ignore[arg-type]
        else:
            control.do("decline" if script == "pending_declined" else "settle", effect.payment_id or "")


class Watcher:
    """Hears of every point, lists them from the moment on when it is armed, and kills the process at one of them."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.trace: list[str] = []
        self._counted: Counter[str] = Counter()
        self._is_armed = False
        self._fatal: str | None = None

    def arm(self, fatal: str | None) -> None:
        """From now on the points count."""
        self._is_armed, self._fatal = True, fatal

    def __call__(self, point: str) -> None:
        self.passed.add(point)
        if not self._is_armed:
            return
        self._counted[point] += 1
        name = f"{point}#{self._counted[point]}"
        if name == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        self.trace.append(name)
