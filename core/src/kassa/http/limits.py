"""How often one may try: sessions, completions and declines are counted for each cart and each address.

Counted in the memory of this process, by the configuration of this moment.  Behind a proxy, an address is what the proxy
says in ``X-Forwarded-For``, where uvicorn is told to believe it (``FORWARDED_ALLOW_IPS``).
"""

import ipaddress
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from fastapi import Depends
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.requests import Request

from kassa.config import LimitSettings
from kassa.errors import PaymentDeclined
from kassa.http.access import Storefront
from kassa.http.errors import TooManyRequests
from kassa.world import LONGEST_CART_ID

IPV6_OF_ONE = 64
"""Bits: whoever has one address of the newer kind has this many of them."""


class Tries:
    """What was tried lately.  One for each application; safe to share between threads."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._limiter = FixedWindowRateLimiter(self._storage)

    def count(self, limit: str, *key: str) -> None:
        """One more.  Raises TooManyRequests, and then it does not count."""
        if limit and not self._limiter.hit(_parsed(limit), *key):
            self.take_back(limit, *key)
            raise self._too_many(limit, key)

    def note(self, limit: str, *key: str) -> None:
        """One more, which has happened already."""
        if limit:
            self._limiter.hit(_parsed(limit), *key)

    def require_room(self, limit: str, *key: str) -> None:
        """Raises TooManyRequests where there is none left."""
        if limit and not self._limiter.test(_parsed(limit), *key):
            raise self._too_many(limit, key)

    def take_back(self, limit: str, *key: str) -> None:
        """One less: it was counted, and was none."""
        if limit:
            item = _parsed(limit)
            self._storage.incr(item.key_for(*key), item.get_expiry(), amount=-1)

    def _too_many(self, limit: str, key: tuple[str, ...]) -> TooManyRequests:
        reset_at = self._limiter.get_window_stats(_parsed(limit), *key).reset_time
        seconds = max(1, math.ceil(reset_at - time.time()))
        return TooManyRequests(f"{key[0]}: {limit} and no more; try again in {seconds} seconds", seconds)


@dataclass(slots=True)
class Attempt:
    """How it ended."""

    is_declined: bool = False


class Allowance:
    """Who asks, and how often they may."""

    def __init__(self, tries: Tries, limits: LimitSettings, store_id: str, address: str) -> None:
        self._tries = tries
        self._limits = limits
        self._store_id = store_id
        self._address = address

    def begins_session(self, payment_collection_id: str) -> None:
        """A session is to be created.  Raises TooManyRequests."""
        self._tries.count(self._limits.sessions_per_address, "sessions of this address", self._address)
        mine = self._of("sessions of this cart", payment_collection_id)
        self._tries.count(self._limits.sessions_per_cart, *mine)

    def completes(self, cart_id: str) -> None:
        """A cart is to be completed.  Raises TooManyRequests."""
        self._tries.count(self._limits.completions_per_cart, *self._of("completions of this cart", cart_id))

    @contextmanager
    def trying(self, thing_id: str, names: Callable[[], Iterable[str]]) -> "Iterator[Attempt]":
        """Something that may end in a decline; ``names`` are all under which that counts.  Raises TooManyRequests.

        For the address it is counted beforehand, so that many at once are no more than many after each other, and taken
        back where it was not declined.  A cart is paid by one at a time anyway.
        """
        limits, attempt = self._limits, Attempt()
        of_address = ("declines of this address", self._address)
        self._tries.require_room(limits.declines_per_cart, *self._of("declines of this cart", thing_id))
        self._tries.count(limits.declines_per_address, *of_address)
        try:
            yield attempt
        except PaymentDeclined:
            attempt.is_declined = True
            raise
        finally:
            if attempt.is_declined:
                for name in {thing_id, *names()}:
                    self._tries.note(limits.declines_per_cart, *self._of("declines of this cart", name))
            else:
                self._tries.take_back(limits.declines_per_address, *of_address)

    def _of(self, what: str, thing_id: str) -> tuple[str, str, str]:
        """What is counted of one cart, collection or session; no longer than an id, however long what was sent is."""
        return what, self._store_id, thing_id[:LONGEST_CART_ID]


async def _allowance(request: Request, shop: Storefront) -> Allowance:
    tries: Tries = request.app.state.tries
    return Allowance(tries, shop.limits, shop.store_id, _address(request))


Allowed = Annotated[Allowance, Depends(_allowance)]
"""Who asks a store route, and how often they may."""


def _address(request: Request) -> str:
    host = "" if request.client is None else request.client.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_OF_ONE), strict=False))
    return str(address)


@lru_cache(maxsize=256)
def _parsed(limit: str) -> RateLimitItem:
    return parse(limit)
