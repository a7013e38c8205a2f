"""How long do the light commands take to start? Prints seconds, and each one's ratio to `import torch`.

    python timings/startup.py

Each command runs in a process of its own, five times after one that warms the disk cache; the median counts.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from tabulate import tabulate

BASELINE = "import torch"
COMMANDS = {
    BASELINE: ["-c", BASELINE],
    "benchmark list methods": ["-m", "benchmark", "list", "methods"],
    "benchmark show mae-dfer": ["-m", "benchmark", "show", "mae-dfer"],
    "benchmark show dfew-5fold": ["-m", "benchmark", "show", "dfew-5fold"],
    "benchmark --help": ["-m", "benchmark", "--help"],
}


def seconds(arguments: list[str]) -> float:
    """Median of five starts, after one that warms the disk cache."""
    taken = []
    for _ in range(6):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def main() -> None:
    """Time every command and print the table."""
    measured = {name: seconds(arguments) for name, arguments in COMMANDS.items()}
    rows = [[name, taken, taken / measured[BASELINE]] for name, taken in measured.items()]
    print(tabulate(rows, headers=["command", "seconds", f"ratio to {BASELINE}"], floatfmt=".2f", tablefmt="github"))


if __name__ == "__main__":
    main()
