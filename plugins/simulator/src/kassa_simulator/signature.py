"""The signature of a notice: HMAC-SHA256 over ``timestamp.body``, as ``t=<seconds>,v1=<hexadecimal digits>``."""

import hashlib
import hmac
import re

SIGNATURE_HEADER = "simulator-signature"

SIGNATURE_FORM = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", re.ASCII)


def sign(body: bytes, secret: str, timestamp: int) -> str:
    """The header that proves that the holder of ``secret`` sent these bytes at ``timestamp``."""
    digest = hmac.new(secret.encode(), signed_bytes(body, str(timestamp)), hashlib.sha256)
    return f"t={timestamp},v1={digest.hexdigest()}"


def signed_bytes(body: bytes, timestamp: str) -> bytes:
    """What is signed."""
    return timestamp.encode() + b"." + body
