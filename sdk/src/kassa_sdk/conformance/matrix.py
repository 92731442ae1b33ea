"""The capability matrix: what a provider declares, what the exam has proven of it, what it has not, and why."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from kassa_sdk.contract import CONTRACT_VERSION
from kassa_sdk.manifest import Manifest

Verdict = Literal["proven", "failed", "not proven", "not reached", "does not apply"]
"""What one check has found."""

MOST_NAMES = 3
"""So many checks that were left out are named."""

MOST_CODES = 8
"""So many currencies are listed by their codes; more are counted."""


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
    declared: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """In a word: one failed check fails the capability, one that was not proven leaves it proven in part."""
        found = {finding.verdict for finding in self.findings} - {"does not apply"}
        if "failed" in found:
            return "failed"
        if not found:
            return "nothing to prove"
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
    """All findings of a run, of one candidate or of several, and what each candidate's manifest declares."""

    findings: list[Finding] = field(default_factory=list)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    overridden: dict[str, set[str]] = field(default_factory=dict)
    """The checks that a candidate's own class has in place of the exam's, or has switched off."""
    deselected: dict[str, set[str]] = field(default_factory=dict)
    """The checks that whoever began the run did not want."""

    def candidates(self) -> list[str]:
        """Who was examined."""
        return list(dict.fromkeys(finding.candidate for finding in self.findings))

    def rows(self, candidate: str) -> Iterator[Row]:
        """The capabilities of a candidate, in the order of the exam."""
        manifest = self.manifests.get(candidate)
        declared = {} if manifest is None else _declared(manifest)
        mine = [finding for finding in self.findings if finding.candidate == candidate]
        for capability in dict.fromkeys(finding.capability for finding in mine):
            found = tuple(finding for finding in mine if finding.capability == capability)
            yield Row(capability, declared.get(capability, ""), found)

    def fails(self) -> list[str]:
        """Why a run fails that pytest itself would let pass: a sentence for each candidate."""
        return [why for candidate in self.candidates() if (why := self._fails(candidate)) is not None]

    def _fails(self, candidate: str) -> str | None:
        found = {finding.verdict: finding.why for finding in self._of(candidate)}
        if "failed" in found:
            return f"{candidate} fails: {found['failed']}" if found["failed"] else None
        if "not reached" in found:
            return f"{candidate} fails: checks were not reached, though none failed; see above what they lacked"
        if overridden := sorted(self.overridden.get(candidate, ())):
            return (
                f"{candidate} fails: it overrides {', '.join(overridden)}; what your server cannot show, say in "
                "Candidate(not_proven=…)"
            )
        return None

    def left_out(self, candidate: str) -> list[str]:
        """The checks of the exam that a candidate has not taken."""
        return sorted(self.overridden.get(candidate, set()) | self.deselected.get(candidate, set()))

    def as_json(self) -> dict[str, Any]:
        """For tools: each candidate with its manifest and its capabilities."""
        return {
            "contract_version": CONTRACT_VERSION,
            "candidates": {
                candidate: {
                    "manifest": self._manifest_in_json(candidate),
                    "capabilities": {
                        row.capability: {
                            "declared": row.declared,
                            "verdict": row.verdict,
                            "proven": row.proven,
                            "not_proven": list(row.reasons),
                        }
                        for row in self.rows(candidate)
                    },
                    "left_out": self.left_out(candidate),
                }
                for candidate in self.candidates()
            },
        }

    def as_badge(self) -> dict[str, Any]:
        """For a README: the form that badge servers such as shields.io read from an address."""
        failed = [finding for finding in self.findings if finding.verdict == "failed"]
        proven = sum(finding.verdict == "proven" for finding in self.findings)
        open_ones = sum(finding.verdict in {"not proven", "not reached"} for finding in self.findings)
        left_out = sum(len(self.left_out(candidate)) for candidate in self.candidates())
        message = f"{len(failed)} checks failed" if failed else f"contract {CONTRACT_VERSION}, {proven} checks proven"
        if not failed:
            message += f", {open_ones} not" if open_ones else ""
            message += f", {left_out} left out" if left_out else ""
        return {
            "schemaVersion": 1,
            "label": "kassa exam",
            "message": message,
            "color": "red" if failed else "yellow" if open_ones or left_out else "green",
        }

    def title(self, candidate: str) -> str:
        """Who was examined, and what for."""
        manifest = self.manifests.get(candidate)
        about = "" if manifest is None else f": provider {manifest.name}, contract {manifest.contract_version}"
        return f"kassa exam of {candidate}{about}"

    def lines(self, candidate: str) -> Iterator[str]:
        """For people: a line for each capability, and below it each reason why something is not proven."""
        rows = [("", "declared", "found", ()), *(_cells(row) for row in self.rows(candidate))]
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        for capability, declared, found, reasons in rows:
            yield f"  {capability:<{widths[0]}}  {declared:<{widths[1]}}  {found}".rstrip()
            yield from (f"  {'':<{widths[0]}}  - {reason}" for reason in reasons)
        for how, left_out in (("overridden", self.overridden), ("deselected", self.deselected)):
            if names := sorted(left_out.get(candidate, ())):
                yield f"  left out ({how}): {len(names)} of the exam's checks, {_some(names)}"

    def _manifest_in_json(self, candidate: str) -> dict[str, Any] | None:
        manifest = self.manifests.get(candidate)
        return None if manifest is None else manifest.model_dump(mode="json")

    def _of(self, candidate: str) -> Iterable[Finding]:
        return (finding for finding in self.findings if finding.candidate == candidate)


def _cells(row: Row) -> tuple[str, str, str, tuple[str, ...]]:
    checks = f", {row.proven} {'check' if row.proven == 1 else 'checks'}" if row.proven else ""
    return row.capability, row.declared, row.verdict + checks, row.reasons


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMES]) + (", …" if len(names) > MOST_NAMES else "")


def _codes(currencies: frozenset[str]) -> str:
    return ", ".join(sorted(currencies)) if len(currencies) <= MOST_CODES else f"{len(currencies)} currencies"


def _declared(manifest: Manifest) -> dict[str, str]:
    """The lines of a manifest, beside the capability that each of them is about."""
    look_up = manifest.look_up
    return {
        "payments": "all currencies" if manifest.currencies is None else _codes(manifest.currencies),
        "actions": ", ".join(sorted(manifest.actions)) or "none",
        "pending": "settles later" if manifest.settles_later else "",
        "captures": manifest.captures.value,
        "refunds": manifest.refunds.value,
        "cancel": "yes" if manifest.cancel else "no",
        "faults": {"native": "native keys", "reference": "keys as references", "none": "no keys"}[
            manifest.idempotency.keys
        ],
        "look-up": "none" if look_up is None else "by " + ", ".join(sorted(look_up.by)),
        "list": "yes" if manifest.lists_payments else "no",
        "notices": manifest.notices,
        "saved methods": "yes" if manifest.account_holders else "no",
        "amounts": {"minor": "minor units", "decimal": "decimal strings"}[manifest.amounts.form],
    }
