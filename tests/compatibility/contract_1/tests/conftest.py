"""The server of the exam: a stand-in, until it is Contract 1's own sandbox."""

from collections.abc import Iterator

import pytest
from kassa_simulator.process import SimulatorProcess, start_simulator


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """A process with books of its own."""
    with start_simulator(tmp_path_factory.mktemp("server") / "books.jsonl") as running:
        yield running
