"""What Stripe says, as far as this provider reads it: frozen records of the answers and the events.

An answer that does not fit, such as an amount that is no money, is refused here, so that nothing behind this file has to
wonder.  Source: https://docs.stripe.com/api.
"""

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, model_validator

from kassa_sdk import Money
from kassa_stripe.manifest import AMOUNTS


class FromStripe(BaseModel):
    """A record read from Stripe.  Unknown fields are left alone: Stripe adds some within a version of its API."""

    # The client secret is among the input, and a message of pydantic would print it.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Priced(FromStripe):
    """A record with amounts in one currency."""

    currency: str

    def money(self, amount: int) -> Money:
        """Stripe's amount as Money.  Raises MoneyError where it is none."""
        return AMOUNTS.read(amount, self.currency.upper())

    def money_or_none(self, amount: int | None) -> Money | None:
        """The same for an amount that Stripe may leave unsaid."""
        return None if amount is None else self.money(amount)

    @model_validator(mode="after")
    def _every_amount_is_money(self) -> Self:
        for name, value in self:
            if name.startswith("amount"):
                self.money_or_none(value)
        return self


def _without_nulls(metadata: object) -> object:
    return {} if metadata is None else metadata


Metadata = Annotated[dict[str, str], BeforeValidator(_without_nulls)]


def _reference(value: object) -> object:
    """The id of what Stripe names by its id, or sends along whole where a request or an old API version expands it."""
    return value.get("id") if isinstance(value, dict) else value


Reference = Annotated[str | None, BeforeValidator(_reference)]


class Problem(FromStripe):
    """Why something was refused: ``decline_code`` is the bank's word, ``code`` is Stripe's."""

    code: str | None = None
    decline_code: str | None = None
    message: str | None = None


class RedirectToUrl(FromStripe):
    """Where the shopper's browser has to go."""

    url: str | None = None


class NextAction(FromStripe):
    """What the shopper must do before an intent can go on."""

    type: str
    redirect_to_url: RedirectToUrl | None = None


class Charge(Priced):
    """One try to take money; an intent has one for each try, and only the latest can have succeeded."""

    id: str
    amount: StrictInt
    amount_captured: StrictInt | None = None
    amount_refunded: StrictInt = 0
    disputed: bool = False
    payment_intent: Reference = None


class Intent(Priced):
    """A PaymentIntent.  ``latest_charge`` is its id, or the charge itself where the request expanded it."""

    id: str
    status: str
    amount: StrictInt
    amount_capturable: StrictInt | None = None
    amount_received: StrictInt | None = None
    capture_method: str | None = None
    client_secret: str | None = Field(default=None, repr=False)
    metadata: Metadata = {}
    latest_charge: Charge | str | None = None
    next_action: NextAction | None = None
    last_payment_error: Problem | None = None
    cancellation_reason: str | None = None

    @property
    def charge(self) -> Charge | None:
        """The latest charge, where it came along."""
        return self.latest_charge if isinstance(self.latest_charge, Charge) else None

    @property
    def charge_reference(self) -> str | None:
        """The id of the latest charge."""
        return self.latest_charge.id if isinstance(self.latest_charge, Charge) else self.latest_charge


class UnreadIntent(FromStripe):
    """What can be read of a PaymentIntent in any case, such as one in a currency that is not in the manifest."""

    id: str
    metadata: Metadata = {}


class IntentPage(FromStripe):
    """One page of the PaymentIntents of an account."""

    data: tuple[Annotated[Intent | UnreadIntent, Field(union_mode="left_to_right")], ...]
    has_more: bool = False


class Refund(Priced):
    """One refund, or the trace of a hold that was released."""

    id: str
    amount: StrictInt
    status: str | None = None
    reason: str | None = None
    failure_reason: str | None = None
    payment_intent: Reference = None
    balance_transaction: Reference = None
    metadata: Metadata = {}


class Dispute(Priced):
    """One dispute about a charge."""

    id: str
    amount: StrictInt
    status: str
    payment_intent: Reference = None


class EventData(FromStripe):
    """The object that an event is about, as it stood then."""

    object: dict[str, Any]


class Event(FromStripe):
    """One event of a webhook.  ``account`` is set for events of a connected account."""

    id: str
    type: str
    account: str | None = None
    data: EventData


class Customer(FromStripe):
    """A customer that Stripe keeps."""

    id: str


class Card(FromStripe):
    """What may be shown of a card."""

    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None


class PaymentMethod(FromStripe):
    """A payment method that Stripe keeps, for ``customer`` once it is attached."""

    id: str
    type: str
    customer: Reference = None
    card: Card | None = None
