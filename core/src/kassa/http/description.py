"""The OpenAPI description of the routes, at ``/openapi.json``."""

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

TITLE = "kassa"
SUMMARY = "Takes payments through any provider, region by region.  The store and admin routes answer as Medusa's do."


def install(app: FastAPI) -> None:
    """The app describes itself; once, when it is first asked."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI documents this way


def _described(app: FastAPI) -> dict[str, Any]:
    document: dict[str, Any] = get_openapi(
        title=TITLE, version=version("kassa"), summary=SUMMARY, routes=app.routes, separate_input_output_schemas=False
    )
    for path in document["paths"].values():
        for route in path.values():
            for parameter in route.get("parameters", ()):
                if parameter["name"] == "fields":
                    _list_with_commas(parameter)
    return document


def _list_with_commas(parameter: dict[str, Any]) -> None:
    """FastAPI does not know lists that are one value, with commas between."""
    parameter.update(style="form", explode=False)
    parameter["schema"].pop("default")
