"""Secrets: only references to them stand in the file, and whatever the options are made of, they are found."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretBytes, SecretStr, field_validator

from kassa.config_file import ConfigFile, Location
from kassa.errors import Mistake
from kassa.references import literal_secrets, resolve, secrets_in

WRITTEN: list[tuple[dict[str, Any], Location]] = [
    ({"key": "sk_canary"}, ("key",)),
    ({"keys": {"eu": "sk_canary"}}, ("keys", "eu")),
    ({"list": ["sk_canary"]}, ("list", 0)),
    ({"set": ["sk_canary"]}, ("set", 0)),
    ({"secret-key": "sk_canary"}, ("secret-key",)),
    ({"other-key": "sk_canary"}, ("other-key",)),
    ({"nested": {"keys": {"eu": "sk_canary"}}}, ("nested", "keys", "eu")),
    ({"raw": "sk_canary"}, ("raw",)),
    ({"changed": "canary"}, ("changed",)),
]


class Keys(BaseModel):
    keys: dict[str, SecretStr] = {}


class Options(BaseModel):
    """Every shape in which a secret may come."""

    model_config = ConfigDict(extra="forbid")
    key: SecretStr | None = None
    keys: dict[str, SecretStr] = {}
    list: tuple[SecretStr, ...] = ()
    set: frozenset[SecretStr] = frozenset()
    aliased: SecretStr | None = Field(default=None, alias="secret-key")
    one_of: SecretStr | None = Field(default=None, validation_alias=AliasChoices("this-key", "other-key"))
    nested: Keys = Keys()
    raw: SecretBytes | None = None
    changed: SecretStr | None = None

    @field_validator("changed", mode="before")
    @classmethod
    def _with_its_prefix(cls, value: str) -> str:
        return f"sk_{value}"


def resolved(written: Any) -> tuple[Any, list[Mistake]]:
    """What was written with its references resolved, and the mistakes in it."""
    mistakes: list[Mistake] = []
    return resolve(written, (), ConfigFile("kassa.toml", ""), mistakes), mistakes


@pytest.mark.parametrize(("written", "where"), WRITTEN)
def test_a_secret_that_is_written_out_is_found_whatever_it_is_in(written: dict[str, Any], where: Location) -> None:
    assert list(literal_secrets(written, Options.model_validate(written), ())) == [where]


@pytest.mark.parametrize(("written", "where"), WRITTEN)
def test_a_secret_that_is_a_reference_passes_whatever_it_is_in(
    written: dict[str, Any], where: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "sk_canary")
    value = resolved(_referring(written))[0]
    assert list(literal_secrets(value, Options.model_validate(value), ())) == []


@pytest.mark.parametrize(("written", "where"), WRITTEN)
def test_a_secret_is_known_whatever_it_is_in(written: dict[str, Any], where: Location) -> None:
    assert list(secrets_in(Options.model_validate(written))) == ["sk_canary"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"caf\xe9", "is not UTF-8; write the secret into it as UTF-8"), (b"\n", "cannot be read, or is empty")],
)
def test_a_file_without_a_readable_secret_is_a_mistake(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "secret").write_bytes(content)
    _, (mistake,) = resolved(f"file:{tmp_path / 'secret'}")
    assert expected in mistake.message


def test_a_path_that_no_file_can_have_is_a_mistake() -> None:
    _, (mistake,) = resolved("file:a\x00b")
    assert "cannot be read" in mistake.message


def _referring(written: Any) -> Any:
    if isinstance(written, dict):
        return {key: _referring(value) for key, value in written.items()}
    if isinstance(written, list):
        return [_referring(value) for value in written]
    return "env:CANARY"
