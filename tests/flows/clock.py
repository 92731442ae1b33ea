"""Time, as the stories need it."""

from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that tests put forward."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **duration: float) -> None:
        """It is later now."""
        self.now += timedelta(**duration)
