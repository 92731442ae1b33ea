"""A simulated payment provider: ``SimulatorProvider`` for kassa, and ``python -m kassa_simulator``, the server behind it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kassa_simulator.provider import SimulatorOptions, SimulatorProvider

__all__ = ["SimulatorOptions", "SimulatorProvider"]


def __getattr__(name: str) -> Any:
    # The server lives in this package too, starts thousands of times in tests, and needs neither httpx nor the SDK, whose
    # import takes ten times as long as the server itself.
    if name in __all__:
        from kassa_simulator import provider

        return getattr(provider, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
