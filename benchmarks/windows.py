"""Models and selection policy on one panel: the shared part of rossmann.py and hab.py.

The table holds the WAPE of each window, newest first, and their mean, as `ttm_notebooks.evaluation.backtest` computes
it. Intervals are calibrated on earlier windows (calibration.py shows them before and after). The row `policy` is the
error of the full procedure: select a model on earlier windows only, then forecast.
"""
import argparse
import os
import time
from pathlib import Path

import pandas as pd

from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.evaluation.backtest import backtest, earliest_history, plan_cutoffs
from ttm_notebooks.forecast.blend import default_models
from ttm_notebooks.evaluation.model_selection import run_policy, selection_record
from ttm_notebooks.evaluation.calibration import calibrated
from ttm_notebooks.model.checkpoint import load_model
from ttm_notebooks.report.translations import ENGLISH, choice_sentence, policy_sentence

RESULTS = Path(__file__).parent / "results"


def arguments(description: str) -> argparse.Namespace:
    """Parse the options of both scripts."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data")
    parser.add_argument(
        "--cache", type=Path, default=Path("reports/output/benchmarks"), help="folder for finished forecasts"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes for the baselines")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--strategy", default="auto", help="fine-tuning strategy")
    parser.add_argument("--steps", type=int, default=150, help="fine-tuning steps per cutoff")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the CSV")
    return parser.parse_args()


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row per model, channel and metric: a column per window, newest first, then mean, low and high."""
    overall = table[table["scope"].isin(["all", "level"]) & table["key"].isin(["all", "total"])]
    keys = ["channel", "key", "metric", "model"]
    single = overall.dropna(subset="cutoff").assign(cutoff=lambda rows: rows["cutoff"].dt.strftime("%Y-%m-%d"))
    wide = single.pivot(index=keys, columns="cutoff", values="value")
    means = (
        overall[overall["cutoff"].isna()].set_index(keys)[["value", "low", "high"]].rename(columns={"value": "mean"})
    )
    return wide[wide.columns[::-1]].join(means).reset_index().rename(columns={"key": "level"})


def measure(panel: Panel, name: str, horizon: int, options: argparse.Namespace) -> pd.DataFrame:
    """Backtest the default models on `panel`, print the WAPE table, write `name`.csv and return its rows."""
    network = load_model(options.model)
    models = default_models(network, options.strategy, earliest_history(panel.n_weeks, horizon), panel.n_series,
                            steps=options.steps)
    cutoffs = plan_cutoffs(panel.n_weeks, horizon)
    started = time.perf_counter()
    result = calibrated(
        backtest(panel, models, horizon, cutoffs, options.cache / name, options.jobs, progress=True)
    ).result
    seconds = time.perf_counter() - started
    policy = run_policy(result)
    rows = summary(policy.scores()).assign(weights=network.weights_hash[:12])
    options.out.mkdir(parents=True, exist_ok=True)
    rows.round(5).to_csv(options.out / f"{name}.csv", index=False)
    show(rows, policy, panel, seconds)
    return rows


def show(rows: pd.DataFrame, policy, panel: Panel, seconds: float) -> None:
    """Print the WAPE of the series, the selected models and the error of the policy."""
    print(f"\n{panel.n_series} series x {panel.n_weeks} weeks, {len(policy.result.cutoffs)} cutoffs, {seconds:.0f} s")
    for channel in panel.channels:
        wapes = rows[(rows["channel"] == channel) & (rows["level"] == "all") & (rows["metric"] == "wape")]
        table = wapes.drop(columns=["channel", "level", "metric", "weights"])
        print(f"\nWAPE, {channel}\n{table.to_string(index=False, float_format='%.4f')}")
    for choice in policy.choices:
        print(f"{policy.result.week(choice.cutoff)}: {choice.model} ({choice.code}, {choice.cutoffs} earlier cutoffs)")
    selection = selection_record(policy)
    print(choice_sentence(ENGLISH, selection["final"]), policy_sentence(ENGLISH, selection), sep="\n")
