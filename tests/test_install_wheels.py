"""Every run tests the code as it is now, though its version is that of yesterday, and nobody else's."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from install_wheels import Wheel, build, install, lowest, refuse_strangers

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
dependencies = {dependencies}
optional-dependencies = {{ postgresql = ["psycopg[binary]>=3.2"] }}
"""


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for tool in ("uv", "hatchling"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed here: run this through tox")


def write(folder: str, *dependencies: str, answer: int = 1) -> None:
    package = Path(folder) / "src" / folder.replace("-", "_")
    package.mkdir(parents=True, exist_ok=True)
    (Path(folder) / "pyproject.toml").write_text(PYPROJECT.format(name=folder, dependencies=list(dependencies)))
    (package / "__init__.py").write_text(f"ANSWER = {answer}\n")


def wheel(folder: str) -> Wheel:
    return build(folder, Path("wheels"))


def test_a_changed_line_is_installed_though_the_version_is_the_same() -> None:
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, "environment"], check=True)
    python = "environment/bin/python"
    for answer in (1, 2):
        write("kassa-sample", answer=answer)
        install([wheel("kassa-sample")], python, "--no-deps")
        program = "import kassa_sample; print(kassa_sample.__file__, kassa_sample.ANSWER)"
        said = subprocess.run([python, "-c", program], check=True, capture_output=True, text=True).stdout
        path, _, installed = said.strip().rpartition(" ")
        assert int(installed) == answer
        assert Path(path).is_relative_to(Path("environment").resolve()), "the sources were imported, not the wheel"


def test_one_of_ours_that_was_not_built_is_refused_before_an_index_could_answer() -> None:
    write("kassa-sample", "kassa-sdk>=0.1,<1", "pluggy>=1.5")
    with pytest.raises(SystemExit, match="kassa-sample requires kassa-sdk"):
        refuse_strangers([wheel("kassa-sample")])


def test_ours_are_installed_from_their_files() -> None:
    write("kassa-sample")
    built = wheel("kassa-sample[postgresql]")
    assert built.pinned_to_file == f"kassa-sample[postgresql] @ {built.file.as_uri()}"


def test_the_oldest_versions_are_asked_for_what_was_asked_for_and_no_more() -> None:
    write("kassa-sample", "kassa-sdk>=0.1,<1", "pluggy>=1.5")
    assert [option for option in lowest([wheel("kassa-sample")]) if not option.startswith("--")] == ["pluggy>=1.5"]
    with_extra = lowest([wheel("kassa-sample[postgresql]")])
    assert [option for option in with_extra if not option.startswith("--")] == ["pluggy>=1.5", "psycopg[binary]>=3.2"]
