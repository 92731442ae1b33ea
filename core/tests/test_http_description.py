"""The OpenAPI document: every route tells what it is for, every body has an example, and the examples are right."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the HTTP server is not installed: pip install 'kassa[http]'")

from kassa.http import bodies, create_app, exact  # after the check
from kassa.http.bodies import Body


@pytest.fixture(scope="module")
def document() -> Any:
    """What the application says of itself; it asks nothing of its engine for that."""
    return create_app(SimpleNamespace()).openapi()  # type: ignore[arg-type]


def classes() -> list[type[Body]]:
    """Every body that there is."""
    found = [each for each in vars(bodies).values() if isinstance(each, type) and issubclass(each, Body)]
    return [each for each in found if each not in (Body, bodies.CartOfShopper)]


@pytest.mark.parametrize("body", classes(), ids=lambda body: body.__name__)
def test_the_example_of_a_body_is_such_a_body(body: type[Body]) -> None:
    examples = body.model_json_schema().get("examples", [])
    if body in (bodies.AddressBody, bodies.PricedItem):
        return  # inside of others, whose examples have one
    assert examples, body.__name__
    for example in examples:
        body.model_validate(exact.read(json.dumps(example).encode()))


def test_every_route_says_what_it_is_for_and_what_may_come_of_it(document: Any) -> None:
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            assert route["description"].endswith("."), (method, path)
            assert {"200", "400", "404", "429", "503"} <= route["responses"].keys(), (method, path)


def test_every_route_but_those_for_providers_and_watchers_asks_for_a_key(document: Any) -> None:
    open_to_all = {
        path
        for path, methods in document["paths"].items()
        if any("security" not in route for route in methods.values())
    }
    assert open_to_all == {"/hooks/payment/{provider_id}", "/health", "/ready"}
