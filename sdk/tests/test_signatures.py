"""A notice is believed when it was signed with a secret of ours, about when it arrived; otherwise never."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from kassa_sdk import BadSignature, Misconfigured, RawNotice
from kassa_sdk.signatures import require_recent, required_header, verify_hmac

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CURRENT, PREVIOUS = SecretStr("whsec_new"), SecretStr("whsec_old")


def notice(**headers: str) -> RawNotice:
    return RawNotice(body=b'{"id": 1}', headers=headers, received_at=NOW)


def signed(secret: str | bytes, message: bytes = b"message", digest: str = "sha256") -> bytes:
    return hmac.new(secret.encode() if isinstance(secret, str) else secret, message, getattr(hashlib, digest)).digest()


@pytest.mark.parametrize("secret", [CURRENT, PREVIOUS])
def test_a_signature_with_the_current_secret_or_the_one_before_is_accepted(secret: SecretStr) -> None:
    signature = signed(secret.get_secret_value()).hex()
    verify_hmac(b"message", signatures=[signature], secrets=[CURRENT, PREVIOUS])


def test_one_of_several_signatures_is_enough() -> None:
    # Providers send two while a secret is being changed.
    right = signed("whsec_new").hex()
    verify_hmac(b"message", signatures=["00" * 32, right], secrets=[CURRENT, None])


@pytest.mark.parametrize("digest", ["sha256", "sha512", "sha1"])
def test_signatures_in_base64_and_secrets_in_bytes_are_understood(digest: str) -> None:
    signature = base64.b64encode(signed(b"\x00\xff", digest=digest)).decode()
    verify_hmac(b"message", signatures=[signature], secrets=[b"\x00\xff"], digest=digest, encoding="base64")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "zz",
        "é",
        signed("whsec_new").hex()[:-2],
        signed("whsec_new").hex() + "00",
        signed("whsec_other").hex(),
        signed("whsec_new", b"another message").hex(),
        base64.b64encode(signed("whsec_new")).decode(),
    ],
)
def test_any_other_signature_is_refused(signature: str) -> None:
    with pytest.raises(BadSignature, match="does not fit"):
        verify_hmac(b"message", signatures=[signature], secrets=[CURRENT])


def test_no_signature_is_none() -> None:
    with pytest.raises(BadSignature):
        verify_hmac(b"message", signatures=[], secrets=[CURRENT])


@pytest.mark.parametrize("secrets", [[], [None], [SecretStr("")], [SecretStr("  ")], [b""]])
def test_without_a_secret_nothing_can_be_verified(secrets: list[SecretStr | bytes | None]) -> None:
    # An HMAC with an empty key is one that everybody can make.
    with pytest.raises(Misconfigured, match="webhook secret"):
        verify_hmac(b"message", signatures=[signed("").hex()], secrets=secrets)


def test_an_empty_secret_beside_a_real_one_verifies_nothing() -> None:
    with pytest.raises(BadSignature):
        verify_hmac(b"message", signatures=[signed("").hex()], secrets=[CURRENT, SecretStr("")])


def test_a_header_is_found_in_any_case() -> None:
    assert required_header(notice(**{"Acme-Signature": "v1"}), "acme-signature") == "v1"
    assert required_header(notice(**{"acme-signature": "v1"}), "Acme-Signature") == "v1"


@pytest.mark.parametrize("raw", [notice(), notice(**{"acme-signature": ""})])
def test_a_notice_without_the_header_is_refused(raw: RawNotice) -> None:
    with pytest.raises(BadSignature, match="acme-signature"):
        required_header(raw, "acme-signature")


@pytest.mark.parametrize("seconds", [-300, 0, 299])
def test_a_notice_that_was_signed_lately_is_accepted(seconds: int) -> None:
    require_recent(notice(), NOW + timedelta(seconds=seconds))
    require_recent(notice(), str(NOW.timestamp() + seconds))


@pytest.mark.parametrize(
    "signed_at",
    [NOW - timedelta(seconds=301), NOW + timedelta(days=1), "0", "", "soon", "nan", "inf", 1e300, datetime(2026, 1, 1)],
)
def test_a_notice_of_another_time_or_of_none_is_refused(signed_at: str | float | datetime) -> None:
    with pytest.raises(BadSignature):
        require_recent(notice(), signed_at)
