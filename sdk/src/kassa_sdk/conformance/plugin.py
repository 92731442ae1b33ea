"""The pytest plugin of the exam; pytest finds it through an entry point."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Make the exam's marker known."""
    config.addinivalue_line("markers", "kassa_proves(capability): what a check of the conformance exam is about")
