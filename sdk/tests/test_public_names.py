"""What a provider author may import: all of it there, all of it documented, and nothing heavy behind it."""

import inspect
import json
import subprocess
import sys
from importlib.metadata import requires
from importlib.resources import files

import pytest
from packaging.requirements import Requirement

import kassa_sdk

CLASSES_AND_FUNCTIONS = [
    name
    for name in kassa_sdk.__all__
    if inspect.isclass(getattr(kassa_sdk, name)) or inspect.isfunction(getattr(kassa_sdk, name))
]


@pytest.mark.parametrize("name", kassa_sdk.__all__)
def test_a_public_name_can_be_imported(name: str) -> None:
    assert getattr(kassa_sdk, name) is not None


def test_the_public_names_are_sorted_and_listed_once() -> None:
    assert len(set(kassa_sdk.__all__)) == len(kassa_sdk.__all__)


def test_what_the_package_imports_from_itself_is_public() -> None:
    ours = {
        name
        for name, thing in vars(kassa_sdk).items()
        if not name.startswith("_") and getattr(thing, "__module__", "").startswith("kassa_sdk.")
    }
    assert ours <= set(kassa_sdk.__all__)


@pytest.mark.parametrize("name", CLASSES_AND_FUNCTIONS)
def test_a_public_class_or_function_has_a_docstring_of_its_own(name: str) -> None:
    thing = getattr(kassa_sdk, name)
    assert (thing.__doc__ or "").strip(), f"{name} promises nothing"
    assert not inspect.isclass(thing) or "__doc__" in vars(thing)


@pytest.mark.parametrize("name", CLASSES_AND_FUNCTIONS)
def test_a_public_method_has_a_docstring(name: str) -> None:
    thing = getattr(kassa_sdk, name)
    if not inspect.isclass(thing):
        return
    methods = {
        method
        for method, body in vars(thing).items()
        if (inspect.isfunction(body) or isinstance(body, classmethod | property)) and not method.startswith("_")
    }
    assert {method for method in methods if not (getattr(thing, method).__doc__ or "").strip()} == set()


def test_importing_the_sdk_imports_neither_the_core_nor_a_database_library() -> None:
    program = "import kassa_sdk, sys, json; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    imported = set(json.loads(output)) - sys.stdlib_module_names
    assert "kassa_sdk" in imported
    assert imported & {"kassa", "sqlalchemy", "alembic", "stevedore", "fastapi", "typer"} == set()


def test_the_sdk_requires_pluggy_and_pydantic_and_nothing_else() -> None:
    unconditional = [Requirement(text) for text in requires("kassa-sdk") or []]
    assert {requirement.name for requirement in unconditional if requirement.marker is None} == {"pluggy", "pydantic"}


def test_the_sdk_tells_type_checkers_that_it_is_typed() -> None:
    assert files("kassa_sdk").joinpath("py.typed").is_file()
