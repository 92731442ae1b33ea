"""The engine: every verb of the payment flow, for one store.  Each one says what it promises; the work is done beside it.

cart → payment collection → payment session → complete cart → capture, refund, cancel
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from kassa import (
    api_keys,
    arguments,
    authorization,
    carts,
    cases,
    checkout,
    embedded_carts,
    idempotency,
    notices,
    outbox,
    paid_elsewhere,
    payment_collections,
    reconciliation,
    recovery,
    refund_reasons,
    reloading,
    sessions,
    settlement,
    switches,
    worker,
)
from kassa.answers import IdempotencyKey
from kassa.api_keys import IssuedKey
from kassa.calls import ProviderHealth
from kassa.checkout import Completion
from kassa.config import LimitSettings
from kassa.model import (
    ApiKey,
    ApiKeyKind,
    Cart,
    Case,
    CaseStatus,
    Delivery,
    Event,
    Operation,
    Order,
    Payment,
    PaymentCollection,
    PaymentLedger,
    PaymentSession,
    ProviderSwitch,
    ReceivedNotice,
    Reconciliation,
    RefundReason,
    Scope,
    Waiting,
)
from kassa.providers import Providers
from kassa.regions import Circumstances, Region, Verdict
from kassa.reloading import CurrentWorld
from kassa.scrubbing import Scrubber
from kassa.store import backlog as stored_backlog
from kassa.store import cases as stored_cases
from kassa.store import collections, events, idempotency_keys, operations, payment_search, payments, schema
from kassa.store import notices as stored_notices
from kassa.store import reconciliations as stored_reconciliations
from kassa.store import refund_reasons as stored_reasons
from kassa.store import switches as stored_switches
from kassa.store.payment_search import PaymentSearch
from kassa.transitions import DeliveryStatus, NoticeStatus
from kassa.worker import Worked
from kassa.world import World
from kassa_sdk import CartSnapshot, JsonObject, Money, RawNotice, Shopper


class Engine:
    """Takes payments for one store.  Synchronous, safe to share between threads.

    Made by ``kassa.open``.  Every verb may raise CallerError (it cannot be done as asked, nothing was changed); those that
    call a provider also PaymentDeclined and ProviderUnavailable (definitively nothing was taken) and StillProcessing
    (nobody knows yet).  Asking again is safe: what is not known yet is not begun a second time.  A capture or refund that
    may be asked for again later still, when it is known, is given an ``idempotency_key``.

    A verb that takes an ``idempotency_key`` has one effect for each key: the same request under the same key, whenever it
    comes, gets the same answer, another one KeyReused.  Without a key, each call is a request of its own.
    """

    def __init__(self, current: CurrentWorld, store_id: str = "default") -> None:
        self._current = current
        self._store_id = store_id

    def for_store(self, store_id: str) -> "Engine":
        """The same engine for another store (tenant); neither sees anything of the other."""
        return Engine(self._current, arguments.store_id(store_id))

    @property
    def store_id(self) -> str:
        """Whose payments these are."""
        return self._store_id

    def close(self) -> None:
        """Close the connections to the database.  What a provider answers late is dropped; recovery finds it out."""
        self._world.providers.close()
        self._world.database.dispose()

    @property
    def _world(self) -> World:
        """The world of this moment: a verb asks once, because a reload may replace it at any moment."""
        return self._current.of_store(self._store_id)

    # The configuration

    def reload(self) -> None:
        """Read the configuration file again, for the engines of every store; calls that are under way end as they began.

        Providers whose settings and secrets are the same stay as they are.  Raises ConfigurationError, which lists every
        mistake, also a database that is another one: then nothing changes.
        """
        self._current.reload()

    def reload_if_asked(self) -> bool:
        """Reload where somebody has asked every process to (``kassa reload``).  Returns whether it was done.

        Costs one small query; for a loop beside ``work``.  Raises as ``reload``; a request is heeded once.
        """
        return self._current.reload_if_asked()

    def request_reload(self, who: str) -> None:
        """Ask every running process to read its configuration again."""
        reloading.request(self._world, arguments.text("who", who))

    # Regions and providers

    @property
    def regions(self) -> tuple[Region, ...]:
        """The configured regions."""
        return tuple(self._world.regions.values())

    def retrieve_region(self, region_id: str) -> Region:
        """The region."""
        return self._world.region(region_id)

    @property
    def storefronts(self) -> frozenset[str]:
        """The origins of the pages of storefronts: browsers may ask from there, and shoppers be sent back to there."""
        return frozenset(self._world.http.storefronts)

    @property
    def limits(self) -> LimitSettings:
        """How often one may try at the HTTP server."""
        return self._world.http.limits

    @property
    def providers(self) -> Providers:
        """The configured providers, by id."""
        return self._world.providers

    @property
    def scrubber(self) -> Scrubber:
        """Takes every secret of the configuration, and whatever looks like the number of a card, out of a text."""
        return self._world.scrubber

    def require_database(self) -> None:
        """Raises StoreUnavailable where the database does not answer, or has another schema than this release needs."""
        self._world.database.read(schema.require_current)

    def provider_health(self) -> tuple[ProviderHealth, ...]:
        """How each configured provider has answered this process lately."""
        return tuple(provider.health for provider in self._world.providers.values())

    def explain_providers(self, region_id: str, circumstances: Circumstances | None = None) -> tuple[Verdict, ...]:
        """The verdict on each provider that the region enables, in its order, with every reason against it."""
        world = self._world
        region = world.region(region_id)
        in_force = world.database.read(stored_switches.in_force)
        return world.verdicts(region, circumstances or Circumstances(), in_force)

    def list_payment_providers(self, region_id: str, circumstances: Circumstances | None = None) -> tuple[str, ...]:
        """The ids of the providers that the region offers, in its order."""
        return tuple(
            verdict.provider_id for verdict in self.explain_providers(region_id, circumstances) if verdict.is_offered
        )

    # Switching a provider off

    def switch_provider_off(
        self, provider_id: str, region_id: str | None = None, *, who: str, why: str
    ) -> ProviderSwitch:
        """Offer a provider no more, at once, for every store and process: in one region, or everywhere.

        Once this has returned, no new session with it begins.  Sessions and payments that exist go on as before.
        """
        turn = switches.Turn(
            provider_id=provider_id, region_id=region_id, who=arguments.text("who", who), why=arguments.text("why", why)
        )
        return switches.switch_off(self._world, turn)

    def switch_provider_on(
        self, provider_id: str, region_id: str | None = None, *, who: str, why: str
    ) -> ProviderSwitch:
        """Undo ``switch_provider_off`` for the same region, or for everywhere; the switch is kept with who, when and why."""
        turn = switches.Turn(
            provider_id=provider_id, region_id=region_id, who=arguments.text("who", who), why=arguments.text("why", why)
        )
        return switches.switch_on(self._world, turn)

    def list_provider_switches(self, *, limit: int = 50, offset: int = 0) -> tuple[ProviderSwitch, ...]:
        """A page of the switches of all stores: what is off first, then what was, newest first."""
        arguments.require_page(limit, offset)
        return switches.page(self._world, limit, offset)

    # Who may ask the HTTP server

    def create_publishable_key(self, title: str) -> IssuedKey:
        """Make a key for the pages of a storefront of this store."""
        return api_keys.issue(self._world, ApiKeyKind.PUBLISHABLE, arguments.text("title", title))

    def create_secret_key(self, title: str, scopes: Sequence[Scope]) -> IssuedKey:
        """Make a key for a backend, which opens what its scopes say; the secret is in the answer, and nowhere else."""
        return api_keys.issue(self._world, ApiKeyKind.SECRET, arguments.text("title", title), scopes)

    def list_api_keys(self, *, limit: int = 50, offset: int = 0) -> tuple[ApiKey, ...]:
        """A page of the store's keys: those in force first, the newest first."""
        arguments.require_page(limit, offset)
        return api_keys.page(self._world, limit, offset)

    def revoke_api_key(self, key_id: str) -> ApiKey:
        """The key opens nothing any more, from the next request on."""
        return api_keys.revoke(self._world, key_id)

    def recognize_api_key(self, kind: ApiKeyKind, token: str) -> ApiKey | None:
        """The key that a client sends, of whichever store (``for_store`` gives its engine); None where it opens nothing."""
        return api_keys.recognized(self._world, kind, token)

    # Carts of the embedded driver

    def create_cart(
        self,
        region_id: str,
        items: Sequence[carts.NewItem],
        shopper: Shopper | None = None,
        metadata: JsonObject | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Cart:
        """Create a cart in a region; prices are in the region's currency, and come from the shop's side.

        Its lines are the shop's from then on: ``replace_cart_items``.  ``metadata`` is the shop's own: it is kept, and never
        looked into.
        """
        world, who, noted = self._world, arguments.shopper(shopper), arguments.json_object("metadata", metadata)
        embedded_carts.of(world.carts)
        asked = idempotency.client_request(
            idempotency_key, "create_cart", region_id=region_id, items=tuple(items), shopper=who, metadata=noted or None
        )

        def create(connection: Connection) -> Cart:
            region = world.region(region_id)
            return carts.create(connection, carts.empty(world.store_id, region, who, noted, world.clock()), items)

        return idempotency.create_once(world, asked, create, carts.required)

    def create_catalogue_cart(
        self,
        region_id: str,
        wanted: Sequence[carts.Wanted] = (),
        shopper: Shopper | None = None,
        metadata: JsonObject | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Cart:
        """Create a cart that a shopper fills, at the prices of the catalogue; with ``metadata`` as in ``create_cart``."""
        world, who, noted = self._world, arguments.shopper(shopper), arguments.json_object("metadata", metadata)
        shelf = embedded_carts.of(world.carts)
        # Without prices: the same wish gets the same cart, also where they have changed since.
        asked = idempotency.client_request(
            idempotency_key,
            "create_catalogue_cart",
            region_id=region_id,
            wanted=tuple(wanted),
            shopper=who,
            metadata=noted or None,
        )

        def create(connection: Connection) -> Cart:
            region = world.region(region_id)
            items = [
                shelf.priced(f"items[{index}].variant_id", each, region.currency) for index, each in enumerate(wanted)
            ]
            new = carts.empty(world.store_id, region, who, noted, world.clock(), is_of_catalogue=True)
            return carts.create(connection, new, items)

        return idempotency.create_once(world, asked, create, carts.required)

    @property
    def catalogue(self) -> Mapping[str, embedded_carts.Variant]:
        """What shoppers may put into carts of kassa's own, by the ids of the variants."""
        return embedded_carts.of(self._world.carts).variants

    def replace_cart_items(self, cart_id: str, items: Sequence[carts.NewItem]) -> Cart:
        """Give a cart other items, the shop's; refused once it is ordered, or while a payment for it is under way."""
        return self._change_cart(
            cart_id, lambda cart: carts.with_items(cart, items).model_copy(update={"is_of_catalogue": False})
        )

    def add_to_cart(self, cart_id: str, wanted: carts.Wanted) -> Cart:
        """Put so many more of a variant into a cart of the catalogue, at its price; refused as ``replace_cart_items``."""
        shelf = embedded_carts.of(self._world.carts)

        def changed(cart: Cart) -> Cart:
            carts.require_of_catalogue(cart)
            return carts.with_one_more(cart, shelf.priced("variant_id", wanted, cart.total.currency))

        return self._change_cart(cart_id, changed)

    def set_cart_quantity(self, cart_id: str, line_item_id: str, quantity: int) -> Cart:
        """Have so many of one line in a cart of the catalogue, 0 for none of it; refused as ``replace_cart_items``."""

        def changed(cart: Cart) -> Cart:
            carts.require_of_catalogue(cart)
            return carts.with_quantity(cart, line_item_id, quantity)

        return self._change_cart(cart_id, changed)

    def update_cart(self, cart_id: str, changes: carts.CartChanges) -> Cart:
        """Note who buys, and where; but for ``metadata``, refused as ``replace_cart_items``.

        Another region prices a cart of the catalogue anew, and is refused for others.
        """
        world = self._world
        arguments.json_object("metadata", changes.metadata)
        region = world.region(changes.region_id) if "region_id" in changes.model_fields_set else None

        def changed(cart: Cart) -> Cart:
            known = carts.with_changes(cart, changes)
            arguments.shopper(known.shopper)
            if region is None or region.id == cart.region_id:
                return known
            return carts.in_region(known, region.id, region.currency, embedded_carts.of(world.carts).priced)

        return self._change_cart(cart_id, changed)

    def _change_cart(self, cart_id: str, changed: Callable[[Cart], Cart]) -> Cart:
        world = self._world
        embedded_carts.of(world.carts)
        return world.database.transact(lambda c: carts.change(c, world.store_id, cart_id, world.clock(), changed))

    @property
    def keeps_carts(self) -> bool:
        """Whether carts and orders are kassa's own; otherwise a driver of the shop's tells of them."""
        return embedded_carts.is_embedded(self._world.carts)

    def snapshot_cart(self, cart_id: str) -> CartSnapshot:
        """What is to be paid for a cart at this moment, whoever keeps it."""
        world = self._world
        return world.database.read(lambda connection: world.cart(cart_id, connection))

    def retrieve_cart(self, cart_id: str) -> Cart:
        """The cart, where kassa keeps it."""
        world = self._world
        embedded_carts.of(world.carts)
        return world.database.read(lambda c: carts.required(c, world.store_id, cart_id))

    def retrieve_order(self, order_id: str) -> Order:
        """The order."""
        world = self._world
        return world.database.read(lambda c: carts.required_order(c, world.store_id, order_id))

    def list_orders(self, *, limit: int = 50, offset: int = 0) -> tuple[Order, ...]:
        """A page of the orders, newest first."""
        arguments.require_page(limit, offset)
        world = self._world
        return world.database.read(lambda c: carts.newest_orders(c, world.store_id, limit, offset))

    # Paying a cart

    def create_payment_collection(self, cart_id: str) -> PaymentCollection:
        """Get or create the payment collection of a cart: one a cart, its amount always the cart's total."""
        return payment_collections.create(self._world, cart_id)

    def create_custom_payment_collection(
        self, region_id: str, amount: Money, *, idempotency_key: str | None = None
    ) -> PaymentCollection:
        """Create a payment collection for an amount that no cart stands behind: a deposit, an invoice, a top-up.

        Pay it with ``create_payment_session`` and ``authorize_payment_session``.
        """
        asked = idempotency.client_request(
            idempotency_key, "create_custom_payment_collection", region_id=region_id, amount=amount
        )
        return payment_collections.create_custom(self._world, region_id, amount, asked)

    def create_payment_collection_for_order(
        self, order_id: str, amount: Money, *, idempotency_key: str | None = None
    ) -> PaymentCollection:
        """Create a payment collection for what is owed for an order beyond what has paid it: a dearer exchange, shipping."""
        asked = idempotency.client_request(
            idempotency_key, "create_payment_collection_for_order", order_id=order_id, amount=amount
        )
        return payment_collections.create_for_order(self._world, order_id, amount, asked)

    def payment_collection_of_order(self, order_id: str) -> PaymentCollection:
        """The collection that has paid an order."""
        world = self._world
        return world.database.read(lambda c: payment_collections.of_order(world, c, order_id))

    def delete_payment_collection(self, payment_collection_id: str) -> None:
        """Give up what no cart stands behind; refused where anything of it was begun to be paid, and not given up."""
        payment_collections.delete(self._world, payment_collection_id)

    def mark_as_paid(self, payment_collection_id: str, provider_id: str) -> Payment:
        """Note that all of a collection without a cart was paid another way: a payment with this provider, captured whole.

        However often it is asked, and by how many at once, it is taken once.
        """
        return paid_elsewhere.mark_as_paid(self._world, payment_collection_id, provider_id)

    def find_payment_collection(self, cart_id: str) -> PaymentCollection | None:
        """The payment collection of a cart, if it has one."""
        world = self._world
        return world.database.read(lambda c: collections.find_by_cart(c, world.store_id, cart_id))

    def retrieve_payment_collection(self, payment_collection_id: str) -> PaymentCollection:
        """The collection with its sessions and payments."""
        world = self._world
        return world.database.read(lambda c: collections.load(c, world.store_id, payment_collection_id))

    def create_payment_session(
        self,
        payment_collection_id: str,
        provider_id: str,
        data: JsonObject | None = None,
        shopper: Shopper | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> PaymentSession:
        """Create the collection's session with a provider of its region, and prepare it at the provider.

        ``data`` goes to the provider's ``initiate`` as it is; ``shopper`` is for collections without a cart, but for its
        ``return_url``: that is where this session leads back to, whatever the cart says.  The same
        request again gets the same session; another one replaces it, after the provider has confirmed that the first is
        closed.
        """
        world = self._world
        provider = world.providers.find(provider_id)
        going, who = arguments.json_object("data", data), arguments.shopper(shopper)
        asked = idempotency.client_request(
            idempotency_key,
            "create_payment_session",
            payment_collection_id=payment_collection_id,
            provider_id=provider.id,
            data=going,
            shopper=who,
        )
        wish = sessions.Wish(provider, going, who, asked=asked)
        return sessions.create(world, payment_collection_id, wish)

    def plan_payment_sessions(
        self,
        payment_collection_id: str,
        planned: Sequence[sessions.PlannedSession],
        shopper: Shopper | None = None,
    ) -> PaymentCollection:
        """Split the payment over several sessions, whose parts come to just what is owed: a gift card, then a card.

        They are prepared, and authorized later, in this order.  The same plan again changes nothing; another one replaces
        what differs from it, where nothing is authorized yet.
        """
        return sessions.plan(self._world, payment_collection_id, planned, arguments.shopper(shopper))

    def retrieve_payment_session(self, payment_session_id: str) -> PaymentSession:
        """The session as it stands; asks no provider and repairs nothing."""
        return sessions.load(self._world, payment_session_id)

    def update_payment_session(self, payment_session_id: str) -> PaymentSession:
        """Bring an open session to the amount that is owed now.

        A provider that cannot change a session gets a new one: mind the id of the session that is returned.
        """
        return sessions.update(self._world, payment_session_id)

    def delete_payment_session(self, payment_session_id: str) -> None:
        """Close a session that is not authorized; returns once the provider has confirmed it."""
        sessions.delete(self._world, payment_session_id)

    def authorize_payment_session(self, payment_session_id: str) -> PaymentSession:
        """Authorize a session: afterwards it is authorized, requires more (see its action) or is pending.

        ``complete_cart`` does this by itself; custom flows without a cart call it.
        """
        return authorization.authorize(self._world, payment_session_id).session

    def answer_action(self, payment_session_id: str, answer: JsonObject | None = None) -> PaymentSession:
        """The shopper answered the session's action, or came back from it: ask the provider how it went."""
        going = arguments.json_object("answer", answer)
        return authorization.authorize(self._world, payment_session_id, going).session

    def complete_cart(self, cart_id: str) -> Completion:
        """Authorize the cart's sessions, in order, and place its order, exactly once.

        Ask as often as you like: a completed cart answers with the same order, one that waits for the shopper with the
        action, one whose payment is under way with Processing.  Where one of several sessions is declined, those that this
        call has authorized are given back: plan the sessions again.
        """
        return checkout.complete(self._world, cart_id)

    # After the order

    def capture_payment(
        self, payment_id: str, amount: Money | None = None, *, idempotency_key: str | None = None
    ) -> Payment:
        """Take money that is authorized: ``amount``, or all that is left."""
        asked = idempotency.client_request(idempotency_key, "capture_payment", payment_id=payment_id, amount=amount)
        return settlement.capture(self._world, payment_id, amount, asked)

    def refund_payment(
        self,
        payment_id: str,
        amount: Money | None = None,
        reason: str | None = None,
        *,
        refund_reason_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Payment:
        """Give captured money back: ``amount``, or all that is left.

        ``reason`` is what somebody writes at this refund; ``refund_reason_id`` one of the shop's own list.

        A refund that the provider takes its time for stays in ``Payment.refunding`` until it is settled.
        """
        why = None if reason is None else arguments.text("reason", reason)
        asked = idempotency.client_request(
            idempotency_key,
            "refund_payment",
            payment_id=payment_id,
            amount=amount,
            reason=why,
            refund_reason_id=refund_reason_id,
        )
        return settlement.refund(self._world, payment_id, amount, settlement.Why(why, refund_reason_id), asked)

    def cancel_payment(self, payment_id: str, *, idempotency_key: str | None = None) -> Payment:
        """Give up what was not captured; refused while a capture is in doubt."""
        asked = idempotency.client_request(idempotency_key, "cancel_payment", payment_id=payment_id)
        return settlement.cancel(self._world, payment_id, asked)

    def find_idempotency_key(self, idempotency_key: str) -> IdempotencyKey | None:
        """For what a key was used in this store, and whether it is answered; None while it is free."""
        idempotency.require_key(idempotency_key)
        return self._world.database.read(lambda c: idempotency_keys.find(c, self._world.store_id, idempotency_key))

    def retrieve_payment(self, payment_id: str) -> PaymentLedger:
        """The payment with all its captures and refunds."""
        world = self._world
        return world.database.read(lambda c: payments.ledger(c, payments.load(c, world.store_id, payment_id)))

    def list_payments(self, *, limit: int = 50, offset: int = 0) -> tuple[Payment, ...]:
        """A page of the payments, newest first."""
        arguments.require_page(limit, offset)
        world = self._world
        return world.database.read(lambda c: payments.newest(c, world.store_id, limit, offset))

    def search_payments(
        self, wanted: PaymentSearch, *, limit: int = 50, offset: int = 0
    ) -> tuple[tuple[PaymentLedger, ...], int]:
        """A page of the payments that fit, with their captures and refunds; and how many fit at all."""
        arguments.require_page(limit, offset)
        world = self._world

        def look(connection: Connection) -> tuple[tuple[PaymentLedger, ...], int]:
            found, count = payment_search.search(connection, world.store_id, wanted, limit, offset)
            return payments.ledgers(connection, found), count

        return world.database.read(look)

    # Why money is given back

    def create_refund_reason(self, code: str, label: str, description: str | None = None) -> RefundReason:
        """Add a reason to the shop's list; its code is its own."""
        said = None if description is None else arguments.text("description", description)
        return refund_reasons.create(self._world, arguments.text("code", code), arguments.text("label", label), said)

    def update_refund_reason(self, refund_reason_id: str, changes: refund_reasons.ReasonChanges) -> RefundReason:
        """Change a reason, for the refunds that have it as well."""
        for field, value in changes.model_dump(exclude_none=True).items():
            arguments.text(field, value)
        return refund_reasons.update(self._world, refund_reason_id, changes)

    def delete_refund_reason(self, refund_reason_id: str) -> None:
        """Take a reason from the list; refunds that have it go on saying it."""
        refund_reasons.delete(self._world, refund_reason_id)

    def retrieve_refund_reason(self, refund_reason_id: str) -> RefundReason:
        """The reason."""
        world = self._world
        return world.database.read(lambda c: stored_reasons.load(c, world.store_id, refund_reason_id))

    def list_refund_reasons(self, *, limit: int = 50, offset: int = 0) -> tuple[tuple[RefundReason, ...], int]:
        """A page of the reasons, newest first; and how many there are at all."""
        arguments.require_page(limit, offset)
        world = self._world
        return world.database.read(lambda c: stored_reasons.page(c, world.store_id, limit, offset))

    def refund_reasons_of(self, ledgers: Sequence[PaymentLedger]) -> Mapping[str, RefundReason]:
        """The reasons that these payments' refunds have, by id; also those that were taken from the list."""
        world = self._world
        ids = {each.refund_reason_id for ledger in ledgers for each in ledger.refunds if each.refund_reason_id}
        return world.database.read(lambda c: stored_reasons.by_id(c, world.store_id, ids)) if ids else {}

    # What is in doubt

    def list_operations_in_doubt(self, *, limit: int = 50) -> tuple[Operation, ...]:
        """The operations that are not settled, oldest first: under way, waiting, unknown, or under review."""
        arguments.require_page(limit, 0)
        return recovery.in_doubt(self._world, limit)

    def backlog(self) -> tuple[Waiting, ...]:
        """How much waits in every store: operations in doubt, notices and deliveries to be tried again, open cases."""
        return self._world.database.read(stored_backlog.waiting)

    def look_again(self, operation_id: str) -> Operation:
        """Do now what recovery would do later for one operation: resend it with its key, or look it up."""
        return recovery.look_again(self._world, operation_id)

    def resolve_operation(
        self, operation_id: str, *, has_succeeded: bool, who: str, why: str, provider_reference: str = ""
    ) -> Operation:
        """Decide, as a person who has seen the evidence, what became of an operation; kept with who and why.

        ``provider_reference`` is what the provider calls the capture or refund.
        """
        decision = recovery.Decision(
            has_succeeded=has_succeeded,
            who=arguments.text("who", who),
            why=arguments.text("why", why),
            provider_reference=arguments.text("provider_reference", provider_reference),
        )
        return recovery.resolve(self._world, operation_id, decision)

    def work(self) -> Worked:
        """One pass of the worker, over every store: settle what is due, apply notices, place orders, tell the events.

        Once a day it also compares the books with those of each provider that lists its payments, one page a pass.  Any
        number of processes may work at once; they share what there is to do.
        """
        return worker.work(self._world)

    # Notices

    def receive_notice(
        self, provider_id: str, body: bytes, headers: Mapping[str, str], *, received_at: datetime | None = None
    ) -> tuple[ReceivedNotice, ...]:
        """Verify a webhook's raw bytes and store what it says; acknowledge it (200) when this returns, and only then.

        ``provider_id`` may be the id on the wire or the name of the instance.  Raises NotFound (404), Unverified (401),
        InvalidData (400), NoticeUnreadable (500: the provider sends it again); then nothing was stored.
        ``work`` applies it, or ``apply_notice`` at once.
        """
        lower = {name.lower(): value for name, value in headers.items()}
        world = self._world
        raw = RawNotice(body=body, headers=lower, received_at=received_at or world.clock())
        return notices.receive(world, provider_id, raw)

    def apply_notice(self, notice_id: str) -> ReceivedNotice:
        """Apply a received notice now instead of leaving it to the worker."""
        return notices.apply_now(self._world, notice_id)

    def replay_notice(self, notice_id: str) -> ReceivedNotice:
        """Apply a notice again, also one that was given up; what is known already changes nothing."""
        return notices.replay(self._world, notice_id)

    def list_notices(
        self, *, status: NoticeStatus | None = None, limit: int = 50, offset: int = 0
    ) -> tuple[ReceivedNotice, ...]:
        """A page of the store's inbox, newest first: all of it, or what stands in one status.

        What matches no payment is in the inbox of the store ``default``.
        """
        arguments.require_page(limit, offset)
        return self._world.database.read(
            lambda c: stored_notices.newest(c, self._world.store_id, status, limit, offset)
        )

    def retrieve_notice(self, notice_id: str) -> ReceivedNotice:
        """One notice of the store's inbox."""
        return self._world.database.read(lambda c: stored_notices.load(c, self._world.store_id, notice_id))

    # Cases

    def list_cases(self, *, status: CaseStatus = CaseStatus.OPEN, limit: int = 50, offset: int = 0) -> tuple[Case, ...]:
        """A page of the cases that want a person's attention (or, closed, had it), newest first."""
        arguments.require_page(limit, offset)
        world = self._world
        return world.database.read(lambda c: stored_cases.newest(c, world.store_id, status, limit, offset))

    def close_case(self, case_id: str, *, who: str, why: str) -> Case:
        """A person has dealt with a case; kept with who and why.  Money is moved by the verbs, not by this."""
        return cases.close(self._world, case_id, arguments.text("who", who), arguments.text("why", why))

    # Reconciliation

    def reconcile(
        self,
        provider_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        on_progress: reconciliation.OnProgress = lambda _: None,
    ) -> Reconciliation:
        """Compare the books with the provider's own list of payments now, of every store, and return what came of it.

        Of the payments created from ``since`` on and before ``until`` (an hour ago, and never later); without them, of the
        time since the last daily comparison.  ``on_progress`` is told after each page.  Where the list could not be read,
        it is not finished, its ``cause`` says why, and the worker goes on with it.
        """
        return reconciliation.reconcile(self._world, provider_id, since, until, on_progress)

    def list_reconciliations(self, *, limit: int = 50, offset: int = 0) -> tuple[Reconciliation, ...]:
        """A page of the comparisons with the providers' own lists, newest first."""
        arguments.require_page(limit, offset)
        return self._world.database.read(lambda c: stored_reconciliations.newest(c, limit, offset))

    # Who is told

    def list_deliveries(
        self, *, status: DeliveryStatus | None = None, limit: int = 50, offset: int = 0
    ) -> tuple[Delivery, ...]:
        """A page of the deliveries of events to subscribers and extensions, newest first: of one status, or all."""
        arguments.require_page(limit, offset)
        return outbox.newest(self._world, status, limit, offset)

    def replay_delivery(self, delivery_id: str) -> Delivery:
        """Have the worker tell an event once more to a subscriber that took it, or for which every try failed.

        The request has the same webhook-id as before, by which the subscriber knows it.
        """
        return outbox.replay(self._world, delivery_id)

    # History

    def list_operations(self, payment_collection_id: str) -> tuple[Operation, ...]:
        """Every intent towards a provider for this collection, oldest first."""
        world = self._world
        return world.database.read(
            lambda c: operations.of_collection(
                c, world.store_id, collections.load(c, world.store_id, payment_collection_id).id
            )
        )

    def list_events(self, payment_collection_id: str) -> tuple[Event, ...]:
        """The whole history of a collection, oldest first."""
        world = self._world
        return world.database.read(
            lambda c: events.of_collection(
                c, world.store_id, collections.load(c, world.store_id, payment_collection_id).id
            )
        )
