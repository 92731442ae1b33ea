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


OVERRIDES = {
    "switched off": "test_refund = None",
    "replaced": "def test_refund(self): pass",
}


@pytest.mark.parametrize("override", OVERRIDES.values(), ids=OVERRIDES)
@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["alone", "in parallel"])
def test_a_class_that_overrides_a_check_fails(
    pytester: pytest.Pytester, override: str, processes: tuple[str, ...]
) -> None:
    pytester.makepyfile(
        CHECKS.format("pass").replace("CaptureChecks):\n        pass", f"CaptureChecks):\n        {override}")
    )
    result = pytester.runpytest("--kassa-report", "report.json", "--kassa-badge", "badge.json", *processes)
    report, badge = (json.loads((pytester.path / name).read_text()) for name in ("report.json", "badge.json"))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert report["candidates"]["TestAcme"]["left_out"] == ["test_refund"]
    assert (badge["message"], badge["color"]) == ("contract 1, 2 checks proven, 1 left out", "yellow")
    result.stdout.fnmatch_lines(
        ["*left out (overridden): 1 of the exam's checks, test_refund*", "*TestAcme fails: it overrides test_refund*"]
    )


@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["alone", "in parallel"])
def test_checks_that_were_not_wanted_are_told(pytester: pytest.Pytester, processes: tuple[str, ...]) -> None:
    pytester.makepyfile(CHECKS.format("pass"))
    result = pytester.runpytest("--kassa-report", "report.json", "-k", "not refund", *processes)
    report = json.loads((pytester.path / "report.json").read_text())
    assert result.ret == 0
    assert report["candidates"]["TestAcme"]["left_out"] == ["test_refund"]
    result.stdout.fnmatch_lines(["*left out (deselected): 1 of the exam's checks, test_refund*"])


def test_a_check_that_is_expected_to_fail_has_failed_all_the_same(pytester: pytest.Pytester) -> None:
    checks = CHECKS.format("violation('It took 2.', 'It takes 1.')")
    pytester.makepyfile(
        checks.replace("    class TestAcme", "    import pytest\n    @pytest.mark.xfail\n    class TestAcme")
    )
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*TestAcme fails: a check that is expected to fail has failed all the same*"])


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


def test_a_hook_that_sends_nothing_need_not_notice_that_nobody_listens(pytester: pytest.Pytester) -> None:
    answers = "return Succeeded(facts=PaymentFacts(provider_reference=request.our_reference))"
    provider = PROVIDER.replace('raise RuntimeError("nothing works yet")', answers)
    provider = provider.replace("import Idempotency,", "import Idempotency, PaymentFacts, Succeeded,")
    pytester.makepyfile(provider.replace("provider=Acme,", "provider=Acme, server_url='http://127.0.0.1:9',"))
    result = pytester.runpytest("-k", "never_made and initiate", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*does not apply: initiate sends nothing*"])


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
