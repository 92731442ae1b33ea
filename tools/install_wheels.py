"""Builds wheels of our distributions and installs them beside this interpreter: what users get is what is tested.

    python tools/install_wheels.py --wheels DIRECTORY sdk "core[postgresql]" plugins/system
    python tools/install_wheels.py --wheels DIRECTORY --lowest --tests sdk core

Every wheel is built anew and reinstalled by its name, because an installer takes an unchanged version for an unchanged
wheel.  Every one of our distributions is installed from its file, never from an index: whoever registers a name there that
is free today would otherwise run their code here.
"""

import argparse
import shutil
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OUR_NAME = "kassa"


@dataclass(frozen=True)
class Wheel:
    """A wheel that was just built from one of our folders, and the extras to install with it."""

    file: Path
    name: str
    extras: frozenset[str]
    requirements: tuple[Requirement, ...]

    @property
    def pinned_to_file(self) -> str:
        """The requirement that no index can answer: ``kassa[postgresql] @ file:///…``."""
        extras = f"[{','.join(sorted(self.extras))}]" if self.extras else ""
        return f"{self.name}{extras} @ {self.file.as_uri()}"

    def needs(self) -> list[Requirement]:
        """The requirements that apply here, with the extras that were asked for."""
        return [requirement for requirement in self.requirements if self._applies(requirement)]

    def _applies(self, requirement: Requirement) -> bool:
        marker = requirement.marker
        return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *self.extras))


def build(folder: str, directory: Path) -> Wheel:
    """Build the wheel of ``folder`` (extras may follow it in brackets) into ``directory``."""
    source, _, extras = folder.partition("[")
    target = directory / source.strip("/").replace("/", "-")
    shutil.rmtree(target, ignore_errors=True)
    options = ("--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(target))
    _run("uv", "build", "--quiet", *options, source)
    (file,) = target.glob("*.whl")
    return _described(file.resolve(), frozenset(name for name in extras.rstrip("]").split(",") if name))


def refuse_strangers(wheels: list[Wheel]) -> None:
    """Exit when one of ours is required and not built: the index must never answer for our names."""
    built = {wheel.name for wheel in wheels}
    for wheel in wheels:
        for requirement in wheel.needs():
            name = canonicalize_name(requirement.name)
            if _is_ours(name) and name not in built:
                raise SystemExit(
                    f"{wheel.name} requires {name}: give its folder too, our names never come from an index"
                )


def install(wheels: list[Wheel], python: str, *options: str) -> None:
    """Install exactly these files into the environment of ``python``, in place of what has their names there."""
    fresh = [f"--reinstall-package={wheel.name}" for wheel in wheels]
    _run("uv", "pip", "install", "--quiet", "--python", python, *fresh, *options, *(w.pinned_to_file for w in wheels))


def install_for_tests(folders: list[str]) -> None:
    """Install what the tests of these folders need: the dependency group "test" of each one that has it."""
    files = [Path(folder.partition("[")[0]) / "pyproject.toml" for folder in folders]
    with_tests = [file for file in files if "test" in tomllib.loads(file.read_text()).get("dependency-groups", {})]
    if with_tests:
        groups = [f"--group={file}:test" for file in with_tests]
        _run("uv", "pip", "install", "--quiet", "--python", sys.executable, *groups)


def lowest(wheels: list[Wheel]) -> list[str]:
    """The options that install the oldest version that each wheel declares for each of its own requirements."""
    theirs = [requirement for wheel in wheels for requirement in wheel.needs() if not _is_ours(requirement.name)]
    # Named again as direct requirements, because only those are resolved to their lowest; what is installed already
    # would be kept when it satisfies, so each one is reinstalled.
    again = [f"--reinstall-package={requirement.name}" for requirement in theirs]
    return ["--resolution=lowest-direct", *again, *(_without_extra(requirement) for requirement in theirs)]


def report(wheels: list[Wheel]) -> None:
    """Print what was installed: ours, and what each of ours asked for beside what it got."""
    for wheel in wheels:
        print(f"{wheel.name} {version(wheel.name)} from {wheel.file.name}")
        for requirement in wheel.needs():
            if not _is_ours(requirement.name):
                print(f"    {requirement.name}{requirement.specifier}: {version(requirement.name)}")


def _is_ours(name: str) -> bool:
    canonical = canonicalize_name(name)
    return canonical == OUR_NAME or canonical.startswith(f"{OUR_NAME}-")


def _without_extra(requirement: Requirement) -> str:
    # The marker named an extra of ours, which means nothing in a direct requirement.
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def _described(file: Path, extras: frozenset[str]) -> Wheel:
    with zipfile.ZipFile(file) as archive:
        (path,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(archive.read(path).decode())
    requirements = tuple(Requirement(text) for text in metadata.get_all("Requires-Dist", []))
    return Wheel(file, canonicalize_name(metadata["Name"]), extras, requirements)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def main() -> None:
    """Build, check, install, and say what was installed."""
    parser = argparse.ArgumentParser(description="Builds our wheels anew and installs them here.")
    parser.add_argument("folders", nargs="+", help="our folders, such as sdk or core[postgresql]")
    parser.add_argument("--wheels", type=Path, required=True, help="the directory to build into")
    parser.add_argument("--lowest", action="store_true", help="install the oldest requirements that we declare")
    parser.add_argument("--tests", action="store_true", help="install what the tests of these folders need, too")
    arguments = parser.parse_args()
    wheels = [build(folder, arguments.wheels) for folder in arguments.folders]
    refuse_strangers(wheels)
    if arguments.tests:
        install_for_tests(arguments.folders)
    install(wheels, sys.executable, *(lowest(wheels) if arguments.lowest else ()))
    report(wheels)


if __name__ == "__main__":
    main()
