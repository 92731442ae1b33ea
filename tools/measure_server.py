"""Measures what one payment costs the server: its CPU for one flow, and the flows that it does in a second.

    python tools/measure_server.py [ROUNDS] [FLOWS]

A flow is payment collection, payment session, complete, capture and refund, of carts that are there already, paid with the
system provider; eight clients ask at once.  ``kassa serve`` is one process, on a PostgreSQL with its default settings but
for one: where the disk is faster than that, each commit waits until hand-written psycopg, which inserts one row a commit on
one connection, commits about 1,000 times a second.  That floor is measured again in turns with the flows.  It is printed
and judged by people; no test fails by it.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import urlsplit

import psycopg
from postgresql_server import running_server
from psycopg import sql

import kassa
from kassa import Money, NewItem
from kassa.model import Scope

CLIENTS = 8
COMMITS_A_SECOND = 1000
PRICE = Money.parse("50.00", "EUR")
PROVIDER = "pp_system_default"

TOML = """
[database]
url = "{url}"

# All of the clients are one address here, which tries more often than a shopper does.
[http.limits]
sessions_per_address = "1000000 per hour"

[providers.default]
plugin = "system"

[regions.eu]
name = "Europe"
currency = "EUR"
countries = ["DE"]
providers = ["default"]
"""


@dataclass(frozen=True)
class Cost:
    """What a number of flows, or of commits, took."""

    each_cpu_milliseconds: float
    each_second: float


class Client:
    """Asks the server as a storefront and as a backend, on one connection a thread that is kept open."""

    def __init__(self, url: str, publishable: str, secret: str) -> None:
        self._place = urlsplit(url).netloc
        backend = b64encode(f"{secret}:".encode()).decode()
        self._headers = {"x-publishable-api-key": publishable, "authorization": f"Basic {backend}"}
        self._local = local()

    def post(self, path: str, body: object) -> Any:
        """The answer."""
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection(self._place, timeout=60)
        connection: http.client.HTTPConnection = self._local.connection
        connection.request("POST", path, json.dumps(body), {**self._headers, "content-type": "application/json"})
        response = connection.getresponse()
        read = response.read()
        if response.status != http.HTTPStatus.OK:
            raise SystemExit(f"POST {path} answered {response.status}: {read.decode()}")
        return json.loads(read)

    def flow(self, cart_id: str) -> None:
        """One cart, from the collection to the refund."""
        collection = self.post("/store/payment-collections", {"cart_id": cart_id})["payment_collection"]
        self.post(f"/store/payment-collections/{collection['id']}/payment-sessions", {"provider_id": PROVIDER})
        order = self.post(f"/store/carts/{cart_id}/complete?fields=id,payment_collections.payments.id", {})["order"]
        payment = order["payment_collections"][0]["payments"][0]["id"]
        self.post(f"/admin/payments/{payment}/capture", {})
        self.post(f"/admin/payments/{payment}/refund", {})


@contextmanager
def serving(config: Path) -> Iterator[tuple[str, int]]:
    """The URL and the process id of ``kassa serve``, with its worker, as it comes."""
    command = [sys.executable, "-m", "kassa", "serve", "--json", "--port", "0", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None, "it is a pipe"
            yield json.loads(process.stdout.readline())["url"], process.pid
        finally:
            process.terminate()


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, of its own and of the kernel's time."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_megabytes(pid: int) -> float:
    """What a process has in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000


def measured(clients: int, work: Callable[[str], None], things: Sequence[str], used: Callable[[], float]) -> Cost:
    """So many at once do this to each of the things."""
    began, before = time.perf_counter(), used()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(work, things))
    return Cost(1000 * (used() - before) / len(things), len(things) / (time.perf_counter() - began))


def floor(url: str, commits: int) -> float:
    """How often hand-written psycopg commits in a second, one row each time."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS measured (id bigserial PRIMARY KEY, name text, amount bigint)")

        def insert(name: str) -> None:
            with connection.transaction():
                connection.execute("INSERT INTO measured (name, amount) VALUES (%s, %s)", (name, 5000))

        names = [f"row {number}" for number in range(commits)]
        return measured(1, insert, names, time.process_time).each_second


def slow_down(url: str) -> int:
    """Have each commit wait, where the disk is faster than what is asked for; the microseconds."""
    too_fast = 1 / COMMITS_A_SECOND - 1 / floor(url, COMMITS_A_SECOND)
    delay = max(0, round(1_000_000 * too_fast))
    with psycopg.connect(url, autocommit=True) as connection:
        database = sql.Identifier(connection.info.dbname)
        for name, value in (("commit_delay", delay), ("commit_siblings", 0)):
            connection.execute(sql.SQL("ALTER DATABASE {} SET {} = {}").format(database, sql.SQL(name), value))
    return delay


def main(rounds: int = 5, flows: int = 200) -> None:
    """Prints each round, and the medians."""
    costs, floors = [], []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(stack.enter_context(running_server()).database())
        print(f"each commit waits {slow_down(url)} microseconds longer than this disk takes")
        config = folder / "kassa.toml"
        config.write_text(TOML.format(url=url), encoding="utf-8")
        engine = kassa.open(config)
        stack.callback(engine.close)
        began = time.perf_counter()
        served, pid = stack.enter_context(serving(config))
        print(f"ready after {cpu_seconds(pid):.1f} s of CPU, {time.perf_counter() - began:.1f} s of time")
        print(f"{memory_megabytes(pid):.0f} MB while nobody asks")
        client = Client(
            served,
            engine.create_publishable_key("measured").token,
            engine.create_secret_key("measured", [Scope.ADMIN]).token,
        )
        for number in range(rounds + 1):
            carts = [
                engine.create_cart("eu", [NewItem(title="Tea", quantity=1, unit_price=PRICE)]).id for _ in range(flows)
            ]
            cost = measured(CLIENTS, client.flow, carts, lambda: cpu_seconds(pid))
            commits = floor(url, COMMITS_A_SECOND)
            if number:  # The first one warms everything up.
                costs.append(cost)
                floors.append(commits)
                print(
                    f"{number}: {cost.each_cpu_milliseconds:.1f} ms of CPU a flow, {cost.each_second:.0f} flows a second; "
                    f"psycopg commits {commits:.0f} a second"
                )
        print(f"{memory_megabytes(pid):.0f} MB after {flows * (rounds + 1)} flows")
    print(f"median: {statistics.median(cost.each_cpu_milliseconds for cost in costs):.1f} ms of CPU a flow")
    print(
        f"median: {statistics.median(cost.each_second for cost in costs):.0f} flows a second, "
        f"where psycopg commits {statistics.median(floors):.0f} a second"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
