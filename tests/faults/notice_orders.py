"""Notices in every order: five messages and the answer to our own call, each way round, lead to the same books."""

import itertools
import json
import random
import threading
from concurrent.futures import Future
from typing import Any

import acts
from children import Tell, in_a_child
from databases import Tables
from stage import Stage, Things
from theatre import Theatre

from kassa import failpoints
from kassa_simulator.control import NoticeSelection, WrittenNotice

ANSWER = 5
"""The place of the answer to our own call among the messages: the last of six."""

ORDERS = list(itertools.permutations(range(6)))
ORDERS_A_JOB = 10
WAITS_AT_MOST_SECONDS = 30.0


def jobs(databases: list[str], duplicated: int, seed: int, *, on_all: bool) -> list[dict[str, Any]]:
    """All 720 orders (on every database, or each on one of them), and so many with repetitions."""
    chance = random.Random(seed)
    plans = [list(order) for order in ORDERS]
    for _ in range(duplicated):
        # Each message at least once, up to three times; the answer comes only once.
        repeated = [message for message in range(ANSWER) for _ in range(chance.randint(1, 3))] + [ANSWER]
        chance.shuffle(repeated)
        plans.append(repeated)
    batches = [plans[place : place + ORDERS_A_JOB] for place in range(0, len(plans), ORDERS_A_JOB)]
    return [
        {"kind": "notices", "run": f"{database}/{json.dumps(batch).replace(' ', '')}"}
        for number, batch in enumerate(batches)
        for database in (databases if on_all else [databases[number % len(databases)]])
    ]


def run(theatre: Theatre, job: dict[str, Any]) -> dict[str, Any]:
    """Some orders, in a lane."""
    database, _, text = job["run"].partition("/")
    plans: list[list[int]] = json.loads(text)
    stage = theatre.stage(database, "keyed")
    told = in_a_child(lambda tell: _play(stage, plans, tell))
    found = [told.error] if told.error else []
    found += theatre.check(database, stage)
    if not found:
        tables = theatre.databases[database].read()
        outcomes = {json.dumps(_outcome(tables, things)): number for number, things in enumerate(told.told["things"])}
        if list(outcomes) != [json.dumps(EXPECTED)]:
            found += [f"order {plans[number]} led to {outcome}" for outcome, number in outcomes.items()]
    return {"run": f"notices:{job['run']}", "runs": len(plans), "violations": found}


EXPECTED = {
    "payment": [10_000, 4_000 + 3_000, 0, 2_000, 0],
    "captures": [[3_000, False], [4_000, True]],
    "refunds": [[2_000, False]],
    "disputes": [[1_000, "open"]],
    "operation": "succeeded",
    "notices": ["applied"],
}
"""What every order must lead to."""


def _outcome(tables: Tables, things: Things) -> dict[str, Any]:
    mine = things["payment"]
    row = next(row for row in tables["payments"] if row["id"] == mine)
    columns = ("amount_minor", "captured_minor", "capturing_minor", "refunded_minor", "refunding_minor")
    session = row["payment_session_id"]
    return {
        "payment": [row[column] for column in columns],
        "captures": _movements(tables, "captures", mine),
        "refunds": _movements(tables, "refunds", mine),
        "disputes": sorted(
            [each["amount_minor"], each["status"]] for each in tables["disputes"] if each["payment_id"] == mine
        ),
        "operation": next(each["status"] for each in tables["operations"] if each["payment_id"] == mine),
        "notices": sorted({each["status"] for each in tables["notices"] if each["payment_session_id"] == session}),
    }


def _movements(tables: Tables, table: str, payment_id: str) -> list[list[Any]]:
    rows = [each for each in tables[table] if each["payment_id"] == payment_id]
    return sorted([each["amount_minor"], each["operation_id"] is not None] for each in rows)


def _play(stage: Stage, plans: list[list[int]], tell: Tell) -> None:
    # The answers before capture are merged at once, those to capture are held until their turn comes.
    gate = _Gate()
    failpoints.watch(gate)
    played = []
    for plan in plans:
        things = stage.paid()
        capture = _begin_capture(stage, things, gate)
        letters = _what_else_happens(stage, things)
        for message in plan:
            if message == ANSWER:
                gate.open()
                capture.result(WAITS_AT_MOST_SECONDS)
            else:
                _deliver(stage, letters[message])
        stage.settle()
        played.append(things)
    tell(things=played)


class _Gate:
    """Holds whoever comes back from the provider with the answer to a capture."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self._open = threading.Event()

    def __call__(self, point: str) -> None:
        if point == "call:capture:after":
            self.arrived.set()
            self._open.wait(WAITS_AT_MOST_SECONDS)

    def close(self) -> None:
        self.arrived.clear()
        self._open.clear()

    def open(self) -> None:
        self._open.set()


def _begin_capture(stage: Stage, things: Things, gate: _Gate) -> Future[object]:
    """The provider has said that it succeeded: whatever else comes before its answer, the client is told no error."""
    gate.close()
    capture: Future[object] = Future()

    def call() -> None:
        try:
            capture.set_result(acts.capture("40.00")(stage, things))
        except BaseException as error:
            capture.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    if not gate.arrived.wait(WAITS_AT_MOST_SECONDS):
        raise TimeoutError("the provider has not answered")
    return capture


def _what_else_happens(stage: Stage, things: Things) -> list[WrittenNotice]:
    """Somebody works in the provider's dashboard; the five messages about all that has happened to the payment."""
    control, reference = stage.simulator.control, things["reference"]
    control.do("capture", reference, amount=3_000, currency="EUR")
    control.do("refund", reference, amount=2_000, currency="EUR")
    control.do("open_dispute", reference, amount=1_000)
    letters = control.notices(NoticeSelection(payment_id=reference))
    assert len(letters) == ANSWER, [letter["type"] for letter in letters]
    return letters


def _deliver(stage: Stage, letter: WrittenNotice) -> None:
    told = {"body": letter["body"], "headers": json.dumps(letter["headers"])}
    for notice in acts.receive(stage, told):
        stage.engine.apply_notice(notice.id)
