"""The verbs of API keys: who may ask the HTTP server, for which store, and for what.

A publishable key stands in a storefront's pages and says which store is meant; a secret key is a backend's, and opens what
its scopes say.  A secret is shown once, and only its hash is kept: of 256 random bits a plain hash tells nothing.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from kassa.errors import InvalidData, NotFound
from kassa.ids import Kind, new_id, require_kind
from kassa.model import ApiKey, ApiKeyKind, Scope
from kassa.store import api_keys, events
from kassa.world import World
from kassa_sdk import JsonObject

_PREFIX = {ApiKeyKind.PUBLISHABLE: "pk_", ApiKeyKind.SECRET: "sk_"}
_SHOWN = 4
"""How many characters at the end of a secret its list shows, so that two can be told apart."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key that was just made, with what the client sends: nobody can read ``token`` again if it is secret."""

    key: ApiKey
    token: str = field(repr=False)


def issue(world: World, kind: ApiKeyKind, title: str, scopes: Iterable[Scope] = ()) -> IssuedKey:
    """Make a key for this store.  Raises InvalidData."""
    given = tuple(scope for scope in Scope if scope in set(scopes))
    if not title.strip():
        raise InvalidData("title", "expected some words that tell whose key it is")
    if (kind is ApiKeyKind.SECRET) is not bool(given):
        expected = (
            f"some of {', '.join(Scope)}"
            if kind is ApiKeyKind.SECRET
            else "none: a publishable key opens only the shop"
        )
        raise InvalidData("scopes", f"expected {expected}")
    token = _PREFIX[kind] + secrets.token_hex(32)
    shown = token if kind is ApiKeyKind.PUBLISHABLE else f"{_PREFIX[kind]}…{token[-_SHOWN:]}"
    key = ApiKey(
        id=new_id(Kind.API_KEY),
        store_id=world.store_id,
        kind=kind,
        title=title.strip(),
        shown=shown,
        scopes=given,
        created_at=world.clock(),
    )

    def add(connection: Connection) -> None:
        api_keys.add(connection, key, _hash(token))
        _tell(world, connection, key, "created")

    world.database.transact(add)
    return IssuedKey(key, token)


def recognized(world: World, kind: ApiKeyKind, token: str) -> ApiKey | None:
    """The key that a client sends, of whichever store; None where it opens nothing."""
    if not token.startswith(_PREFIX[kind]):
        return None
    key = world.database.read(lambda connection: api_keys.in_force(connection, _hash(token)))
    return key if key is not None and key.kind is kind else None


def page(world: World, limit: int, offset: int) -> tuple[ApiKey, ...]:
    """A page of the store's keys: those in force first, the newest first."""
    return world.database.read(lambda connection: api_keys.page(connection, world.store_id, limit, offset))


def revoke(world: World, key_id: str) -> ApiKey:
    """The key opens nothing any more, from the next request on.  Raises InvalidData, NotFound."""
    require_kind(Kind.API_KEY, key_id, "key_id")

    def turn(connection: Connection) -> ApiKey:
        key = _required(connection, world.store_id, key_id)
        if key.revoked_at is None:
            api_keys.revoke(connection, key, world.clock())
            _tell(world, connection, key, "revoked")
        return _required(connection, world.store_id, key_id)

    return world.database.transact(turn)


def _required(connection: Connection, store_id: str, key_id: str) -> ApiKey:
    key = api_keys.find(connection, store_id, key_id)
    if key is None:
        raise NotFound(f"there is no API key {key_id} in this store; see `kassa keys`")
    return key


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _tell(world: World, connection: Connection, key: ApiKey, what: str) -> None:
    data: JsonObject = {"kind": key.kind.value, "title": key.title, "scopes": [scope.value for scope in key.scopes]}
    events.append(connection, world.store_id, None, f"kassa.api_key.{what}", key.id, world.clock(), data)
