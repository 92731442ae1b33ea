"""The signature of a notice: HMAC-SHA256 over ``timestamp.body``, as ``t=<seconds>,v1=<hexadecimal digits>``."""

import hashlib
import hmac
import re

SIGNATURE_HEADER = "simulator-signature"

_FORM = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", re.ASCII)


def sign(body: bytes, secret: str, timestamp: int) -> str:
    """The header that proves that the holder of ``secret`` sent these bytes at ``timestamp``."""
    return f"t={timestamp},v1={_digest(body, secret, timestamp)}"


def verified_timestamp(body: bytes, header: str, secret: str) -> int | None:
    """When these bytes were signed; None when they were not signed with ``secret``.  Compares in constant time."""
    form = _FORM.fullmatch(header)
    if form is None:
        return None
    timestamp = int(form[1])
    return timestamp if hmac.compare_digest(_digest(body, secret, timestamp), form[2]) else None


def _digest(body: bytes, secret: str, timestamp: int) -> str:
    return hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()
