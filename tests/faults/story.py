"""Where stories take place: a shop on a fresh database, providers in processes of their own, and one clock for all of them.

A process that dies is told in this one: whatever passes a failpoint from then on is thrown out of the engine, the engine is
thrown away, and another one is opened on the same database.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from databases import Databases, Row
from invariants import Settled
from provider_books import Books, Effect
from stage import CANARY_KEY, CANARY_SECRET, Clock, Stage, open_engine
from told import Answer, Request, Told

from kassa import Engine, KassaError, failpoints, protocol
from kassa.errors import InternalError, NoticeUnreadable
from kassa_simulator.process import SimulatorProcess, start_simulator

SETTINGS = """
[database]
url = "env:FAULTS_DATABASE"

[providers.default]
plugin = "system"

[providers.keyed]
plugin = "simulator"

[providers.keyed.options]
base_url = "env:KEYED_URL"
api_key = "env:CANARY_KEY"
webhook_secret = "env:CANARY_SECRET"
timeout_seconds = 0.5

[providers.keyless]
plugin = "simulator"

[providers.keyless.options]
base_url = "env:KEYLESS_URL"
api_key = "env:CANARY_KEY"
webhook_secret = "env:CANARY_SECRET"
timeout_seconds = 0.5
keys = "none"
notices = "id_only"

# Its look-ups lag for so long that what is not found proves nothing; it stores keys, and does not act upon them.
[providers.lagging]
plugin = "simulator"
if_close_unconfirmed = "allow"
surplus = "keep"

[providers.lagging.options]
base_url = "env:LAGGING_URL"
api_key = "env:CANARY_KEY"
webhook_secret = "env:CANARY_SECRET"
timeout_seconds = 0.5
keys = "reference"
absence_proven_after_seconds = 1000000000.0

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE", "FR"]
providers = ["keyed", "keyless", "lagging", "default"]

[regions.kw]
name = "Kuwait"
currency = "KWD"
countries = ["KW"]
providers = ["keyed", "keyless", "lagging", "default"]
place_order = { keyed = "pending", keyless = "pending", lagging = "pending" }
"""

KEYS = {"keyed": "native", "keyless": "none", "lagging": "reference"}
"""The simulated providers, and what attempt keys mean to them."""

KNOWN = ("carts", "payment_collections", "payment_sessions", "payments", "operations", "cases")

ANYTHING = 3
"""From this place on, a thing need not be a likely one."""

Likely = Callable[[Row], bool]

LATEST_CALL = timedelta(seconds=60)
"""No call is under way for longer: that is what the manifests promise by saying when absence is proven."""

LONG_ENOUGH = timedelta(days=6)
"""After this time everything is settled, or laid before a person."""

MOST_PASSES = 150
"""More passes of the worker than a whole story may need."""


def wire_id(provider: str) -> str:
    """What the engine calls it."""
    return "pp_system_default" if provider == "default" else f"pp_simulator_{provider}"


def provider_of(row: Row) -> str:
    """The instance with which this session or payment is made."""
    provider_id: str = row["provider_id"]
    return provider_id.removeprefix("pp_simulator_") if "simulator" in provider_id else "default"


class Died(BaseException):
    """The process has died at this point."""


class Death:
    """Watches the failpoints: at one of them the process dies, and nothing passes any more."""

    def __init__(self) -> None:
        self.has_come = False
        self._point: str | None = None
        self._passes = 0

    def awaits(self, point: str, passes: int) -> None:
        """It comes at the so-manieth passing of such a point: ``commit:before``, ``call:after``, …"""
        self._point, self._passes = point, passes

    def forget(self) -> None:
        """Another process lives."""
        self.has_come, self._point = False, None

    def __call__(self, point: str) -> None:
        """This point is passed."""
        what, *_, moment = point.split(":")
        if not self.has_come and f"{what}:{moment}" == self._point:
            self._passes -= 1
            self.has_come = self._passes <= 0
        if self.has_come:
            raise Died(point)


@dataclass
class Ground:
    """What all stories share, one after the other."""

    databases: Databases
    simulators: Mapping[str, SimulatorProcess]
    death: Death = field(default_factory=Death)
    later: timedelta = timedelta()
    """So far the providers' clocks were put forward."""
    violated: list[list[str]] = field(default_factory=list)
    """What was wrong in the stories, also in those that end otherwise when they are told again."""
    seen: Counter[str] = field(default_factory=Counter)
    """What has happened in all stories, and how often."""


@contextmanager
def opened(folder: Path, databases: Databases) -> Iterator[Ground]:
    """The ground for stories on this database, with providers of their own."""
    with ExitStack() as stack:
        simulators = {
            name: stack.enter_context(
                start_simulator(folder / f"{name}.jsonl", keys=keys, api_key=CANARY_KEY, webhook_secret=CANARY_SECRET)
            )
            for name, keys in KEYS.items()
        }
        os.environ |= {"CANARY_KEY": CANARY_KEY, "CANARY_SECRET": CANARY_SECRET}
        os.environ |= {f"{name.upper()}_URL": simulator.url for name, simulator in simulators.items()}
        ground = Ground(databases, simulators)
        stack.callback(failpoints.watch, None)
        failpoints.watch(ground.death)
        # Who is dead does not try again: what he would wait for costs the story seconds.
        stack.callback(setattr, protocol, "PAUSES_SECONDS", protocol.PAUSES_SECONDS)
        protocol.PAUSES_SECONDS = ()  # type: ignore[assignment]
        yield ground


class OneClock(Clock):
    """The engine's clock, with which those of the providers go."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._now = datetime.now(UTC) + ground.later

    @property  # type: ignore[override]
    def now(self) -> datetime:
        return self._now

    @now.setter
    def now(self, moment: datetime) -> None:
        by = moment - self._now
        if by > timedelta():
            for simulator in self._ground.simulators.values():
                if by >= LATEST_CALL:
                    simulator.control.act_late_calls()
                simulator.control.advance_clock(seconds=by.total_seconds())
            self._ground.later += by
        self._now = moment


class Story:
    """One story: what is asked of the engine, what is told, and what the books say at each moment."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.told = Told()
        ground.death.forget()
        ground.databases.renew()
        for simulator in ground.simulators.values():
            simulator.control.act_late_calls()
            simulator.control.clear_faults()
        clock = OneClock(ground)
        self.began = clock.now
        offsets = {name: simulator.books.stat().st_size for name, simulator in ground.simulators.items()}
        self.stage = Stage(self._open(clock), clock, "keyed", ground.simulators, offsets)
        self.known: dict[str, list[str]] = {name: [] for name in KNOWN}
        """The ids of things, in the order in which they appeared."""
        self.now = self.look()

    @property
    def engine(self) -> Engine:
        return self.stage.engine

    def ask(self, verb: str, key: str | None = None, **arguments: Any) -> Answer | None:
        """Ask the engine as a client does; None: the process died, and nothing was told."""
        return self.ask_for(Request(verb, tuple(arguments.items()), key))

    def ask_for(self, request: Request) -> Answer | None:
        """The same, for what may be asked again."""
        answer = self._answer(request)
        before = self.now
        self.notice_what_is_there()
        if answer is None:
            self.ground.seen["died"] += 1
        else:
            self.ground.seen[f"{request.verb}: {answer.name}"] += 1
        self.told.hear(request, answer, before, self.now)
        return answer

    def newest(self, table: str, place: int, likely: Likely = lambda _: True) -> Row | None:
        """One thing, counted from the newest of those that are likely, where there are any; None while there is nothing."""
        rows = {row["id"]: row for row in self.now.tables[table]}
        known = [rows[key] for key in self.known[table]]
        chosen = [row for row in known if place >= ANYTHING or likely(row)] or known
        return chosen[-1 - place % len(chosen)] if chosen else None

    def notice_what_is_there(self) -> None:
        """The books as they stand now."""
        self.now = self.look()
        for table, ids in self.known.items():
            # Those that come in one step come in the order of their ids, which is that of their time.
            ids.extend(sorted({row["id"] for row in self.now.tables[table]} - set(ids)))

    def _answer(self, request: Request) -> Answer | None:
        error: KassaError | None = None
        value: object = None
        try:
            value = getattr(self.engine, request.verb)(**request.keywords)
        except KassaError as told:
            error = told
        except Died:
            pass
        if self.ground.death.has_come:
            self.restart()
            return None
        if isinstance(error, InternalError) and not isinstance(error, NoticeUnreadable):
            raise error
        return Answer(value, error)

    def restart(self) -> None:
        """Another process on the same database.  The operating system closes the connections of the one before."""
        with suppress(Died):
            self.engine.close()
        self.ground.death.forget()
        self.stage.engine = self._open(self.stage.clock)

    def close(self) -> None:
        """The end."""
        self.ground.death.forget()
        self.engine.close()

    def settle(self) -> None:
        """Time passes until nothing is due any more, or only what is due for ever.  Raises NeverSettled."""
        self.stage.settle(LONG_ENOUGH, MOST_PASSES)
        self.notice_what_is_there()

    def look(self) -> Settled:
        """Everything as it stands in the books, ours and theirs."""
        return Settled(self.ground.databases.read(), self.stage.effects())

    def effects(self, provider: str) -> list[Effect]:
        """What has happened at one provider in this story."""
        return Books(provider, self.ground.simulators[provider].books, self.stage.offsets[provider]).read()

    def _open(self, clock: Clock) -> Engine:
        return open_engine(self.ground.databases.url, clock, settings=SETTINGS)
