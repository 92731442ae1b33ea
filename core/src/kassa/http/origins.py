"""Where storefronts are: from which pages a browser may ask, and to which a shopper may be sent back."""

from contextlib import suppress
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from kassa.engine import Engine
from kassa.errors import InvalidData
from kassa.http.access import PUBLISHABLE_KEY_HEADER
from kassa.http.mounting import path_within

_STORE = "/store/"
EXPOSED = ["Idempotent-Replayed", "Retry-After", "X-Request-Id"]


class StorefrontOrigins(CORSMiddleware):
    """Lets the browsers of the configured storefronts ask the store routes, and no others anything."""

    def __init__(self, app: ASGIApp, engine: Engine) -> None:
        headers = [PUBLISHABLE_KEY_HEADER, "content-type", "idempotency-key", "x-medusa-locale"]
        super().__init__(app, allow_methods=["GET", "POST", "DELETE"], allow_headers=headers, expose_headers=EXPOSED)
        self._engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""
        if scope["type"] == "http" and path_within(scope).startswith(_STORE):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def is_allowed_origin(self, origin: str) -> bool:
        """By the configuration of this moment."""
        return origin in self._engine.storefronts


def require_storefront(engine: Engine, field: str, url: object) -> str:
    """The URL, if it leads to a page of a configured storefront.  Raises InvalidData."""
    if isinstance(url, str) and url.isprintable() and " " not in url and "\\" not in url:
        with suppress(ValueError):  # an address that there cannot be
            parts = urlsplit(url)
            if f"{parts.scheme}://{parts.netloc}" in engine.storefronts:
                return url
    raise InvalidData(field, "expected a URL of one of the storefronts; see [http] storefronts in the configuration")
