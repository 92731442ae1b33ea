"""The conformance kit: the exam that every provider takes, the same for ours and for yours.

It comes with ``pip install "kassa-sdk[exam]"``.  The whole exam of a provider is a class in one of its test files::

    class TestAcme(ProviderConformance):
        @pytest.fixture
        def candidate(self, acme_server):
            return Candidate(
                provider=AcmeProvider,
                server_url=acme_server.url,
                options=lambda url: {"base_url": url, "api_key": "test", "timeout_seconds": 0.5},
                books=acme_server.books,
            )
"""

from kassa_sdk.conformance.candidate import Candidate, Scenario, Scenarios, SentNotices, ServerBooks
from kassa_sdk.conformance.fault_proxy import Fault, FaultProxy, fault_proxy
from kassa_sdk.conformance.suite import ProviderConformance

__all__ = [
    "Candidate",
    "Fault",
    "FaultProxy",
    "ProviderConformance",
    "Scenario",
    "Scenarios",
    "SentNotices",
    "ServerBooks",
    "fault_proxy",
]
