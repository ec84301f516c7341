"""What reconciliation does to accuracy and intervals at each level: python benchmarks/coherence.py --data FOLDER.

FOLDER holds avocado_hab_2017_2024.parquet and the Rossmann file (see hab.py and rossmann.py); a set that is not there is listed
as absent. The simulated manufacturer needs no file. Base forecasts come from the checkpoint as it is and from seasonal naive, at each
level on its own. `chosen` applies to each origin the method that earlier origins support. `--windows tuning` (default) looks only
at origins whose weeks end before the benchmark windows; `--windows test` at those windows. Writes results/coherence.csv.
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
from ttm_notebooks.simulation.company import simulate
from ttm_notebooks.forecast.models import Candidate, SeasonalNaive, ZeroShot
from ttm_notebooks.forecast.engine import Forecast, rounded, summed_mean
from ttm_notebooks.forecast.reconciliation import (METHODS, Past, choose_method, error_variances, implied_price_bounds, keep_price, largest_difference,
                                              level_scores, moved_onto, reconcile, summing_matrix, truth_by_level)
from ttm_notebooks.model.checkpoint import load_model

RESULTS = Path(__file__).parent / "results"
LEVELS = ("series", "region", "product", "total")
STACK = ("total", "region", "product", "series")
LEAST_WEEKS = 13  # with all numbers seen, for a full covariance
WINDOWS = {  # horizon, positions from the end: those scored for tuning, those of the test, and the earliest that feeds weights and choice
    "hab": (26, range(-195, -129, 13), range(-104, 0, 26), -300),
    "rossmann": (13, range(-91, -64, 13), range(-52, 0, 13), -104),
    "industria": (26, range(-130, -25, 26), (), -156),
}


def read_industria(_: Path) -> Panel:
    """True weekly sums of 60 simulated products; a week without a line, after the first sale, is zero."""
    weekly = simulate(seed=7, scale=0.4).planted.weekly
    table = pd.DataFrame({"timestamp": pd.to_datetime(weekly["week"]), "produto_cat": weekly["material"].rank(method="dense").astype("int64"),
                          "uf_cat": weekly["uf"].rank(method="dense").astype("int64"), "vendas": weekly["units"].astype("float64"),
                          "faturamento": weekly["cents"] / 100})
    panel = Panel.from_frame(table)
    started = np.maximum.accumulate(panel.observed, axis=1)
    return replace(panel, values=np.where(panel.observed, panel.values, 0.0), observed=started)


READERS: dict[str, Callable[[Path], Panel]] = {"hab": hab.read_panel, "rossmann": rossmann.read_panel, "industria": read_industria}


def at_origin(panel: Panel, candidate: Candidate, position: int, horizon: int, cache: dict[int, Past]) -> Past:
    """Base forecasts of every level at `position`, and what came, computed once."""
    if position not in cache:
        before = panel.slice(end=position)
        levels = {level: candidate.predict(before if level == "series" else aggregate(before, level), horizon) for level in LEVELS}
        cache[position] = Past(levels, truth_by_level(panel, LEVELS, position, horizon))
    return cache[position]


def known_before(one: Past, made: int, now: int) -> Past:
    """`one`, forecast at week `made`, with only the weeks before week `now`."""
    return Past(one.levels, {level: tuple(array[:, :now - made] for array in pair) for level, pair in one.truth.items()})


def shrunk(levels: dict[str, Forecast], past: list[Past]) -> dict[str, Forecast]:
    """MinT with a shrunk full covariance (dense), from weeks in which every number was seen; empty without enough of them."""
    from hierarchicalforecast.methods import MinTrace
    summing = summing_matrix(levels)
    means = np.concatenate([levels[level].mean for level in STACK])
    found = np.empty_like(levels["series"].mean)
    for channel in range(means.shape[2]):
        told, came = (np.concatenate([np.concatenate([part(one, level, channel) for level in STACK]) for one in past], axis=1)
                      for part in (lambda one, level, c: one.levels[level].mean[:, :one.truth[level][0].shape[1], c],
                                   lambda one, level, c: np.where(one.truth[level][1][..., c], one.truth[level][0][..., c], np.nan)))
        whole = np.isfinite(came).all(axis=0)
        if whole.sum() < LEAST_WEEKS:
            return {}
        method = MinTrace("mint_shrink")
        bottom = method.fit_predict(S=summing.toarray(), y_hat=means[..., channel], y_insample=came[:, whole],
                                    y_hat_insample=told[:, whole])["mean"][-summing.shape[1]:]
        found[..., channel] = np.maximum(bottom, 0.0)
    series = rounded(moved_onto(levels["series"], found))
    return {level: series if level == "series" else moved_onto(told, summed_mean(series, told.series)) for level, told in levels.items()}


def stages(panel: Panel, one: Past, past: list[Past], position: int) -> tuple[dict[str, dict[str, Forecast]], str]:
    """Every method's forecasts at one origin, and the name of the chosen one."""
    levels = dict(one.levels)
    variances = error_variances(levels, past)
    found = {"base": levels} | {method: reconcile(levels, method, variances) for method in METHODS}
    if all(len(old.levels["series"].series) == len(levels["series"].series) for old in past) and (full := shrunk(levels, past)):
        found["mint_shrink"] = full
    chosen = choose_method(past).method
    found["chosen"] = found[chosen]
    if len(panel.channels) == 2:
        bounds = implied_price_bounds(panel.slice(end=position))
        found["chosen_with_price"] = reconcile(levels, chosen, bounds=bounds)
        found["wls_volume_with_price"] = reconcile(levels, "wls_volume", bounds=bounds)
        held = keep_price(levels["series"], bounds).metadata["implied_price"]
        print(f"  {position}: {chosen}; price held in {held['weeks_held']} of {levels['series'].mean[..., 0].size} series-weeks")
    return found, chosen


def measure(name: str, panel: Panel, candidate: Candidate, windows: str) -> pd.DataFrame:
    """Scores of every method at every origin of one set."""
    horizon, tuning, test, first = WINDOWS[name]
    cache: dict[int, Past] = {}
    rows = []
    for back in tuning if windows == "tuning" else test:
        position = panel.n_weeks + back
        made = range(panel.n_weeks + first, position, horizon // 2)
        past = [known_before(at_origin(panel, candidate, week, horizon, cache), week, position) for week in made]
        one = at_origin(panel, candidate, position, horizon, cache)
        found, chosen = stages(panel, one, past, position)
        gaps = {stage: largest_difference(levels) for stage, levels in found.items()}
        rows.append(level_scores(found, one.truth).assign(origin=str(panel.weeks[position]), chosen=chosen,
                                                          largest_difference=lambda part, gaps=gaps: part["stage"].map(gaps)))
    return pd.concat(rows).assign(set=name, candidate=candidate.name, windows=windows) if rows else pd.DataFrame()


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over origins, the largest difference, and each WAPE relative to bottom-up's."""
    keys = ["set", "windows", "candidate", "stage", "channel", "level"]
    numbers = ["wape", "wql", "coverage80", "width80", "coverage95", "width95"]
    table = rows.groupby(keys, sort=False)[numbers].mean().join(rows.groupby(keys)["largest_difference"].max())
    table = table.join(rows.groupby(keys)["origin"].nunique().rename("origins")).reset_index()
    reference = table[table["stage"] == "bottom_up"].set_index([key for key in keys if key != "stage"])["wape"].rename("reference")
    table = table.join(reference, on=[key for key in keys if key != "stage"])
    return table.assign(wape_to_bottom_up=table["wape"] / table["reference"]).drop(columns="reference")


def main() -> None:
    """Measure, print, and replace the rows of these windows in the CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data")
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
        for candidate in (ZeroShot(load_model("weekly")), SeasonalNaive()):
            print(f"{name}, {candidate.name}, {options.windows} windows", flush=True)
            parts.append(measure(name, panel, candidate, options.windows))
    if not (parts := [part for part in parts if len(part)]):
        raise SystemExit("nothing to measure")
    table = summary(pd.concat(parts, ignore_index=True)).round(5)
    path = options.out / "coherence.csv"
    if path.exists():
        old = pd.read_csv(path)
        again = pd.MultiIndex.from_frame(old[["set", "windows"]]).isin(pd.MultiIndex.from_frame(table[["set", "windows"]]))
        table = pd.concat([old[~again], table], ignore_index=True)
    options.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)
    shown = table[table["windows"] == options.windows]
    ratio = shown.assign(log=np.log(shown["wape_to_bottom_up"])).groupby(["set", "candidate", "stage"], sort=False)["log"].mean()
    print("\nWAPE relative to bottom-up's, geometric mean over levels and channels", np.exp(ratio).unstack(sort=False).round(4).to_string(), sep="\n")
    gap = shown[shown["stage"] != "base"]["largest_difference"].max()
    print(f"largest difference between a sum and its parts: {gap:.2g} (bar 0.005: {'met' if gap <= 0.005 else 'MISSED'})")


if __name__ == "__main__":
    main()
