"""The smallest complete provider: no server, no notices, nothing that can go wrong on the way.

Read it first when you write a provider of your own: the options, the manifest, the constructor, one method for each hook.
"""

from datetime import timedelta
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from kassa_sdk import (
    AuthorizeRequest,
    CancelRequest,
    CaptureRequest,
    Idempotency,
    InitiateRequest,
    Manifest,
    Movement,
    PaymentFacts,
    Portions,
    RefundRequest,
    Succeeded,
    UpdateRequest,
    hookimpl,
)

# There is no server that could act twice, and every answer is computed from the request alone: a repetition has no effect
# and gets the same answer however late it comes. A century stands for "for ever", because a window has a length.
FOR_EVER = timedelta(days=36_525)


class SystemOptions(BaseModel):
    """What the integrator may configure.  ``instructions`` is shown to the shopper: "Please pay the courier in cash."."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instructions: str | None = Field(default=None, min_length=1, max_length=2_000)


class SystemProvider:
    """Accepts every payment; the money itself changes hands outside of kassa."""

    Options: ClassVar[type[SystemOptions]] = SystemOptions
    manifest: ClassVar[Manifest] = Manifest(
        name="system",
        display_name="Cash, invoice or manual payment",
        contract_version=1,
        captures=Portions.MULTIPLE,
        refunds=Portions.MULTIPLE,
        cancel=True,
        idempotency=Idempotency(keys="native", window=FOR_EVER),
    )

    def __init__(self, options: SystemOptions) -> None:
        self._options = options

    @hookimpl
    def initiate(self, request: InitiateRequest) -> Succeeded:
        """There is nothing to prepare: our reference serves as theirs, and the storefront gets the instructions."""
        instructions = self._options.instructions
        return Succeeded(
            facts=PaymentFacts(provider_reference=request.our_reference, our_reference=request.our_reference),
            data=None if instructions is None else {"instructions": instructions},
        )

    @hookimpl
    def authorize(self, request: AuthorizeRequest) -> Succeeded:
        """The shopper's promise to pay is taken for the whole amount; nothing is captured."""
        # ``captured`` stays untold: "zero" would be wrong when this is repeated after the merchant recorded a capture.
        return Succeeded(
            facts=PaymentFacts(
                provider_reference=request.provider_reference,
                our_reference=request.our_reference,
                condition="authorized",
                authorized=request.amount,
            )
        )

    @hookimpl
    def update(self, request: UpdateRequest) -> Succeeded:
        """Another amount needs no preparation either; ``authorize`` is told the one that counts."""
        return Succeeded(
            facts=PaymentFacts(provider_reference=request.provider_reference, our_reference=request.our_reference)
        )

    @hookimpl
    def capture(self, request: CaptureRequest) -> Succeeded:
        """The merchant has received ``amount`` by hand, and says so."""
        return Succeeded(
            facts=PaymentFacts(
                provider_reference=request.provider_reference,
                our_reference=request.our_reference,
                captures=(_by_hand(request),),
            )
        )

    @hookimpl
    def refund(self, request: RefundRequest) -> Succeeded:
        """The merchant has given back ``amount`` by hand, and says so."""
        return Succeeded(
            facts=PaymentFacts(
                provider_reference=request.provider_reference,
                our_reference=request.our_reference,
                refunds=(_by_hand(request),),
            )
        )

    @hookimpl
    def cancel(self, request: CancelRequest) -> Succeeded:
        """The promise is void.  Nobody holds money for it, so this always succeeds."""
        return Succeeded(
            facts=PaymentFacts(
                provider_reference=request.provider_reference, our_reference=request.our_reference, condition="canceled"
            )
        )


def _by_hand(request: CaptureRequest | RefundRequest) -> Movement:
    # The reference follows from the key, so that a repeated request names the same movement and not a second one.
    return Movement(
        provider_reference=f"manual_{request.attempt_key}", amount=request.amount, attempt_key=request.attempt_key
    )
