"""The signature of a notice: HMAC over what was sent, a window against replays, several secrets while one is changed.

Which bytes are signed, in which header the signature stands and how it is written, each provider documents; what is left
is the same for all of them, and easy to get wrong: constant time, no empty secret, no notice of last week.  First in
``read_notice``::

    header = required_header(raw, "acme-signature")             # "t=1764230400,v1=5257a8…,v1=90c1d4…"
    parts = [part.partition("=")[::2] for part in header.split(",")]
    timestamp = next((value for name, value in parts if name == "t"), "")
    signatures = [value for name, value in parts if name == "v1"]     # two of them while a secret is being changed
    verify_hmac(f"{timestamp}.".encode() + raw.body, signatures=signatures, secrets=self._webhook_secrets)
    require_recent(raw, timestamp)

Only then look into the body.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import SecretStr

from kassa_sdk.errors import BadSignature, Misconfigured
from kassa_sdk.requests import RawNotice

TOLERANCE = timedelta(minutes=5)
"""How far from its arrival a notice may have been signed; what most providers recommend."""

Digest = Literal["sha256", "sha512", "sha1"]
"""What signatures are made with; sha1 only where a provider has nothing better."""


def required_header(raw: RawNotice, name: str) -> str:
    """The header of this name (in any case).  Raises BadSignature when the notice has none."""
    value = raw.headers.get(name.lower())
    if not value:
        raise BadSignature(f"the notice has no {name} header")
    return value


def verify_hmac(
    message: bytes,
    *,
    signatures: Iterable[str],
    secrets: Iterable[SecretStr | bytes | None],
    digest: Digest = "sha256",
    encoding: Literal["hex", "base64"] = "hex",
) -> None:
    """Require that one of the signatures was made over ``message`` with one of the secrets.

    ``secrets`` are the current one and, while it is being changed, the one before (None where there is none); give bytes
    where the provider hands out its secret encoded.  Compares in constant time.  Raises BadSignature when no signature
    fits, Misconfigured when there is no secret at all.
    """
    keys = [key for key in map(_key, secrets) if key]
    if not keys:
        raise Misconfigured("no secret is configured with which a notice could be verified; set the webhook secret")
    given = [decoded for decoded in (_decoded(text, encoding) for text in signatures) if decoded]
    # Every pair is compared, so that the time does not tell which secret was the right one.
    fits = [hmac.compare_digest(hmac.digest(key, message, digest), each) for key in keys for each in given]
    if not any(fits):
        raise BadSignature("the signature does not fit the notice; check that the webhook secret is the sender's")


def require_recent(raw: RawNotice, signed_at: str | float | datetime, tolerance: timedelta = TOLERANCE) -> None:
    """Require that the notice was signed about when it arrived, so that nobody can send an old one again.

    ``signed_at`` is what the provider signed along: seconds since 1970, or a time with its zone.  Raises BadSignature.
    """
    if abs(raw.received_at - _time(signed_at)) > tolerance:
        seconds = tolerance.total_seconds()
        raise BadSignature(f"the notice was signed more than {seconds:g} seconds away from its arrival")


def _key(secret: SecretStr | bytes | None) -> bytes:
    if isinstance(secret, SecretStr):
        secret = secret.get_secret_value().encode()
    # Blanks are an option that nobody has filled in: what they "sign", everybody can.
    return secret if secret and secret.strip() else b""


def _decoded(signature: str, encoding: Literal["hex", "base64"]) -> bytes:
    try:
        text = signature.strip().encode("ascii")
        return binascii.unhexlify(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _time(signed_at: str | float | datetime) -> datetime:
    try:
        time = signed_at if isinstance(signed_at, datetime) else datetime.fromtimestamp(float(signed_at), UTC)
    except (ValueError, OverflowError, OSError):
        time = None
    if time is None or time.tzinfo is None:
        raise BadSignature("the notice does not say when it was signed, in seconds since 1970 or with a time zone")
    return time
