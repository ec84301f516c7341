"""What a forecast is worth when little is known: python benchmarks/short_history.py --data FOLDER.

Hass avocado sales, the last 26-week windows, with all but the last 1 to 104 weeks of each history masked. An honest model gets
wider as it knows less, and its 80 % interval still holds about 80 % of what came.
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


def scores(model: WeeklyModel, panel: Panel, weeks: int, origin: int) -> dict[str, float]:
    """Error, coverage and width over both channels when only the last `weeks` before `origin` are known."""
    past = panel.slice(end=origin)
    known = past.observed & (np.arange(origin) >= origin - weeks)[None, :, None]
    made = forecast(model, replace(past, observed=known))
    actual, seen = panel.values[:, origin:origin + 26], panel.observed[:, origin:origin + 26]
    channels = [[wape(actual[..., c], made.mean[..., c], seen[..., c]),
                 *(coverage(actual[..., c], made.quantiles[:, low, :, c], made.quantiles[:, 12 - low, :, c], seen[..., c])
                   for low in (2, 0)),
                 interval_width(actual[..., c], made.quantiles[:, 2, :, c], made.quantiles[:, 10, :, c], seen[..., c])]
                for c in range(actual.shape[2])]
    return dict(zip(("wape", "coverage80", "coverage95", "width80"), np.mean(channels, axis=0)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds avocado_hab_2017_2024.parquet")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--origins", type=int, default=4)
    options = parser.parse_args()
    sales, network = read_panel(options.data), load_model(options.model)
    starts = [sales.n_weeks - 26 * back for back in range(1, options.origins + 1)]
    rows = []
    for length in WEEKS:
        found = [scores(network, sales, length, start) for start in starts]
        rows.append({"weeks_known": length, "origins": options.origins, "weights_sha256": network.weights_hash[:12]}
                    | {key: round(float(np.mean([row[key] for row in found])), 3) for key in found[0]})
    write_results("short_history", rows)
