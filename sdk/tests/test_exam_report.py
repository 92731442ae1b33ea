"""What the exam says at the end: the matrix, the badge, and that nothing is left out in silence."""

import json

import pytest

pytest_plugins = ["pytester"]

CHECKS = """
    from kassa_sdk.conformance.verdicts import does_not_apply, not_proven, not_reached, proves, violation

    @proves("captures")
    class CaptureChecks:
        def test_whole(self): pass
        def test_in_parts(self): {}

    @proves("refunds")
    class RefundChecks:
        def test_refund(self): pass

    class TestAcme(RefundChecks, CaptureChecks):
        pass
"""


def run(pytester: pytest.Pytester, end: str) -> tuple[pytest.RunResult, dict[str, object], dict[str, object]]:
    pytester.makepyfile(CHECKS.format(end))
    result = pytester.runpytest("--kassa-report", "report.json", "--kassa-badge", "badge.json")
    report, badge = (json.loads((pytester.path / name).read_text()) for name in ("report.json", "badge.json"))
    return result, report["candidates"]["TestAcme"]["capabilities"], badge


def test_a_capability_whose_checks_pass_is_proven(pytester: pytest.Pytester) -> None:
    result, report, badge = run(pytester, "pass")
    assert result.ret == 0
    assert report == {
        "captures": {"declared": "", "verdict": "proven", "proven": 2, "not_proven": []},
        "refunds": {"declared": "", "verdict": "proven", "proven": 1, "not_proven": []},
    }
    assert badge == {
        "schemaVersion": 1,
        "label": "kassa exam",
        "message": "contract 1, 3 checks proven",
        "color": "green",
    }


def test_what_could_not_be_shown_is_listed_with_its_reason(pytester: pytest.Pytester) -> None:
    result, report, badge = run(pytester, "not_proven('the sandbox has no captures')")
    assert result.ret == 0
    assert report["captures"] == {
        "declared": "",
        "verdict": "proven in part",
        "proven": 1,
        "not_proven": ["the sandbox has no captures"],
    }
    assert badge["color"] == "yellow"
    result.stdout.fnmatch_lines(
        ["*kassa exam of TestAcme*", "*captures*proven in part*", "*the sandbox has no captures*"]
    )


def test_a_failed_check_fails_its_capability_and_the_badge(pytester: pytest.Pytester) -> None:
    result, report, badge = run(pytester, "violation('It took 2.', 'It takes 1.', 'captures=2')")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert report["captures"]["verdict"] == "failed"  # type: ignore[index]
    assert (badge["message"], badge["color"]) == ("1 checks failed", "red")
    result.stdout.fnmatch_lines(
        ["*It took 2.*", "*The contract: It takes 1.*", "*To make it legal, declare: captures=2*"]
    )


def test_a_check_that_was_not_reached_though_none_failed_fails_the_run(pytester: pytest.Pytester) -> None:
    result, report, _ = run(pytester, "not_reached('authorize', 'Unknown')")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert report["captures"]["not_proven"] == ["authorize ended in Unknown"]  # type: ignore[index]
    result.stdout.fnmatch_lines(["*TestAcme fails: checks were not reached*"])


def test_what_is_declared_otherwise_says_nothing(pytester: pytest.Pytester) -> None:
    _, report, badge = run(pytester, "does_not_apply('the manifest lists none')")
    assert report["captures"]["verdict"] == "proven"  # type: ignore[index]
    assert badge["color"] == "green"


PROVIDER = """
    import logging
    from datetime import timedelta
    import pytest
    from pydantic import BaseModel
    from kassa_sdk import Idempotency, Manifest, Portions, hookimpl
    from kassa_sdk.conformance import Candidate, ProviderConformance

    class Options(BaseModel, extra="forbid"):
        pass

    class Acme:
        Options = Options
        manifest = Manifest(
            name="acme",
            display_name="Acme",
            contract_version=1,
            refunds=Portions.FULL,
            idempotency=Idempotency(keys="native", window=timedelta(days=1)),
        )

        def __init__(self, options):
            pass

        @hookimpl
        def initiate(self, request):
            logging.getLogger("acme").debug("a word of detail")
            logging.getLogger("acme").warning("a word of warning")
            raise RuntimeError("nothing works yet")

    class TestAcme(ProviderConformance):
        @pytest.fixture
        def candidate(self):
            return Candidate(provider=Acme, options=lambda url: {})
"""


def test_what_the_manifest_declares_stands_beside_what_was_found(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PROVIDER)
    result = pytester.runpytest("--kassa-report", "report.json")
    report = json.loads((pytester.path / "report.json").read_text())["candidates"]["TestAcme"]
    assert (report["manifest"]["name"], report["manifest"]["refunds"]) == ("acme", "full")
    assert report["capabilities"]["refunds"]["declared"] == "full"
    result.stdout.fnmatch_lines(["*kassa exam of TestAcme: provider acme, contract 1*", "*captures *none *proven*"])


def test_a_failing_check_shows_what_was_logged_for_people_and_no_details(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PROVIDER)
    result = pytester.runpytest("-k", "test_a_session_is_prepared")
    result.stdout.fnmatch_lines(["*a word of warning*"])
    result.stdout.no_fnmatch_line("*a word of detail*")


def test_a_run_without_an_exam_says_nothing_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_something(): pass")
    result = pytester.runpytest("--kassa-report", "report.json")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*kassa exam*")
    assert not (pytester.path / "report.json").exists()
