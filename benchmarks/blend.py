"""Shares of the default blend: python benchmarks/blend.py --data FOLDER [--hab FILE] [--model FOLDER] [--finetuning].

Every set (Parquet: series_id, week, units, revenue) is cut to at most 60 series, drawn by a seed, and 400 weeks; up to
three windows of 26 weeks end it, each with at least 104 weeks before it. HAB loses its last 104 weeks first, which are
test windows elsewhere. The table holds, per set, the network's WAPE, and the ratio to the network of every member, the
blend, and the blend without the network (WAPE of medians, weighted quantile loss; geometric mean over channels, mean
over windows), and coverage. The grid of shares is scored on all sets, and leaving one set out: its shares are chosen on
the others. Sets that trained the network (benchmarks/pretrain_mix.json) keep only their last two windows, which training
never saw.

With --finetuning it measures the tuned network and the mean of both instead, on sets with at least 200 weeks before a
window. Forecasts stay under --cache, by set, window and member. Writes blend.csv, blend_shares.csv, blend_finetuning.csv.
"""
import argparse
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from machine import write_results
from tqdm import tqdm

from ttm_notebooks.core.files import hash_json
from ttm_notebooks.core.metrics import wape, weighted_quantile_loss
from ttm_notebooks.forecast.blend import BLEND_WEIGHTS
from ttm_notebooks.forecast.gradient_boosting import LightGBM
from ttm_notebooks.forecast.models import FineTuned, ForecastModel, SeasonalNaive, ZeroShot
from ttm_notebooks.forecast.phase_ridge import PhaseRidge
from ttm_notebooks.model.checkpoint import load_model
from ttm_notebooks.panel.panel import Panel

MOST_SERIES, MOST_WEEKS, HORIZON, CONTEXT, WINDOWS = 60, 400, 26, 104, 3
MIX = json.loads((Path(__file__).parent / "pretrain_mix.json").read_text())
# Demand and activity; counts of diseases and deaths are no demand, and sets with fewer than 130 weeks have no window.
SETS = ("iowa_liquor_brand_county:bc|", "iowa_liquor_brand_county:ic|", "iowa_liquor_brand_county:it|",
        "iowa_liquor_all_brands", "ansett", "ae_demand_uk", "swast_ambulance", "wikipedia_50", "prophet_wiki",
        "nyc_trips", "cta_stations", "my_ridership", "leeds_footfall", "fremont_bikes", "burke_gilman",
        "tfl_cycle_hires", "us_births", "m4_weekly", "eia_weekly", "us_grid", "uk_grid", "opsd_germany", "vic_elec",
        "metro_traffic", "bourke_st_peds", "melb_walkers", "madrid_bicimad")
GRID = tuple((network, trees, round(1 - network - trees, 2)) for network in (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
             for trees in (0.15, 0.2, 0.25, 0.3, 0.35, 0.4) if 0 < 1 - network - trees <= 0.4)


def panel_of_file(path: Path, prefix: str = "", without: int = 0) -> Panel:
    """The series of a file whose ids begin with `prefix`, without their last `without` weeks."""
    frame = pd.read_parquet(path)
    frame = frame[frame["series_id"].astype(str).str.startswith(prefix)]
    week = frame["week"].dt.normalize()
    day = week.dt.weekday
    frame = frame.assign(timestamp=week - pd.to_timedelta(day.where(day < 6, -1), unit="D"))  # Sundays to the Monday after
    names = np.sort(frame["series_id"].unique())
    if len(names) > MOST_SERIES:
        names = np.sort(np.random.default_rng(0).choice(names, MOST_SERIES, replace=False))
    last = frame["timestamp"].max() - pd.Timedelta(weeks=without)
    frame = frame[frame["series_id"].isin(names) & (frame["timestamp"] <= last)
                  & (frame["timestamp"] > last - pd.Timedelta(weeks=MOST_WEEKS))]
    code = {name: number + 1 for number, name in enumerate(names)}
    columns = {name: frame[column].astype(float) for column, name in (("units", "vendas"), ("revenue", "faturamento"))
               if column in frame and frame[column].notna().any()}
    return Panel.from_frame(pd.DataFrame({"timestamp": frame["timestamp"], "produto_cat": frame["series_id"].map(code),
                                          "uf_cat": 1, **columns}))


def panels(options: argparse.Namespace) -> Iterator[tuple[str, Panel, tuple[int, ...]]]:
    """Name, panel and cutoffs of each set."""
    sources = [(name, options.data / f"{name.partition(':')[0]}.parquet", name.partition(":")[2], 0) for name in SETS]
    if options.hab:
        sources.append(("hab, without its test windows", options.hab, "", 104))
    for name, path, prefix, without in sources:
        panel = panel_of_file(path, prefix, without)
        windows = 2 if name in MIX["shares"] else WINDOWS
        cutoffs = tuple(end for end in (panel.n_weeks - HORIZON * (back + 1) for back in range(windows)) if end >= CONTEXT)
        yield name, panel, cutoffs


def quantiles(model: ForecastModel, panel: Panel, cutoff: int, cache: Path) -> np.ndarray:
    """Quantiles [N, 13, H, C] of a member at a cutoff, from the cache if they are there."""
    path = cache / f"{hash_json([model.key, panel.fingerprint, cutoff])[:24]}.npy"
    if not path.is_file():
        forecast = model.fit_predict(panel.slice(end=cutoff), HORIZON)
        with path.with_suffix(".part").open("wb") as stream:
            np.save(stream, forecast.quantiles.astype(np.float32))
        path.with_suffix(".part").replace(path)
    return np.load(path).astype(np.float64)


def scores(panel: Panel, cutoff: int, cube: np.ndarray) -> np.ndarray:
    """[C, 3]: WAPE of the median, weighted quantile loss and coverage of the 80 % interval."""
    weeks, rows = slice(cutoff, cutoff + HORIZON), []
    actual, known = panel.values[:, weeks], (panel.observed & ~panel.censored)[:, weeks]
    for channel in range(actual.shape[2]):
        truth, mask, fan = actual[..., channel], known[..., channel], cube[..., channel]
        inside = ((truth >= fan[:, 2]) & (truth <= fan[:, 10]))[mask]
        rows.append((wape(truth, fan[:, 6], mask), weighted_quantile_loss(truth, fan, mask), inside.mean()))
    return np.array(rows)


def ratios(panel: Panel, cutoffs: tuple[int, ...], cubes: list[np.ndarray], base: np.ndarray) -> np.ndarray:
    """[3]: WAPE and quantile loss relative to `base` [C, 3], geometric mean over channels, and mean coverage."""
    mean = np.nanmean([scores(panel, cutoff, cube) for cutoff, cube in zip(cutoffs, cubes)], axis=0)
    return np.array([*np.exp(np.log(mean[:, :2] / base[:, :2]).mean(axis=0)), mean[:, 2].mean()])


def mixed(parts: list[list[np.ndarray]], weights: tuple[float, ...]) -> list[np.ndarray]:
    """Weighted average of the members' quantiles at each cutoff."""
    return [sum(weight * cube for weight, cube in zip(weights, cubes)) for cubes in zip(*parts)]


def geometric(values: np.ndarray) -> float:
    """Geometric mean."""
    return float(np.exp(np.log(values).mean()))


def shares(options: argparse.Namespace) -> None:
    """Score members and shares; write blend.csv and blend_shares.csv."""
    network = ZeroShot(load_model(options.model))
    members, rows, grid = (network, LightGBM(), PhaseRidge()), [], {weights: [] for weights in GRID}
    chosen = tuple(BLEND_WEIGHTS.values())
    for name, panel, cutoffs in tqdm(list(panels(options)), desc="sets"):
        cubes = {model.name: [quantiles(model, panel, cutoff, options.cache) for cutoff in cutoffs]
                 for model in (*members, SeasonalNaive())}
        base = np.nanmean([scores(panel, *pair) for pair in zip(cutoffs, cubes[network.name])], axis=0)

        parts = [cubes[model.name] for model in members]
        row = {"set": name, "trained": name in MIX["shares"], "windows": len(cutoffs), "network_wape": base[:, 0].mean()}
        pair = mixed(parts[1:], tuple(share / sum(chosen[1:]) for share in chosen[1:]))
        blends = {"Blend": mixed(parts, chosen), "without_network": pair}
        for label, own in (cubes | blends).items():
            row |= dict(zip((f"{label}_wape", f"{label}_wql", f"{label}_coverage80"), ratios(panel, cutoffs, own, base)))
        rows.append(row)
        for weights, results in grid.items():
            results.append(ratios(panel, cutoffs, mixed(parts, weights), base))
    write_results("blend", pd.DataFrame(rows).round(4).to_dict("records"))
    table = {weights: np.array(results) for weights, results in grid.items()}
    loss = {weights: np.log(results[:, :2]).sum(axis=1) for weights, results in table.items()}
    others = [[kept for kept in range(len(rows)) if kept != number] for number in range(len(rows))]
    left = np.array([table[min(GRID, key=lambda weights: loss[weights][kept].mean())][number]
                     for number, kept in enumerate(others)])
    lines = [dict(zip(("network", "trees", "ridge"), weights)) | summary(results) for weights, results in table.items()]
    lines.sort(key=lambda line: line["wql"] * line["wape"])
    write_results("blend_shares", [{"network": "chosen without the set"} | summary(left), *lines])


def summary(results: np.ndarray) -> dict[str, float]:
    """Geometric means over sets, mean coverage and the worst set."""
    return {"wape": round(geometric(results[:, 0]), 4), "wql": round(geometric(results[:, 1]), 4),
            "coverage80": round(float(results[:, 2].mean()), 3), "worst_wape": round(float(results[:, 0].max()), 3)}


def finetuning(options: argparse.Namespace) -> None:
    """The tuned network and half of each, relative to the network; write blend_finetuning.csv."""
    model, rows = load_model(options.model), []
    for name, panel, cutoffs in tqdm(list(panels(options)), desc="sets"):
        for cutoff in (cutoff for cutoff in cutoffs[:2] if cutoff >= 200):
            plain = quantiles(ZeroShot(model), panel, cutoff, options.cache)
            tuned = quantiles(FineTuned(model, "head", options={"progress": False}), panel, cutoff, options.cache)
            base = scores(panel, cutoff, plain)
            row = {"set": name, "series": panel.n_series, "weeks": cutoff}
            for label, cube in (("tuned", tuned), ("half", (tuned + plain) / 2)):
                row |= dict(zip((f"{label}_wape", f"{label}_wql"), ratios(panel, (cutoff,), [cube], base)[:2].round(4)))
            rows.append(row)
    write_results("blend_finetuning", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet files")
    parser.add_argument("--hab", type=Path, help="avocado_hab_2017_2024.parquet")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--cache", type=Path, default=Path("reports/output/benchmarks/blend"))
    parser.add_argument("--finetuning", action="store_true", help="measure fine-tuning instead of shares")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    (finetuning if options.finetuning else shares)(options)


if __name__ == "__main__":
    main()
