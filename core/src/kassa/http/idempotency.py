"""``Idempotency-Key``: the client's name for one request, which has one effect however often it comes."""

from typing import Annotated

from fastapi import Header

from kassa.answers import IdempotencyKey
from kassa.engine import Engine

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern="^[ -~]+$",
        description="The same request under the same key has one effect, and the same answer; another one is refused.",
    ),
]


def replayed(shop: Engine, key: str | None) -> dict[str, str]:
    """The headers by which a client learns that its key was answered before: then nothing is done again."""
    known: IdempotencyKey | None = None if key is None else shop.find_idempotency_key(key)
    return {"Idempotent-Replayed": "true"} if known is not None and known.is_answered else {}
