"""Finding and loading plugins: only the named ones, and nothing that is wrong passes in silence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kassa import discovery
from kassa.errors import PluginUnusable

from .conftest import PROVIDER, Install, write_distribution

GROUP = "kassa.providers"


def refusal(name: str = "acme") -> str:
    """The sentence with which a plugin is refused."""
    with pytest.raises(PluginUnusable) as caught:
        discovery.load(GROUP, name)
    return str(caught.value)


def test_an_installed_plugin_is_found_with_its_distribution_and_version(install: Install) -> None:
    install("kassa-acme", version="4.5.6")
    found = {candidate.name: str(candidate) for candidate in discovery.installed(GROUP)}
    assert found["acme"] == "kassa-acme 4.5.6"


def test_a_plugin_is_loaded_by_its_name(install: Install) -> None:
    install("kassa-acme")
    candidate, plugin = discovery.load(GROUP, "acme")
    assert (candidate.distribution, plugin.__name__) == ("kassa-acme", "Acme")


def test_looking_imports_nothing(install: Install) -> None:
    module = install("kassa-acme", "raise RuntimeError('imported')")
    discovery.installed(GROUP)
    assert module not in sys.modules


def test_loading_one_plugin_imports_no_other(install: Install) -> None:
    install("kassa-acme")
    other = install("kassa-other", "raise RuntimeError('imported')", plugin="other")
    discovery.load(GROUP, "acme")
    assert other not in sys.modules


def test_a_plugin_that_nobody_offers_is_refused_with_the_nearest_name(install: Install) -> None:
    install("kassa-acme")
    assert "did you mean 'acme'?" in refusal("acmee")


def test_a_plugin_that_is_not_installed_is_refused_with_what_to_install() -> None:
    assert "install the distribution that offers it, often kassa-zzz" in refusal("zzz")


def test_two_distributions_with_one_name_are_refused_even_when_they_do_not_stand_side_by_side(install: Install) -> None:
    install("kassa-acme-one")
    install("kassa-between", plugin="between")
    install("kassa-acme-two")
    sentence = refusal()
    assert "kassa-acme-one 1.2.3" in sentence
    assert "kassa-acme-two 1.2.3" in sentence
    assert "uninstall all but one" in sentence


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise AssertionError('not on this machine')", "AssertionError: not on this machine"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("def f(:\n", "SyntaxError"),
        ("nothing = 1", "AttributeError"),
    ],
)
def test_an_import_that_fails_in_any_way_is_refused_and_names_the_distribution(
    install: Install, source: str, cause: str
) -> None:
    install("kassa-acme", source)
    sentence = refusal()
    assert sentence.startswith("kassa-acme 1.2.3 cannot be imported")
    assert cause in sentence
    assert "reinstall it" in sentence


def test_a_plugin_that_was_replaced_a_moment_ago_is_loaded_as_it_is_now(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    script = "from kassa import discovery; print(discovery.load('kassa.providers', 'acme')[0])"
    environment = {**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def loaded() -> str:
        run = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    write_distribution(site, "kassa-acme", PROVIDER)
    assert loaded() == "kassa-acme 1.2.3"
    for old in sorted(site.rglob("*"), reverse=True):
        old.rmdir() if old.is_dir() else old.unlink()
    write_distribution(site, "kassa-better-acme", PROVIDER)
    assert loaded() == "kassa-better-acme 1.2.3"
