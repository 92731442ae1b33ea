"""The README's provider is complete: its text is executed here as it stands."""

import re
import tomllib
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def names() -> dict[str, object]:
    names: dict[str, object] = {"__name__": "readme"}
    for block in blocks("python"):
        exec(compile(block, str(README), "exec"), names)
    return names


def test_the_readme_runs_and_prints_what_it_says(capsys: pytest.CaptureFixture[str], names: dict[str, object]) -> None:
    (said,) = re.findall(r"print\(.*\)  # (.*)$", "".join(blocks("python")), re.MULTILINE)
    assert capsys.readouterr().out == f"{said}\n"


def test_the_readmes_provider_implements_what_its_manifest_requires(names: dict[str, object]) -> None:
    provider = names["InvoiceProvider"]
    implemented = {name for name, method in vars(provider).items() if hasattr(method, "kassa_impl")}
    assert implemented == provider.manifest.required_hooks()  # type: ignore[attr-defined]


def test_the_readmes_entry_point_has_the_name_in_the_manifest(names: dict[str, object]) -> None:
    (text,) = blocks("toml")
    ((name, target),) = tomllib.loads(text)["project"]["entry-points"]["kassa.providers"].items()
    assert name == names["InvoiceProvider"].manifest.name  # type: ignore[attr-defined]
    assert target.endswith(":InvoiceProvider")
