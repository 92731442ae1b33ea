"""Which fields of a document a client gets: ``fields`` as Medusa's clients send it.

``id,amount``: just these.  ``+status``, ``-amount``, ``*payment_sessions``: the usual ones with, without, and with all of
it.  A field of what is inside another is named with a dot: ``+payment_sessions.data``.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema
from typing_extensions import is_typeddict

from kassa.errors import InvalidData
from kassa_sdk import JsonObject

ALL = "*"
MOST = 100
"""How many names one request may give."""

_ADD, _LEAVE_OUT = "+ ", "-"  # In a query, a plus that nobody escaped arrives as a space.

_Tree = dict[str, "_Tree"]
"""Names inside names; a plain field has none."""


class Fields:
    """The fields of one kind of document: all that there are, and those that a client gets without asking.

    ``Annotated[Choice, Fields(…)]`` is what a client may write as ``fields`` of this document.
    """

    def __init__(self, document: Any, *defaults: str) -> None:
        self._all = _declared(document)
        self._name = f"[{_ADD}{_LEAVE_OUT}]?(?:\\*|\\*?{_pattern(self._all)})"
        self._is_name = re.compile(self._name)
        self._defaults = frozenset(path for name in defaults for path in self._paths(name))

    def chosen(self, asked: str) -> "Choice":
        """What this ``fields`` asks for; the usual ones, where it asks for none.  Raises InvalidData."""
        written = asked.split(",")
        if len(written) > MOST:
            raise InvalidData("fields", f"expected at most {MOST} names")
        names = [name for name in written if name]
        for name in names:
            if not self._is_name.fullmatch(name):
                raise InvalidData("fields", f"expected fields that there are, not {name.strip()[:60]!r}")
        if not all(map(_is_relative, names)):
            return Choice(path for name in names for path in self._paths(name.lstrip(_ADD + _LEAVE_OUT)))
        paths = set(self._defaults)
        for name in names:
            if name.startswith(_LEAVE_OUT):
                paths -= self._paths(name[1:])
            else:
                paths |= self._paths(name.lstrip(_ADD))
        return Choice(paths)

    def _paths(self, name: str) -> set[str]:
        """The plain fields that a name stands for: itself, or those right inside it."""
        path = name.removeprefix(ALL).removesuffix(f".{ALL}")
        inside = self._all
        for part in filter(None, path.split(".")):
            inside = inside[part]
        prefix = f"{path}." if path else ""
        return {f"{prefix}{each}" for each, deeper in inside.items() if not deeper} or {path}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        """Pydantic reads what a client wrote by ``chosen``."""
        return core_schema.no_info_plain_validator_function(self.chosen)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """For the description: names, with commas between them; an empty one asks for nothing."""
        return {"type": "array", "items": {"type": "string", "pattern": f"^(?:{self._name})?$"}, "maxItems": MOST}


class Choice:
    """The fields that a client gets."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._tree: _Tree = {}
        for path in paths:
            place = self._tree
            for part in path.split("."):
                place = place.setdefault(part, {})

    def wants(self, name: str) -> bool:
        """Whether anything of this field is asked for: what costs a look into the database is only then fetched."""
        return name in self._tree

    def of(self, document: Mapping[str, Any]) -> JsonObject:
        """The document with these fields."""
        picked: JsonObject = _pick(document, self._tree)
        return picked


def _is_relative(name: str) -> bool:
    return name[0] in _ADD + _LEAVE_OUT + ALL or name.endswith(f".{ALL}")


def _declared(document: Any) -> _Tree:
    return {name: _inside(hint) for name, hint in get_type_hints(document).items()}


def _inside(hint: Any) -> _Tree:
    """The fields of the document that this type holds: itself, a list of it, or it or None."""
    if is_typeddict(hint):
        return _declared(hint)
    within = [_inside(each) for each in get_args(hint)] if get_origin(hint) is not None else []
    return next(filter(None, within), {})


def _pattern(tree: _Tree) -> str:
    """What matches the name of every field, also of those inside others."""
    deeper = (f"{name}(?:\\.(?:\\*|{_pattern(inside)}))?" if inside else name for name, inside in tree.items())
    return f"(?:{'|'.join(deeper)})"


def _pick(value: Any, tree: _Tree) -> Any:
    if not tree or value is None:
        return value
    if isinstance(value, list):
        return [_pick(each, tree) for each in value]
    return {name: _pick(each, tree[name]) for name, each in value.items() if name in tree}
