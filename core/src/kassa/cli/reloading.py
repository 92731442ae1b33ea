"""``kassa reload``, and how a process that runs for long notices that its configuration is to be read again."""

import getpass
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from kassa.cli.engines import opened
from kassa.cli.examination import database_in_words
from kassa.cli.exits import mistake_documents, says_mistakes
from kassa.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath
from kassa.cli.output import GOOD, facts, print_document, say
from kassa.errors import ConfigurationError

if TYPE_CHECKING:
    from kassa.engine import Engine


@says_mistakes
def reload(
    who: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who asks; without it, who is logged in.", show_default=False)
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Ask every process that works with this database to read its configuration file again, without a restart.

    The file is validated first, as `kassa check` does; with a mistake in it, nobody is asked. Each process reads its own
    file at its next pass, and goes on with what it has where that file is invalid, or names another database.
    """
    from kassa.opening import load

    loaded = load(config)
    who = who or getpass.getuser()
    with opened(config) as engine:
        engine.request_reload(who)
    if as_json:
        print_document({"file": str(config), "database": database_in_words(loaded), "requested_by": who})
        return
    say(f"{config} is valid; every process that runs is asked to read its file again.", GOOD)
    say(facts([("through", database_in_words(loaded))]))


class HangUp:
    """Whether the signal SIGHUP has come since it was last asked."""

    def __init__(self) -> None:
        self._has_come = False

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """The signal's handler: it runs between any two instructions, so it does no more than this."""
        self._has_come = True

    def has_come(self) -> bool:
        """Tells of each signal once."""
        if not self._has_come:
            return False
        self._has_come = False
        return True


@contextmanager
def hang_ups_noted() -> Iterator[HangUp]:
    """While this lasts, SIGHUP does not end the process, where there is such a signal."""
    hang_up = HangUp()
    if not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        yield hang_up
        return
    before = signal.signal(signal.SIGHUP, hang_up.note)
    try:
        yield hang_up
    finally:
        signal.signal(signal.SIGHUP, before)


def reload_where_asked(engine: "Engine", hang_up: HangUp, *, as_json: bool) -> None:
    """Read the configuration again, if a signal or ``kassa reload`` asks for it; an invalid one changes nothing."""
    try:
        if hang_up.has_come():
            engine.reload()
        elif not engine.reload_if_asked():
            return
    except ConfigurationError as error:
        # For people, the mistakes are in the log, which goes to stderr.
        if as_json:
            print_document({"configuration": {"reloaded": False, "mistakes": mistake_documents(error)}})
        return
    if as_json:
        print_document({"configuration": {"reloaded": True, "mistakes": []}})
    else:
        say("The configuration is reloaded.", GOOD)
