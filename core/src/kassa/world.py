"""What every verb works with: the database, the providers, the regions, the carts, the clock, and whose store it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection

from kassa.config import HttpSettings
from kassa.errors import InternalError, InvalidData, NotFound
from kassa.extensions import Extensions, with_reasons
from kassa.model import ProviderSwitch
from kassa.providers import Providers
from kassa.regions import Circumstances, Region, Verdict, judge
from kassa.rests import Rests
from kassa.scrubbing import Scrubber
from kassa.store.database import Database
from kassa.subscribers import Subscriber
from kassa.watching import Watcher
from kassa_sdk import CartDriver, CartSnapshot

LONGEST_CART_ID = 255


def utc_now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


def require_cart_id(cart_id: str) -> None:
    """Raises InvalidData for what cannot be the id of a cart, whoever keeps it."""
    if not cart_id or len(cart_id) > LONGEST_CART_ID or not (cart_id.isascii() and cart_id.isprintable()):
        raise InvalidData("cart_id", f"expected 1 to {LONGEST_CART_ID} printable characters of ASCII")


@dataclass(frozen=True, slots=True)
class World:
    """The surroundings of one store's verbs.  Immutable, shared between threads."""

    database: Database
    providers: Providers
    regions: Mapping[str, Region]
    carts: CartDriver
    clock: Callable[[], datetime] = utc_now
    store_id: str = "default"
    extensions: Extensions = field(default_factory=dict)
    subscribers: Mapping[str, Subscriber] = field(default_factory=dict)
    http: HttpSettings = field(default_factory=HttpSettings)
    rests: Rests = field(default_factory=Rests)
    watchers: tuple[Watcher, ...] = ()

    @property
    def scrubber(self) -> Scrubber:
        """Takes every secret of the configuration out of a text."""
        database = Scrubber([str(self.database.engine.url.password or "")])
        providers = (provider.scrubber for provider in self.providers.values())
        extensions = (extension.scrubber for extension in self.extensions.values())
        subscribers = (subscriber.scrubber for subscriber in self.subscribers.values())
        return Scrubber.of_all([database, *providers, *extensions, *subscribers])

    def region(self, region_id: str) -> Region:
        """Raises NotFound, which lists the regions there are."""
        region = self.regions.get(region_id)
        if region is None:
            known = ", ".join(sorted(self.regions)) or "none"
            raise NotFound(f"region_id: {region_id!r} is not configured; there are {known}")
        return region

    def verdicts(
        self, region: Region, circumstances: Circumstances, switches: Sequence[ProviderSwitch]
    ) -> tuple[Verdict, ...]:
        """The verdict on each provider that the region enables, in its order."""
        return tuple(self._verdict(region, provider_id, circumstances, switches) for provider_id in region.provider_ids)

    def _verdict(
        self, region: Region, provider_id: str, circumstances: Circumstances, switches: Sequence[ProviderSwitch]
    ) -> Verdict:
        verdict = judge(region, provider_id, self.providers[provider_id].manifest, circumstances, switches)
        return with_reasons(self.extensions, self.store_id, region, verdict, circumstances)

    def cart(self, cart_id: str, connection: Connection) -> CartSnapshot:
        """The cart as its driver tells it, read in this transaction where the driver can.  Raises InvalidData, NotFound."""
        require_cart_id(cart_id)
        snapshot = self.carts.load(self.store_id, cart_id, connection if self.carts.shares_database else None)
        if snapshot is None:
            raise NotFound(f"there is no cart {cart_id[:60]} in this store")
        currency = self.region(snapshot.region_id).currency
        if snapshot.id != cart_id or snapshot.total.currency != currency:
            raise InternalError(
                f"the cart driver answered for cart {cart_id} with cart {snapshot.id} in {snapshot.total.currency}; "
                f"region {snapshot.region_id} is in {currency}"
            )
        return snapshot
