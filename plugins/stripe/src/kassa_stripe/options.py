"""What an integrator configures."""

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

_SECRET_KEY = re.compile(r"(sk|rk)_[!-~]+")
_PUBLISHABLE_KEY = re.compile(r"pk_[!-~]+")


def _one_or_several(value: object) -> object:
    """A single secret is a tuple of one; several are valid at once while a secret is being rotated."""
    return (value,) if isinstance(value, str | SecretStr) else value


class StripeOptions(BaseModel):
    """The options of one Stripe account.

    ``secret_key`` is the account's secret or restricted key, ``publishable_key`` the one that the storefront may see.
    ``webhook_secret`` is the signing secret of the webhook endpoint, or a list of them while one is being rotated.
    ``capture`` "manual" holds the amount at checkout and takes it when an operator or a rule captures; "automatic" takes
    it at once.  ``allowed_payment_method_types`` lists what may be used to pay, in Stripe's words ("card"); empty leaves
    the choice to the account's dashboard.  ``api_base`` is only for a proxy or a test server.  ``timeout_seconds`` limits
    connecting, and each wait for an answer.
    """

    # Without hide_input_in_errors a mistake in one option would print the secrets of the others.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    secret_key: SecretStr
    publishable_key: str
    webhook_secret: Annotated[tuple[SecretStr, ...], BeforeValidator(_one_or_several), Field(min_length=1)]
    capture: Literal["manual", "automatic"] = "manual"
    allowed_payment_method_types: tuple[str, ...] = ()
    api_base: str = Field(default="https://api.stripe.com", pattern=r"^https?://[^\s?#]+$")
    timeout_seconds: float = Field(default=30.0, gt=0, le=300)

    @field_validator("secret_key")
    @classmethod
    def _is_a_secret_key(cls, secret_key: SecretStr) -> SecretStr:
        if not _SECRET_KEY.fullmatch(secret_key.get_secret_value()):
            raise ValueError("expected Stripe's secret key (sk_…) or a restricted key (rk_…), without spaces")
        return secret_key

    @field_validator("publishable_key")
    @classmethod
    def _is_fit_for_the_storefront(cls, publishable_key: str) -> str:
        if not _PUBLISHABLE_KEY.fullmatch(publishable_key):
            raise ValueError("expected Stripe's publishable key (pk_…); it is shown to every shopper")
        return publishable_key

    @field_validator("webhook_secret")
    @classmethod
    def _none_is_empty(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(not secret.get_secret_value().strip() for secret in secrets):
            raise ValueError(
                "an empty signing secret would accept nothing; copy it from the webhook endpoint (whsec_…)"
            )
        return secrets

    @model_validator(mode="after")
    def _both_keys_are_of_one_mode(self) -> Self:
        if self.is_live != ("_live_" in self.publishable_key):
            raise ValueError("secret_key and publishable_key must both be live keys, or both be test keys")
        return self

    @property
    def is_live(self) -> bool:
        """Whether the keys move money."""
        return "_live_" in self.secret_key.get_secret_value()

    def secrets(self) -> tuple[str, ...]:
        """Every text that must never be seen outside."""
        return (self.secret_key.get_secret_value(), *(secret.get_secret_value() for secret in self.webhook_secret))
