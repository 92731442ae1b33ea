"""Where a run takes place: one shop with its providers, one fresh database, one clock that is put forward."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from provider_books import Books, Effect
from sqlalchemy import func, literal, select, union_all

from kassa import Engine, Money, NewItem
from kassa.config import parse
from kassa.opening import assemble
from kassa.store.tables import metadata, outbox, reconciliations
from kassa_sdk import JsonObject
from kassa_simulator.process import SimulatorProcess

SETTINGS = """
[database]
url = "env:FAULTS_DATABASE"

[carts.options.catalogue.tea]
title = "Tea"
prices = { EUR = "5.00" }

[providers.default]
plugin = "system"

[providers.keyed]
plugin = "simulator"
options = { base_url = "env:KEYED_URL", api_key = "env:CANARY_KEY", webhook_secret = "env:CANARY_SECRET" }

[providers.keyless]
plugin = "simulator"

[providers.keyless.options]
base_url = "env:KEYLESS_URL"
api_key = "env:CANARY_KEY"
webhook_secret = "env:CANARY_SECRET"
keys = "none"

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE", "FR"]
providers = ["keyed", "keyless", "default"]

[regions.kw]
name = "Kuwait"
currency = "KWD"
countries = ["KW"]
providers = ["keyed", "keyless", "default"]
place_order = { keyed = "pending", keyless = "pending" }
"""

SUBSCRIBER = """
[subscribers.shop]
url = "env:SUBSCRIBER_URL"
secret = "env:SUBSCRIBER_SECRET"
allow_private = true
"""

CANARY_KEY = "canary-api-key-5fa1c2"
CANARY_SECRET = "canary-webhook-secret-81be07"
CANARIES = (CANARY_KEY, CANARY_SECRET)

SOON = timedelta(hours=6)
MOST_PASSES = 80
"""More passes of the worker than anything may need to be settled or laid before a person."""


class NeverSettled(Exception):
    """The worker was due again and again and came to no end."""


class Clock:
    """A clock that only the run puts forward."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **duration: float) -> None:
        """It is later now."""
        self.now += timedelta(**duration)


Things = dict[str, str]
"""What a client remembers: the ids that it was given, as text."""


def open_engine(url: str, clock: Clock, *, tells: bool = False, settings: str = SETTINGS) -> Engine:
    """The shop's engine on this database, with a subscriber or without; the environment knows the rest."""
    os.environ["FAULTS_DATABASE"] = url
    return assemble(parse(settings + (SUBSCRIBER if tells else "")), clock=clock)


@dataclass
class Stage:
    """One shop.  ``provider`` is the instance that the run pays with."""

    engine: Engine
    clock: Clock
    provider: str
    simulators: Mapping[str, SimulatorProcess]
    offsets: Mapping[str, int] = field(default_factory=dict)

    @property
    def provider_id(self) -> str:
        return "pp_system_default" if self.provider == "default" else f"pp_simulator_{self.provider}"

    @property
    def simulator(self) -> SimulatorProcess:
        """The provider's own process."""
        return self.simulators[self.provider]

    def effects(self) -> list[Effect]:
        """What has happened at the providers since the run began, from their own books."""
        return [
            effect
            for name, simulator in self.simulators.items()
            for effect in Books(name, simulator.books, self.offsets.get(name, 0)).read()
        ]

    # The steps that most scenarios begin with

    def cart(self, price: str = "50.00", currency: str = "EUR") -> Things:
        """A cart of one item."""
        region = {"EUR": "eu", "KWD": "kw"}[currency]
        item = NewItem(title="A thing", quantity=1, unit_price=Money.parse(price, currency))
        return {"cart": self.engine.create_cart(region, [item]).id}

    def session(self, script: str = "approve", price: str = "50.00", currency: str = "EUR") -> Things:
        """A cart with a session that waits to be authorized."""
        things = self.cart(price, currency)
        things["collection"] = self.engine.create_payment_collection(things["cart"]).id
        return things | self.new_session(things, script)

    def new_session(self, things: Things, script: str = "approve") -> Things:
        """A session of the cart's collection."""
        session = self.engine.create_payment_session(things["collection"], self.provider_id, self.data(script))
        return {"session": session.id, "reference": session.provider_reference or ""}

    def data(self, script: str) -> JsonObject:
        """What tells the simulated provider what is to happen to a payment."""
        return {} if self.provider == "default" else {"scenario": script}

    def paid(self, script: str = "approve", price: str = "100.00") -> Things:
        """A placed order and its payment."""
        things = self.session(script, price)
        self.engine.complete_cart(things["cart"])
        return things | self.payment_of(things)

    def payment_of(self, things: Things) -> Things:
        """The payment of a collection."""
        return {"payment": self.engine.retrieve_payment_collection(things["collection"]).payments[0].id}

    # What a worker does until everything is settled

    def settle(self, within: timedelta | None = None, most_passes: int = MOST_PASSES) -> None:
        """Let the worker pass whenever something is due, until nothing is (within this time).  Raises NeverSettled."""
        end = None if within is None else self.clock.now + within
        for _ in range(most_passes):
            due_at = self._next_due()
            if due_at is None or (end is not None and due_at > end):
                return
            self.clock.now = max(self.clock.now, due_at + timedelta(seconds=1))
            self.engine.work()
        raise NeverSettled(f"after {most_passes} passes of the worker something is still due: {self._what_is_due()}")

    def _next_due(self) -> datetime | None:
        due = [moment for _, moment in self._due()]
        return min(due, default=None)

    def _what_is_due(self) -> str:
        return ", ".join(f"{name} at {moment:%d. %H:%M}" for name, moment in self._due())

    def _due(self) -> list[tuple[str, datetime]]:
        """Of every table that has due work, when the next of it is due."""
        with self.engine._world.database.engine.connect() as connection:
            found = [(name, moment) for name, moment in connection.execute(_WHAT_IS_DUE) if moment is not None]
            if connection.execute(_ARE_EVENTS_WAITING).scalar():
                found.append((outbox.name, self.clock.now))
        return found


# In one statement, because a run asks many times.
_WHAT_IS_DUE = union_all(
    *(select(literal(table.name), func.min(table.c.due_at)) for table in metadata.sorted_tables if "due_at" in table.c),
    # A comparison that is not finished is taken up when its lease ends.
    select(literal(reconciliations.name), func.min(reconciliations.c.lease_until)).where(
        reconciliations.c.finished_at.is_(None)
    ),
)
_ARE_EVENTS_WAITING = select(func.count()).select_from(outbox)
