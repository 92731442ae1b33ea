"""The candidate: what an author tells the exam about their provider and about the server that it is examined with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kassa_sdk.actions import Action
from kassa_sdk.money import Money
from kassa_sdk.records import JsonObject
from kassa_sdk.requests import RawNotice

ShopperPays = Callable[[str], None]
"""What the shopper does at the provider before the cart is completed, given the provider's reference of the payment."""

ShopperAnswers = Callable[[str, Action], JsonObject | None]
"""What the shopper does with an action, given the reference and the action; returns what the storefront relays, if any."""


MoneyArrives = Callable[[str], None]
"""What happens at the provider later, given the reference: the bank transfer comes in, the debit is through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """How the server is brought to one end.

    ``data`` is what the storefront sends when the session is created.  ``pays`` is what the shopper does before the cart is
    completed, such as confirming in the provider's own form.  ``answers`` is what the shopper does with the action.
    ``settles`` is what happens after the provider has answered that it does not know yet.
    """

    data: JsonObject = field(default_factory=dict)
    pays: ShopperPays | None = None
    answers: ShopperAnswers | None = None
    settles: MoneyArrives | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenarios:
    """The ends that the server can be brought to.  None: it cannot, and what needs it is listed as not proven.

    ``approve``: paid, by way of an action (``answers``) or a wait (``settles``) where this provider has no other way.
    ``decline``: declined at ``authorize``.  ``action``: an action is required, and ``answers``
    approves it.  ``action_refused``: the same, and ``answers`` refuses it.  ``pending``: taken, and nobody knows yet.
    """

    approve: Scenario = Scenario()
    decline: Scenario | None = None
    action: Scenario | None = None
    action_refused: Scenario | None = None
    pending: Scenario | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerBooks:
    """What the *server* says has happened to one payment, in totals; not what the provider under examination says."""

    authorized: Money
    captured: Money
    refunded: Money
    is_canceled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SentNotices:
    """The notices of the server.

    ``about`` gives those about a payment (by its reference), as they arrive: body, headers, and when.  ``sign`` makes a
    correctly signed notice of any body, so that the exam can write some that the server never sends.  ``are_dated``: the
    signature covers a time, so that an old notice can be told.
    """

    about: Callable[[str], Sequence[RawNotice]]
    sign: Callable[[bytes, datetime], RawNotice] | None = None
    are_dated: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A provider to be examined.

    ``options`` gives what a configuration would say, for a server at this URL: the exam puts its fault proxy there.  Keep
    its time limit short (half a second), because some checks wait for it.  ``server_url`` is None for a provider without a
    server.  ``amount`` is what most payments of the exam are about.  ``not_proven`` says why this server cannot show
    something: ``keys`` ("the sandbox ignores idempotency keys"), ``look_up_by_our_reference`` and its like, or a scenario by
    its name; it is listed, never taken for passed.  ``saved_method`` gives what the provider's script would give to the
    storefront for a payment method to be saved, a new one each time.
    """

    provider: type[Any]  # of the shape of ``hooks.Provider``; which Options it has, a checker need not know
    options: Callable[[str], Mapping[str, Any]]
    server_url: str | None = None
    scenarios: Scenarios = Scenarios()
    books: Callable[[str], ServerBooks] | None = None
    notices: SentNotices | None = None
    saved_method: Callable[[], JsonObject] | None = None
    amount: Money = field(default_factory=lambda: Money(10_000, "EUR"))
    not_proven: Mapping[str, str] = field(default_factory=dict)
