"""Intervals before and after calibration: python benchmarks/calibration.py --data FOLDER [--rossmann FOLDER].

The folders are those of hab.py and rossmann.py. The last four windows of each set are the test. Each is calibrated on
earlier cutoffs only: those of the backtest and, one horizon apart, those of the weeks before them. Writes
calibration.csv: coverage, width and weighted quantile loss, pooled over the four windows, by level, horizon bucket,
ABC class and channel. The bars apply to the level of single series.
"""
import argparse
import os
import time
from pathlib import Path

import hab
import pandas as pd
import rossmann
from windows import RESULTS

from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.evaluation.backtest import backtest, earliest_history
from ttm_notebooks.forecast.models import AutoTheta, FineTuned, SeasonalNaive, ZeroShot
from ttm_notebooks.forecast.ensemble import Ensemble
from ttm_notebooks.evaluation.calibration import calibrated, calibration_cutoffs
from ttm_notebooks.evaluation.calibration_table import calibration_table
from ttm_notebooks.model.checkpoint import load_model
from ttm_notebooks.model.strategies import settle_strategy

NOMINAL = {"coverage80": 0.80, "coverage95": 0.95}
POOLED = {"coverage80": 0.03, "coverage95": 0.02}
GROUPED = 0.08


def arguments() -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the avocado sales")
    parser.add_argument(
        "--rossmann", type=Path, help="folder of the Rossmann sample; without it the set is listed as absent"
    )
    parser.add_argument(
        "--cache", type=Path, default=Path("reports/output/benchmarks"), help="folder for finished forecasts"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes for the baselines")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--steps", type=int, default=150, help="fine-tuning steps per cutoff")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the CSV")
    return parser.parse_args()


def measure(panel: Panel, name: str, horizon: int, known: int, options: argparse.Namespace) -> pd.DataFrame:
    """The table of one set; at least `known` weeks lie before the earliest cutoff."""
    model = load_model(options.model)
    strategy = settle_strategy("auto", earliest_history(panel.n_weeks, horizon))
    naive, theta, tuned = SeasonalNaive(), AutoTheta(), FineTuned(model, strategy, options={"steps": options.steps})
    models = [naive, ZeroShot(model), tuned, Ensemble((naive, theta, tuned))]
    started, cache = time.perf_counter(), options.cache / name
    result = backtest(panel, models, horizon, cache=cache, jobs=options.jobs)
    extra = backtest(panel, models, horizon, calibration_cutoffs(result, horizon, known), cache, options.jobs)
    computed = time.perf_counter()
    calibrated_result = calibrated(result, extra).result
    print(
        f"{name}: {len(extra.cutoffs)} further cutoffs; forecasts {computed - started:.0f} s, "
        f"calibration {time.perf_counter() - computed:.1f} s"
    )
    table = calibration_table({"before": result, "after": calibrated_result})
    table.insert(0, "set", name)
    return table.assign(weights=model.weights_hash[:12])


def check_bars(table: pd.DataFrame) -> pd.DataFrame:
    """One row per set and model: coverage, width and loss before and after calibration, and the bars met."""
    keys = ["set", "model"]
    series = table[table["level"] == "series"]
    overall = series[series["scope"] == "all"].pivot(
        index=keys, columns="intervals", values=["coverage80", "coverage95", "width80", "wql"]
    )
    after = series[series["intervals"] == "after"]
    groups = after[after["scope"].isin(["bucket", "class"])].copy()
    groups["off"] = groups[[*NOMINAL]].sub(pd.Series(NOMINAL)).abs().max(axis=1)
    overall[("bar", "pooled")] = [
        all(abs(row[name, "after"] - NOMINAL[name]) <= POOLED[name] for name in NOMINAL)
        for _, row in overall.iterrows()
    ]
    overall[("bar", "worst group")] = groups.groupby(keys)["off"].max()
    overall[("bar", "loss")] = overall["wql", "after"] <= overall["wql", "before"]
    return overall.sort_index(axis=1)


if __name__ == "__main__":
    options = arguments()
    tables = [measure(hab.read_panel(options.data), "hab", 26, 52, options)]
    if options.rossmann is None:
        print("rossmann: absent")
    else:
        tables.append(measure(rossmann.read_panel(options.rossmann), "rossmann", 13, 39, options))
    rows = pd.concat(tables, ignore_index=True)
    options.out.mkdir(parents=True, exist_ok=True)
    rows.round(5).to_csv(options.out / "calibration.csv", index=False)
    print(
        check_bars(rows).round(4).to_string(),
        f"\nbars: pooled 77-83 and 93-97 %; groups within {GROUPED:.0%}; loss not above the uncalibrated one",
    )
