"""Time of `import ttm_notebooks`, of its main modules, and of the first forecast, each in a fresh interpreter.

    python benchmarks/import_time.py [--repeats 7] [--company FOLDER --out FOLDER]

`--company` is a data set with a finished run in `--out`: then `ttm forecast` (with the backtest in its cache, results
removed first) and `ttm serve --dev` are timed, too. Results: import_time.csv and start_up.csv. Processor seconds stand
beside the wall clock, because on a busy machine only they can be compared.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from machine import describe_machine, write_results

MODULES = (
    "ttm_notebooks",
    "ttm_notebooks.panel.panel",
    "ttm_notebooks.forecast.engine",
    "ttm_notebooks.evaluation.results",
    "ttm_notebooks.model.checkpoint",
)
CODE = """
import sys, time
started = time.perf_counter()
import {module}
print(time.perf_counter() - started, "torch" in sys.modules, "pandas" in sys.modules)
"""


def import_once(module: str) -> tuple[float, bool, bool]:
    """Seconds of one import in a fresh interpreter, and whether it loads torch and pandas."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(module=module)], capture_output=True, text=True, check=True
    )
    seconds, torch, pandas = done.stdout.split()
    return float(seconds), torch == "True", pandas == "True"


def measure(module: str, repeats: int) -> dict[str, object]:
    """Median over `repeats` fresh interpreters, after one unmeasured run that fills the caches."""
    runs = [import_once(module) for _ in range(repeats + 1)][1:]
    return {"module": module, "seconds": round(statistics.median(run[0] for run in runs), 4),
            "imports_torch": runs[0][1], "imports_pandas": runs[0][2], "repeats": repeats} | describe_machine()


FIRST_FORECAST = """
from ttm_notebooks import Panel, load_model, forecast
from ttm_notebooks.testing.panels import panel_of, seasonal_sales
import numpy as np, sys, time
units = seasonal_sales(900, 156)
panel, model = panel_of(np.stack([units, 9.9 * units], -1), channels=("vendas", "faturamento")), load_model("weekly")
{work}
assert "torch" not in sys.modules
"""
SINGLE = """
one = panel.slice(series=[0])
forecast(model, one)
clocks = [(time.perf_counter(), time.process_time())]
for _ in range(200):
    forecast(model, one)
    clocks.append((time.perf_counter(), time.process_time()))
print(*np.median(np.diff(clocks, axis=0), axis=0))
"""


def timed(call: Callable[[], float | None]) -> tuple[float, float]:
    """Wall-clock seconds of a call (or what it returns), and processor seconds of its child processes."""
    used = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    wall, processor = time.perf_counter(), used()
    seconds = call()
    return time.perf_counter() - wall if seconds is None else seconds, used() - processor


def python(code: str) -> str:
    """What Python code prints in a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def run_first(work: str) -> None:
    """Load names and model, make a panel, and do `work` in a fresh interpreter."""
    python(FIRST_FORECAST.format(work=work))


def ttm(*words: str) -> None:
    """Run a command to its end."""
    subprocess.run([str(Path(sys.executable).parent / "ttm"), *words], check=True, capture_output=True)


def forecast_again(company: Path, out: Path) -> None:
    """`ttm forecast` without results, with the parts of the backtest in the cache."""
    for results in (out / company.resolve().name).glob("????-??-??"):
        shutil.rmtree(results)
    ttm("forecast", str(company), "--out", str(out))


def serve_once(company: Path, out: Path) -> float:
    """Seconds from the start of `ttm serve --dev` until it is ready."""
    from ttm_notebooks.serve.launch import ServerProcess

    started = time.perf_counter()
    with ServerProcess(company, out=str(out)):
        return time.perf_counter() - started


def start_up(company: Path | None, out: Path | None, repeats: int) -> list[dict[str, object]]:
    """Rows of start_up.csv: medians of the wall clock and of processor time."""
    calls = {"names, load, forecast of 900 series": lambda: run_first("forecast(model, panel)")}
    if company:
        calls |= {"ttm forecast": lambda: forecast_again(company, out), "ttm serve, ready":
                  lambda: serve_once(company, out)}
    rows = {}
    for name, call in calls.items():
        runs = [timed(call) for _ in range(repeats)]
        rows[name] = [statistics.median(part) for part in zip(*runs)]
    rows["one forecast, warm"] = [float(part) for part in python(FIRST_FORECAST.format(work=SINGLE)).split()]
    return [{"what": name, "seconds": round(wall, 4), "processor_seconds": round(processor, 4), "repeats": repeats}
            | describe_machine() for name, (wall, processor) in rows.items()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--company", type=Path), parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    write_results("start_up", start_up(arguments.company, arguments.out, arguments.repeats))
    write_results("import_time", [measure(module, arguments.repeats) for module in MODULES])
