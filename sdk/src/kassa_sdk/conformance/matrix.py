"""The capability matrix: what the exam has proven of a provider, what it has not, and why."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from kassa_sdk.contract import CONTRACT_VERSION

Verdict = Literal["proven", "failed", "not proven", "not reached", "does not apply"]
"""What one check has found."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of one candidate; ``why`` is the reason where nothing was found."""

    candidate: str
    capability: str
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One capability of one candidate, over all of its checks."""

    capability: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """In a word: one failed check fails the capability, one that was not proven leaves it proven in part."""
        found = {finding.verdict for finding in self.findings} - {"does not apply"}
        if "failed" in found:
            return "failed"
        if not found:
            return "not declared"
        if found == {"proven"}:
            return "proven"
        return "proven in part" if "proven" in found else "not proven"

    @property
    def proven(self) -> int:
        """How many checks have passed."""
        return sum(finding.verdict == "proven" for finding in self.findings)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not, each reason once."""
        open_ones = (each.why for each in self.findings if each.verdict in {"not proven", "not reached"})
        return tuple(dict.fromkeys(open_ones))


@dataclass
class Matrix:
    """All findings of a run, of one candidate or of several."""

    findings: list[Finding] = field(default_factory=list)

    def candidates(self) -> list[str]:
        """Who was examined."""
        return list(dict.fromkeys(finding.candidate for finding in self.findings))

    def rows(self, candidate: str) -> Iterator[Row]:
        """The capabilities of a candidate, in the order of the exam."""
        mine = [finding for finding in self.findings if finding.candidate == candidate]
        for capability in dict.fromkeys(finding.capability for finding in mine):
            yield Row(capability, tuple(finding for finding in mine if finding.capability == capability))

    def unexplained(self) -> list[str]:
        """Candidates with checks that were not reached, though nothing failed: nobody would know why."""
        return [
            candidate
            for candidate in self.candidates()
            if any(f.verdict == "not reached" for f in self._of(candidate))
            and not any(f.verdict == "failed" for f in self._of(candidate))
        ]

    def as_json(self) -> dict[str, Any]:
        """For tools: each candidate with its capabilities."""
        return {
            "contract_version": CONTRACT_VERSION,
            "candidates": {
                candidate: {
                    row.capability: {"verdict": row.verdict, "proven": row.proven, "not_proven": list(row.reasons)}
                    for row in self.rows(candidate)
                }
                for candidate in self.candidates()
            },
        }

    def as_badge(self) -> dict[str, Any]:
        """For a README: the form that badge servers such as shields.io read from an address."""
        failed = [finding for finding in self.findings if finding.verdict == "failed"]
        proven = sum(finding.verdict == "proven" for finding in self.findings)
        open_ones = sum(finding.verdict in {"not proven", "not reached"} for finding in self.findings)
        message = f"{len(failed)} checks failed" if failed else f"contract {CONTRACT_VERSION}, {proven} checks proven"
        return {
            "schemaVersion": 1,
            "label": "kassa exam",
            "message": message + (f", {open_ones} not" if open_ones and not failed else ""),
            "color": "red" if failed else "yellow" if open_ones else "green",
        }

    def lines(self, candidate: str) -> Iterator[str]:
        """For people: a line for each capability, and below it each reason why something is not proven."""
        rows = list(self.rows(candidate))
        widths = [max(len(text) for text in column) for column in _columns(rows)]
        for row in rows:
            checks = f"{row.proven} {'check' if row.proven == 1 else 'checks'}"
            yield f"  {row.capability:<{widths[0]}}  {row.verdict:<{widths[1]}}  {checks}".rstrip()
            yield from (f"  {'':<{widths[0]}}  - {reason}" for reason in row.reasons)

    def _of(self, candidate: str) -> Iterable[Finding]:
        return (finding for finding in self.findings if finding.candidate == candidate)


def _columns(rows: list[Row]) -> tuple[list[str], list[str]]:
    return [row.capability for row in rows], [row.verdict for row in rows]
