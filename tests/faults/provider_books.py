"""The provider's books: its own append-only file, read without asking the provider."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Effect:
    """One thing that happened at a provider."""

    provider: str
    number: int
    type: str
    payment_id: str | None
    key: str | None
    amount: int | None
    currency: str | None
    movement_id: str | None
    movement_status: str | None
    our_reference: str | None
    code: str | None


@dataclass(frozen=True)
class Books:
    """One provider's file, from this byte on."""

    provider: str
    path: Path
    offset: int = 0

    def read(self) -> list[Effect]:
        """The effects, in their order."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return [self._effect(json.loads(line)) for line in file.read().splitlines()]

    def _effect(self, told: dict[str, Any]) -> Effect:
        names = (
            "number",
            "type",
            "payment_id",
            "amount",
            "currency",
            "movement_id",
            "movement_status",
            "our_reference",
            "code",
        )
        fields = {name: told.get(name) for name in names}
        return Effect(provider=self.provider, key=told.get("attempt_key"), **fields)  # type: ignore[arg-type]
