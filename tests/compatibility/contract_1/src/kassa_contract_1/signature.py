"""The signature of a notice: what proves that Contract 1's server has sent it, and just now."""

from collections.abc import Iterable

from kassa_sdk import RawNotice
from kassa_sdk.signatures import require_recent, required_header, verify_hmac
from pydantic import SecretStr


def verify(raw: RawNotice, secrets: Iterable[SecretStr | None]) -> None:
    """Require that Contract 1's server has signed these bytes with one of the secrets.  Raises BadSignature."""
    header = required_header(raw, "simulator-signature")
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    timestamp = parts.get("t", "")
    verify_hmac(f"{timestamp}.".encode() + raw.body, signatures=[parts.get("v1", "")], secrets=secrets)
    require_recent(raw, timestamp)
