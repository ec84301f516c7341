"""Candidates and policy on one panel: the part that rossmann.py and hab.py share.

WAPE of each window, from the last backwards, and their mean, as in `ttm_notebooks.evaluation.backtest`; intervals are calibrated on
earlier windows (benchmarks/calibration.py shows them before and after); the policy's row is the error of choosing on earlier windows only and then forecasting.
"""
import argparse
import os
import time
from pathlib import Path

import pandas as pd

from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.evaluation.backtest import backtest, earliest_history, plan_origins
from ttm_notebooks.forecast.models import line_up
from ttm_notebooks.evaluation.model_selection import choice_sentence, policy_sentence, run_policy
from ttm_notebooks.evaluation.calibration import calibrated
from ttm_notebooks.model.checkpoint import load_model

RESULTS = Path(__file__).parent / "results"


def arguments(description: str) -> argparse.Namespace:
    """The options both scripts take."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data")
    parser.add_argument("--cache", type=Path, default=Path("reports/output/benchmarks"), help="finished parts are kept here")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes for the baselines")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--strategy", default="auto", help="fine-tuning strategy")
    parser.add_argument("--steps", type=int, default=150, help="fine-tuning steps before each origin")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the CSV")
    return parser.parse_args()


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row per model, channel and metric: a column per window, from the last backwards, then mean, low and high."""
    overall = table[table["scope"].isin(["all", "level"]) & table["key"].isin(["all", "total"])]
    keys = ["channel", "key", "metric", "model"]
    single = overall.dropna(subset="origin").assign(origin=lambda rows: rows["origin"].dt.strftime("%Y-%m-%d"))
    wide = single.pivot(index=keys, columns="origin", values="value")
    means = overall[overall["origin"].isna()].set_index(keys)[["value", "low", "high"]].rename(columns={"value": "mean"})
    return wide[wide.columns[::-1]].join(means).reset_index().rename(columns={"key": "level"})


def measure(panel: Panel, name: str, horizon: int, options: argparse.Namespace) -> pd.DataFrame:
    """Backtest the usual line-up on `panel`, print the WAPE table, write `name`.csv and return its rows."""
    model = load_model(options.model)
    candidates = line_up(model, options.strategy, earliest_history(panel.n_weeks, horizon), steps=options.steps)
    origins = plan_origins(panel.n_weeks, horizon)
    started = time.perf_counter()
    result = calibrated(backtest(panel, candidates, horizon, origins, options.cache / name, options.jobs, progress=True)).result
    seconds = time.perf_counter() - started
    policy = run_policy(result)
    rows = summary(policy.scores()).assign(weights=model.weights_hash[:12])
    options.out.mkdir(parents=True, exist_ok=True)
    rows.round(5).to_csv(options.out / f"{name}.csv", index=False)
    show(rows, policy, panel, seconds)
    return rows


def show(rows: pd.DataFrame, policy, panel: Panel, seconds: float) -> None:
    """Print the WAPE of series, the choices and the bar."""
    print(f"\n{panel.n_series} series x {panel.n_weeks} weeks, {len(policy.result.origins)} origins, {seconds:.0f} s")
    for channel in panel.channels:
        wapes = rows[(rows["channel"] == channel) & (rows["level"] == "all") & (rows["metric"] == "wape")]
        print(f"\nWAPE, {channel}\n{wapes.drop(columns=['channel', 'level', 'metric', 'weights']).to_string(index=False, float_format='%.4f')}")
    for choice in policy.choices:
        print(f"{policy.result.week(choice.origin)}: {choice.model} ({choice.code}, {choice.origins} earlier origins)")
    print(choice_sentence(policy.final, "en"), policy_sentence(policy, "en"), sep="\n")
