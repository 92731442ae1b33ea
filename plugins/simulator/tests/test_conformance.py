"""The simulator's provider takes the exam that every provider takes."""

import pytest

from kassa_sdk.conformance import Candidate, ProviderConformance
from kassa_simulator import exam
from kassa_simulator.process import SimulatorProcess


class TestSimulator(ProviderConformance):
    @pytest.fixture
    def candidate(self, simulator: SimulatorProcess) -> Candidate:
        return exam.candidate(simulator)
