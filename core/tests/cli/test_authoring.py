"""``kassa new-provider`` and ``kassa exam``: the first hour of whoever writes a provider.

That the packages pass their exam, are built, installed and paid with, `tox -e downstream` shows.
"""

import compileall
import json
import os
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from kassa.cli.new_provider import Shape
from kassa_sdk import Declined, Unknown
from kassa_sdk.http_client import HttpAnswer

from .conftest import Kassa

OURS = sorted(path.parent.name for path in Path(__file__).parents[3].glob("plugins/*/pyproject.toml"))

CASH = """
from datetime import timedelta

import pytest
from kassa_sdk import Idempotency, Manifest, PaymentFacts, Succeeded, hookimpl
from kassa_sdk.conformance import Candidate, ProviderConformance
from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Cash:
    Options = Options
    manifest = Manifest(
        name="cash",
        display_name="Cash",
        contract_version=1,
        idempotency=Idempotency(keys="native", window=timedelta(days=1)),
    )

    def __init__(self, options):
        pass

    @hookimpl
    def initiate(self, request):
        return Succeeded(facts=PaymentFacts(provider_reference=request.our_reference))

    @hookimpl
    def authorize(self, request):
        amount = request.amount
        return Succeeded(
            facts=PaymentFacts(
                provider_reference=request.provider_reference,
                condition="authorized",
                authorized=amount,
                captured=amount,
            )
        )


class TestCash(ProviderConformance):
    @pytest.fixture
    def candidate(self):
        return Candidate(provider=Cash, options=lambda url: {})


def test_something_else():
    raise RuntimeError("this is not part of the exam")
"""


def take_exam(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``kassa exam`` in a process of its own: what pytest prints goes past this one's."""
    environment = os.environ | {"PYTEST_ADDOPTS": "-p no:cacheprovider"}
    command = [sys.executable, "-m", "kassa", "exam", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_package_is_written_whole(kassa: Kassa, folder: Path) -> None:
    ended = kassa("new-provider", "acme-pay", "--json")
    assert ended.exit_code == 0
    assert files_in(folder / "kassa-acme-pay") == set(ended.document["written"])
    assert {
        "pyproject.toml",
        "README.md",
        "tox.ini",
        "src/kassa_acme_pay/provider.py",
        "tests/test_conformance.py",
    } <= (files_in(folder / "kassa-acme-pay"))
    project = tomllib.loads((folder / "kassa-acme-pay" / "pyproject.toml").read_text())["project"]
    assert project["name"] == "kassa-acme-pay"
    assert project["entry-points"]["kassa.providers"] == {"acme-pay": "kassa_acme_pay:AcmePayProvider"}


@pytest.mark.parametrize("shape", Shape)
def test_each_shape_is_code_without_a_trace_of_the_template(kassa: Kassa, folder: Path, shape: Shape) -> None:
    assert kassa("new-provider", "acme", "--shape", shape, "--folder", "here").exit_code == 0
    assert compileall.compile_dir("here", quiet=1)
    written = [path for path in Path("here").rglob("*") if path.suffix in {".py", ".toml", ".ini", ".md"}]
    assert [path for path in written if "{{" in path.read_text() or "{%" in path.read_text()] == []
    assert max(len(line) for path in written for line in path.read_text().splitlines() if path.suffix == ".py") <= 120


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (402, "insufficient_funds", Declined),
        (409, "over_refund", Declined),
        (409, "request_in_progress", Unknown),
        (422, "key_reused", Unknown),
        (400, "brand_new", Unknown),
    ],
)
def test_only_an_error_whose_code_is_known_is_a_no(
    kassa: Kassa, folder: Path, shape: Shape, status: int, code: str, expected: type
) -> None:
    kassa("new-provider", "acme", "--shape", shape)
    answers = runpy.run_path(str(folder / "kassa-acme" / "src" / "kassa_acme" / "answers.py"))
    sent = HttpAnswer(status, json.dumps({"error": {"code": code}}).encode(), {})
    assert isinstance(answers["refunded"](sent, "key"), expected)
    assert isinstance(answers["canceled"](sent), expected)
    assert isinstance(answers["authorized"](sent), expected)


@pytest.mark.parametrize(
    "name", ["Acme", "acme_pay", "-acme", "acme-", "a" * 41, "acmé", "../acme", "acme--pay", "acme\n", ""]
)
def test_a_name_that_configurations_could_not_use_is_refused(kassa: Kassa, folder: Path, name: str) -> None:
    ended = kassa("new-provider", "--folder", "here", "--", name)
    assert ended.exit_code == 1
    assert ended.stderr.startswith(f"name: {name!r}: begins with a letter and has just lower-case letters")
    assert list(folder.iterdir()) == []


def test_a_name_that_begins_like_a_test_does_not_make_one(kassa: Kassa, folder: Path) -> None:
    kassa("new-provider", "testpay")
    exam = (folder / "kassa-testpay" / "tests" / "test_conformance.py").read_text()
    assert "class TestTestpay(ProviderConformance)" in exam
    assert "import TestpayProvider" not in exam


@pytest.mark.parametrize("name", OURS)
def test_the_name_of_one_of_our_own_is_refused(kassa: Kassa, folder: Path, name: str) -> None:
    ended = kassa("new-provider", name)
    assert (ended.exit_code, ended.stderr) == (
        1,
        f"name: '{name}': is the name of one of kassa's own distributions\n",
    )
    assert list(folder.iterdir()) == []


def test_what_is_there_already_is_left_alone(kassa: Kassa, folder: Path) -> None:
    (folder / "kassa-acme").mkdir()
    (folder / "kassa-acme" / "README.md").write_text("mine")
    ended = kassa("new-provider", "acme")
    assert (ended.exit_code, ended.stderr) == (1, "kassa-acme is there already; name another folder with --folder\n")
    assert files_in(folder / "kassa-acme") == {"README.md"}


def test_others_may_read_the_folder_as_they_may_read_any(kassa: Kassa, folder: Path) -> None:
    kassa("new-provider", "acme")
    (folder / "any").mkdir()
    assert (folder / "kassa-acme").stat().st_mode == (folder / "any").stat().st_mode


def test_a_folder_that_cannot_be_written_is_named(kassa: Kassa, folder: Path) -> None:
    (folder / "file").write_text("no folder")
    ended = kassa("new-provider", "acme", "--folder", "file/kassa-acme")
    assert ended.exit_code == 1
    assert ended.stderr.startswith("folder: file/kassa-acme cannot be written")


def test_the_exam_prints_what_is_declared_and_what_was_proven_and_leaves_other_tests_out(folder: Path) -> None:
    (folder / "test_cash.py").write_text(CASH)
    ended = take_exam(folder, "test_cash.py")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "kassa exam of TestCash: provider cash, contract 1" in ended.stdout
    assert "this is not part of the exam" not in ended.stdout


def test_the_exam_is_one_document_for_programs(folder: Path) -> None:
    (folder / "test_cash.py").write_text(CASH)
    report = json.loads(take_exam(folder, "test_cash.py", "--json").stdout)["candidates"]["TestCash"]
    assert report["manifest"]["display_name"] == "Cash"
    assert report["capabilities"]["refunds"] == {"declared": "none", "verdict": "proven", "proven": 1, "not_proven": []}


def test_an_exam_that_is_failed_ends_with_1(folder: Path) -> None:
    (folder / "test_cash.py").write_text(CASH.replace("authorized=amount", "authorized=amount + amount"))
    ended = take_exam(folder, "test_cash.py")
    assert ended.returncode == 1
    assert "asked for 100.00 EUR, the facts say authorized=200.00 EUR" in ended.stdout


def test_an_exam_of_which_checks_are_left_out_ends_with_1(folder: Path) -> None:
    (folder / "test_cash.py").write_text(CASH)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -k 'not declined_payment and not something'\n")
    ended = take_exam(folder, "test_cash.py")
    assert ended.returncode == 1
    assert ended.stderr.startswith("tests: TestCash leaves out 1 of the exam's checks, such as test_a_declined_payment")


def test_an_exam_in_which_nothing_was_proven_ends_with_1(folder: Path) -> None:
    skipping = 'pytest.skip("there is no sandbox here")\n        return Candidate'
    (folder / "test_cash.py").write_text(CASH.replace("return Candidate", skipping))
    ended = take_exam(folder, "test_cash.py")
    assert ended.returncode == 1
    assert "- there is no sandbox here" in ended.stdout
    assert ended.stderr == "tests: nothing of TestCash was proven; the table above says why\n"


def test_tests_that_cannot_be_read_are_not_taken_for_no_exam(folder: Path) -> None:
    (folder / "test_broken.py").write_text("import a_module_that_nobody_has")
    ended = take_exam(folder, "test_broken.py")
    assert ended.returncode == 1
    assert "a_module_that_nobody_has" in ended.stdout
    assert ended.stderr == "tests: test_broken.py could not be read by pytest, which says why above; mend that first\n"


def test_where_there_is_no_exam_the_next_step_is_named(folder: Path) -> None:
    (folder / "test_nothing.py").write_text("def test_something(): pass")
    ended = take_exam(folder, "test_nothing.py")
    assert ended.returncode == 1
    assert "inherits kassa_sdk.conformance.ProviderConformance, as `kassa new-provider` does" in ended.stderr
    assert take_exam(folder).stderr == "tests: tests does not exist; give the file or folder of the provider's tests\n"
