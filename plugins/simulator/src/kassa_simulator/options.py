"""What an integrator or a test configures, and the manifest that follows from it."""

from datetime import timedelta
from typing import Literal, assert_never
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from kassa_sdk import Idempotency, LookUp, Manifest, Misconfigured, Portions

BASE_MANIFEST = Manifest(
    name="simulator",
    display_name="Simulated payment provider",
    contract_version=1,
    is_test=True,
    settles_later=True,
    actions=frozenset({"redirect", "challenge", "qr_code", "wait"}),
    captures=Portions.MULTIPLE,
    refunds=Portions.MULTIPLE,
    cancel=True,
    idempotency=Idempotency(keys="native", window=timedelta(hours=24)),
    look_up=LookUp(
        by=frozenset({"attempt_key", "our_reference", "provider_reference"}),
        proves_absence_after=timedelta(minutes=1),
    ),
    lists_payments=True,
    notices="signed",
    account_holders=True,
)
"""What the simulator can do with the default options."""


class SimulatorOptions(BaseModel):
    """``keys`` and ``key_window_hours`` describe how the *server* was started; they do not change it.

    ``absence_proven_after_seconds`` None makes "not found" prove nothing.  ``previous_webhook_secret`` is accepted too,
    while the secret is being changed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    api_key: SecretStr = Field(min_length=1)
    webhook_secret: SecretStr = Field(min_length=1)
    previous_webhook_secret: SecretStr | None = Field(default=None, min_length=1)
    timeout_seconds: float = Field(default=10.0, gt=0, le=120)
    keys: Literal["native", "reference", "none"] = "native"
    key_window_hours: float = Field(default=24.0, gt=0)
    settles_later: bool = True
    absence_proven_after_seconds: float | None = Field(default=60.0, ge=0)
    lists_payments: bool = True
    payments_per_page: int = Field(default=100, ge=1, le=100)
    notices: Literal["signed", "id_only", "none"] = "signed"
    account_holders: bool = True


def manifest_for(options: SimulatorOptions) -> Manifest:
    """The manifest of a simulator with these options."""
    absence = options.absence_proven_after_seconds
    finds_by: set[Literal["attempt_key", "our_reference", "provider_reference"]] = {
        "our_reference",
        "provider_reference",
    }
    if options.keys != "none":
        finds_by.add("attempt_key")
    return BASE_MANIFEST.model_copy(
        update={
            "settles_later": options.settles_later,
            "idempotency": _idempotency(options),
            "look_up": LookUp(
                by=frozenset(finds_by),
                proves_absence_after=None if absence is None else timedelta(seconds=absence),
            ),
            "lists_payments": options.lists_payments,
            "notices": options.notices,
            "account_holders": options.account_holders,
        }
    )


def checked_base_url(options: SimulatorOptions) -> str:
    """The address of the server.  Raises Misconfigured when it is not a web address."""
    parts = urlsplit(options.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(
            f"option base_url of the simulator is {options.base_url!r}; put the url there that"
            " `python -m kassa_simulator` printed, such as http://127.0.0.1:8123"
        )
    return options.base_url.rstrip("/")


def _idempotency(options: SimulatorOptions) -> Idempotency:
    match options.keys:
        case "native":
            return Idempotency(keys="native", window=timedelta(hours=options.key_window_hours))
        case "reference" | "none" as keys:
            return Idempotency(keys=keys)
        case _:
            assert_never(options.keys)
