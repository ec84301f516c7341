"""Forecasts from short histories: python benchmarks/short_history.py --data FOLDER.

Uses Hass avocado sales, the last 26-week windows, with all but the last 1 to 104 weeks of each history masked. A
reliable model has wider intervals with a shorter history, and its 80 % interval still holds about 80 % of the actual
values.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from hab import read_panel
from machine import write_results

from ttm_notebooks.core.metrics import coverage, interval_width, wape
from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.forecast.engine import forecast
from ttm_notebooks.model.checkpoint import WeeklyModel, load_model

WEEKS = (1, 2, 4, 8, 13, 26, 52, 78, 104)


def scores(model: WeeklyModel, panel: Panel, weeks: int, cutoff: int) -> dict[str, float]:
    """Error, coverage and width over both channels if only the last `weeks` before `cutoff` are known."""
    past = panel.slice(end=cutoff)
    known = past.observed & (np.arange(cutoff) >= cutoff - weeks)[None, :, None]
    result = forecast(model, replace(past, observed=known))
    actual, seen = panel.values[:, cutoff:cutoff + 26], panel.observed[:, cutoff:cutoff + 26]
    channels = [
        [
            wape(actual[..., c], result.mean[..., c], seen[..., c]),
            *(
                coverage(
                    actual[..., c], result.quantiles[:, low, :, c], result.quantiles[:, 12 - low, :, c], seen[..., c]
                )
                for low in (2, 0)
            ),
            interval_width(actual[..., c], result.quantiles[:, 2, :, c], result.quantiles[:, 10, :, c], seen[..., c]),
        ]
        for c in range(actual.shape[2])
    ]
    return dict(zip(("wape", "coverage80", "coverage95", "width80"), np.mean(channels, axis=0)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of avocado_hab_2017_2024.parquet")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--cutoffs", type=int, default=4)
    options = parser.parse_args()
    sales, network = read_panel(options.data), load_model(options.model)
    starts = [sales.n_weeks - 26 * back for back in range(1, options.cutoffs + 1)]
    rows = []
    for length in WEEKS:
        scored = [scores(network, sales, length, start) for start in starts]
        rows.append({"weeks_known": length, "cutoffs": options.cutoffs, "weights_sha256": network.weights_hash[:12]}
                    | {key: round(float(np.mean([row[key] for row in scored])), 3) for key in scored[0]})
    write_results("short_history", rows)
