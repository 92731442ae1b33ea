"""An action on a terminal: what the shopper must do next."""

import json
from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from kassa_sdk import Action


def action_rows(action: "Action") -> list[tuple[str, str]]:
    """The action as labels and values."""
    from kassa_sdk import Challenge, Redirect, ShowInstructions, ShowQrCode, Wait

    match action:
        case Redirect():
            fields = "&".join(f"{name}={value}" for name, value in action.fields.items())
            verb = "go to" if action.method == "GET" else "submit to"
            return [("action", "redirect"), (verb, action.url), ("fields", fields)]
        case Challenge():
            parameters = json.dumps(action.parameters, ensure_ascii=False)
            return [("action", "challenge, inside the page"), ("script", action.script), ("parameters", parameters)]
        case ShowInstructions():
            lines = [(line.label, line.value) for line in action.instructions]
            until = "" if action.expires_at is None else f"{action.expires_at:%Y-%m-%d %H:%M} UTC"
            return [("action", "pay as follows"), *lines, ("until", until)]
        case ShowQrCode():
            until = "" if action.expires_at is None else f"{action.expires_at:%Y-%m-%d %H:%M} UTC"
            return [("action", "scan a QR code"), ("payload", action.payload), ("until", until)]
        case Wait():
            return [("action", "wait"), ("ask again", f"after {action.poll_after_seconds} seconds")]
        case _:
            assert_never(action)
