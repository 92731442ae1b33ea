"""``kassa doctor``: what is installed, what of it works."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kassa.store import schema

from .conftest import RISK, SHOP, Kassa

CRASHES = "import os\nos._exit(7)\n"


def plugin(document: Any, name: str) -> Any:
    (found,) = [each for each in document["plugins"] if each["name"] == name]
    return found


def test_used_and_unused_plugins_are_told_apart(kassa: Kassa, shop: Path) -> None:
    ended = kassa("doctor", "--json")
    assert (ended.exit_code, ended.document["is_well"]) == (0, True)
    used, unused = plugin(ended.document, "system"), plugin(ended.document, "simulator")
    assert (used["status"], used["used_as"], used["contract_version"]) == ("loaded", ["default"], 1)
    assert (unused["status"], unused["distribution"]) == ("unused", "kassa-simulator")


def test_what_is_not_configured_is_not_imported(kassa: Kassa, shop: Path, install: Any) -> None:
    install("kassa-crash", CRASHES, plugin="crash")
    assert plugin(kassa("doctor", "--json").document, "crash")["status"] == "unused"


def test_a_crashing_plugin_is_told_of_and_hurts_nobody(
    kassa: Kassa, shop: Path, install: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("kassa-crash", CRASHES, plugin="crash")
    install("kassa-acme")
    monkeypatch.setenv("PYTHONPATH", str(shop / "site"))
    ended = kassa("doctor", "--import-all", "--json")
    assert ended.exit_code == 1
    crash, acme = plugin(ended.document, "crash"), plugin(ended.document, "acme")
    assert (crash["status"], acme["status"], acme["contract_version"]) == ("broken", "unused", 1)
    assert crash["sentence"] == (
        "kassa-crash 1.2.3 ends the process that imports it (exit code 7); report this to its author"
    )


def test_a_broken_plugin_that_is_configured_is_named_with_its_sentence(
    kassa: Kassa, write: Callable[[str], None], install: Any
) -> None:
    install("kassa-acme", "import nothing_of_this_name\n")
    write(SHOP + '\n[providers.acme]\nplugin = "acme"\n')
    ended = kassa("doctor", "--json")
    assert ended.exit_code == 1
    acme = plugin(ended.document, "acme")
    assert acme["status"] == "broken"
    assert "kassa-acme 1.2.3 cannot be imported" in acme["sentence"]


def test_a_configured_plugin_that_is_not_installed_is_missing(kassa: Kassa, write: Callable[[str], None]) -> None:
    write(SHOP + '\n[providers.acme]\nplugin = "acme"\n')
    acme = plugin(kassa("doctor", "--json").document, "acme")
    assert (acme["status"], acme["distribution"]) == ("missing", None)
    assert "often kassa-acme" in acme["sentence"]


def test_extensions_are_told_of_like_other_plugins(kassa: Kassa, write: Callable[[str], None], install: Any) -> None:
    for name, source in (("risk", RISK), ("deaf", RISK.replace("@hookimpl", "")), ("spare", RISK)):
        install(f"kassa-{name}", source, plugin=name, target="Risk", group="kassa.extensions")
    write(SHOP + "".join(f'\n[extensions.{name}]\nplugin = "{name}"\n' for name in ("risk", "deaf", "absent")))
    document = kassa("doctor", "--json").document
    statuses = {name: plugin(document, name)["status"] for name in ("risk", "deaf", "spare", "absent")}
    assert statuses == {"risk": "loaded", "deaf": "broken", "spare": "unused", "absent": "missing"}
    assert "kassa-deaf 1.2.3 listens to nothing" in plugin(document, "deaf")["sentence"]


def test_wrong_options_are_not_the_plugins_fault(kassa: Kassa, write: Callable[[str], None]) -> None:
    write(SHOP.replace('plugin = "system"', 'plugin = "system"\noptions = { instructons = "cash" }'))
    assert plugin(kassa("doctor", "--json").document, "system")["status"] == "misconfigured"


def test_plugins_are_listed_even_without_a_configuration(kassa: Kassa, folder: Path) -> None:
    ended = kassa("doctor", "--json")
    assert ended.exit_code == 1
    assert "kassa init" in ended.document["configuration"]["sentence"]
    assert plugin(ended.document, "system")["status"] == "unused"


def test_looking_creates_no_database(kassa: Kassa, shop: Path) -> None:
    assert "created when it is first used" in kassa("doctor").stdout
    assert not (shop / "kassa.db").exists()


def test_the_schema_of_the_database_is_told(kassa: Kassa, paid: str) -> None:
    assert kassa("doctor", "--json").document["database"]["schema"] == schema.HEAD


def test_a_database_that_cannot_be_read_is_told(kassa: Kassa, shop: Path) -> None:
    (shop / "kassa.db").write_text("this is a shopping list, not a database", encoding="utf-8")
    ended = kassa("doctor", "--json")
    assert ended.exit_code == 1
    assert ended.document["database"]["sentence"].startswith("the SQLite file cannot be opened: file is not a database")
