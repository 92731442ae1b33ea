"""Notices: verify the raw bytes, then translate them."""

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from kassa_sdk import BadSignature, MoneyError, Notice, ProviderError, RawNotice
from kassa_sdk.signatures import require_recent, required_header, verify_hmac
from kassa_simulator.answers import ToldPayment, facts_of
from kassa_simulator.signature import SIGNATURE_FORM, SIGNATURE_HEADER, signed_bytes


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    id: str
    type: str
    payment: ToldPayment | None = None


def read(raw: RawNotice, secrets: tuple[SecretStr | None, ...], *, id_only: bool) -> tuple[Notice, ...]:
    """What a notice says.  ``id_only``: only which payment it is about, so that the engine looks it up.

    Raises BadSignature unless it was signed with one of the secrets within 300 seconds of its arrival; ProviderError when
    it was, and still makes no sense.
    """
    _verify(raw, secrets)
    try:
        event = _Event.model_validate_json(raw.body)
        if event.payment is None:
            return ()
        facts = None if id_only else facts_of(event.payment)
    except (ValidationError, MoneyError) as error:
        # From None, because the text of the cause repeats what was received.
        raise ProviderError(
            f"a notice of the simulator is signed correctly, and its body makes no sense ({type(error).__name__});"
            " is the server of another version than this plugin?"
        ) from None
    return (Notice(type=event.type, event_id=event.id, provider_reference=event.payment.id, facts=facts),)


def _verify(raw: RawNotice, secrets: tuple[SecretStr | None, ...]) -> None:
    form = SIGNATURE_FORM.fullmatch(required_header(raw, SIGNATURE_HEADER))
    if form is None:
        raise BadSignature(f"the {SIGNATURE_HEADER} header has another form than t=…,v1=…")
    timestamp, signature = form.groups()
    verify_hmac(signed_bytes(raw.body, timestamp), signatures=[signature], secrets=secrets)
    require_recent(raw, timestamp)
