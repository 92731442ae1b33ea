"""The smallest provider takes the exam that every provider takes."""

import pytest

from kassa_sdk.conformance import Candidate, ProviderConformance
from kassa_system import SystemProvider


class TestSystem(ProviderConformance):
    @pytest.fixture
    def candidate(self) -> Candidate:
        return Candidate(
            provider=SystemProvider,
            options=lambda url: {},
            not_proven={
                "decline": "this provider takes every promise, and declines nothing",
                "pending": "this provider always knows at once",
            },
        )
