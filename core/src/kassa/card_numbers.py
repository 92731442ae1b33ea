"""The numbers of cards: kassa takes none, keeps none, and shows none.  Pure."""

import re
from collections.abc import Sequence
from functools import partial

_DIGITS_AND_GAPS = re.compile(r"[0-9]+(?:[ -]+[0-9]+)*")
_STANDING_ALONE = re.compile(rf"(?<![0-9A-Za-z_]){_DIGITS_AND_GAPS.pattern}(?![0-9A-Za-z_])")
"""Not within an id."""
_GROUP = re.compile(r"[0-9]+")
_FEWEST_DIGITS, _MOST_DIGITS = 13, 19

# How the numbers of each kind of card begin, and how long they are (ISO/IEC 7812 and the schemes' own lists).  Without it,
# every tenth id of a shop that is a long number would be taken for a card.
_SCHEMES = re.compile(
    r"4(\d{12}|\d{15}|\d{18})"  # Visa
    r"|(5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|(6011|64[4-9]\d|65\d{2})\d{12,15}"  # Discover
    r"|35(2[89]|[3-8]\d)\d{12,15}"  # JCB
    r"|62\d{14,17}"  # UnionPay
    r"|(50|5[6-9]|6[37])\d{14,17}"  # Maestro
)


def is_one(text: str) -> bool:
    """Whether this text, gaps aside, is the number of a card: of a known scheme, and with a true check digit."""
    if not _DIGITS_AND_GAPS.fullmatch(text):
        return False
    digits = "".join(_GROUP.findall(text))
    return _SCHEMES.fullmatch(digits) is not None and _passes_luhn(digits)


def holds_one(text: str) -> bool:
    """Whether the number of a card stands somewhere in this text."""
    runs = (_GROUP.findall(found) for found in _STANDING_ALONE.findall(text))
    return any(
        _begins_with_one(groups[first : first + _MOST_DIGITS]) for groups in runs for first in range(len(groups))
    )


def masked(text: str, mask: str) -> str:
    """The text, without anything that might be one: whatever has the length and a true check digit."""
    return _DIGITS_AND_GAPS.sub(partial(_without_cards, mask=mask), text)


def _without_cards(found: re.Match[str], mask: str) -> str:
    """Digits with gaps between them: an expiry date or an amount may stand right beside the number of a card."""
    text, kept, start = found.group(), [], 0
    groups = list(_GROUP.finditer(text))
    for first, group in enumerate(groups):
        end = None if group.start() < start else _end_of_card(groups[first : first + _MOST_DIGITS])
        if end is not None:
            kept += [text[start : group.start()], mask]
            start = end
    return "".join([*kept, text[start:]])


def _begins_with_one(groups: Sequence[str]) -> bool:
    """Whether the first of these groups of digits, with some of the next, is the number of a card."""
    digits = ""
    for group in groups:
        digits += group
        if len(digits) > _MOST_DIGITS:
            return False
        if is_one(digits):
            return True
    return False


def _end_of_card(groups: Sequence[re.Match[str]]) -> int | None:
    """Where a card's number ends that begins with the first of these groups."""
    digits = ""
    end = None
    for group in groups:
        digits += group.group()
        if len(digits) > _MOST_DIGITS:
            break
        if len(digits) >= _FEWEST_DIGITS and _passes_luhn(digits):
            end = group.end()
    return end


def _passes_luhn(digits: str) -> bool:
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0
