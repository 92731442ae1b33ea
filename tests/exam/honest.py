"""Honest providers of unusual shapes, on which the exam must find nothing."""

from collections.abc import Callable
from dataclasses import replace

from kassa_sdk import (
    InitiateRequest,
    LookUp,
    LookUpOutcome,
    LookUpRequest,
    Money,
    Outcome,
    Unknown,
    Unsupported,
    hookimpl,
)
from kassa_sdk.conformance import Candidate
from kassa_sdk.manifest import AmountLimits
from kassa_simulator import SimulatorOptions, SimulatorProvider, exam
from kassa_simulator.process import SimulatorProcess


class SmallAmountsOfTwoCurrencies(SimulatorProvider):
    """It takes none of the exam's usual currencies, no large amounts, and finds a payment by its own reference alone."""

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        dinars = AmountLimits(minimum=Money(100, "BHD"), maximum=Money(300, "BHD"))
        self.manifest = self.manifest.model_copy(
            update={
                "currencies": frozenset({"USD", "BHD"}),
                "amount_limits": {"USD": AmountLimits(maximum=Money(10_000, "USD")), "BHD": dinars},
                "look_up": LookUp(by=frozenset({"provider_reference"})),
            }
        )

    @hookimpl
    def initiate(self, request: InitiateRequest) -> Outcome:
        if request.amount.currency not in (self.manifest.currencies or ()):
            raise Unsupported(f"{request.amount.currency} is not in the manifest")
        return super().initiate(request)

    @hookimpl
    def look_up(self, request: LookUpRequest) -> LookUpOutcome:
        if request.provider_reference is None:
            return Unknown(cause="only the provider's own reference finds a payment")
        return super().look_up(request)


class ATransferThatOnlyNotifies(SimulatorProvider):
    """The money comes in later, and nothing but a notice tells of it."""

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.manifest = self.manifest.model_copy(update={"look_up": None})

    @hookimpl
    def look_up(self, request: LookUpRequest) -> LookUpOutcome:
        raise Unsupported("this provider cannot be asked")


HONEST: dict[str, Callable[[SimulatorProcess], Candidate]] = {
    "usual": exam.candidate,
    "small amounts": lambda simulator: replace(
        exam.candidate(simulator, SmallAmountsOfTwoCurrencies), amount=Money(10_000, "USD")
    ),
    "transfer": lambda simulator: exam.candidate(simulator, ATransferThatOnlyNotifies, approved_by="instructions"),
}
