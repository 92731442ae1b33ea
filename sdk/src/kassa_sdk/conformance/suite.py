"""``ProviderConformance``: the whole exam as one class to inherit from."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from kassa_sdk.conformance.amounts import AmountChecks
from kassa_sdk.conformance.candidate import Candidate
from kassa_sdk.conformance.exam import Exam
from kassa_sdk.conformance.fault_proxy import fault_proxy
from kassa_sdk.conformance.faults import FaultChecks
from kassa_sdk.conformance.finding import ListChecks, LookUpChecks
from kassa_sdk.conformance.movements import CancelChecks, CaptureChecks, RefundChecks
from kassa_sdk.conformance.notices import NoticeChecks
from kassa_sdk.conformance.payments import ActionChecks, DeclineChecks, PaymentChecks, PendingChecks
from kassa_sdk.conformance.saved_methods import SavedMethodChecks
from kassa_sdk.conformance.secrecy import SecretChecks
from kassa_sdk.conformance.verdicts import DECLARED


class ProviderConformance(
    SecretChecks,
    AmountChecks,
    SavedMethodChecks,
    NoticeChecks,
    ListChecks,
    LookUpChecks,
    FaultChecks,
    CancelChecks,
    RefundChecks,
    CaptureChecks,
    PendingChecks,
    ActionChecks,
    DeclineChecks,
    PaymentChecks,
):
    """Inherit from it, and say in the fixture ``candidate`` what is to be examined.  No test is to be overridden."""

    # Payments stand last above, because pytest runs first what is inherited from the last class.

    @pytest.fixture
    def candidate(self) -> Candidate:
        """The provider, its server, and how the server is brought to each end."""
        raise pytest.UsageError(
            "give your test class a fixture `candidate` that returns a kassa_sdk.conformance.Candidate"
        )

    @pytest.fixture
    def exam(self, candidate: Candidate, request: pytest.FixtureRequest) -> Iterator[Exam]:
        """The provider behind the fault proxy; what it declares goes into the report."""
        with ExitStack() as stack:
            server_url = candidate.server_url
            proxy = None if server_url is None else stack.enter_context(fault_proxy(server_url))
            exam = Exam(candidate, proxy)
            request.node.user_properties.append((DECLARED, exam.manifest.model_dump(mode="json")))
            yield exam
