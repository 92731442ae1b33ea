"""Contract 1's provider takes the exam that every provider takes."""

from datetime import UTC, datetime

import pytest
from kassa_sdk import Action, Money, RawNotice
from kassa_sdk.conformance import Candidate, ProviderConformance, Scenario, Scenarios, SentNotices, ServerBooks
from kassa_simulator.control import NoticeSelection
from kassa_simulator.process import SimulatorProcess
from kassa_simulator.signature import SIGNATURE_HEADER, sign

from kassa_contract_1 import Contract1Provider


class TestContract1(ProviderConformance):
    @pytest.fixture
    def candidate(self, server: SimulatorProcess) -> Candidate:
        """What the exam must know: the options, the books, the notices, how the server is brought to each end."""

        def options(url: str) -> dict[str, object]:
            secrets = {"api_key": server.settings.api_key, "webhook_secret": server.settings.webhook_secret}
            return {"base_url": url, "timeout_seconds": 0.5, **secrets}

        def approves(reference: str, action: Action) -> None:
            server.control.answer_challenge(reference, "approve")

        def refuses(reference: str, action: Action) -> None:
            server.control.answer_challenge(reference, "decline")

        def books(reference: str) -> ServerBooks:
            payment = server.control.payment(reference)
            return ServerBooks(
                authorized=Money(payment["authorized"], payment["currency"]),
                captured=Money(payment["captured"], payment["currency"]),
                refunded=Money(payment["refunded"], payment["currency"]),
                is_canceled=payment["status"] == "canceled",
            )

        def notices_about(reference: str) -> list[RawNotice]:
            return [
                RawNotice(body=sent["body"].encode(), headers=sent["headers"], received_at=datetime.now(UTC))
                for sent in server.control.notices(NoticeSelection(payment_id=reference))
            ]

        def signed(body: bytes, at: datetime) -> RawNotice:
            header = sign(body, server.settings.webhook_secret, int(at.timestamp()))
            return RawNotice(body=body, headers={SIGNATURE_HEADER: header}, received_at=at)

        return Candidate(
            provider=Contract1Provider,
            server_url=server.url,
            options=options,
            scenarios=Scenarios(
                approve=Scenario(),
                decline=Scenario(data={"scenario": "decline"}),
                action=Scenario(data={"scenario": "challenge"}, answers=approves),
                action_refused=Scenario(data={"scenario": "challenge"}, answers=refuses),
                pending=Scenario(data={"scenario": "pending"}),
            ),
            books=books,
            notices=SentNotices(about=notices_about, sign=signed),
        )
