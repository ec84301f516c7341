"""Is the promised service level reached? python benchmarks/inventory.py --data FOLDER [--data FOLDER ...]

Reorder points for several lead times and service levels, at the past cutoffs of each benchmark set: the share of series
whose demand over the protection time stayed at or below the reorder point, beside the promised level. The paths of demand
come from cutoffs that ended before. Two peers use the same weekly forecasts: independent weeks, and the textbook's formula,
the sum of the means plus a normal factor times the root of the summed variances.
"""

import argparse
from pathlib import Path

import leaderboard
import numpy as np
import pandas as pd
from machine import RESULTS, describe_machine
from scipy.special import ndtri

from ttm_notebooks.core.errors import UsageError
from ttm_notebooks.core.metrics import QUANTILE_LEVELS
from ttm_notebooks.evaluation.backtest import BacktestResult, earliest_history
from ttm_notebooks.forecast.blend import default_models
from ttm_notebooks.model.checkpoint import load_model
from ttm_notebooks.planning.demand_paths import demand_samples, past_paths

LEVELS = (0.8, 0.9, 0.95, 0.98)
PROTECTION = (2, 5, 9)  # weeks


def deviations(quantiles: np.ndarray) -> np.ndarray:
    """Standard deviations [weeks] of a normal distribution with the 80 % interval of `quantiles` [13, weeks]."""
    low, high = (quantiles[QUANTILE_LEVELS.index(level)] for level in (0.1, 0.9))
    return (high - low) / (2 * ndtri(0.9))


def reorder_points(quantiles: np.ndarray, mean: np.ndarray, paths: np.ndarray, mixed: np.ndarray) -> dict[str, np.ndarray]:
    """Reorder points of a series for `LEVELS`, by method."""
    return {
        "joint paths": np.quantile(demand_samples(quantiles, paths), LEVELS),
        "independent weeks": np.quantile(demand_samples(quantiles, mixed), LEVELS),
        "normal formula": mean.sum() + ndtri(np.array(LEVELS)) * np.sqrt((deviations(quantiles) ** 2).sum()),
    }


def cutoff_rows(name: str, result: BacktestResult, position: int, weeks: int, policy: pd.DataFrame) -> list[dict]:
    """Promise and outcome of each method at one cutoff; nothing without enough earlier paths."""
    (cutoff,) = [cutoff for cutoff in result.reported if cutoff.position == position]
    forecast = result.forecasts["policy", position]["series"]
    channel = result.panel.channels[0]
    try:
        paths = past_paths(policy, channel, weeks, before=result.week(cutoff))
    except UsageError:  # too few earlier paths
        return []
    mixed = np.random.default_rng(0).permuted(paths, axis=0)
    actual, scored = (part[:, :weeks, 0] for part in result.truth(cutoff)[:2])
    rows = []
    for row in np.flatnonzero(scored.all(axis=1)):
        quantiles, sold = forecast.quantiles[row, :, :weeks, 0], actual[row].sum()
        for method, points in reorder_points(quantiles, forecast.mean[row, :weeks, 0], paths, mixed).items():
            rows += [{"set": name, "weeks": weeks, "method": method, "promised": level, "reached": sold <= point + 1e-9,
                      "stock": point} for level, point in zip(LEVELS, points)]
    return rows


def measure(name: str, folder: Path, options: argparse.Namespace) -> pd.DataFrame:
    """All rows of one set."""
    benchmark = leaderboard.SETS[name]
    panel = leaderboard.panel_at(name, folder, options.cache / "leaderboard")
    models = default_models(load_model("weekly"), "auto", earliest_history(panel.n_weeks, benchmark.horizon), panel.n_series)
    kept = [model for model in models if model.name != "AutoTheta"]
    result = leaderboard.apply_policy(benchmark, panel, models, kept, options.cache / name, options.jobs)
    policy = result.frame("policy", ["series"])
    return pd.DataFrame([row for weeks in PROTECTION for cutoff in result.reported
                         for row in cutoff_rows(name, result, cutoff.position, weeks, policy)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--sets", nargs="+", default=["hab", "rossmann", "industria"], choices=list(leaderboard.SETS))
    parser.add_argument("--cache", type=Path, default=Path("reports/output/benchmarks"))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--series", type=int, default=1000, help="series of the simulated set, drawn by a seed")
    given = parser.parse_args()
    leaderboard.SAMPLE = given.series
    folders = {name: leaderboard.SETS[name].find(given.data) for name in given.sets}
    table = pd.concat([measure(name, folder, given) for name, folder in folders.items() if folder is not None])
    summary = table.groupby(["set", "weeks", "method", "promised"], sort=False).agg(
        reached=("reached", "mean"), stock=("stock", "sum"), cases=("reached", "size")).reset_index()
    summary.assign(**describe_machine()).round(4).to_csv(RESULTS / "inventory.csv", index=False)
    print(summary.pivot_table("reached", ["set", "weeks", "method"], "promised").round(3).to_string())
