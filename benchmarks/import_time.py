"""Time of `import ttm_notebooks` and of its main modules, each in a fresh interpreter.

    python benchmarks/import_time.py [--repeats 7]
"""

import argparse
import statistics
import subprocess
import sys

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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    write_results("import_time", [measure(module, arguments.repeats) for module in MODULES])
