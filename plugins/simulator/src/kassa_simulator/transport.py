"""The network seam: one HTTP client, and one table from its errors to what they prove."""

from dataclasses import dataclass
from typing import Literal

import httpx

from kassa_sdk import NotSent, Unknown

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


Method = Literal["GET", "POST", "PATCH"]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the server answered, whole."""

    status: int
    body: bytes


class Transport:
    """One pooled client for one provider instance; may be used from several threads at once."""

    def __init__(self, base_url: str, api_key: str, timeout_seconds: float) -> None:
        # The simulator runs on this machine: the environment's proxies have no business with it.
        self._client = httpx.Client(
            base_url=base_url,
            headers={"authorization": f"Bearer {api_key}"},
            timeout=timeout_seconds,
            trust_env=False,
            # Plain HTTP has no certificates to verify, and loading them takes longer than all else here together.
            verify=base_url.startswith("https:"),
        )

    def send(
        self,
        method: Method,
        path: str,
        *,
        attempt_key: str | None = None,
        json: dict[str, str | int] | None = None,
        query: dict[str, str] | None = None,
    ) -> HttpAnswer | NotSent | Unknown:
        """Send one request, once.  Never raises for what the network does."""
        headers = {} if attempt_key is None else {"idempotency-key": attempt_key}
        try:
            response = self._client.request(method, path, json=json, params=query, headers=headers)
        except tuple(WHAT_AN_ERROR_PROVES) as error:
            return what_it_proves(error)
        return HttpAnswer(response.status_code, response.content)

    def close(self) -> None:
        self._client.close()


def what_it_proves(error: Exception) -> NotSent | Unknown:
    """The outcome of a call that ended in this error; Unknown for an error that the table does not know."""
    # Only the name of the class: the text of an error may quote what was sent.
    name = type(error).__name__
    if WHAT_AN_ERROR_PROVES.get(type(error)) == "not_sent":
        return NotSent(cause=f"no connection to the simulator was made ({name})")
    return Unknown(cause=f"the simulator's answer did not arrive ({name})")
