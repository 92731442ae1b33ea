"""Secrets stand in the configuration only as references: ``env:NAME`` or ``file:PATH``."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from kassa.config_file import ConfigFile, Location
from kassa.errors import Mistake


class SecretReference(str):
    """A value that was written as a reference and has been resolved."""

    __slots__ = ()


def resolve(value: Any, location: Location, file: ConfigFile, mistakes: list[Mistake]) -> Any:
    """The value with every reference in it resolved to a SecretReference; what cannot be is added to the mistakes."""
    if isinstance(value, Mapping):
        return {key: resolve(inner, (*location, key), file, mistakes) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(inner, (*location, index), file, mistakes) for index, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    scheme, _, target = value.partition(":")
    if scheme == "env":
        secret, missing = os.environ.get(target), f"the environment variable {target} is not set; export it"
    elif scheme == "file":
        secret, missing = (
            _read_secret(Path(target)),
            f"the file {target} cannot be read, or is empty; write the secret into it",
        )
    else:
        return value
    if not secret:
        mistakes.append(file.mistake(location, missing))
        return SecretReference("missing")
    return SecretReference(secret)


def literal_secrets(resolved: Any, options: Any, location: Location) -> Iterator[Location]:
    """Where a secret option was given as itself instead of as a reference."""
    if isinstance(options, SecretStr):
        if not isinstance(resolved, SecretReference):
            yield location
    elif isinstance(options, BaseModel) and isinstance(resolved, Mapping):
        for name in options.model_fields_set & resolved.keys():
            yield from literal_secrets(resolved[name], getattr(options, name), (*location, name))
    elif isinstance(options, list | tuple) and isinstance(resolved, list):
        for index, (written, value) in enumerate(zip(resolved, options, strict=False)):
            yield from literal_secrets(written, value, (*location, index))


def secrets_in(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield from filter(None, [value.get_secret_value()])
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from secrets_in(inner)


def _read_secret(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
