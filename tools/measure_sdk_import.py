"""Measures the CPU time of importing the SDK, beyond what importing pydantic and pluggy costs anyway.

    python tools/measure_sdk_import.py [PROCESSES]

Each figure is the median over fresh processes.  It is printed and judged by people; no test fails by it, because the same
code takes twice as long on another machine.
"""

import statistics
import subprocess
import sys

PROGRAM = """
import time
import pluggy, pydantic
# A plain model first: pydantic loads most of itself when the first model is made.
type("First", (pydantic.BaseModel,), {{"__annotations__": {{"field": int}}, "__module__": __name__}})
before = time.process_time_ns()
{statement}
print(time.process_time_ns() - before)
"""


def milliseconds(statement: str, processes: int) -> float:
    """The median CPU time of this statement, after pydantic and pluggy were imported."""
    return statistics.median(_once(statement) for _ in range(processes)) / 1e6


def _once(statement: str) -> int:
    command = [sys.executable, "-c", PROGRAM.format(statement=statement)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print the figures."""
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    milliseconds("import kassa_sdk", 2)  # the first processes write the byte code
    print(f"median CPU time over {processes} fresh processes, Python {sys.version.split()[0]}")
    print(f"import kassa_sdk, beyond pydantic and pluggy   {milliseconds('import kassa_sdk', processes):7.1f} ms")
    print(f"nothing (the error of this measurement)        {milliseconds('pass', processes):7.1f} ms")


if __name__ == "__main__":
    main()
