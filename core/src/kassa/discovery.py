"""Finding plugins that other distributions offer, without importing any but the named ones.

stevedore finds and loads; what it would pass over in silence is refused here: two distributions that offer the same name,
imports that fail in any way, names that nobody offers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from stevedore import NamedExtensionManager

from kassa.errors import PluginUnusable


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plugin that is installed; nothing of it was imported."""

    name: str
    distribution: str
    version: str
    target: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


class Catalogue:
    """Every plugin that the installed distributions offer in one group, read once.  Imports nothing until asked to."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._entry_points = list(entry_points(group=group))
        self.candidates = tuple(sorted(map(_candidate, self._entry_points), key=lambda candidate: candidate.name))

    def load(self, name: str) -> tuple[Candidate, Any]:
        """Import the one plugin of this name.  Raises PluginUnusable."""
        candidate = self._the_only(name)
        failures: list[BaseException] = []
        with _contained(candidate):
            manager = self._manager(name, failures)
        if failures:
            raise _import_failed(candidate, failures[0]) from failures[0]
        return candidate, manager[name].plugin

    def _manager(self, name: str, failures: list[BaseException]) -> NamedExtensionManager[Any]:
        found = self._entry_points

        class JustRead(NamedExtensionManager[Any]):
            """Loads from the entry points that were read a moment ago.

            stevedore's own list comes from a file cache whose keys hold modification times to the nearest two minutes,
            and forgets the distribution of each: a plugin that was just replaced would be loaded by its old name.
            """

            def list_entry_points(self) -> list[EntryPoint]:
                return found

        return JustRead(
            self._group,
            names=[name],
            on_load_failure_callback=lambda _manager, _entry_point, error: failures.append(error),
        )

    def _the_only(self, name: str) -> Candidate:
        offered = [candidate for candidate in self.candidates if candidate.name == name]
        if not offered:
            raise PluginUnusable(
                f"no installed distribution offers a plugin {name!r} ({self._group}); {self._hint(name)}"
            )
        if len(offered) > 1:
            distributions = " and ".join(map(str, offered))
            raise PluginUnusable(f"{distributions} both offer a plugin {name!r}; uninstall all but one of them")
        return offered[0]

    def _hint(self, name: str) -> str:
        close = get_close_matches(name, [candidate.name for candidate in self.candidates], n=1)
        return (
            f"did you mean {close[0]!r}?" if close else f"install the distribution that offers it, often kassa-{name}"
        )


def installed(group: str) -> tuple[Candidate, ...]:
    """Every plugin that the installed distributions offer in this group, by name.  Imports nothing of them."""
    return Catalogue(group).candidates


def load(group: str, name: str) -> tuple[Candidate, Any]:
    """Import the one plugin of this name.  Raises PluginUnusable."""
    return Catalogue(group).load(name)


@contextmanager
def _contained(candidate: Candidate) -> Iterator[None]:
    # stevedore's callback gets no AssertionError, and nothing like SystemExit; an import may well raise either of them,
    # and neither may end the host.
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _import_failed(candidate, error) from error


def _import_failed(candidate: Candidate, error: BaseException) -> PluginUnusable:
    return PluginUnusable(
        f"{candidate} cannot be imported ({candidate.target}): {type(error).__name__}: {error}; "
        f"reinstall it, or report this to its author"
    )


def _candidate(entry_point: EntryPoint) -> Candidate:
    distribution = entry_point.dist
    return Candidate(
        name=entry_point.name,
        distribution=distribution.name if distribution else "an unnamed distribution",
        version=distribution.version if distribution else "?",
        target=entry_point.value,
    )
