"""Where the tests' own files may live in memory, so that no test waits for a disk.

What a killed process has written survives there as it does in a file on a disk; only who pulls the plug loses it, which no
test does.
"""

import os
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")
ENOUGH_ROOM = 1024**3


def roomy_memory() -> Path | None:
    """A folder in memory with enough room; None: there is none, and temporary files are where they always are."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        return None
    # Some tests run programs from their folder, a database server among them; containers often forbid it here.
    forbids_programs = os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    return None if forbids_programs or shutil.disk_usage(MEMORY).free < ENOUGH_ROOM else MEMORY
