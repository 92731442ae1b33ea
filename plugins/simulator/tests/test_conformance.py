"""The simulator's provider takes the exam that every provider takes."""

from collections.abc import Iterator

import pytest

from kassa_sdk.conformance import Candidate, ProviderConformance
from kassa_simulator import exam
from kassa_simulator.process import SimulatorProcess, start_simulator


@pytest.fixture(scope="module")
def with_references(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with start_simulator(tmp_path_factory.mktemp("references") / "books.jsonl", keys="reference") as simulator:
        yield simulator


@pytest.fixture(scope="module")
def without_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with start_simulator(tmp_path_factory.mktemp("no-keys") / "books.jsonl", keys="none") as simulator:
        yield simulator


class TestSimulator(ProviderConformance):
    @pytest.fixture
    def candidate(self, simulator: SimulatorProcess) -> Candidate:
        return exam.candidate(simulator)


class TestSimulatorByRedirect(ProviderConformance):
    """Every payment goes by way of a page."""

    @pytest.fixture
    def candidate(self, simulator: SimulatorProcess) -> Candidate:
        return exam.candidate(simulator, approved_by="redirect")


class TestSimulatorByTransfer(ProviderConformance):
    """Every payment is a bank transfer that comes in later."""

    @pytest.fixture
    def candidate(self, simulator: SimulatorProcess) -> Candidate:
        return exam.candidate(simulator, approved_by="instructions")


class TestSimulatorAtOnce(ProviderConformance):
    """Every payment is an immediate sale."""

    @pytest.fixture
    def candidate(self, simulator: SimulatorProcess) -> Candidate:
        return exam.candidate(simulator, approved_by="immediate_sale")


class TestSimulatorWithReferences(ProviderConformance):
    """It stores keys without heeding them, and its notices say only which payment to look up."""

    @pytest.fixture
    def candidate(self, with_references: SimulatorProcess) -> Candidate:
        return exam.candidate(with_references, notices="id_only")


class TestSimulatorThatCanLittle(ProviderConformance):
    """It has no keys, no notices, no list, and keeps no payment methods."""

    @pytest.fixture
    def candidate(self, without_keys: SimulatorProcess) -> Candidate:
        return exam.candidate(without_keys, notices="none", lists_payments=False, account_holders=False)
