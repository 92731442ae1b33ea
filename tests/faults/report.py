"""What the run has come to: a line while it works, and a table at its end."""

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
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
class Report:
    """Everything that is told in the end."""

    command: str
    seed: int
    rows: list[Row] = field(default_factory=list)
    violations: list[tuple[str, list[str]]] = field(default_factory=list)
    bugs: list[tuple[str, str]] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    """What is wrong with the proof itself: a point that nobody killed, a verb in no scenario, a bug not caught."""

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
        caught = sum(1 for _, by in self.bugs if by)
        if self.bugs:
            lines += ["", f"Planted bugs: {caught} of {len(self.bugs)} caught.", ""]
            lines += ["| planted bug | caught by |", "|---|---|"]
            lines += [f"| {bug} | {by or '**nobody**'} |" for bug, by in self.bugs]
        lines += ["", f"Seed {self.seed}; violations: {len(self.violations)}."]
        lines += [f"- NOT PROVEN: {sentence}" for sentence in self.mistakes]
        lines += [f"- `{name}`: {'; '.join(sentences)}" for name, sentences in self.violations[:MOST_SHOWN]]
        return "\n".join(lines) + "\n"

    def write(self, path: Path | None) -> None:
        """Say it, and keep it where that was asked for."""
        print(f"\n{self.markdown()}", flush=True)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.markdown(), encoding="utf-8")
