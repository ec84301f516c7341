"""Execute the guides, each in its own kernel, two at a time; stop at the first error.

Usage: python docs/run_guides.py [DATASET]      (default: the data set that each guide names)
"""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import papermill

WORKERS = 2


def _execute(guide: Path, target: Path, parameters: dict) -> tuple[Path, float]:
    """Execute one guide; papermill raises with the cell that failed."""
    started = time.monotonic()
    papermill.execute_notebook(str(guide), str(target), parameters=parameters, cwd=str(guide.parent),
                               progress_bar=False, kernel_name="python3")
    return target, time.monotonic() - started


def executed_guides(root: Path, parameters: dict | None = None) -> list[Path]:
    """Paths of the executed guides, in the order of their numbers, under build/guides."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    folder = root / "build" / "guides"
    folder.mkdir(parents=True, exist_ok=True)
    guides = sorted((root / "nbs" / "guides").glob("[0-9]*.ipynb"))
    with ThreadPoolExecutor(WORKERS) as pool:
        done = list(pool.map(lambda guide: _execute(guide, folder / guide.name, parameters or {}), guides))
    for path, seconds in done:
        print(f"{path.stem}: {seconds:.0f} s", flush=True)
    return [path for path, _ in done]


if __name__ == "__main__":
    executed_guides(Path(__file__).resolve().parents[1], {"DATASET": sys.argv[1]} if sys.argv[1:] else None)
