"""JSON in which an amount is the decimal number that was written, never a float, in both directions."""

import re
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import simplejson
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kassa.errors import InvalidData
from kassa_sdk import JsonObject, Money, MoneyError

LARGEST_BODY = 64 * 1024
"""Bytes.  Everything that a client has to say fits into a few hundred; providers' messages have a limit of their own."""

DEEPEST = 20
"""How many objects and lists may stand in each other."""

LONGEST_NUMBER = 40
"""Digits: far more than any amount has, far fewer than it takes to keep a processor busy."""

LARGEST_EXPONENT = 400
"""Of a number as it is written; every float has a smaller one, and others may take all of the memory once they are used."""

_INDEX = re.compile(rb"(?:\[|%5B)\d*(?:\]|%5D)(?==)", re.IGNORECASE)
"""The place of one of several values: Medusa's clients write ``id[0]=…&id[1]=…``."""

_STORABLE = re.compile("[^\\x00\\ud800-\\udfff]*")


class ExactRequest(Request):
    """A request whose JSON is read exactly, and refused where two readers could understand it differently."""

    async def json(self) -> Any:
        """The body.  Raises HTTPException, which alone gets through FastAPI as it is."""
        body = await self.body()
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"body: expected at most {LARGEST_BODY} bytes")
        try:
            return read(body)
        except InvalidData as error:
            raise HTTPException(400, str(error)) from None


class ExactRoute(APIRoute):
    """A route that reads and writes exactly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, which gets an ``ExactRequest``."""
        handle = super().get_route_handler()

        async def handle_exactly(request: Request) -> Response:
            scope = request.scope
            query = _INDEX.sub(b"", scope["query_string"])
            return await handle(ExactRequest({**scope, "query_string": query}, request.receive))

        return handle_exactly


class ExactResponse(JSONResponse):
    """A response whose amounts are exact."""

    def render(self, content: Any) -> bytes:
        """As JSON."""
        return write(content)


def read(body: bytes) -> Any:
    """JSON, with decimal numbers as Decimal.

    Raises InvalidData for what is no JSON (NaN is none), for a key that stands there twice, and for what is too deep or too
    long to be meant.
    """
    try:
        value = simplejson.loads(
            body.decode("utf-8"),
            parse_float=_decimal,
            parse_int=_whole,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
    except (UnicodeDecodeError, ValueError) as error:
        raise InvalidData("body", f"expected JSON in UTF-8 ({error})") from None
    except RecursionError:
        raise _too_deep() from None
    _require_storable(value)
    return value


def write(content: Any) -> bytes:
    """As JSON in UTF-8."""
    return simplejson.dumps(
        content, use_decimal=True, allow_nan=False, ensure_ascii=False, separators=(",", ":")
    ).encode()


def major(money: Money) -> Decimal:
    """An amount as it stands on the wire: in major units, without zeros at its end."""
    text = f"{money.major:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def amount(field: str, value: Decimal | int, currency: str) -> Money:
    """What a client gives as an amount.  Raises InvalidData."""
    try:
        return Money.parse(value, currency)
    except MoneyError as error:
        raise InvalidData(field, str(error)) from None


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _decimal(digits: str) -> Decimal:
    value = Decimal(digits)
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits)} digits")
    if abs(value.adjusted()) > LARGEST_EXPONENT:
        raise ValueError(f"the number {digits}, which few readers know")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found: JsonObject = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name[:60]!r} stands there twice")
        found[name] = value
    return found


def _require_storable(value: Any, depth: int = 0) -> None:
    """Raises InvalidData for what is nested too deep, and for text that no database keeps."""
    if depth > DEEPEST:
        raise _too_deep()
    if isinstance(value, str) and not _STORABLE.fullmatch(value):
        raise InvalidData("body", "expected text without NUL characters and lone surrogates")
    inner = (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        _require_storable(each, depth + 1)


def _too_deep() -> InvalidData:
    return InvalidData("body", f"expected at most {DEEPEST} objects and lists in each other")
