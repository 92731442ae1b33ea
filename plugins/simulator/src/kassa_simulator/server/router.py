"""The router: which method and path means what, and who may ask."""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlsplit

from kassa_simulator.server import challenge_page, desk
from kassa_simulator.server.calls import Answer, Call, Fields, Operation, Refused, Reply
from kassa_simulator.server.control import Control
from kassa_simulator.server.simulator import UNAUTHORIZED, Simulator

KEY_HEADER = "idempotency-key"

_PAYMENT = r"(?P<payment_id>[A-Za-z0-9_]{1,80})"
_METHODS = r"/account_holders/(?P<holder_id>[A-Za-z0-9_]{1,80})/payment_methods"

_OPERATIONS: tuple[tuple[str, re.Pattern[str], Operation], ...] = (
    ("POST", re.compile(r"/payments"), "initiate"),
    ("GET", re.compile(r"/payments"), "look_up"),
    ("GET", re.compile(rf"/payments/{_PAYMENT}"), "look_up"),
    ("PATCH", re.compile(rf"/payments/{_PAYMENT}"), "update"),
    ("POST", re.compile(rf"/payments/{_PAYMENT}/authorize"), "authorize"),
    ("POST", re.compile(rf"/payments/{_PAYMENT}/action"), "action"),
    ("POST", re.compile(rf"/payments/{_PAYMENT}/captures"), "capture"),
    ("POST", re.compile(rf"/payments/{_PAYMENT}/refunds"), "refund"),
    ("POST", re.compile(rf"/payments/{_PAYMENT}/cancel"), "cancel"),
    ("POST", re.compile(r"/account_holders"), "create_account_holder"),
    ("POST", re.compile(_METHODS), "save_payment_method"),
    ("GET", re.compile(_METHODS), "list_payment_methods"),
    ("DELETE", re.compile(rf"{_METHODS}/(?P<method_id>[A-Za-z0-9_]{{1,80}})"), "delete_payment_method"),
)

_CHALLENGE = re.compile(rf"/challenge/{_PAYMENT}")
_DEED = re.compile(rf"/control/payments/{_PAYMENT}/(?P<deed>[a-z_]+)")
_NO_SUCH_ROUTE = Refused(404, "unknown_route", "there is nothing at this address")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))


class Router:
    """Answers HTTP requests, whatever the server that carries them."""

    def __init__(self, simulator: Simulator, control: Control, api_key: str) -> None:
        self._simulator = simulator
        self._control = control
        self._authorization = f"Bearer {api_key}".encode()

    def answer(self, request: HttpRequest) -> Answer:
        try:
            challenge = _CHALLENGE.fullmatch(request.path)
            if challenge is not None:
                return self._challenge(request, challenge["payment_id"])
            given = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, self._authorization):
                return UNAUTHORIZED
            if request.path.startswith("/control/"):
                return self._controlled(request)
            if (request.method, request.path) == ("GET", "/books"):
                return self._books()
            return self._simulator.answer(_call(request))
        except Refused as refused:
            with self._simulator.lock:
                return self._simulator.refusal(refused)

    def _books(self) -> Reply:
        with self._simulator.lock:
            effects = [happening.effect.as_json() for happening in self._simulator.ledger.happenings]
        return Reply.of(200, {"effects": effects})

    def _challenge(self, request: HttpRequest, payment_id: str) -> Reply:
        """The page for the shopper, who has no API key: whoever knows the payment's id may answer it, once."""
        payment = self._simulator.ledger.payment(payment_id)
        if payment is None:
            return challenge_page.unknown()
        if request.method == "GET":
            waiting = payment.status == "requires_action"
            return challenge_page.question(payment) if waiting else challenge_page.closing(payment)
        form = dict(parse_qsl(request.body.decode("latin-1")))
        if request.method != "POST" or form.get("answer") not in ("approve", "decline"):
            raise Refused(422, "invalid_answer", "POST answer=approve or answer=decline")
        with self._simulator.lock:
            if payment.status != "requires_action":
                return challenge_page.closing(payment)
            self._simulator.record(desk.answer_challenge(payment, approve=form["answer"] == "approve"))
            return challenge_page.answered(payment)

    def _controlled(self, request: HttpRequest) -> Reply:
        fields, control = Fields.from_body(request.body), self._control
        deed = _DEED.fullmatch(request.path)
        if deed is not None and request.method == "POST":
            return control.do(deed["deed"], deed["payment_id"], fields)
        routes: dict[tuple[str, str], Callable[[], Reply]] = {
            ("POST", "/control/faults"): lambda: control.add_fault(fields),
            ("GET", "/control/faults"): control.faults,
            ("DELETE", "/control/faults"): control.clear_faults,
            ("POST", "/control/late_calls"): control.act_late_calls,
            ("POST", "/control/forget_keys"): control.forget_keys,
            ("POST", "/control/clock"): lambda: control.advance_clock(fields),
            ("POST", "/control/webhook"): lambda: control.set_webhook(fields),
            ("POST", "/control/notices"): lambda: control.write_notices(fields),
            ("POST", "/control/deliveries"): lambda: control.deliver_notices(fields),
        }
        route = routes.get((request.method, request.path))
        if route is None:
            raise _NO_SUCH_ROUTE
        return route()


def _call(request: HttpRequest) -> Call:
    for method, pattern, operation in _OPERATIONS:
        found = pattern.fullmatch(request.path) if method == request.method else None
        if found is not None:
            call = Call(operation, Fields({}), attempt_key=request.headers.get(KEY_HEADER), **found.groupdict())
            if operation == "look_up":
                # A look-up is a plain GET; the key to be found is in the query.
                query = Fields(dict(request.query))
                asked = replace(call, fields=query, attempt_key=query.optional_text("attempt_key"))
                is_a_list = call.payment_id is None and "created_from" in query.values
                return replace(asked, operation="list_payments") if is_a_list else asked
            return replace(call, fields=Fields.from_body(request.body))
    raise _NO_SUCH_ROUTE
