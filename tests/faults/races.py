"""Races: many clients at the same moment, each a process with an engine of its own."""

import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import acts
import beginnings
from children import ACCIDENT, Tell, begin_child, in_a_child, waited_for
from databases import Tables
from stage import Stage, Things
from theatre import Theatre

from kassa import KassaError, OrderPlaced
from kassa.errors import InternalError
from kassa_simulator.control import SimulatorControl
from kassa_simulator.server.faults import Fault

CLIENTS = 32
ROUNDS_A_FORK = 10
"""So many rounds are run by the same processes on the same database."""

HEAD_START_SECONDS = 0.03
END = b"end\n"
LETTER_COMES_WITHIN_SECONDS = 2.0

Client = Callable[[Stage, Things], object]
Expected = Callable[[Tables, Things], str | None]


@dataclass(frozen=True)
class Race:
    """What two kinds of clients do at once, and what must come of it beside the invariants (a sentence, if not)."""

    prepare: beginnings.Prepare
    clients: tuple[Client, ...]
    expected: Expected


def _payment(tables: Tables, things: Things) -> dict[str, Any]:
    return next(row for row in tables["payments"] if row["id"] == things["payment"])


def _all_is(column: str) -> Expected:
    def expected(tables: Tables, things: Things) -> str | None:
        amount = _payment(tables, things)[column]
        if amount != 10_000:
            return f"{things['payment']} has {column} {amount} of 10000"
        asked_in_vain = sum(_has_failed(row, things) for row in tables["operations"])
        return f"the provider had to refuse {asked_in_vain} that we should have refused" if asked_in_vain else None

    return expected


def _has_failed(operation: dict[str, Any], things: Things) -> bool:
    return operation["payment_id"] == things["payment"] and operation["status"] == "failed"


def _one_capture_of_40(tables: Tables, things: Things) -> str | None:
    taken = [row["amount_minor"] for row in tables["captures"] if row["payment_id"] == things["payment"]]
    return None if taken == [4_000] else f"{things['payment']} has captures of {taken}, one of 4000 was asked for"


def _one_order(tables: Tables, things: Things) -> str | None:
    orders = [row["id"] for row in tables["orders"] if row["cart_id"] == things["cart"]]
    return None if len(orders) == 1 else f"{things['cart']} has {len(orders)} orders"


def _nothing_stands(tables: Tables, things: Things) -> str | None:
    standing = [
        row["id"]
        for row in tables["payments"]
        if row["payment_collection_id"] == things["collection"] and row["canceled_at"] is None
    ]
    orders = [row["id"] for row in tables["orders"] if row["cart_id"] == things["cart"]]
    return f"{things['cart']} is paid in part: {standing + orders} stand" if standing or orders else None


def _one_session(tables: Tables, things: Things) -> str | None:
    live = [
        row["id"]
        for row in tables["payment_sessions"]
        if row["payment_collection_id"] == things["collection"] and row["status"] == "pending"
    ]
    return None if len(live) == 1 else f"{things['collection']} has {len(live)} pending sessions"


def _taken_or_released(tables: Tables, things: Things) -> str | None:
    row = _payment(tables, things)
    settled = row["captured_minor"] + row["canceled_minor"]
    return None if settled == row["amount_minor"] else f"{things['payment']} has {settled} captured or canceled"


def _capture_with_a_late_answer(stage: Stage) -> Things:
    things = stage.paid()
    seconds = random.uniform(0.0, 0.1)
    control = stage.simulator.control
    control.add_fault(Fault.ANSWER_LATE, "capture", payment_id=things["reference"], seconds=seconds)
    return things


def _capture_40_once(stage: Stage, things: Things) -> object:
    # One client captures, while all others bring the provider's message about it.
    if things["client"] == "0":
        return stage.engine.capture_payment(things["payment"], acts.eur("40.00"))
    return _bring_the_letter(stage, things)


def _bring_the_letter(stage: Stage, things: Things) -> object:
    until = time.monotonic() + LETTER_COMES_WITHIN_SECONDS
    while time.monotonic() < until:
        letter = beginnings.letters(stage, things)
        if '"payment.captured"' in letter["body"]:
            (notice,) = acts.receive(stage, letter)
            return stage.engine.apply_notice(notice.id)
        time.sleep(0.005)
    raise TimeoutError("the provider has not told of the capture")


def _new_session(provider_id: str) -> Client:
    def client(stage: Stage, things: Things) -> object:
        data = stage.data("approve") if "simulator" in provider_id else {}
        return stage.engine.create_payment_session(things["collection"], provider_id, data)

    return client


def _order_of(stage: Stage, things: Things) -> object:
    completion = stage.engine.complete_cart(things["cart"])
    return completion.order_id if isinstance(completion, OrderPlaced) else completion.type


RACES = {
    "capture and capture": Race(beginnings.a_payment(), (acts.capture("5.00"),), _all_is("captured_minor")),
    "refund and refund": Race(beginnings.a_capture(), (acts.refund("10.00"),), _all_is("refunded_minor")),
    "capture and cancel": Race(beginnings.a_payment(), (acts.capture(), acts.cancel), _taken_or_released),
    "notice and response": Race(_capture_with_a_late_answer, (_capture_40_once,), _one_capture_of_40),
    "complete and complete": Race(beginnings.a_session(), (_order_of,), _one_order),
    "complete and complete a split payment": Race(beginnings.a_plan(), (_order_of,), _one_order),
    "complete and complete what is declined in part": Race(beginnings.a_plan("decline"), (_order_of,), _nothing_stands),
    "session and session": Race(
        beginnings.a_collection, (_new_session("pp_simulator_keyed"), _new_session("pp_system_default")), _one_session
    ),
}


def jobs(databases: list[str], rounds: int) -> list[dict[str, Any]]:
    """All races, in parts."""
    return [
        {"kind": "race", "run": f"{name}/{database}/{part}", "rounds": min(ROUNDS_A_FORK, rounds - part)}
        for part in range(0, rounds, ROUNDS_A_FORK)
        for name in RACES
        for database in databases
    ]


def run(theatre: Theatre, job: dict[str, Any]) -> dict[str, Any]:
    """Some rounds of one race, in a lane."""
    name, database, _ = job["run"].split("/")
    race, rounds = RACES[name], job.get("rounds", ROUNDS_A_FORK)
    stage = theatre.stage(database, "keyed")
    clients = [_Client(stage, race, number) for number in range(CLIENTS)]
    found: list[str] = []
    try:
        for _ in range(rounds):
            found += _round(theatre, stage, race, clients, database)
            if found:
                break
    finally:
        for client in clients:
            client.end()
    return {"run": f"race:{job['run']}", "runs": rounds, "violations": found}


def _round(theatre: Theatre, stage: Stage, race: Race, clients: list["_Client"], database: str) -> list[str]:
    begun = in_a_child(lambda tell: tell(things=race.prepare(stage)))
    if begun.error:
        return [begun.error]
    things = begun.told["things"]
    start_at = time.time() + HEAD_START_SECONDS
    for client in clients:
        client.begin(things, start_at)
    found = [sentence for client in clients for sentence in client.answer()]
    settled = in_a_child(lambda tell: _settle(stage, tell))
    found += [settled.error] if settled.error else []
    found += theatre.check(database, stage)
    missed = race.expected(theatre.databases[database].read(), things)
    return found + ([missed] if missed else [])


def _settle(stage: Stage, tell: Tell) -> None:
    stage.settle()
    tell(done=True)


class _Client:
    """One process that plays round after round."""

    def __init__(self, stage: Stage, race: Race, number: int) -> None:
        reader, self._orders = os.pipe()
        self._answers, writer = os.pipe()
        self._rest = b""
        act = race.clients[number % len(race.clients)]

        def play(_: Tell) -> None:
            os.close(self._orders)
            for simulator in stage.simulators.values():
                # The parent's connection is not for several processes at once.
                simulator.control = SimulatorControl(simulator.url, simulator.settings.api_key)
            with os.fdopen(reader, "rb") as orders:
                for line in iter(orders.readline, END):
                    os.write(writer, json.dumps(_played(stage, act, json.loads(line), number)).encode() + b"\n")

        self._process, self._told = begin_child(play)
        os.close(reader)
        os.close(writer)

    def begin(self, things: Things, start_at: float) -> None:
        """Play a round, at this moment."""
        os.write(self._orders, json.dumps({"things": things, "start_at": start_at}).encode() + b"\n")

    def answer(self) -> list[str]:
        """What went wrong in this round."""
        while b"\n" not in self._rest:
            data = os.read(self._answers, 65_536)
            if not data:
                return [f"{ACCIDENT}a client has ended in the middle of a round"]
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        told: list[str] = json.loads(line)
        return told

    def end(self) -> None:
        """The process ends.  It is told so: its pipe stays open in the processes that were forked after it."""
        os.write(self._orders, END)
        os.close(self._orders)
        waited_for(self._process, self._told)
        os.close(self._answers)


def _played(stage: Stage, act: Client, order: dict[str, Any], number: int) -> list[str]:
    time.sleep(max(0.0, order["start_at"] - time.time()))
    try:
        act(stage, order["things"] | {"client": str(number)})
    except KassaError as error:
        # Whoever came too late is told so.
        is_ours = isinstance(error, InternalError)
        return [f"{ACCIDENT}a client was told {type(error).__name__}: {error}"] if is_ours else []
    except Exception as error:
        return [f"{ACCIDENT}a client was told {type(error).__name__}: {error}"]
    return []
