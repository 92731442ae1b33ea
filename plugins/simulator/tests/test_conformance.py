"""The simulator's provider takes the exam that every provider takes."""

import pytest

from kassa_sdk.conformance import Candidate, ProviderConformance
from kassa_simulator import exam
from kassa_simulator.process import SimulatorProcess


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
