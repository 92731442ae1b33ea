"""A cursor of psycopg that describes the columns of a result only where somebody reads it.

psycopg makes an object of each column whenever it is asked, and SQLAlchemy asks after every statement only to see whether
there are any: it knows the columns of its own statements.  On wide tables that is an eighth of the CPU of a payment.
"""

from collections.abc import Sequence
from typing import Any, overload

from psycopg import Column, Cursor
from psycopg.pq import ExecStatus


class LazyCursor(Cursor[Any]):
    """As psycopg's own."""

    @property
    def description(self) -> Any:
        """The columns of the result, a sequence; None where the statement has none."""
        result = self.pgresult
        if result is None or not (result.nfields or result.status == ExecStatus.TUPLES_OK):
            return None
        return _Columns(self)

    def columns(self) -> Sequence[Column]:
        """The columns, made now."""
        return super().description or ()


class _Columns(Sequence[Column]):
    def __init__(self, cursor: LazyCursor) -> None:
        self._cursor = cursor
        self._made: Sequence[Column] | None = None

    def _all(self) -> Sequence[Column]:
        if self._made is None:
            self._made = self._cursor.columns()
        return self._made

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> Column: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Column]: ...
    def __getitem__(self, index: int | slice) -> Column | Sequence[Column]:
        return self._all()[index]
