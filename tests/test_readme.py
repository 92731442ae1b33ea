"""What the README shows works as it is written there."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_first_payment_is_taken_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (configuration,), (program,) = blocks("toml"), blocks("python")
    (tmp_path / "kassa.toml").write_text(configuration, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(program, "README.md", "exec"), names)
    payment = names["engine"].retrieve_payment(names["payment"].id).payment
    names["engine"].close()
    assert [str(amount) for amount in (payment.amount, payment.captured, payment.refunded)] == [
        "49.98 EUR",
        "24.99 EUR",
        "5.00 EUR",
    ]
    assert os.path.exists(tmp_path / "kassa.db")


def test_the_first_payment_takes_ten_lines() -> None:
    (program,) = blocks("python")
    steps = [line for line in program.splitlines() if line.strip() and not line.startswith(("import", "from"))]
    assert len(steps) <= 10


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_link_leads_somewhere(target: str) -> None:
    assert (Path(__file__).parents[1] / target).exists()
