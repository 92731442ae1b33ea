"""A process that forks: what each side of the fork does with the database.

Connections do not survive a fork.  Those to PostgreSQL are left to the parent; those to an SQLite file have to be closed
before, because SQLite counts locks per process, and would lose writes of a child that inherited an open connection.
"""

import os
from typing import Protocol
from weakref import WeakSet


class Forking(Protocol):
    """What wants to be told of a fork."""

    def before_fork(self) -> None:
        """Come to rest; nothing begins until one of the others is called."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Begin anew."""


_told: WeakSet[Forking] = WeakSet()
_at_rest: list[Forking] = []


def tell_of_forks(one: Forking) -> None:
    """From now on, as long as it lives, it is told of every fork of this process."""
    _told.add(one)


def _before() -> None:
    for one in list(_told):
        one.before_fork()
        _at_rest.append(one)


def _after_in_parent() -> None:
    while _at_rest:
        _at_rest.pop().after_fork_in_parent()


def _after_in_child() -> None:
    while _at_rest:
        _at_rest.pop().after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
