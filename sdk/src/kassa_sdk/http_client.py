"""An HTTP client for providers: one request, one answer, and one table from the errors of the network to what they prove.

It comes with ``pip install "kassa-sdk[http]"``, and is imported from here: ``from kassa_sdk.http_client import HttpClient``.
Nothing is sent twice and no redirect is followed, because only the engine knows what may be repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from kassa_sdk.outcomes import NotSent, Unknown

try:
    import httpx
except ModuleNotFoundError as error:
    raise ModuleNotFoundError('kassa_sdk.http_client needs httpx; install "kassa-sdk[http]"', name=error.name) from None

ModelT = TypeVar("ModelT", bound=BaseModel)

# Every exception of httpx. "not_sent": the connection was never made, or the request never left the client. Everything
# else may have happened after the first byte, and is unknown. A test compares this table with httpx itself.
WHAT_AN_ERROR_PROVES: dict[type[Exception], Literal["not_sent", "unknown"]] = {
    httpx.ConnectError: "not_sent",
    httpx.ConnectTimeout: "not_sent",
    httpx.PoolTimeout: "not_sent",
    httpx.UnsupportedProtocol: "not_sent",
    httpx.InvalidURL: "not_sent",
    httpx.HTTPError: "unknown",
    httpx.RequestError: "unknown",
    httpx.TransportError: "unknown",
    httpx.TimeoutException: "unknown",
    httpx.ReadTimeout: "unknown",
    httpx.WriteTimeout: "unknown",
    httpx.NetworkError: "unknown",
    httpx.ReadError: "unknown",
    httpx.WriteError: "unknown",
    httpx.CloseError: "unknown",
    httpx.ProxyError: "unknown",
    httpx.ProtocolError: "unknown",
    httpx.LocalProtocolError: "unknown",
    httpx.RemoteProtocolError: "unknown",
    httpx.DecodingError: "unknown",
    httpx.TooManyRedirects: "unknown",
    httpx.HTTPStatusError: "unknown",
    httpx.CookieConflict: "unknown",
    httpx.StreamError: "unknown",
    httpx.StreamConsumed: "unknown",
    httpx.StreamClosed: "unknown",
    httpx.ResponseNotRead: "unknown",
    httpx.RequestNotRead: "unknown",
}


Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the server answered, whole; the names of the headers are in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def read(self, model: type[ModelT], *, server: str) -> ModelT | Unknown:
        """The body (JSON) as this model, or Unknown where it is none.

        Make the model strict, so that an amount ``"12"`` or ``1.0`` is not taken for one.  What stood in the body is not
        repeated, because nobody knows what is in it.
        """
        try:
            return model.model_validate_json(self.body)
        except ValidationError as error:
            return unreadable(error, server=server)


class HttpClient:
    """One pooled client for one provider instance; may be used from several threads at once.

    ``server`` is what causes call the other side: "Acme".  ``timeout_seconds`` limits connecting, and each wait for a part
    of the answer.  ``headers`` go with every request (the API key).  ``trust_env`` False leaves alone the proxies and the
    certificates that the environment names.
    """

    def __init__(
        self,
        base_url: str,
        *,
        server: str,
        timeout_seconds: float,
        headers: Mapping[str, str] | None = None,
        trust_env: bool = True,
    ) -> None:
        self._server = server
        self._client = httpx.Client(
            base_url=base_url,
            headers=headers,
            timeout=timeout_seconds,
            trust_env=trust_env,
            # Plain HTTP has no certificates to verify, and loading them takes longer than all else here together.
            verify=httpx.URL(base_url).scheme != "http",
        )

    def send(
        self,
        method: Method,
        path: str,
        *,
        json: Mapping[str, JsonValue] | None = None,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer | NotSent | Unknown:
        """Send one request, once, to this path of the base URL.  Never raises for what the network does.

        Raises ValueError for an absolute address: the headers, and the key in them, are for this server alone.
        """
        if not path.startswith("/"):
            raise ValueError("a path begins with '/', and its server is that of the base URL")
        try:
            response = self._client.request(method, path, json=json, data=form, params=query, headers=headers)
        except tuple(WHAT_AN_ERROR_PROVES) as error:
            return what_it_proves(error, server=self._server)
        return HttpAnswer(response.status_code, response.content, response.headers)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def what_it_proves(error: Exception, *, server: str) -> NotSent | Unknown:
    """The outcome of a call that ended in this error; Unknown for an error that the table does not know."""
    # Only the name of the class: the text of an error may quote what was sent.
    name = type(error).__name__
    if WHAT_AN_ERROR_PROVES.get(type(error)) == "not_sent":
        return NotSent(cause=f"no connection to {server} was made ({name})")
    return Unknown(cause=f"the answer of {server} did not arrive ({name})")


def unreadable(error: Exception, *, server: str) -> Unknown:
    """An answer that makes no sense: not JSON, fields missing, amounts that are none."""
    return Unknown(cause=f"the answer of {server} makes no sense ({type(error).__name__})")
