"""Which fields of a document a client gets: ``fields`` as Medusa's clients send it.

``id,amount``: just these.  ``+status``, ``-amount``, ``*payment_sessions``: the usual ones with, without, and with all of
it.  A field of what is inside another is named with a dot: ``+payment_sessions.data``.
"""

from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

from typing_extensions import is_typeddict

from kassa.errors import InvalidData
from kassa_sdk import JsonObject

ALL = "*"
_ADD, _LEAVE_OUT = "+ ", "-"  # In a query, a plus that nobody escaped arrives as a space.

_Tree = dict[str, "_Tree"]
"""Names inside names; a plain field has none."""


class Fields:
    """The fields of one kind of document: all that there are, and those that a client gets without asking."""

    def __init__(self, document: Any, *defaults: str) -> None:
        self._all = _declared(document)
        self._defaults = frozenset(path for name in defaults for path in self._paths(name))

    def chosen(self, asked: str | None) -> "Choice":
        """What this ``fields`` asks for.  Raises InvalidData for a field that there is not."""
        names = [name for name in (asked or "").split(",") if name.strip()]
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
        path = name.strip().removeprefix(ALL).removesuffix(f".{ALL}").strip(".")
        inside = self._all
        for part in filter(None, path.split(".")):
            if part not in inside:
                raise InvalidData("fields", f"expected fields that there are, not {name.strip()[:60]!r}")
            inside = inside[part]
        prefix = f"{path}." if path else ""
        return {f"{prefix}{each}" for each, deeper in inside.items() if not deeper} or {path}


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


def _pick(value: Any, tree: _Tree) -> Any:
    if not tree or value is None:
        return value
    if isinstance(value, list):
        return [_pick(each, tree) for each in value]
    return {name: _pick(each, tree[name]) for name, each in value.items() if name in tree}
