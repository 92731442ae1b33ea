"""Secrets stand in the configuration only as references: ``env:NAME`` or ``file:PATH``."""

import os
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, SecretBytes, SecretStr

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
        secret, missing = _read_secret(Path(target))
    else:
        return value
    if not secret:
        mistakes.append(file.mistake(location, missing))
        return SecretReference("missing")
    return SecretReference(secret)


def resolved_in(value: Any) -> Iterator[str]:
    """Everything in a resolved value that was written as a reference."""
    if isinstance(value, SecretReference):
        yield str(value)
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from resolved_in(inner)


def literal_secrets(resolved: Any, options: Any, location: Location) -> Iterator[Location]:
    """Where a secret option was given as itself instead of as a reference, each place once."""
    secrets = {secret.strip() for secret in secrets_in(options)}
    yield from dict.fromkeys([*_beside(resolved, options, location), *_among(resolved, secrets, location)])


def secrets_in(value: Any) -> Iterator[str]:
    """The text of every secret in these options."""
    if isinstance(value, SecretStr):
        yield from filter(None, [value.get_secret_value()])
    elif isinstance(value, SecretBytes):
        yield from filter(None, [value.get_secret_value().decode("utf-8", "replace")])
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, Mapping | list | tuple | set | frozenset):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from secrets_in(inner)


def _beside(resolved: Any, options: Any, location: Location) -> Iterator[Location]:
    """What was written, beside what became of it: found even where a validator changed its text."""
    if isinstance(options, SecretStr | SecretBytes):
        if not isinstance(resolved, SecretReference):
            yield location
    elif isinstance(options, BaseModel) and isinstance(resolved, Mapping):
        for name in options.model_fields_set & type(options).model_fields.keys():
            for key in _keys_of(type(options), name) & resolved.keys():
                yield from _beside(resolved[key], getattr(options, name), (*location, key))
    elif isinstance(options, Mapping) and isinstance(resolved, Mapping):
        for key in options.keys() & resolved.keys():
            yield from _beside(resolved[key], options[key], (*location, key))
    elif isinstance(options, list | tuple) and isinstance(resolved, list):
        for index, (written, value) in enumerate(zip(resolved, options, strict=False)):
            yield from _beside(written, value, (*location, index))


def _keys_of(model: type[BaseModel], name: str) -> set[str]:
    """Under which keys a field may have been written."""
    alias = model.model_fields[name].validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return {name, *(choice for choice in choices if isinstance(choice, str))}


def _among(resolved: Any, secrets: Set[str], location: Location) -> Iterator[Location]:
    """Where one of these secrets stands, however the plugin came to read it there."""
    if isinstance(resolved, Mapping):
        for key, inner in resolved.items():
            yield from _among(inner, secrets, (*location, key))
    elif isinstance(resolved, list):
        for index, inner in enumerate(resolved):
            yield from _among(inner, secrets, (*location, index))
    elif isinstance(resolved, str) and not isinstance(resolved, SecretReference) and resolved.strip() in secrets:
        yield location


def _read_secret(path: Path) -> tuple[str | None, str]:
    """The secret in a file, and what to do where there is none."""
    missing = f"the file {path} cannot be read, or is empty; write the secret into it"
    try:
        return path.read_text(encoding="utf-8").strip(), missing
    except UnicodeDecodeError:
        return None, f"the file {path} is not UTF-8; write the secret into it as UTF-8"
    except (OSError, ValueError):  # a path with a NUL in it is a ValueError
        return None, missing
