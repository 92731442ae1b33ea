"""The books are beyond doubt: whatever was acknowledged is in them, whenever the server dies."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from kassa_sdk import Declined, Succeeded
from kassa_simulator.process import SimulatorNotStarted, start_simulator


@pytest.mark.parametrize("attempt", range(5))
def test_every_acknowledged_effect_survives_a_kill_in_the_middle_of_the_traffic(own_simulator, shop_of, attempt):
    simulator = own_simulator()
    shop = shop_of(simulator)
    payment_id = shop.authorized(minor=1_000_000)
    acknowledged, the_end = set(), threading.Event()

    def capture_until_the_end():
        while not the_end.is_set():
            key = shop.key()
            if isinstance(shop.capture(payment_id, 1, key), Succeeded):
                acknowledged.add(key)

    with ThreadPoolExecutor(4) as threads:
        for _ in range(4):
            threads.submit(capture_until_the_end)
        time.sleep(0.1 + attempt * 0.037)
        os.kill(simulator.pid, signal.SIGKILL)
        the_end.set()
    simulator.restart()
    in_the_books = Counter(effect["attempt_key"] for effect in simulator.control.effects("captured"))
    assert acknowledged and acknowledged <= set(in_the_books)
    assert set(in_the_books.values()) == {1}
    assert shop.look_up(payment_id=payment_id).facts.captured.minor == len(in_the_books)


def test_a_restart_changes_nothing_about_any_payment(own_simulator, shop_of):
    simulator = own_simulator()
    shop = shop_of(simulator)
    payments = [shop.created(scenario) for scenario in ("approve", "redirect", "pending", "decline", "immediate_sale")]
    for payment_id in payments:
        shop.authorize(payment_id)
    shop.capture(payments[0], 5_000)
    shop.refund(payments[0], 1_000)
    simulator.control.do("open_dispute", payments[4], amount=2_000)
    simulator.control.advance_clock(days=3)
    books, found = simulator.control.books(), [shop.look_up(payment_id=payment_id) for payment_id in payments]
    simulator.restart()
    assert simulator.control.books() == books
    assert [shop.look_up(payment_id=payment_id) for payment_id in payments] == found


def test_money_that_came_after_a_hold_expired_stays_after_a_restart(own_simulator, shop_of):
    simulator = own_simulator()
    shop = shop_of(simulator)
    payment_id = shop.authorized()
    simulator.control.advance_clock(days=8)
    simulator.control.do("settle", payment_id)
    simulator.restart()
    assert shop.look_up(payment_id=payment_id).facts.condition == "authorized"


def test_the_file_is_one_json_object_for_each_effect_as_the_api_tells_them(own_simulator, shop_of):
    simulator = own_simulator(fsync=True)
    shop_of(simulator).captured()
    lines = [json.loads(line) for line in simulator.books.read_text().splitlines()]
    assert lines == simulator.control.books()
    assert [line["number"] for line in lines] == [1, 2, 3]


def test_a_line_that_was_torn_by_a_kill_has_not_happened(own_simulator, shop_of):
    simulator = own_simulator()
    shop = shop_of(simulator)
    payment_id = shop.captured()
    simulator.kill()
    whole = simulator.books.read_bytes()
    simulator.books.write_bytes(whole[:-20])
    simulator.restart()
    assert shop.look_up(payment_id=payment_id).facts.captured.minor == 0
    shop.capture(payment_id, 10_000)
    assert [effect["number"] for effect in simulator.control.books()] == [1, 2, 3]


@pytest.mark.parametrize(
    "line", [b"not json\n", b"{}\n", b'{"type":"gift","number":1}\n', b'{"type":"sold","number":7}\n']
)
def test_books_that_are_none_are_refused(tmp_path, line, capfd):
    (tmp_path / "books.jsonl").write_bytes(line)
    with pytest.raises(SimulatorNotStarted, match="status 2"), start_simulator(tmp_path / "books.jsonl"):
        pass
    assert "line 1 of" in capfd.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_two_servers_never_write_the_same_books(simulator, capfd):
    with pytest.raises(SimulatorNotStarted), start_simulator(simulator.books):
        pass
    assert "another simulator is writing" in capfd.readouterr().err


def test_an_effect_that_cannot_be_written_has_not_happened(tmp_path):
    full = subprocess.run(
        [sys.executable, "-c", _WRITE_WHEN_THE_DISK_IS_FULL, str(tmp_path / "books.jsonl")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert full.stdout.split() == ["unwritable", "1"], full.stderr


_WRITE_WHEN_THE_DISK_IS_FULL = """
import resource, signal, sys
from pathlib import Path
from kassa_simulator.server.books import Books, BooksUnwritable
from kassa_simulator.server.effects import Effect

path = Path(sys.argv[1])
books = Books(path)
books.read()
books.append(Effect("keys_forgotten", number=1))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, resource.RLIM_INFINITY))
try:
    books.append(Effect("keys_forgotten", number=2))
except BooksUnwritable:
    print("unwritable", len(path.read_bytes().splitlines()))
"""


@pytest.mark.parametrize("keys", ["native", "none"])
def test_concurrent_captures_never_exceed_what_was_authorized(own_simulator, shop_of, keys):
    simulator = own_simulator(keys=keys)
    shop = shop_of(simulator)
    payment_id = shop.authorized(minor=100)
    with ThreadPoolExecutor(16) as threads:
        outcomes = list(threads.map(lambda _: shop.capture(payment_id, 7), range(40)))
    assert Counter(map(type, outcomes)) == {Succeeded: 14, Declined: 26}
    assert sum(effect["amount"] for effect in simulator.control.effects("captured")) == 98


def test_concurrent_refunds_never_exceed_what_was_captured(own_simulator, shop_of):
    simulator = own_simulator()
    shop = shop_of(simulator)
    payment_id = shop.captured(minor=100)
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: shop.refund(payment_id, 10), range(40)))
    assert sum(effect["amount"] for effect in simulator.control.effects("refunded")) == 100


def test_concurrent_calls_with_one_native_key_have_one_effect(own_simulator, shop_of):
    simulator = own_simulator()
    shop = shop_of(simulator)
    payment_id, key = shop.authorized(), shop.key()
    with ThreadPoolExecutor(16) as threads:
        outcomes = list(threads.map(lambda _: shop.capture(payment_id, 10, key), range(32)))
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert len(simulator.control.effects("captured")) == 1


def test_the_server_ends_with_the_process_that_started_it(tmp_path, eventually):
    launcher = subprocess.run(
        [sys.executable, "-c", _START_AND_DIE, str(tmp_path / "books.jsonl")],
        capture_output=True,
        text=True,
        check=False,
    )
    pid = int(launcher.stdout)
    assert eventually(lambda: not _is_running(pid))


_START_AND_DIE = """
import os, sys
from pathlib import Path
from kassa_simulator.process import SimulatorProcess, SimulatorSettings

print(SimulatorProcess(Path(sys.argv[1]), SimulatorSettings()).pid, flush=True)
os._exit(1)
"""


def _is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Whoever adopted it may not have collected it yet; a process that has ended does nothing any more.
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(listed.stdout.strip()) and not listed.stdout.strip().startswith("Z")
