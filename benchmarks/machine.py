"""Helpers of all benchmarks: median time of several runs, a description of the machine, tables of results."""

import csv
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def median_seconds(run: Callable[[], object], repeats: int = 5, warm: bool = True) -> float:
    """Median wall-clock seconds of `repeats` calls; `warm` makes one unmeasured call first."""
    if warm:
        run()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def describe_machine() -> dict[str, object]:
    """Number of cores, load, processor and Python version; on a busy machine only ratios are meaningful."""
    return {"cores": os.cpu_count(), "load_1min": round(os.getloadavg()[0], 1), "processor": platform.machine(),
            "python": platform.python_version()}


def write_results(name: str, rows: Iterable[dict[str, object]]) -> Path:
    """Write `rows` to results/`name`.csv and print them."""
    rows = list(rows)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
    print(path.read_text(encoding="utf-8"))
    return path
