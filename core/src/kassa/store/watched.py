"""The statements of every database of this process, told as failpoints.  Nobody imports this but who watches."""

import re
from typing import Any

from sqlalchemy import Engine, event

from kassa import failpoints

_WHAT = re.compile(r"\s*(INSERT INTO|UPDATE|DELETE FROM|SELECT\b.*?\bFROM)\s+\"?(\w+)", re.IGNORECASE | re.DOTALL)


def tell_statements() -> None:
    """From now on each statement is a failpoint before and after it."""
    event.listen(Engine, "before_cursor_execute", _before)
    event.listen(Engine, "after_cursor_execute", _after)


def _before(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
    failpoints.passing(f"statement:{_name_of(statement)}:before")


def _after(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
    failpoints.passing(f"statement:{_name_of(statement)}:after")


def _name_of(statement: str) -> str:
    """What kind of statement it is, and about which table: ``insert operations``."""
    found = _WHAT.match(statement)
    if found is None:
        return " ".join(statement.split()[:2]).lower()
    return f"{found[1].split()[0].lower()} {found[2].lower()}"
