"""Lists come in pages, as Medusa's do."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict

from kassa.http.queries import Listed


class Page(TypedDict):
    """How many there are at all, and which of them these are."""

    count: int
    offset: int
    limit: int


def page_of(name: str, everything: Sequence[Any], query: Listed[Any]) -> dict[str, Any]:
    """The page that is wanted, of what is all at hand."""
    wanted = everything[query.offset : query.offset + query.limit]
    return {name: wanted, "count": len(everything), "offset": query.offset, "limit": query.limit}
