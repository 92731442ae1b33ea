"""Which versions of the contract go together: tried, and written into the documentation as a table.

    python tools/compatibility.py --wheels DIRECTORY [--write]

A provider of each contract that this engine speaks (`tests/compatibility`) takes its exam and is paid with: beside today's
SDK, and beside tomorrow's, which knows one contract more.  Providers of the contracts before and after are refused, with a
sentence.  Without --write the table in the documentation must be the one that was found.
"""

import argparse
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from strangers import SHOP, Stranger, stranger, timed

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "extend" / "publish.md"
TABLE = re.compile(r"(?<=<!-- tox -e compatibility -->\n).*?(?=\n<!-- until here -->)", re.DOTALL)
HEAD = "| a provider that was written for | beside `kassa-sdk` | with `kassa` | |\n|---|---|---|---|\n"

OURS = ("sdk[http,exam]", "plugins/simulator", "core")
CONTRACT = re.compile(r"^(CONTRACT_VERSION|OLDEST_CONTRACT_VERSION) = (\d+)$", re.MULTILINE)


def spoken() -> range:
    """The contracts that the SDK here describes."""
    found = dict(CONTRACT.findall((ROOT / "sdk/src/kassa_sdk/contract.py").read_text()))
    return range(int(found["OLDEST_CONTRACT_VERSION"]), int(found["CONTRACT_VERSION"]) + 1)


def rows(author: Stranger, sdk: str) -> Iterator[str]:
    """What becomes of a provider of each contract, in and around the range."""
    versions = spoken()
    for version in range(max(1, versions.start - 1), versions.stop + 1):
        with timed(f"a provider of contract {version}, beside kassa-sdk {sdk}"):
            result = accepted(author, version) if version in versions else refused(author, version)
        yield f"| contract {version} | {sdk} | {installed(author, 'kassa')} | {result} |"


def accepted(author: Stranger, version: int) -> str:
    """Examine it, and pay with it."""
    package = written(author, version)
    author.install(package)
    author.run("pytest", "-q", folder=package)
    author.pay(f"contract-{version}")
    return "passes its exam, and is paid with"


def refused(author: Stranger, version: int) -> str:
    """It says that it was written for another contract; the sentence with which it is refused."""
    nearest = min(spoken(), key=lambda spoken_version: abs(spoken_version - version))
    package = written(author, nearest)
    provider = package / "src" / f"kassa_contract_{nearest}" / "provider.py"
    change(provider, rf"contract_version={nearest},", f"contract_version={version},")
    # Another version, because pip takes the same version for the same wheel.
    change(package / "pyproject.toml", r'^version = ".*"', f'version = "{version}.0.0"')
    author.install(package)
    (package / "kassa.toml").write_text(
        SHOP.format(plugin=f"contract-{nearest}", url="http://127.0.0.1:1", place_order="authorized")
    )
    said = author.run("kassa", "check", folder=package, expected=1)
    (sentence,) = re.findall(r"was written for version .*", said)
    return f"refused: *{sentence.replace(f'kassa-contract-{nearest}', 'kassa-acme')}*"


def written(author: Stranger, version: int) -> Path:
    """A fresh copy of the package of this contract."""
    package = author.folder / f"contract-{version}"
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(ROOT / "tests" / "compatibility" / f"contract_{version}", package)
    return package


def tomorrows_sdk(folder: Path) -> Path:
    """The SDK as it will be when there is one contract more; the engine is still today's."""
    copy = folder / "sdk"
    shutil.copytree(ROOT / "sdk", copy)
    change(copy / "pyproject.toml", r'^version = ".*"', 'version = "0.999.0"')
    change(copy / "src/kassa_sdk/contract.py", r"^CONTRACT_VERSION = \d+", f"CONTRACT_VERSION = {spoken().stop}")
    return copy


def change(file: Path, old: str, new: str) -> None:
    """Replace a line, which must be there."""
    text, count = re.subn(old, new, file.read_text(), flags=re.MULTILINE)
    if count != 1:
        raise SystemExit(f"{file} has {count} lines of the form {old!r}, expected one")
    file.write_text(text)


def installed(author: Stranger, distribution: str) -> str:
    """The version of a distribution that the stranger has."""
    program = f"from importlib.metadata import version; print(version({distribution!r}))"
    return author.run("python", "-c", program).strip()


def main() -> None:
    """Try all, then write the table or compare it."""
    parser = argparse.ArgumentParser(description="Tries which versions of the contract go together.")
    parser.add_argument("--wheels", type=Path, required=True, help="the directory to build into")
    parser.add_argument("--write", action="store_true", help="write the table into the documentation")
    arguments = parser.parse_args()
    with stranger(OURS, arguments.wheels) as author:
        author.run("pip", "install", "kassa", "kassa-simulator", "kassa-sdk[http,exam]")
        found = list(rows(author, installed(author, "kassa-sdk")))
        author.install(tomorrows_sdk(author.folder))
        found += rows(author, f"a later one, of contract {spoken().stop}")
    table = HEAD + "\n".join(found)
    page = PAGE.read_text(encoding="utf-8")
    if arguments.write:
        PAGE.write_text(TABLE.sub(lambda _: table, page), encoding="utf-8")
    elif TABLE.search(page) is None or TABLE.findall(page) != [table]:
        raise SystemExit(f"{table}\n\nis not what {PAGE.name} says; run: tox -e compatibility -- --write")
    print(table)


if __name__ == "__main__":
    main()
