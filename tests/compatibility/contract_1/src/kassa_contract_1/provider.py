"""``Contract1Provider``: kassa's side of Contract 1."""

import weakref
from datetime import timedelta
from typing import ClassVar
from urllib.parse import quote

from kassa_sdk import (
    ActionRequest,
    AuthorizeRequest,
    CancelRequest,
    CaptureRequest,
    Idempotency,
    InitiateRequest,
    JsonObject,
    LookUp,
    LookUpOutcome,
    LookUpRequest,
    Manifest,
    Money,
    NotFound,
    Notice,
    NotSent,
    Outcome,
    PaymentRequest,
    Portions,
    RawNotice,
    RefundRequest,
    Unknown,
    hookimpl,
)
from kassa_sdk.http_client import HttpAnswer, HttpClient
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from kassa_contract_1 import answers
from kassa_contract_1.signature import verify


class Contract1Options(BaseModel):
    """What a merchant configures.  A secret is a SecretStr, so that it is never printed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(pattern=r"^https?://[^/\s]+")
    api_key: SecretStr = Field(min_length=1)
    webhook_secret: SecretStr = Field(min_length=1)
    previous_webhook_secret: SecretStr | None = Field(default=None, min_length=1)
    timeout_seconds: float = Field(default=10.0, gt=0, le=120)


class Contract1Provider:
    """Speaks to the stand-in; what is Contract 1's own goes in its place."""

    Options: ClassVar = Contract1Options
    # The engine asks for nothing that is not listed here, and the exam proves each line.
    manifest: ClassVar = Manifest(
        name="contract-1",
        display_name="Contract 1",
        contract_version=1,
        actions=frozenset({"challenge"}),
        captures=Portions.MULTIPLE,
        refunds=Portions.MULTIPLE,
        cancel=True,
        idempotency=Idempotency(keys="native", window=timedelta(hours=24)),
        look_up=LookUp(
            by=frozenset({"attempt_key", "our_reference", "provider_reference"}),
            proves_absence_after=timedelta(minutes=1),
        ),
        notices="signed",
    )

    def __init__(self, options: Contract1Options) -> None:
        self._client = HttpClient(
            options.base_url,
            server="Contract 1",
            timeout_seconds=options.timeout_seconds,
            headers={"authorization": f"Bearer {options.api_key.get_secret_value()}"},
        )
        self._webhook_secrets = (options.webhook_secret, options.previous_webhook_secret)
        self.close = weakref.finalize(self, self._client.close)

    @hookimpl
    def initiate(self, request: InitiateRequest) -> Outcome:
        """Prepare the payment; nothing is held or charged yet."""
        body = {
            **_amount(request.amount),
            "our_reference": request.our_reference,
            # What the stand-in plays. A real server wants what the storefront has collected: it is in `data`, too.
            "scenario": request.data.get("scenario", "approve"),
        }
        if request.shopper.return_url is not None:
            body["return_url"] = request.shopper.return_url
        return answers.prepared(self._post("/payments", request.attempt_key, body))

    @hookimpl
    def authorize(self, request: AuthorizeRequest) -> Outcome:
        """Hold the amount, or hear that the shopper must confirm it with their bank."""
        return answers.authorized(self._about(request, "authorize", _amount(request.amount)))

    @hookimpl
    def action(self, request: ActionRequest) -> Outcome:
        """Ask how the shopper has decided; ``request.answer`` proves nothing, and is not looked at."""
        return answers.authorized(self._about(request, "action", {}))

    @hookimpl
    def capture(self, request: CaptureRequest) -> Outcome:
        """Take this amount of what is held."""
        return answers.captured(self._about(request, "captures", _amount(request.amount)), request.attempt_key)

    @hookimpl
    def refund(self, request: RefundRequest) -> Outcome:
        """Give this amount back."""
        return answers.refunded(self._about(request, "refunds", _amount(request.amount)), request.attempt_key)

    @hookimpl
    def cancel(self, request: CancelRequest) -> Outcome:
        """Close the payment; should the money have been taken meanwhile, the facts say so."""
        return answers.canceled(self._about(request, "cancel", {}))

    @hookimpl
    def look_up(self, request: LookUpRequest) -> LookUpOutcome:
        """Find the payment: by Contract 1's id, else by our key, else by our reference."""
        if request.provider_reference is not None:
            return answers.found(self._client.send("GET", _path(request.provider_reference)))
        for way in ("attempt_key", "our_reference"):
            found = answers.searched(self._client.send("GET", "/payments", query={way: getattr(request, way)}))
            if not isinstance(found, NotFound):
                break
        return found

    @hookimpl
    def read_notice(self, raw: RawNotice) -> tuple[Notice, ...]:
        """Nothing in the body is looked at before its signature is verified."""
        verify(raw, self._webhook_secrets)
        return answers.notices_in(raw.body)

    def _about(self, request: PaymentRequest, verb: str, body: JsonObject) -> HttpAnswer | NotSent | Unknown:
        return self._post(f"{_path(request.provider_reference)}/{verb}", request.attempt_key, body)

    def _post(self, path: str, attempt_key: str, body: JsonObject) -> HttpAnswer | NotSent | Unknown:
        # The key goes with everything that has an effect: the same request a second time is then the same effect.
        return self._client.send("POST", path, json=body, headers={"idempotency-key": attempt_key})


def _path(provider_reference: str) -> str:
    return f"/payments/{quote(provider_reference, safe='')}"


def _amount(money: Money) -> JsonObject:
    # Minor units by ISO 4217, as the manifest says by saying nothing. For decimals or exceptions, declare `amounts`
    # there and write with `manifest.amounts.write(money)`; what it refuses (MoneyError), raise as Unsupported.
    return {"amount": money.minor, "currency": money.currency}
