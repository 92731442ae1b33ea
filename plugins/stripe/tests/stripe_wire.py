"""The wire of these tests: a transport that keeps every request, and Stripe's own OpenAPI document to check it against."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema
import stripe

SPECIFICATION_DISTRIBUTION = "seahaven-stripe-world"
FORM = "application/x-www-form-urlencoded"

Json = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """One request on its way to Stripe."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str

    @property
    def path(self) -> str:
        """The path of the URL."""
        return urlsplit(self.url).path

    def parameters(self) -> Json:
        """The form of the body, or the query, as nested objects."""
        return expand(self.body or urlsplit(self.url).query)


@dataclass
class Wire:
    """Everything that was sent, and what Stripe's OpenAPI document finds wrong with it."""

    sent: list[Sent] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def record(self, request: Sent) -> None:
        """Keep a request and check it."""
        self.sent.append(request)
        document = specification()
        if document is not None:
            self.problems += document.problems_with(request)

    def last(self) -> Sent:
        """What was sent last."""
        return self.sent[-1]


class RecordingClient(stripe.RequestsClient):
    """The transport of Stripe's SDK, with a record of what goes through it."""

    def __init__(self, wire: Wire, timeout_seconds: float) -> None:
        super().__init__(timeout=timeout_seconds)
        self._wire = wire

    def request(self, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
        """Record and send."""
        self._wire.record(Sent(method, url, dict(headers), post_data or ""))
        return super().request(method, url, headers, post_data)


def expand(form: str) -> Json:
    """``a[b][0]=c`` as ``{"a": {"b": ["c"]}}``."""
    tree: Json = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        *parents, leaf = re.findall(r"[^\[\]]+", name)
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[leaf] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    children = {name: _lists(child) for name, child in value.items()}
    is_list = list(children) == [str(index) for index in range(len(children))]
    return list(children.values()) if is_list else children


@dataclass(frozen=True)
class Specification:
    """Stripe's OpenAPI document."""

    document: Json

    def problems_with(self, request: Sent) -> list[str]:
        """What is wrong with this request; nothing is what we want."""
        operation = self._operation(request)
        if operation is None:
            return [f"{request.method} {request.path} is not in Stripe's API"]
        schema = self._schema(operation, request)
        typed = self._typed(request.parameters(), schema)
        found = jsonschema.Draft202012Validator(schema).iter_errors(typed)
        return [f"{request.method} {request.path}: {'.'.join(map(str, e.absolute_path))} {e.message}" for e in found]

    def _operation(self, request: Sent) -> Json | None:
        # A path without placeholders first: /v1/payment_intents/search is no payment intent called "search".
        for template, path in sorted(self.document["paths"].items(), key=lambda item: item[0].count("{")):
            if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), request.path) and request.method in path:
                return dict(path[request.method])
        return None

    def _schema(self, operation: Json, request: Sent) -> Json:
        if request.method == "post":
            return dict(operation["requestBody"]["content"][FORM]["schema"])
        query = [each for each in operation.get("parameters", []) if each["in"] == "query"]
        return {
            "type": "object",
            "properties": {each["name"]: each["schema"] for each in query},
            "required": [each["name"] for each in query if each.get("required")],
            "additionalProperties": False,
        }

    def _typed(self, value: Any, schema: Json) -> Any:
        """Everything in a form is text; give it the types that the schema has for it."""
        for choice in schema.get("anyOf", ()):
            typed = self._typed(value, choice)
            if jsonschema.Draft202012Validator(choice).is_valid(typed):
                return typed
        match schema.get("type"), value:
            case "object", dict():
                known, other = schema.get("properties", {}), schema.get("additionalProperties")
                rest = other if isinstance(other, dict) else {}
                return {name: self._typed(child, known.get(name, rest)) for name, child in value.items()}
            case "array", list():
                return [self._typed(child, schema.get("items", {})) for child in value]
            case "integer", str() if re.fullmatch(r"-?[0-9]+", value):
                return int(value)
            case "boolean", ("true" | "false"):
                return value == "true"
        return value


@cache
def specification() -> Specification | None:
    """Stripe's OpenAPI document, out of the data of a distribution whose code is not imported; None without it."""
    try:
        found = [each for each in files(SPECIFICATION_DISTRIBUTION) or () if each.name == "spec3.json"]
    except PackageNotFoundError:
        return None
    return Specification(json.loads(found[0].read_text(encoding="utf-8"))) if found else None
