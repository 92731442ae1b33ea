"""``Idempotency-Key``: the client's name for one request, which has one effect however often it comes."""

from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import Request

from kassa.answers import IdempotencyKey
from kassa.engine import Engine
from kassa.errors import InvalidData
from kassa.idempotency import LONGEST_KEY

HEADER = "Idempotency-Key"
OF_STOREFRONTS = "storefront/"
"""So begins, where it is kept, each key of who has a publishable key: anybody has one, and takes none of the shop's own."""

_Given = Annotated[
    str | None,
    Header(
        alias=HEADER,
        min_length=1,
        max_length=LONGEST_KEY - len(OF_STOREFRONTS),
        pattern="^[ -~]*[!-~][ -~]*$",
        description="The same request under the same key has one effect, and the same answer; another one is refused.",
    ),
]


async def _key(request: Request, given: _Given = None) -> str | None:
    if len(request.headers.getlist(HEADER)) > 1:
        raise InvalidData(HEADER, "expected one, not several")
    return None if given is None else given.strip()


async def _key_of_storefront(key: Annotated[str | None, Depends(_key)]) -> str | None:
    return None if key is None else f"{OF_STOREFRONTS}{key}"


async def _no_key(request: Request) -> None:
    if HEADER in request.headers:
        raise InvalidData(HEADER, "expected none: this request has another effect each time; look at the cart instead")


Key = Annotated[str | None, Depends(_key)]
"""The key of a backend."""
StorefrontKey = Annotated[str | None, Depends(_key_of_storefront)]
"""The key of a storefront."""
NoKey = Depends(_no_key)
"""For a route that would not heed it."""


def replayed(shop: Engine, key: str | None) -> dict[str, str]:
    """The headers by which a client learns that its key was answered before: then nothing is done again."""
    known: IdempotencyKey | None = None if key is None else shop.find_idempotency_key(key)
    return {"Idempotent-Replayed": "true"} if known is not None and known.is_answered else {}
