"""Whether this thread has a database transaction open: a provider call would hold its locks.

Apart from the database itself, so that loading the providers does not load a database library.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from kassa.errors import InternalError

_open: ContextVar[bool] = ContextVar("kassa_transaction_open", default=False)


@contextmanager
def transaction_open() -> Iterator[None]:
    """While this lasts, no provider may be called and no other transaction begun."""
    token = _open.set(True)
    try:
        yield
    finally:
        _open.reset(token)


def refuse_inside_transaction(what: str) -> None:
    """Raises InternalError when this thread has a transaction open."""
    if _open.get():
        raise InternalError(f"{what} was called inside a database transaction; commit the intent first")
