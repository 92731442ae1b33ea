"""The books: an append-only file of effects, one JSON object a line.  What is in it has happened, all else has not."""

import os
import sys
from pathlib import Path

from kassa_simulator.server.effects import Effect


class BooksUnreadable(Exception):
    """The file is not the books of a simulator, or another server is writing them."""


class BooksUnwritable(Exception):
    """An effect could not be written, so it has not happened."""


class Books:
    """One file, one writer.  ``append`` returns when the line is with the system, and by default on the disk."""

    def __init__(self, path: Path, *, fsync: bool = True) -> None:
        self._path = path
        self._fsync = fsync
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        _be_the_only_writer(self._file, path)
        self._length = 0

    def read(self) -> list[Effect]:
        """All effects so far.  A torn last line, left by a kill in the middle of a write, was never answered: drop it."""
        raw = self._path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if len(whole) < len(raw):
            os.ftruncate(self._file, len(whole))
        self._length = len(whole)
        return [self._effect(number, line) for number, line in enumerate(whole.splitlines(), start=1)]

    def append(self, effect: Effect) -> None:
        """Write one effect, whole or not at all."""
        line = effect.as_line()
        try:
            written = os.write(self._file, line)
            if written != len(line):
                raise OSError(f"only {written} of {len(line)} bytes were written")
            if self._fsync:
                os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, self._length)
            raise BooksUnwritable(f"cannot write to the books {self._path}: {error}") from error
        self._length += len(line)

    def close(self) -> None:
        os.close(self._file)

    def _effect(self, number: int, line: bytes) -> Effect:
        try:
            effect = Effect.from_line(line)
        except (ValueError, TypeError) as error:
            raise BooksUnreadable(f"line {number} of {self._path} is not an effect: {error}") from error
        if effect.number != number:
            raise BooksUnreadable(f"line {number} of {self._path} carries the number {effect.number}")
        return effect


def _be_the_only_writer(file: int, path: Path) -> None:
    # Windows has no flock; there the port, when it is given, is what keeps a second server away.
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BooksUnreadable(f"another simulator is writing {path}; stop it first, or use other books") from error
