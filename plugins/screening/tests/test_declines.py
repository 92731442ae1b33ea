"""How often a shopper was declined: counted by each of their names, for as long as it counts."""

from pathlib import Path

import pytest

from kassa_screening.declines import Declines


@pytest.fixture
def declines(tmp_path: Path) -> Declines:
    return Declines(tmp_path / "screening.db", seconds=60)


def test_nobody_was_declined_at_first(declines: Declines) -> None:
    assert declines.most(["email:ada"], now=0) == 0


def test_one_name_that_was_declined_is_enough(declines: Declines) -> None:
    declines.add(["email:ada", "ip:192.0.2.1"], now=0)
    declines.add(["email:bob", "ip:192.0.2.1"], now=1)
    assert declines.most(["email:carol", "ip:192.0.2.1"], now=2) == 2
    assert declines.most(["email:ada"], now=2) == 1
    assert declines.most(["email:carol"], now=2) == 0


def test_what_is_longer_ago_counts_no_more(declines: Declines) -> None:
    declines.add(["email:ada"], now=0)
    declines.add(["email:ada"], now=30)
    assert [declines.most(["email:ada"], now=now) for now in (59, 60, 90)] == [2, 1, 0]


def test_another_process_with_the_file_knows_it_too(declines: Declines, tmp_path: Path) -> None:
    declines.add(["email:ada"], now=0)
    assert Declines(tmp_path / "screening.db", seconds=60).most(["email:ada"], now=1) == 1


def test_who_it_was_does_not_stand_in_the_file(declines: Declines, tmp_path: Path) -> None:
    declines.add(["email:ada@shop.example"], now=0)
    assert b"ada" not in (tmp_path / "screening.db").read_bytes()
