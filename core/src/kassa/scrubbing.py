"""Texts that come from a plugin: without secrets and card numbers, and of a length that can be kept.  Pure."""

import re
from collections.abc import Iterable
from typing import Any

from kassa import card_numbers
from kassa_sdk import Declined, NotSent, Unknown

LONGEST_TEXT = 2_000
MASK = "***"

_SECRET_KEY = re.compile("sk_[0-9a-f]{64}")
"""A key of ours, of which only the hash is kept."""


class Scrubber:
    """Takes out of a text the secrets that it knows, and whatever looks like the number of a card."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """An empty secret hides nothing."""
        # The longest first: one secret may be the beginning of another.
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    @classmethod
    def of_all(cls, scrubbers: Iterable["Scrubber"]) -> "Scrubber":
        """One that knows the secrets of each of these."""
        return cls(secret for scrubber in scrubbers for secret in scrubber._secrets)

    def text(self, text: str, longest: int = LONGEST_TEXT) -> str:
        """The text as it may be kept and shown, at most so many characters of it."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        text = _SECRET_KEY.sub(MASK, text)
        text = card_numbers.masked(_storable(text), MASK)
        return text if len(text) <= longest else f"{text[: longest - 1]}…"

    def error(self, error: BaseException) -> str:
        """What was raised, in words."""
        try:
            return self.text(f"{type(error).__name__}: {error}")
        except Exception:  # an error may fail at telling its text, too
            return type(error).__name__

    def outcome(self, outcome: Any) -> Any:
        """The outcome, with the sentences in it scrubbed."""
        match outcome:
            case Declined():
                return outcome.model_copy(update=self._fields(outcome, "code", "reason"))
            case NotSent() | Unknown():
                return outcome.model_copy(update=self._fields(outcome, "cause"))
            case _:
                return outcome

    def _fields(self, outcome: Any, *names: str) -> dict[str, str]:
        # A plugin may build an outcome without validation, so a sentence may be anything, or absent.
        return {name: self.text(str(getattr(outcome, name, "not given"))) for name in names}


def _storable(text: str) -> str:
    # PostgreSQL keeps no NUL, and UTF-8 has no lone surrogates.
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
