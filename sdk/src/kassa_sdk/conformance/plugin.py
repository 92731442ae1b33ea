"""The pytest plugin of the exam; pytest finds it through an entry point.

It says at the end what was proven (the matrix), writes it to files where it is asked to, and lets no check be left out in
silence: one that was not reached, though no other failed, fails the run, as does one that is overridden or expected to fail.
One that whoever began the run did not want is told.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kassa_sdk.conformance.matrix import Finding, Matrix, Verdict
from kassa_sdk.conformance.verdicts import DECLARED, DOES_NOT_APPLY, NOT_PROVEN, NOT_REACHED
from kassa_sdk.manifest import Manifest

PROPERTY = "kassa_capability"
LEFT_OUT = "kassa_left_out"

_UNDECIDED: dict[str, Verdict] = {
    DOES_NOT_APPLY: "does not apply",
    NOT_REACHED: "not reached",
    NOT_PROVEN: "not proven",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the matrix is written to."""
    group = parser.getgroup("kassa", "conformance exam of kassa providers")
    group.addoption("--kassa-exam-only", action="store_true", help="run the checks of the exam, and no other test")
    group.addoption("--kassa-report", type=Path, metavar="FILE", help="write the capability matrix as JSON")
    group.addoption("--kassa-badge", type=Path, metavar="FILE", help="write a badge, as badge servers read it")


def pytest_configure(config: pytest.Config) -> None:
    """Listen to what the checks find."""
    config.pluginmanager.register(_Listener(config), "kassa-conformance-listener")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Write into each check's report what it is about; as a property it survives the way between processes."""
    checks: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        capability = getattr(getattr(item, "function", None), PROPERTY, None)
        if capability is not None and item.parent is not None:
            item.user_properties.append((PROPERTY, [item.parent.name, capability]))
            checks.append(item)
        else:
            others.append(item)
    if others and config.getoption("kassa_exam_only"):
        config.hook.pytest_deselected(items=others)
        items[:] = checks


class _Listener:
    """Gathers what the checks of this run have found."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._matrix = Matrix()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for taken in {item.cls for item in items if isinstance(item, pytest.Function) and _is_a_check(item)}:
            if overridden := _overridden(taken):
                self._matrix.overridden[taken.__name__] = overridden

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        for item in filter(_is_a_check, items):
            if item.parent is not None:
                self._matrix.deselected.setdefault(item.parent.name, set()).add(item.name)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A process of pytest-xdist has ended: what it has collected, only it knows."""
        told = getattr(node, "workeroutput", {}).get(LEFT_OUT, ({}, {}))
        for mine, theirs in zip((self._matrix.overridden, self._matrix.deselected), told, strict=True):
            mine.update({candidate: set(names) for candidate, names in theirs.items()})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties: dict[str, Any] = dict(report.user_properties)
        about = properties.get(PROPERTY)
        if about is None or not (report.when == "call" or report.failed or report.skipped):
            return
        if DECLARED in properties:
            self._matrix.manifests[about[0]] = Manifest.model_validate(properties[DECLARED])
        verdict, why = _verdict(report)
        self._matrix.findings.append(Finding(about[0], about[1], verdict, why))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        # Processes of pytest-xdist know only their own share; the one that gathered them all judges.
        config: Any = session.config
        if hasattr(config, "workerinput"):
            left_out = (self._matrix.overridden, self._matrix.deselected)
            config.workeroutput[LEFT_OUT] = [{who: sorted(names) for who, names in each.items()} for each in left_out]
            return
        if not self._matrix.findings:
            return
        if self._matrix.fails() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        for option, content in (("kassa_report", self._matrix.as_json), ("kassa_badge", self._matrix.as_badge)):
            file: Path | None = self._config.getoption(option)
            if file is not None:
                file.write_text(json.dumps(content(), indent=2) + "\n", encoding="utf-8")

    # In quotes: the oldest pytest that is supported does not export this name.
    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        for candidate in self._matrix.candidates():
            terminalreporter.section(self._matrix.title(candidate))
            for line in self._matrix.lines(candidate):
                terminalreporter.line(line)
        for reason in self._matrix.fails():
            terminalreporter.line(reason, red=True)


def _is_a_check(item: pytest.Item) -> bool:
    return hasattr(getattr(item, "function", None), PROPERTY)


def _overridden(taken: type) -> set[str]:
    """The checks that a class inherits and has something else in place of, None included."""
    checks = {name for each in taken.__mro__ for name, value in vars(each).items() if hasattr(value, PROPERTY)}
    return {name for name in checks if not hasattr(getattr(taken, name), PROPERTY)}


def _verdict(report: pytest.TestReport) -> tuple[Verdict, str]:
    if hasattr(report, "wasxfail") and not report.passed:
        return "failed", "a check that is expected to fail has failed all the same"
    if report.failed:
        return "failed", ""
    if report.passed:
        return "proven", ""
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = said.removeprefix("Skipped: ")
    for prefix, verdict in _UNDECIDED.items():
        if reason.startswith(prefix):
            return verdict, reason.removeprefix(prefix)
    return "not proven", reason
