"""The worker inside the server's own process: a thread that does what is due."""

import logging
import threading
from collections.abc import Callable

from kassa.engine import Engine
from kassa.errors import ConfigurationError

PAUSE_SECONDS = 1.0
"""Between two passes, when the last one left nothing to do."""

_log = logging.getLogger("kassa.worker")


class BackgroundWorker:
    """Passes of the worker, one after the other, until it is stopped.  Others may work beside it, here or elsewhere."""

    def __init__(self, engine: Engine, is_to_reload: Callable[[], bool]) -> None:
        self._engine = engine
        self._is_to_reload = is_to_reload
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kassa-worker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the pass that is under way; what it leaves is due, and somebody else's."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopped.wait(pause):
            pause = 0.0 if self._pass() else PAUSE_SECONDS

    def _pass(self) -> bool:
        """One pass, and whether there may be more to do at once.  Nothing ends the worker: what failed is due again."""
        try:
            if self._is_to_reload():
                self._engine.reload()
            else:
                self._engine.reload_if_asked()
        except ConfigurationError:
            pass  # its mistakes are in the log, and what was in force stays so
        except Exception as error:
            _log.error("the worker could not see whether to reload: %s", type(error).__name__)
        try:
            return self._engine.work().leaves_more
        except Exception as error:
            _log.error("a pass of the worker failed, and is tried again: %s", type(error).__name__)
            return False
