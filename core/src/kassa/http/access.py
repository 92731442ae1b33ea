"""Who asks: the publishable key of a storefront, or the secret key of a backend, gives the engine of its store."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends
from fastapi.security import APIKeyHeader, HTTPBasic, HTTPBasicCredentials
from starlette.requests import Request

from kassa.engine import Engine
from kassa.http.errors import Forbidden, Unauthorized
from kassa.model import ApiKeyKind, Scope

PUBLISHABLE_KEY_HEADER = "x-publishable-api-key"

_header = APIKeyHeader(
    name=PUBLISHABLE_KEY_HEADER, scheme_name="publishable key", description="`kassa keys create`", auto_error=False
)


async def engine_of(request: Request) -> Engine:
    """The engine that the application was made with."""
    engine: Engine = request.app.state.engine
    return engine


def _storefront(
    engine: Annotated[Engine, Depends(engine_of)], token: Annotated[str | None, Depends(_header)] = None
) -> Engine:
    key = engine.recognize_api_key(ApiKeyKind.PUBLISHABLE, token or "")
    if key is None:
        raise Unauthorized(f"{PUBLISHABLE_KEY_HEADER}: expected a publishable key in force; see `kassa keys`")
    return engine.for_store(key.store_id)


Storefront = Annotated[Engine, Depends(_storefront)]
"""The engine of the store whose publishable key was sent."""

_basic = HTTPBasic(
    scheme_name="secret key",
    description="The key as the user name, without a password: `kassa keys create --scope …`",
    auto_error=False,
)


def _backend(scope: Scope) -> Callable[..., Engine]:
    def opened(
        engine: Annotated[Engine, Depends(engine_of)],
        given: Annotated[HTTPBasicCredentials | None, Depends(_basic)] = None,
    ) -> Engine:
        key = engine.recognize_api_key(ApiKeyKind.SECRET, given.username if given else "")
        if key is None:
            raise Unauthorized("expected a secret key in force as the user name of HTTP Basic; see `kassa keys`")
        if not {scope, Scope.ADMIN} & set(key.scopes):
            raise Forbidden(f"this key opens {', '.join(key.scopes)}, and not {scope}; see `kassa keys create`")
        return engine.for_store(key.store_id)

    return opened


Reader = Annotated[Engine, Depends(_backend(Scope.READ))]
"""The engine of the store whose secret key was sent, for who may look."""
Capturer = Annotated[Engine, Depends(_backend(Scope.CAPTURE))]
"""The same, for who may take money, and give up what was not taken."""
Refunder = Annotated[Engine, Depends(_backend(Scope.REFUND))]
"""The same, for who may give money back."""
Administrator = Annotated[Engine, Depends(_backend(Scope.ADMIN))]
"""The same, for who may do everything."""
