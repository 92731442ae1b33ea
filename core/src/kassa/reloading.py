"""The configuration, read again without a restart: a whole new world, or the one that is in force stays in force."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock

from kassa.errors import ConfigurationError, InvalidData
from kassa.store import reload_requests
from kassa.store.reload_requests import ReloadRequest
from kassa.world import World

LONGEST_NAME = 255

CLOCKS_DIFFER = timedelta(minutes=5)
"""By how much: a request from shortly before the start may be later than it.  Reloading once too often does no harm."""

_log = logging.getLogger("kassa.configuration")


class CurrentWorld:
    """The world that is in force, for the engines of every store.  Replaced whole; safe to share between threads.

    A verb takes it once, and goes on to its end with the one that it took.
    """

    def __init__(self, world: World, following: Callable[[World], World], since: datetime) -> None:
        """``following`` makes the world that comes after one; ``since`` is when the first one's configuration was read."""
        self._world = world
        self._following = following
        self._since = since
        self._heeded = 0
        self._one_at_a_time = Lock()

    def of_store(self, store_id: str) -> World:
        """The world, for the verbs of one store."""
        return replace(self._world, store_id=store_id)

    def reload(self) -> None:
        """Put the configuration as it is now in force.  Raises ConfigurationError, NotAllowed; then nothing changes."""
        with self._one_at_a_time:
            try:
                self._world = self._following(self._world)
            except ConfigurationError as error:
                _log.error("%s\nthe configuration is not reloaded; the one in force stays in force", error)
                raise
        _log.info("the configuration is reloaded")

    def reload_if_asked(self) -> bool:
        """Reload where somebody has asked every process to since it was last done.  Returns whether it was done.

        Raises as ``reload``; a request is heeded once, whatever comes of it.
        """
        newest = self._world.database.read(reload_requests.newest)
        if newest is None or not self._is_new(newest):
            return False
        self._heeded = newest.id
        self.reload()
        return True

    def _is_new(self, request: ReloadRequest) -> bool:
        if self._heeded:
            return request.id > self._heeded
        return request.requested_at > self._since - CLOCKS_DIFFER


def request(world: World, who: str) -> None:
    """Ask every running process to reload.  Raises InvalidData."""
    if not who.strip() or len(who) > LONGEST_NAME:
        raise InvalidData("who", f"expected 1 to {LONGEST_NAME} characters: a request is kept with who made it")
    world.database.transact(lambda connection: reload_requests.add(connection, who.strip(), world.clock()))
