"""How the conformance exam is taken with a simulator as the server: by this provider, or by one that speaks to it.

Needs the extra "exam" of kassa-sdk.
"""

from datetime import UTC, datetime

from pydantic import JsonValue

from kassa_sdk import Action, JsonObject, Money, RawNotice
from kassa_sdk.conformance import Candidate, Scenario, Scenarios, SentNotices, ServerBooks
from kassa_simulator.control import NoticeSelection
from kassa_simulator.process import SimulatorProcess
from kassa_simulator.provider import SimulatorProvider
from kassa_simulator.server.scenarios import SCRIPTS
from kassa_simulator.server.scenarios import Scenario as PaymentScenario
from kassa_simulator.signature import SIGNATURE_HEADER, sign


def candidate(
    simulator: SimulatorProcess,
    provider: type[SimulatorProvider] = SimulatorProvider,
    *,
    approved_by: str = "approve",
    timeout_seconds: float = 0.4,
    **more_options: JsonValue,
) -> Candidate:
    """This provider as a candidate, with the simulator's books as the truth.

    ``approved_by`` is the simulator's scenario by which payments come about: at once, by way of a page, days later.
    ``more_options`` are those of the provider, such as ``notices="id_only"``.
    """

    script = SCRIPTS[PaymentScenario(approved_by)]

    def options(url: str) -> JsonObject:
        return {
            "base_url": url,
            "api_key": simulator.settings.api_key,
            "webhook_secret": simulator.settings.webhook_secret,
            "timeout_seconds": timeout_seconds,
            "keys": simulator.settings.keys,
            **more_options,
        }

    def approves(reference: str, action: Action) -> None:
        simulator.control.answer_challenge(reference, "approve")

    def settles(reference: str) -> None:
        simulator.control.do("settle", reference)

    def refuses(reference: str, action: Action) -> None:
        simulator.control.answer_challenge(reference, "decline")

    def books(reference: str) -> ServerBooks:
        payment = simulator.control.payment(reference)
        authorized, captured, refunded = (
            Money(payment[total], payment["currency"]) for total in ("authorized", "captured", "refunded")
        )
        is_canceled = payment["status"] == "canceled"
        return ServerBooks(authorized=authorized, captured=captured, refunded=refunded, is_canceled=is_canceled)

    def about(reference: str) -> list[RawNotice]:
        written = simulator.control.notices(NoticeSelection(payment_id=reference))
        return [
            RawNotice(body=notice["body"].encode(), headers=notice["headers"], received_at=datetime.now(UTC))
            for notice in written
        ]

    def signed(body: bytes, at: datetime) -> RawNotice:
        signature = sign(body, simulator.settings.webhook_secret, int(at.timestamp()))
        return RawNotice(body=body, headers={SIGNATURE_HEADER: signature}, received_at=at)

    return Candidate(
        provider=provider,
        server_url=simulator.url,
        options=options,
        scenarios=Scenarios(
            approve=Scenario(
                data={"scenario": approved_by},
                answers=approves if script.authorize == "action" else None,
                settles=settles if script.authorize == "pending" else None,
            ),
            decline=Scenario(data={"scenario": "decline"}),
            action=Scenario(data={"scenario": "challenge"}, answers=approves),
            action_refused=Scenario(data={"scenario": "challenge"}, answers=refuses),
            pending=Scenario(data={"scenario": "pending"}),
        ),
        books=books,
        notices=SentNotices(about=about, sign=signed),
        saved_method=lambda: {"payment_method": "visa"},
    )
