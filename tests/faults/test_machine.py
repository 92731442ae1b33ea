"""A few random stories of ``machine.py``, the same in every run."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

FEW = settings(
    max_examples=5,
    stateful_step_count=50,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_in_random_stories_the_books_never_disagree(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The modules of the proof are those of a program of its own, and import each other by their bare names.
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import databases
    import machine
    import story

    with ExitStack() as stack:
        if kind == "sqlite":
            fresh = databases.SqliteDatabases(tmp_path)
        else:
            server = request.getfixturevalue("postgresql_server")
            fresh = stack.enter_context(databases.postgresql_databases(server))
        ground = stack.enter_context(story.opened(tmp_path, fresh))
        run_state_machine_as_test(lambda: machine.Machine(ground), settings=FEW)
