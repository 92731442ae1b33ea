"""How a command ends when it is not done: one sentence on stderr, one exit code, never a traceback for a mistake."""

import functools
import json
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import Any, NoReturn, ParamSpec

import typer

from kassa.errors import ConfigurationError, KassaError, ProviderFailure, StillProcessing

P = ParamSpec("P")


class ExitCode(IntEnum):
    """What a script learns without reading a word."""

    DONE = 0
    MISTAKE = 1
    """The caller's, or the configuration's; nothing was changed."""
    USAGE = 2
    """The command line itself is wrong."""
    PROVIDER_FAILURE = 3
    """Declined, or the provider was not reached; definitively nothing was taken."""
    UNFINISHED = 4
    """The shopper must act, or nobody knows yet; ask again."""


def says_mistakes(command: Callable[P, None]) -> Callable[P, None]:
    """The command, with every error that is somebody's mistake said in one sentence (a JSON object with ``--json``)."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (typer.Exit, typer.BadParameter):
            raise
        except Exception as error:
            if not _is_a_mistake(error):
                raise
            _say(error, as_json=kwargs.get("as_json") is True)
            raise typer.Exit(_exit_code(error)) from error

    return run


def refuse_usage(message: str) -> NoReturn:
    """End with the exit code of a wrong command line."""
    raise typer.BadParameter(message)


def _is_a_mistake(error: Exception) -> bool:
    # Imported here, because the SDK brings pydantic, and a start without a mistake does not wait for it.
    from sqlalchemy.exc import DBAPIError

    from kassa_sdk import KassaSdkError

    return isinstance(error, KassaError | KassaSdkError | DBAPIError)


def _exit_code(error: Exception) -> ExitCode:
    match error:
        case StillProcessing():
            return ExitCode.UNFINISHED
        case ProviderFailure():
            return ExitCode.PROVIDER_FAILURE
        case _:
            return ExitCode.MISTAKE


def _say(error: Exception, *, as_json: bool) -> None:
    if as_json:
        text = json.dumps({"error": _document(error)}, indent=2, ensure_ascii=False)
    else:
        text = "\n".join([_sentence(error), *next_steps(error)])
    # Not through rich: it would wrap the lines, and a mistake is searched for by its beginning.
    print(text, file=sys.stderr)


def _sentence(error: Exception) -> str:
    if not isinstance(error, ValueError | KassaError):
        # What the database's driver says spans lines, and may quote what was sent.
        return f"the database cannot be used: {_first_line(getattr(error, 'orig', None) or error)}; see `kassa doctor`"
    return str(error)


def _first_line(error: object) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def next_steps(error: Exception) -> list[str]:
    """What to do about it, where the command that failed knows more than the error."""
    return list(getattr(error, "__notes__", []))


def mistake_documents(error: ConfigurationError) -> list[dict[str, Any]]:
    """The mistakes in a configuration, in JSON."""
    return [
        {"file": each.file, "line": each.line, "field": each.field, "message": each.message} for each in error.mistakes
    ]


def _document(error: Exception) -> dict[str, Any]:
    document: dict[str, Any] = {"type": type(error).__name__, "message": _sentence(error)}
    for name in ("field", "code", "retryable", "operation_id"):
        if hasattr(error, name) and isinstance(error, KassaError):
            document[name] = getattr(error, name)
    if isinstance(error, ConfigurationError):
        document["mistakes"] = mistake_documents(error)
    if next_steps(error):
        document["next_steps"] = next_steps(error)
    return document
