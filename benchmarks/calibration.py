"""Intervals before and after calibration: python benchmarks/calibration.py --data FOLDER [--rossmann FOLDER].

FOLDERs as in hab.py and rossmann.py. The four last windows of each set are the test; each is calibrated on earlier origins
only: those of the backtest and, one horizon apart, the weeks before them. Writes calibration.csv: coverage, width and weighted
quantile loss, pooled over the four windows, by level, horizon bucket, ABC class and channel. The bars are those of the series.
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
from ttm_notebooks.forecast.models import AutoTheta, Blend, FineTuned, SeasonalNaive, ZeroShot
from ttm_notebooks.evaluation.calibration import calibrated, calibration_origins, calibration_table
from ttm_notebooks.model.checkpoint import load_model
from ttm_notebooks.model.finetune import settle_strategy

NOMINAL = {"coverage80": 0.80, "coverage95": 0.95}
POOLED = {"coverage80": 0.03, "coverage95": 0.02}
GROUPED = 0.08


def arguments() -> argparse.Namespace:
    """The script's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the avocado sales")
    parser.add_argument("--rossmann", type=Path, help="folder that holds the Rossmann sample; absent: listed as absent")
    parser.add_argument("--cache", type=Path, default=Path("reports/output/benchmarks"), help="finished parts are kept here")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes for the baselines")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--steps", type=int, default=150, help="fine-tuning steps before each origin")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the CSV")
    return parser.parse_args()


def measure(panel: Panel, name: str, horizon: int, known: int, options: argparse.Namespace) -> pd.DataFrame:
    """The table of one set; `known` weeks must lie before the earliest origin."""
    model = load_model(options.model)
    strategy = settle_strategy("auto", earliest_history(panel.n_weeks, horizon))
    naive, theta, tuned = SeasonalNaive(), AutoTheta(), FineTuned(model, strategy, options={"steps": options.steps})
    candidates = [naive, ZeroShot(model), tuned, Blend((naive, theta, tuned))]
    started, cache = time.perf_counter(), options.cache / name
    result = backtest(panel, candidates, horizon, cache=cache, jobs=options.jobs)
    extra = backtest(panel, candidates, horizon, calibration_origins(result, horizon, known), cache, options.jobs)
    computed = time.perf_counter()
    made = calibrated(result, extra)
    print(f"{name}: {len(extra.origins)} further origins; forecasts {computed - started:.0f} s, calibration {time.perf_counter() - computed:.1f} s")
    table = calibration_table({"before": result, "after": made.result})
    table.insert(0, "set", name)
    return table.assign(weights=model.weights_hash[:12])


def judge(table: pd.DataFrame) -> pd.DataFrame:
    """One row per set and model: coverage, width and loss of the series before and after, and which bars are met after."""
    keys = ["set", "model"]
    series = table[table["level"] == "series"]
    overall = series[series["scope"] == "all"].pivot(index=keys, columns="intervals", values=["coverage80", "coverage95", "width80", "wql"])
    after = series[series["intervals"] == "after"]
    far = after[after["scope"].isin(["bucket", "class"])].copy()
    far["off"] = far[[*NOMINAL]].sub(pd.Series(NOMINAL)).abs().max(axis=1)
    overall[("bar", "pooled")] = [all(abs(row[name, "after"] - NOMINAL[name]) <= POOLED[name] for name in NOMINAL) for _, row in overall.iterrows()]
    overall[("bar", "worst group")] = far.groupby(keys)["off"].max()
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
    print(judge(rows).round(4).to_string(), f"\nbars: pooled 77-83 and 93-97 %; groups within {GROUPED:.0%}; loss not above the raw one")
