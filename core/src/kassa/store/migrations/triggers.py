"""Triggers, alike in every migration: the database refuses what the code refuses."""

from collections.abc import Mapping, Sequence

from alembic import op


def guard_status(table: str, moves: Mapping[str, Sequence[str]]) -> None:
    """The database refuses the same moves as transitions.advance."""
    allowed = ", ".join(f"'{current}>{following}'" for current in moves for following in moves[current])
    condition = f"OLD.status <> NEW.status AND (OLD.status || '>' || NEW.status) NOT IN ({allowed})"
    refuse(f"{table}_status", f"UPDATE OF status ON {table}", condition, f"kassa: illegal status move in {table}")


def refuse(name: str, change: str, condition: str | None, message: str) -> None:
    """Refuse a change, where the condition holds (None: always)."""
    when = f"WHEN ({condition})" if condition else ""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"CREATE TRIGGER {name} BEFORE {change} {when} BEGIN SELECT RAISE(ABORT, '{message}'); END")
        return
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger AS $$ BEGIN "
        f"RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation'; END $$ LANGUAGE plpgsql"
    )
    op.execute(f"CREATE TRIGGER {name} BEFORE {change} FOR EACH ROW {when} EXECUTE FUNCTION {name}()")


def after_insert(name: str, table: str, statement: str) -> None:
    """Run a statement for each new row, in its transaction; ``NEW`` is the row."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"CREATE TRIGGER {name} AFTER INSERT ON {table} BEGIN {statement}; END")
        return
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger AS $$ BEGIN {statement}; RETURN NULL; END $$ LANGUAGE plpgsql"
    )
    op.execute(f"CREATE TRIGGER {name} AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
