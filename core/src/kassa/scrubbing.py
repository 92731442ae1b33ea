"""Texts that come from a plugin: without secrets and card numbers, and of a length that can be kept.  Pure."""

import re
from collections.abc import Iterable
from typing import Any

from kassa_sdk import Declined, NotSent, Unknown

LONGEST_TEXT = 2_000
MASK = "***"

_DIGITS_AND_GAPS = re.compile(r"[0-9]+(?:[ -]+[0-9]+)*")
_SECRET_KEY = re.compile("sk_[0-9a-f]{64}")
"""A key of ours, of which only the hash is kept."""
_GROUP = re.compile(r"[0-9]+")
_FEWEST_DIGITS, _MOST_DIGITS = 13, 19


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
        text = _DIGITS_AND_GAPS.sub(_without_cards, _storable(text))
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


def _without_cards(found: re.Match[str]) -> str:
    """Digits with gaps between them: an expiry date or an amount may stand right beside the number of a card."""
    text, kept, start = found.group(), [], 0
    groups = list(_GROUP.finditer(text))
    while groups:
        end = _end_of_card(groups)
        if end is not None:
            kept += [text[start : groups[0].start()], MASK]
            start = end
        groups = [group for group in groups[1:] if group.start() >= start]
    return "".join([*kept, text[start:]])


def _end_of_card(groups: list[re.Match[str]]) -> int | None:
    """Where a card's number ends that begins with the first of these groups."""
    digits = ""
    end = None
    for group in groups[:_MOST_DIGITS]:
        digits += group.group()
        if len(digits) > _MOST_DIGITS:
            break
        if len(digits) >= _FEWEST_DIGITS and _passes_luhn(digits):
            end = group.end()
    return end


def _passes_luhn(digits: str) -> bool:
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0
