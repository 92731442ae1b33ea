"""The exam is examined: each broken provider fails the check that is there for it, and no other; the honest one none."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kassa_sdk.conformance import ProviderConformance
from kassa_simulator.process import SimulatorProcess, start_simulator

sys.path.insert(0, str(Path(__file__).parent))

from honest import HONEST
from mutants import MUTANTS

pytest_plugins = ["pytester"]

TAKEN_BY = """
    import pytest
    from kassa_sdk.conformance import ProviderConformance
    from kassa_simulator import exam
    from honest import HONEST
    from mutants import MUTANTS

    class TestTheCandidate(ProviderConformance):
        @pytest.fixture
        def candidate(self, simulator):
            name = {name!r}
            return HONEST[name](simulator) if name in HONEST else exam.candidate(simulator, MUTANTS[name])
"""


class _Given:
    """Hands the running simulator to the inner run."""

    def __init__(self, simulator: SimulatorProcess) -> None:
        self._simulator = simulator

    @pytest.fixture
    def simulator(self) -> SimulatorProcess:
        return self._simulator


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimulatorProcess]:
    # One for each: with thousands of payments its list becomes long, and each exam reads all of it.  It comes before
    # pytester, which forgets what is first imported while it is there: there would be two of each error of httpx.
    with start_simulator(tmp_path / "books.jsonl") as simulator:
        yield simulator


def failed_checks(simulator: SimulatorProcess, pytester: pytest.Pytester, name: str) -> dict[str, str]:
    """The checks that a candidate fails, and what they say."""
    pytester.makepyfile(TAKEN_BY.format(name=name))
    run = pytester.inline_run("-q", "-p", "no:cacheprovider", plugins=[_Given(simulator)])
    reports = run.getreports("pytest_runtest_logreport")
    assert len(reports) > 100
    failed = [report for report in reports if report.failed]
    return {report.location[2].rpartition(".")[2].partition("[")[0]: report.longreprtext for report in failed}


def test_every_check_has_a_broken_provider_that_fails_it() -> None:
    checks = {name for name in dir(ProviderConformance) if name.startswith("test_")}
    assert checks == {mutant.caught_by for mutant in MUTANTS.values()}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_provider_passes(simulator: SimulatorProcess, pytester: pytest.Pytester, name: str) -> None:
    assert failed_checks(simulator, pytester, name) == {}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mistake_is_caught_by_its_own_check_and_by_no_other(
    simulator: SimulatorProcess, pytester: pytest.Pytester, name: str
) -> None:
    failed = failed_checks(simulator, pytester, name)
    assert failed.keys() == {MUTANTS[name].caught_by}, failed
