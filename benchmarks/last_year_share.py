"""Share of last year's values in the forecast: python benchmarks/last_year_share.py --data FOLDER [--rossmann FOLDER].

FOLDER holds Parquet files (series_id, week, units and/or revenue). The script reads only the weeks of HAB before 2021
and all weeks of other files: orange juice sales of 83 stores (`orangeJuice.rda` of Debian's r-cran-bayesm, read with
the PyPI package rdata; every third series) when the share was selected. Of Rossmann it reads only the weeks before
the benchmark windows. WAPE and quantile loss are relative to the WAPE of seasonal naive, averaged over the channels
of a set, with equal weight for each set.
"""
import argparse
from pathlib import Path

import numpy as np
import rossmann
from machine import write_results
from shares import with_share

from ttm_notebooks.core.metrics import wape, weighted_quantile_loss
from ttm_notebooks.model.checkpoint import load_model
from ttm_notebooks.model.pretrain import seasonal_naive
from ttm_notebooks.model.real_windows import RealSet
from ttm_notebooks.model.real_windows import read_sets as read_real_sets

SHARES = (0.0, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 1.0)


def read_sets(folder: Path, stores: Path | None) -> list[tuple[RealSet, int, list[int]]]:
    """Each set with its horizon and the ends of its windows."""
    sets = []
    for data in read_real_sets(folder, "2021-01-01"):
        weeks = data.values.shape[1]
        step = 26 if weeks > 182 else 13
        sets.append((data, 26, [end for end in range(weeks, 78, -step)][:4 if step == 26 else 3]))
    if stores is not None:
        panel = rossmann.read_panel(stores)
        sets.append(
            (
                RealSet("rossmann, first 81 weeks", panel.values[:, :81], panel.observed[:, :81], ("revenue",)),
                13,
                [81, 74, 68],
            )
        )
    return sets


def ratios(model, data: RealSet, horizon: int, ends: list[int]) -> tuple[float, float]:
    """WAPE and weighted quantile loss relative to the WAPE of seasonal naive: means over windows, then channels."""
    scores = []
    for end in ends:
        past, known = data.values[:, :end - horizon], data.observed[:, :end - horizon]
        future, seen = data.values[:, end - horizon:end], data.observed[:, end - horizon:end]
        quantiles, mean = model.predict_arrays(past, known)
        naive = seasonal_naive(past, known)[:, :horizon]
        scores.append(
            [
                [
                    wape(future[..., c], mean[:, :horizon, c], seen[..., c]),
                    wape(future[..., c], naive[..., c], seen[..., c]),
                    weighted_quantile_loss(future[..., c], quantiles[:, :, :horizon, c], seen[..., c]),
                ]
                for c in range(len(data.channels))
            ]
        )
    error, reference, loss = np.mean(scores, axis=0).T
    return float(np.mean(error / reference)), float(np.mean(loss / reference))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    (
        parser.add_argument("--data", type=Path, required=True),
        parser.add_argument("--rossmann", type=Path),
        parser.add_argument("--model", default="weekly"),
    )
    options = parser.parse_args()
    loaded, sets, rows = load_model(options.model), read_sets(options.data, options.rossmann), []
    for share in SHARES:
        model = with_share(loaded, share)
        scores = {data.name: ratios(model, data, horizon, ends) for data, horizon, ends in sets}
        scores["geometric mean"] = tuple(np.exp(np.log(list(scores.values())).mean(axis=0)))
        rows += [
            {
                "share": share,
                "set": name,
                "wape": round(error, 4),
                "quantile_loss": round(loss, 4),
                "weights": loaded.weights_hash[:12],
            }
            for name, (error, loss) in scores.items()
        ]
    write_results("last_year_share", rows)


if __name__ == "__main__":
    main()
