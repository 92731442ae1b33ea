"""``Screening``: a veto by amount, and a wrapper around ``authorize`` that counts what was declined."""

import logging
import sqlite3
import time
from collections.abc import Generator
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kassa_screening.declines import Declines
from kassa_sdk import AuthorizeRequest, Declined, EligibilityRequest, Money, Outcome, Shopper, Unsupported, hookimpl

_log = logging.getLogger("kassa.screening")


class ScreeningOptions(BaseModel):
    """What the integrator may configure; see the README of this package."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path
    amount_max: dict[str, str] = {}
    providers: frozenset[str] | None = None
    declines: int = Field(default=3, ge=1)
    minutes: float = Field(default=60, gt=0)

    @model_validator(mode="after")
    def _amounts_are_amounts(self) -> "ScreeningOptions":
        for currency, amount in self.amount_max.items():
            Money.parse(amount, currency)
        return self


class Screening:
    """Takes providers away where an amount is too large, and lets nobody try who was declined too often."""

    Options: ClassVar = ScreeningOptions

    def __init__(self, options: ScreeningOptions) -> None:
        self._amount_max = {currency: Money.parse(text, currency) for currency, text in options.amount_max.items()}
        self._providers = options.providers
        self.provider_hooks = Velocity(Declines(options.file, options.minutes * 60), options.declines)

    @hookimpl
    def kassa_provider_eligible(self, request: EligibilityRequest) -> str | None:
        """A reason against a provider for an amount that is too large; an amount that nobody knows yet is not."""
        if request.amount is None or (self._providers is not None and request.provider_id not in self._providers):
            return None
        most = self._amount_max.get(request.amount.currency)
        return f"Not above {most}, says the fraud screening" if most is not None and request.amount > most else None


class Velocity:
    """Wraps ``authorize``: counts the declined ones of each shopper, and sends no more when there were too many."""

    def __init__(self, declines: Declines, allowed: int) -> None:
        self._declines = declines
        self._allowed = allowed

    @hookimpl(wrapper=True)
    def authorize(self, request: AuthorizeRequest) -> Generator[None, Outcome, Outcome]:
        """Before the call, and only there, ``Unsupported`` says that nothing was sent; after it nothing is raised."""
        shoppers = names_of(request.shopper)
        if self._most(shoppers) >= self._allowed:
            raise Unsupported("too many declined payments of this shopper; the screening lets them try again later")
        outcome = yield
        if isinstance(outcome, Declined):
            self._count(shoppers)
        return outcome

    def _most(self, shoppers: list[str]) -> int:
        try:
            return self._declines.most(shoppers, time.time())
        except sqlite3.Error as error:
            _log.error("payments pass unscreened, the declines cannot be read: %s", error)
            return 0

    def _count(self, shoppers: list[str]) -> None:
        # Whatever is raised here would leave the payment itself in doubt.
        try:
            self._declines.add(shoppers, time.time())
        except sqlite3.Error as error:
            _log.error("a declined payment was not counted: %s", error)


def names_of(shopper: Shopper) -> list[str]:
    """By what a shopper is recognised: each on its own, because whoever tries out cards changes the others."""
    customer = shopper.customer
    email = None if customer.email is None else customer.email.strip().lower()
    known = {"customer": customer.id, "email": email, "ip": shopper.ip_address}
    return [f"{what}:{value}" for what, value in known.items() if value]
