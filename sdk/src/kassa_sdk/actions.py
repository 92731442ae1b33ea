"""Actions: what the *shopper* must do before the payment can go on.

A closed union.  Each one serialises to JSON that a storefront can act on without knowing the provider: it switches on
``type`` and finds beside it all that it needs.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from kassa_sdk.records import JsonObject, Record


class Redirect(Record):
    """Send the shopper to this address: a bank, a wallet, a hosted page.

    With ``method`` POST the storefront submits a form with ``fields``.  The shopper comes back to the return URL of the
    request; that return proves nothing, it only makes the engine ask the provider (hook ``action``).
    """

    type: Literal["redirect"] = "redirect"
    url: str = Field(min_length=1)
    method: Literal["GET", "POST"] = "GET"
    fields: dict[str, str] = {}


class Challenge(Record):
    """Let the provider's own browser script show the challenge (3-D Secure) inside the page.

    ``script`` names that script in the provider's own words (``"stripe.js"``), ``parameters`` is what it is called with:
    the client secret, the publishable key.
    """

    type: Literal["challenge"] = "challenge"
    script: str = Field(min_length=1)
    parameters: JsonObject = {}


class Instruction(Record):
    """One line of what the shopper must copy: ``label`` "IBAN", ``value`` "DE02 …"."""

    label: str
    value: str


class ShowInstructions(Record):
    """Show what to pay, where and with which reference: a bank transfer, a voucher."""

    type: Literal["instructions"] = "instructions"
    instructions: tuple[Instruction, ...] = Field(min_length=1)
    expires_at: AwareDatetime | None = None


class ShowQrCode(Record):
    """Show ``payload`` as a QR code, until it expires."""

    type: Literal["qr_code"] = "qr_code"
    payload: str = Field(min_length=1)
    expires_at: AwareDatetime | None = None


class Wait(Record):
    """Nothing to show: the shopper acts elsewhere (approves in an app); ask again after ``poll_after_seconds``."""

    type: Literal["wait"] = "wait"
    poll_after_seconds: int = Field(default=5, ge=1)


Action = Annotated[Redirect | Challenge | ShowInstructions | ShowQrCode | Wait, Field(discriminator="type")]
"""What the shopper must do next; a closed union, told apart by ``type``."""

ActionType = Literal["redirect", "challenge", "instructions", "qr_code", "wait"]
"""The ``type`` of each action, as a manifest lists those that a provider may require."""
