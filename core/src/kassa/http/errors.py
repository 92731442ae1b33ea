"""Errors on the wire: one table from each class to its status and type, as Medusa's clients know them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NotRequired

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import compile_path
from typing_extensions import TypedDict

from kassa import errors
from kassa.http.exact import ExactResponse
from kassa.http.mounting import path_within
from kassa_sdk import KassaSdkError

RETRY_AFTER_SECONDS = 5
"""When who is told that something is under way may ask again."""

SERVERS_FAULT = 500
"""From this status on it is ours, and what went wrong is for the log."""

_log = logging.getLogger("kassa.http")


@dataclass(frozen=True, slots=True)
class Answer:
    """How an error is told.  ``code`` is a second, shorter word that Medusa's clients may read."""

    status: int
    type: str
    code: str | None = None


class Unauthorized(errors.CallerError):
    """No key, or one that opens nothing."""


class Forbidden(errors.CallerError):
    """The key does not open this."""


class TooManyRequests(errors.CallerError):
    """Too often in too short a time; ``retry_after`` is in seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


ANSWERS: Mapping[type[errors.KassaError], Answer] = {
    errors.InvalidData: Answer(400, "invalid_data"),
    errors.NotAllowed: Answer(400, "not_allowed"),
    errors.NotFound: Answer(404, "not_found"),
    Unauthorized: Answer(401, "unauthorized"),
    errors.Unverified: Answer(401, "unauthorized"),
    Forbidden: Answer(403, "forbidden"),
    errors.KeyReused: Answer(422, "duplicate_error", "invalid_request_error"),
    errors.Conflict: Answer(409, "conflict", "invalid_state_error"),
    errors.StillProcessing: Answer(409, "conflict", "invalid_state_error"),
    TooManyRequests: Answer(429, "too_many_requests"),
    errors.CallerError: Answer(400, "invalid_data"),
    errors.PaymentDeclined: Answer(422, "payment_authorization_error"),
    errors.ProviderUnavailable: Answer(503, "unexpected_state", "api_error"),
    errors.ProviderFailure: Answer(422, "payment_authorization_error"),
    errors.NoticeUnreadable: Answer(500, "unexpected_state", "api_error"),
    errors.StoreUnavailable: Answer(503, "unexpected_state", "api_error"),
    errors.InternalError: Answer(500, "unknown_error", "unknown_error"),
    errors.KassaError: Answer(500, "unknown_error", "unknown_error"),
}
"""What each class of errors is told as; a class that is not here is told as its parent."""

_TYPE_OF_STATUS = {
    400: "invalid_data",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "invalid_data",
}


class ErrorAnswer(TypedDict):
    """What an error says: ``type`` for programs, ``message`` for people; ``code`` where Medusa's clients know one."""

    type: str
    message: str
    code: NotRequired[str]


TOLD: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "It cannot be done as asked; nothing was changed."},
    401: {"model": ErrorAnswer, "description": "No key in force was sent."},
    403: {"model": ErrorAnswer, "description": "The key does not open this."},
    404: {"model": ErrorAnswer, "description": "There is no such thing in this store."},
    409: {"model": ErrorAnswer, "description": "Something else is under way, or nobody knows yet; ask again later."},
    413: {"model": ErrorAnswer, "description": "The body is too large."},
    422: {
        "model": ErrorAnswer,
        "description": "The provider said no, or the idempotency key stands for another request.",
    },
    429: {"model": ErrorAnswer, "description": "Too often in too short a time."},
    500: {"model": ErrorAnswer, "description": "A fault of ours; nothing is lost."},
    503: {"model": ErrorAnswer, "description": "The provider or the database was not reached; ask again later."},
}
"""What every route may answer beside what it is for, for the description."""


def answer_to(error: errors.KassaError) -> Answer:
    """How this error is told."""
    return next(ANSWERS[each] for each in type(error).__mro__ if each in ANSWERS)


def install(app: FastAPI) -> None:
    """Every error of the app's routes is told by the table."""
    app.add_exception_handler(errors.KassaError, _kassa_error)
    app.add_exception_handler(KassaSdkError, _sdk_error)
    app.add_exception_handler(RequestValidationError, _unexpected_request)
    app.add_exception_handler(HTTPException, _http_error)


def response(status: int, type_: str, message: str, code: str | None = None) -> ExactResponse:
    """An error's body."""
    body = {"type": type_, "message": message}
    return ExactResponse(body if code is None else {**body, "code": code}, status)


async def _kassa_error(request: Request, error: Exception) -> ExactResponse:
    assert isinstance(error, errors.KassaError), "this handler is installed for these"
    answer = answer_to(error)
    if isinstance(error, errors.InvalidData) and error.field in request.path_params:
        # A path that nothing can stand under.
        answer = ANSWERS[errors.NotFound]
    if answer.status >= SERVERS_FAULT:
        _log.error("%s: %s", type(error).__name__, error)
    told = response(answer.status, answer.type, _message(error, answer), answer.code)
    if answer.status in (409, 503):
        told.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if isinstance(error, TooManyRequests):
        told.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthorized):
        told.headers["WWW-Authenticate"] = 'Basic realm="kassa"'
    return told


def _message(error: errors.KassaError, answer: Answer) -> str:
    """What went wrong inside is not for the client: it stands in the log."""
    return (
        str(error) if answer.status < SERVERS_FAULT else "something went wrong here; nothing is lost, ask again later"
    )


async def _sdk_error(_: Request, error: Exception) -> ExactResponse:
    return response(400, "invalid_data", str(error))


async def _unexpected_request(_: Request, error: Exception) -> ExactResponse:
    assert isinstance(error, RequestValidationError), "this handler is installed for these"
    problems = [f"{_place(problem['loc'])}: {problem['msg']}" for problem in error.errors()]
    return response(400, "invalid_data", "; ".join(problems))


def _place(location: tuple[str | int, ...]) -> str:
    return ".".join(map(str, location[1:] or location))


async def _http_error(request: Request, error: Exception) -> ExactResponse:
    assert isinstance(error, HTTPException), "this handler is installed for these"
    told = response(error.status_code, _TYPE_OF_STATUS.get(error.status_code, "not_allowed"), str(error.detail))
    told.headers.update(error.headers or {})
    if "allow" in told.headers:
        # The router tells those of the first route under this path.
        told.headers["allow"] = ", ".join(sorted(_methods(request)))
    return told


def _methods(request: Request) -> set[str]:
    described: dict[str, dict[str, object]] = request.app.openapi()["paths"]
    matching = [path for path in described if compile_path(path)[0].match(path_within(request.scope))]
    return {method.upper() for path in matching for method in described[path]}


def accident(error: Exception) -> ExactResponse:
    """The answer where something went wrong that no table tells of; its kind is in the log."""
    # Not with its text: a driver's error may quote what was sent.
    _log.error("an accident: %s", type(error).__name__)
    return response(
        500, "unknown_error", "something went wrong here; nothing is lost, ask again later", "unknown_error"
    )
