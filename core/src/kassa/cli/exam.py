"""``kassa exam``: what a provider declares, and what the exam proves of it."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from kassa.cli.exits import ExitCode, says_mistakes
from kassa.cli.options import AsJson
from kassa.cli.output import Document, print_document
from kassa.errors import InvalidData, NotAllowed


@says_mistakes
def exam(
    tests: Annotated[
        Path, typer.Argument(metavar="TESTS", help="The file or folder with the class that inherits the exam.")
    ] = Path("tests"),
    as_json: AsJson = False,
) -> None:
    """Examine a provider: print what its manifest declares, what was proven of it, and what was not.

    Run it in the provider's package. The exam itself comes with `pip install "kassa-sdk\\[exam]"`; other tests are left
    out. A check that fails says what the provider did, and what the contract says.
    """
    try:
        import pytest
    except ImportError:
        raise NotAllowed("the exam needs pytest; install: pip install 'kassa-sdk[exam]'") from None
    if not tests.exists():
        raise InvalidData("tests", f"{tests} does not exist; give the file or folder of the provider's tests")
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        # What people look at meanwhile stays out of the one document that a program reads.
        output = sys.stderr if as_json else None
        command = [sys.executable, "-m", "pytest", "-q", "--kassa-exam-only", "--kassa-report", str(report), str(tests)]
        code = subprocess.run(command, stdout=output, check=False).returncode
        found: Document = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    if code == pytest.ExitCode.INTERRUPTED:
        raise InvalidData("tests", f"{tests} could not be read by pytest, which says why above; mend that first")
    if code == pytest.ExitCode.NO_TESTS_COLLECTED or not found:
        raise InvalidData(
            "tests",
            f"no exam was taken in {tests}; write a class there that inherits kassa_sdk.conformance.ProviderConformance,"
            " as `kassa new-provider` does",
        )
    if as_json:
        print_document(found)
    if code:
        raise typer.Exit(ExitCode.MISTAKE)
    for candidate, taken in found["candidates"].items():
        _require_taken(candidate, taken)


def _require_taken(candidate: str, taken: Document) -> None:
    """An exam of which checks were left out, or in which nothing was proven, is not taken.  Raises InvalidData."""
    if left_out := taken["left_out"]:
        raise InvalidData(
            "tests",
            f"{candidate} leaves out {len(left_out)} of the exam's checks, such as {left_out[0]}; take them all, and say"
            " in Candidate(not_proven=…) what your server cannot show",
        )
    if not any(capability["proven"] for capability in taken["capabilities"].values()):
        raise InvalidData("tests", f"nothing of {candidate} was proven; the table above says why")
