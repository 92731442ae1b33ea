"""What the run has come to: a line while it works, and a table at its end."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LINE_EVERY_SECONDS = 5.0
MOST_SHOWN = 40


@dataclass
class Row:
    """One layer of the table."""

    layer: str
    runs: int = 0
    what: str = ""
    violations: int = 0
    seconds: float = 0.0


@dataclass
class Planted:
    """What came of a planted bug, or of a copy of the code in which nothing is planted."""

    name: str
    is_control: bool
    tried: int
    caught_by: str | None
    caught_in: str


@dataclass
class Report:
    """Everything that is told in the end."""

    command: str
    seed: int
    rows: list[Row] = field(default_factory=list)
    violations: list[tuple[str, list[str]]] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    """What is wrong with the proof itself: a point that nobody killed, a verb in no scenario."""

    @property
    def is_good(self) -> bool:
        return not self.violations and not self.mistakes

    def follow(self, layer: str, results: Iterable[dict[str, Any]], total: int) -> Iterator[dict[str, Any]]:
        """Pass results on, count them, and say how it goes."""
        row = Row(layer)
        self.rows.append(row)
        began = told = time.monotonic()
        for result in results:
            row.runs += result.get("runs", 1)
            if "planted" in result:
                self.planted.append(Planted(**result["planted"]))
            if result.get("violations"):
                row.violations += 1
                self._violated(result)
            now = row.seconds = time.monotonic()
            row.seconds = now - began
            if now - told >= LINE_EVERY_SECONDS:
                told = now
                self._say(row, total)
            yield result
        self._say(row, total)

    def _say(self, row: Row, total: int) -> None:
        rate = row.runs / row.seconds if row.seconds else 0.0
        line = f"{row.layer}: {row.runs} of {total} runs, {rate:.1f} a second, {row.violations} violations"
        print(line, flush=True)

    def _violated(self, result: dict[str, Any]) -> None:
        name = str(result.get("run", "?"))
        self.violations.append((name, result["violations"]))
        if len(self.violations) <= MOST_SHOWN:
            print(f"VIOLATION in {name}", file=sys.stderr)
            for sentence in result["violations"]:
                print(f"    {sentence}", file=sys.stderr)
            print(f'    again: {self.command} --run "{name}"', file=sys.stderr, flush=True)

    def mistake(self, sentence: str) -> None:
        """The proof itself is not whole."""
        self.mistakes.append(sentence)
        print(f"NOT PROVEN: {sentence}", file=sys.stderr, flush=True)

    def markdown(self) -> str:
        """The table."""
        lines = ["| layer | runs | of what | violations | seconds |", "|---|---:|---|---:|---:|"]
        lines += [
            f"| {row.layer} | {row.runs:,} | {row.what} | {row.violations} | {row.seconds:,.0f} |" for row in self.rows
        ]
        lines += self._planted_bugs() if self.planted else []
        lines += ["", f"Seed {self.seed}; violations: {len(self.violations)}."]
        lines += [f"- NOT PROVEN: {sentence}" for sentence in self.mistakes]
        lines += [f"- `{name}`: {'; '.join(sentences)}" for name, sentences in self.violations[:MOST_SHOWN]]
        return "\n".join(lines) + "\n"

    def _planted_bugs(self) -> list[str]:
        bugs = [each for each in self.planted if not each.is_control]
        controls = [each for each in self.planted if each.is_control]
        caught = sum(1 for bug in bugs if bug.caught_by)
        lines = ["", f"Planted bugs: {caught} of {len(bugs)} caught.", ""]
        lines += ["| planted bug | caught by | in | after runs |", "|---|---|---|---:|"]
        lines += [
            f"| {bug.name} | {bug.caught_by or '**nobody**'} | {bug.caught_in and f'`{bug.caught_in}`'} | {bug.tried:,} |"
            for bug in bugs
        ]
        if controls:
            runs = sum(control.tried for control in controls)
            lines += ["", f"A copy in which nothing is planted was run {runs:,} times in the same way."]
        return lines

    def write(self, path: Path | None) -> None:
        """Say it, and keep it where that was asked for; in a file that ends with .json as data."""
        print(f"\n{self.markdown()}", flush=True)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(asdict(self)) if path.suffix == ".json" else self.markdown()
            path.write_text(text, encoding="utf-8")
