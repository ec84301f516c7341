"""Effect of reconciliation on accuracy and intervals at each level: python benchmarks/coherence.py --data FOLDER.

FOLDER holds avocado_hab_2017_2024.parquet and the Rossmann file (see hab.py and rossmann.py); a missing set is listed
as absent. The simulated manufacturer needs no file. Base forecasts come from the untuned checkpoint and from seasonal
naive, each level on its own. The stage `chosen` applies to each cutoff the method that earlier cutoffs support.
`--windows tuning` (default) uses only cutoffs whose weeks end before the benchmark windows; `--windows test` uses
those windows. Writes results/coherence.csv.
"""
import argparse
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import hab
import numpy as np
import pandas as pd
import rossmann

from ttm_notebooks.panel.panel import Panel, aggregate
from ttm_notebooks.simulation.company import simulate_company
from ttm_notebooks.forecast.models import ForecastModel, SeasonalNaive, ZeroShot
from ttm_notebooks.forecast.engine import Forecast, rounded, summed_mean
from ttm_notebooks.forecast.reconciliation import (
    RECONCILIATION_METHODS,
    PastCutoff,
    choose_method,
    error_variances,
    implied_price_bounds,
    keep_price,
    largest_difference,
    level_scores,
    moved_onto,
    reconcile,
    summing_matrix,
    truth_by_level,
)
from ttm_notebooks.model.checkpoint import load_model

RESULTS = Path(__file__).parent / "results"
LEVELS = ("series", "region", "product", "total")
STACK = ("total", "region", "product", "series")
LEAST_WEEKS = 13  # complete weeks that a full covariance needs
# Horizon; positions from the end: of the tuning windows, of the test windows, and the earliest one for weights and
# choice.
WINDOWS = {
    "hab": (26, range(-195, -129, 13), range(-104, 0, 26), -300),
    "rossmann": (13, range(-91, -64, 13), range(-52, 0, 13), -104),
    "industria": (26, range(-130, -25, 26), (), -156),
}


def read_industria(_: Path) -> Panel:
    """True weekly sums of 60 simulated products; a week without an order line is zero after the first sale."""
    weekly = simulate_company(seed=7, scale=0.4).planted.weekly
    table = pd.DataFrame(
        {
            "timestamp": pd.to_datetime(weekly["week"]),
            "produto_cat": weekly["material"].rank(method="dense").astype("int64"),
            "uf_cat": weekly["uf"].rank(method="dense").astype("int64"),
            "vendas": weekly["units"].astype("float64"),
            "faturamento": weekly["cents"] / 100,
        }
    )
    panel = Panel.from_frame(table)
    started = np.maximum.accumulate(panel.observed, axis=1)
    return replace(panel, values=np.where(panel.observed, panel.values, 0.0), observed=started)


READERS: dict[str, Callable[[Path], Panel]] = {
    "hab": hab.read_panel,
    "rossmann": rossmann.read_panel,
    "industria": read_industria,
}


def past_at(
    panel: Panel, model: ForecastModel, position: int, horizon: int, cache: dict[int, PastCutoff]
) -> PastCutoff:
    """Base forecasts of every level at `position` and the actual values, computed once."""
    if position not in cache:
        before = panel.slice(end=position)
        levels = {
            level: model.predict(before if level == "series" else aggregate(before, level), horizon) for level in LEVELS
        }
        cache[position] = PastCutoff(levels, truth_by_level(panel, LEVELS, position, horizon))
    return cache[position]


def known_before(past: PastCutoff, made: int, now: int) -> PastCutoff:
    """`past`, forecast at week `made`, cut to the weeks before week `now`."""
    return PastCutoff(
        past.levels, {level: tuple(array[:, : now - made] for array in pair) for level, pair in past.truth.items()}
    )


def _stacked_means(past: PastCutoff, channel: int) -> np.ndarray:
    """Forecast means [rows of all levels, weeks] of one cutoff."""
    return np.concatenate([past.levels[level].mean[:, :past.truth[level][0].shape[1], channel] for level in STACK])


def _stacked_actuals(past: PastCutoff, channel: int) -> np.ndarray:
    """Actual values [rows of all levels, weeks] of one cutoff, NaN where not observed."""
    return np.concatenate(
        [np.where(past.truth[level][1][..., channel], past.truth[level][0][..., channel], np.nan) for level in STACK]
    )


def shrunk(levels: dict[str, Forecast], past: list[PastCutoff]) -> dict[str, Forecast]:
    """MinT with a shrunk full covariance (dense), estimated on complete weeks; empty with too few of them."""
    from hierarchicalforecast.methods import MinTrace
    summing = summing_matrix(levels)
    means = np.concatenate([levels[level].mean for level in STACK])
    bottom_means = np.empty_like(levels["series"].mean)
    for channel in range(means.shape[2]):
        fitted, actual = (
            np.concatenate([part(old, channel) for old in past], axis=1) for part in (_stacked_means, _stacked_actuals)
        )
        whole = np.isfinite(actual).all(axis=0)
        if whole.sum() < LEAST_WEEKS:
            return {}
        method = MinTrace("mint_shrink")
        bottom = method.fit_predict(S=summing.toarray(), y_hat=means[..., channel], y_insample=actual[:, whole],
                                    y_hat_insample=fitted[:, whole])["mean"][-summing.shape[1]:]
        bottom_means[..., channel] = np.maximum(bottom, 0.0)
    series = rounded(moved_onto(levels["series"], bottom_means))
    return {
        level: series if level == "series" else moved_onto(base, summed_mean(series, base.series))
        for level, base in levels.items()
    }


def stages(
    panel: Panel, current: PastCutoff, past: list[PastCutoff], position: int
) -> tuple[dict[str, dict[str, Forecast]], str]:
    """The forecasts of every method at one cutoff, and the name of the selected method."""
    levels = dict(current.levels)
    variances = error_variances(levels, past)
    forecasts = {"base": levels} | {method: reconcile(levels, method, variances) for method in RECONCILIATION_METHODS}
    if all(len(old.levels["series"].series) == len(levels["series"].series) for old in past) and (
        full := shrunk(levels, past)
    ):
        forecasts["mint_shrink"] = full
    selected = choose_method(past).method
    forecasts["chosen"] = forecasts[selected]
    if len(panel.channels) == 2:
        bounds = implied_price_bounds(panel.slice(end=position))
        forecasts["chosen_with_price"] = reconcile(levels, selected, bounds=bounds)
        forecasts["wls_volume_with_price"] = reconcile(levels, "wls_volume", bounds=bounds)
        held = keep_price(levels["series"], bounds).metadata["implied_price"]
        print(
            f"  {position}: {selected}; price held in {held['weeks_held']} "
            f"of {levels['series'].mean[..., 0].size} series-weeks"
        )
    return forecasts, selected


def measure(name: str, panel: Panel, model: ForecastModel, windows: str) -> pd.DataFrame:
    """Scores of every method at every cutoff of one set."""
    horizon, tuning, test, first = WINDOWS[name]
    cache: dict[int, PastCutoff] = {}
    rows = []
    for back in tuning if windows == "tuning" else test:
        position = panel.n_weeks + back
        made = range(panel.n_weeks + first, position, horizon // 2)
        past = [known_before(past_at(panel, model, week, horizon, cache), week, position) for week in made]
        current = past_at(panel, model, position, horizon, cache)
        forecasts, selected = stages(panel, current, past, position)
        gaps = {stage: largest_difference(levels) for stage, levels in forecasts.items()}
        rows.append(
            level_scores(forecasts, current.truth).assign(
                cutoff=str(panel.weeks[position]),
                selected=selected,
                largest_difference=lambda part, gaps=gaps: part["stage"].map(gaps),
            )
        )
    return pd.concat(rows).assign(set=name, model=model.name, windows=windows) if rows else pd.DataFrame()


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over cutoffs, the largest difference, and each WAPE relative to that of bottom-up."""
    keys = ["set", "windows", "model", "stage", "channel", "level"]
    numbers = ["wape", "wql", "coverage80", "width80", "coverage95", "width95"]
    table = rows.groupby(keys, sort=False)[numbers].mean().join(rows.groupby(keys)["largest_difference"].max())
    table = table.join(rows.groupby(keys)["cutoff"].nunique().rename("cutoffs")).reset_index()
    reference = (
        table[table["stage"] == "bottom_up"]
        .set_index([key for key in keys if key != "stage"])["wape"]
        .rename("reference")
    )
    table = table.join(reference, on=[key for key in keys if key != "stage"])
    return table.assign(wape_to_bottom_up=table["wape"] / table["reference"]).drop(columns="reference")


def main() -> None:
    """Measure, print, and replace the rows of these windows in the CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data")
    parser.add_argument("--windows", choices=["tuning", "test"], default="tuning")
    parser.add_argument("--sets", nargs="+", choices=list(READERS), default=list(READERS))
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the CSV")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    parts = []
    for name in options.sets:
        try:
            panel = READERS[name](options.data)
        except (FileNotFoundError, SystemExit):
            print(f"{name}: absent from {options.data}")
            continue
        for model in (ZeroShot(load_model("weekly")), SeasonalNaive()):
            print(f"{name}, {model.name}, {options.windows} windows", flush=True)
            parts.append(measure(name, panel, model, options.windows))
    if not (parts := [part for part in parts if len(part)]):
        raise SystemExit("nothing to measure")
    table = summary(pd.concat(parts, ignore_index=True)).round(5)
    path = options.out / "coherence.csv"
    if path.exists():
        old = pd.read_csv(path)
        again = pd.MultiIndex.from_frame(old[["set", "windows"]]).isin(
            pd.MultiIndex.from_frame(table[["set", "windows"]])
        )
        table = pd.concat([old[~again], table], ignore_index=True)
    options.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)
    shown = table[table["windows"] == options.windows]
    ratio = (
        shown.assign(log=np.log(shown["wape_to_bottom_up"]))
        .groupby(["set", "model", "stage"], sort=False)["log"]
        .mean()
    )
    print(
        "\nWAPE relative to bottom-up, geometric mean over levels and channels",
        np.exp(ratio).unstack(sort=False).round(4).to_string(),
        sep="\n",
    )
    gap = shown[shown["stage"] != "base"]["largest_difference"].max()
    print(
        f"largest difference between a sum and its parts: {gap:.2g} (bar 0.005: {'met' if gap <= 0.005 else 'MISSED'})"
    )


if __name__ == "__main__":
    main()
