"""Subscribers: addresses of the shop's own that are told events over HTTP, in the format of Standard Webhooks.

A request names what happened, and to what; it carries no amounts, no names and no secrets.  Whoever wants to know more asks
the engine.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kassa import targets
from kassa.config import Configuration, SubscriberSettings
from kassa.config_file import ConfigFile, Location
from kassa.errors import ConfigurationError, Mistake
from kassa.listening import Answer, Gone, NotTaken, Taken, matches
from kassa.model import Event
from kassa.references import SecretReference, resolve, resolved_in
from kassa.scrubbing import Scrubber

if TYPE_CHECKING:
    from standardwebhooks import Webhook

    from kassa.webhooks import Response

SHORTEST_SECRET_BYTES, LONGEST_SECRET_BYTES = 24, 64
"""As the specification asks."""

LONGEST_QUOTE = 200
_PREFIX = "whsec_"
_PATTERN = re.compile(r"\*|[a-z0-9_-]+(\.[a-z0-9_-]+)*(\.\*)?")
_GONE = 410
_ABOUT_THE_SUBSCRIBER = frozenset({401, 403, 404, 407, 408, 425, 429})
"""Answers below 500 that any other event would have got as well."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One configured address, and who signs for it.  Safe to call from several threads."""

    name: str
    url: str
    events: tuple[str, ...]
    timeout_seconds: float
    allow_private: bool
    signers: "tuple[Webhook, ...]"
    scrubber: Scrubber

    def wants(self, event_name: str) -> bool:
        """Whether it is to be told events of this name."""
        return matches(self.events, event_name)

    def tell(self, event: Event, now: datetime) -> Answer:
        """Tell one event: a signed request, answered or not within the timeout.  Raises nothing but KeyboardInterrupt."""
        from kassa import webhooks

        parts = urlsplit(self.url)
        body = body_of(event)
        try:
            addresses = targets.addresses_of(str(parts.hostname), _port_of(self.url), allow_private=self.allow_private)
            answer = webhooks.post(
                self.url, addresses, self._headers(event, body, now), body.encode(), self.timeout_seconds
            )
        except targets.TargetRefused as error:
            return NotTaken(self.scrubber.text(str(error)), is_about_listener=True)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever it is, the request may have been taken
            return NotTaken(f"{parts.hostname} did not answer: {self.scrubber.error(error)}", is_about_listener=True)
        return self._in_words(answer)

    def _headers(self, event: Event, body: str, now: datetime) -> dict[str, str]:
        now = now.astimezone(UTC)  # the library takes any other zone's hours for hours of UTC
        signatures = [signer.sign(event.id, now, body) for signer in self.signers]
        return {
            "content-type": "application/json",
            "user-agent": "kassa",
            "webhook-id": event.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }

    def _in_words(self, answer: "Response") -> Answer:
        status = answer.status
        quote = self.scrubber.text(answer.beginning.decode("utf-8", "replace")).strip()[:LONGEST_QUOTE]
        said = f"it answered {status}" + (f": {quote}" if quote else "")
        match status // 100:
            case 2:
                return Taken()
            case 3:
                return NotTaken(
                    f"it answered {status}; redirects are not followed, write the address that it leads to",
                    is_about_listener=True,
                )
            case _ if status == _GONE:
                return Gone(said)
            case _:
                return NotTaken(
                    said, is_about_listener=status not in range(400, 500) or status in _ABOUT_THE_SUBSCRIBER
                )


def body_of(event: Event) -> str:
    """The body of the request about an event: the same for every try."""
    data = {
        "id": event.entity_id,
        "store_id": event.store_id,
        "payment_collection_id": event.payment_collection_id,
    }
    timestamp = event.created_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": event.name, "timestamp": timestamp, "data": data}, ensure_ascii=False)


def load(configuration: Configuration) -> Mapping[str, Subscriber]:
    """The configured subscribers, by name.  Raises ConfigurationError, which lists every mistake."""
    mistakes: list[Mistake] = []
    subscribers = {}
    for name, settings in configuration.settings.subscribers.items():
        here: Location = ("subscribers", name)
        if not _has_libraries():
            message = "telling subscribers needs two more libraries: pip install 'kassa[webhooks]'"
            mistakes.append(configuration.file.mistake(here, message))
            continue
        found = len(mistakes)
        resolved = resolve(settings.model_dump(exclude_none=True), here, configuration.file, mistakes)
        if len(mistakes) == found:
            mistakes += _examine(here, resolved, configuration.file)
        if len(mistakes) == found:
            subscribers[name] = _subscriber(name, settings, resolved)
    if mistakes:
        raise ConfigurationError(mistakes)
    return MappingProxyType(subscribers)


def _has_libraries() -> bool:
    try:
        import standardwebhooks  # noqa: F401

        from kassa import webhooks  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


def _subscriber(name: str, settings: SubscriberSettings, resolved: Mapping[str, Any]) -> Subscriber:
    from standardwebhooks import Webhook

    secrets = [str(resolved[field]) for field in ("secret", "previous_secret") if field in resolved]
    # The key in base64 as well, in case somebody answers with the secret and without its prefix.
    hidden = [*resolved_in(resolved), *(secret.removeprefix(_PREFIX) for secret in secrets)]
    return Subscriber(
        name=name,
        url=str(resolved["url"]),
        events=settings.events,
        timeout_seconds=settings.timeout_seconds,
        allow_private=settings.allow_private,
        signers=tuple(Webhook(_key_of(secret)) for secret in secrets),
        scrubber=Scrubber(hidden),
    )


def _examine(here: Location, resolved: Mapping[str, Any], file: ConfigFile) -> Iterator[Mistake]:
    problem = _problem_with_url(str(resolved["url"]), allow_private=resolved["allow_private"])
    if problem is not None:
        yield file.mistake((*here, "url"), problem)
    for field in ("secret", "previous_secret"):
        if field not in resolved:
            continue
        if not isinstance(resolved[field], SecretReference):
            message = "is a secret; write it as env:NAME or file:PATH, so that it does not stand in this file"
            yield file.mistake((*here, field), message)
        elif not _is_usable(str(resolved[field])):
            message = (
                f"stands for what is no secret to sign with; expected {_PREFIX} and the base64 of "
                f"{SHORTEST_SECRET_BYTES} to {LONGEST_SECRET_BYTES} random bytes, or as many characters of text"
            )
            yield file.mistake((*here, field), message)
    for pattern in resolved["events"]:
        if not _PATTERN.fullmatch(pattern):
            message = f"{pattern!r} is no name of events; expected such as 'payment.captured', 'payment.*' or '*'"
            yield file.mistake((*here, "events"), message)


def _problem_with_url(url: str, *, allow_private: bool) -> str | None:
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and url.isascii() and url.isprintable() and " " not in url
        _ = parts.port
    except ValueError:
        is_whole = False
    if not is_whole or parts.scheme not in ("http", "https"):
        return "expected the URL of one address, such as https://shop.example/kassa"
    if parts.username is not None or parts.password is not None:
        return "has a user name or a password in it; every request is signed, so leave them out"
    if parts.fragment:
        return "has a fragment (#…), which is never sent; leave it out"
    if parts.scheme == "http" and not allow_private:
        return "expected https; plain http is for private addresses, with allow_private = true"
    return None


def _port_of(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def _is_usable(secret: str) -> bool:
    try:
        return SHORTEST_SECRET_BYTES <= len(_key_of(secret)) <= LONGEST_SECRET_BYTES
    except binascii.Error:
        return False


def _key_of(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    encoded = secret.removeprefix(_PREFIX)
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
