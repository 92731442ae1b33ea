"""What is logged while the configuration changes."""

import subprocess
import sys

import pytest

pytest.importorskip("structlog", reason="a log in JSON is not installed: pip install 'kassa[telemetry]'")

PROGRAM = """
import logging
from types import SimpleNamespace
from kassa.cli.options import LogStyle
from kassa.cli.telemetry import telemetry
from kassa.scrubbing import Scrubber

engine = SimpleNamespace(scrubber=Scrubber(["old-canary"]))
with telemetry(None, False, LogStyle.JSON).told(engine):
    logging.warning("before: old-canary")
    engine.scrubber = Scrubber(["new-canary"])
    logging.warning("after: new-canary", extra={"request_id": "4242424242424242"})
"""


def test_secrets_are_those_of_the_configuration_of_the_moment_and_no_field_has_the_number_of_a_card() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert "before: ***" in done.stderr
    assert "after: ***" in done.stderr
    assert "canary" not in done.stderr
    assert "4242" not in done.stderr
