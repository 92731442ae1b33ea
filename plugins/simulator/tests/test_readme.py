"""The README names everything that can be asked for."""

from pathlib import Path
from typing import get_args

import pytest

from kassa_simulator.control import Fault, NoticeTwist
from kassa_simulator.options import SimulatorOptions
from kassa_simulator.server.control import Deed
from kassa_simulator.server.scenarios import Scenario

README = (Path(__file__).parent.parent / "README.md").read_text()


@pytest.mark.parametrize("name", [*Scenario, *Fault, *NoticeTwist, *get_args(Deed), *SimulatorOptions.model_fields])
def test_the_readme_names_it(name):
    assert f"`{name}`" in README
