"""The closed-form member of the blend against FLAIR and last year: python benchmarks/phase_ridge.py --data FOLDER.

FOLDER holds Parquet files, a set each (series_id, week, units and/or revenue). Of each set the script takes at most 60
series (drawn with a fixed seed) and 400 weeks, and forecasts 26 weeks from up to three cutoffs with at least 104 weeks
before them. Errors are the mean over channels and cutoffs: WAPE of the median, quantile loss, share of weeks inside the
80 % interval, error of the total of the mean; `ratio` is the WAPE relative to the bundled network, zero-shot, and
`with_network` that of three quarters network and one quarter of the method, averaged by quantile. FLAIR needs flaircast
and is left out without it. The last rows are geometric means over sets.

The method's settings were chosen on the demand sets of results/phase_ridge.csv and on HAB before 2023; the six sets of
diseases and deaths were looked at after the choice. A bundled network that was trained on windows of a set has an
advantage there: FLAIR and last year saw as much as this method.
"""
import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from machine import write_results
from peers import Answer, flair, per_history

from ttm_notebooks.core.metrics import wape, weighted_quantile_loss
from ttm_notebooks.forecast.models import ForecastModel, SeasonalNaive, ZeroShot
from ttm_notebooks.forecast.phase_ridge import PhaseRidge
from ttm_notebooks.model.checkpoint import load_model
from ttm_notebooks.panel.panel import Panel

HORIZON, MOST_SERIES, MOST_WEEKS, LEAST_WEEKS, CUTOFFS = 26, 60, 400, 104, 3
BUCKETS = {"1-2": slice(0, 2), "3-4": slice(2, 4), "5-8": slice(4, 8), "9-13": slice(8, 13), "14-26": slice(13, 26)}
Method = Callable[[Panel], Answer]


def read_panel(path: Path) -> Panel:
    """A set as a panel of weeks that begin on Monday."""
    frame = pd.read_parquet(path)
    names = np.sort(frame["series_id"].astype(str).unique())
    if len(names) > MOST_SERIES:
        names = np.sort(np.random.default_rng(0).choice(names, MOST_SERIES, replace=False))
    frame = frame[frame["series_id"].astype(str).isin(names)]
    frame = frame[frame["week"] > frame["week"].max() - pd.Timedelta(weeks=MOST_WEEKS)]
    week = frame["week"].dt.normalize()
    week -= pd.to_timedelta(week.dt.weekday.where(week.dt.weekday < 6, -1), unit="D")
    codes = frame["series_id"].astype(str).map({name: number + 1 for number, name in enumerate(names)})
    table = pd.DataFrame({"timestamp": week, "produto_cat": codes, "uf_cat": 1})
    for column, channel in (("units", "vendas"), ("revenue", "faturamento")):
        if column in frame and frame[column].notna().any():
            table[channel] = frame[column].astype(float)
    return Panel.from_frame(table)


def cutoffs(panel: Panel) -> list[int]:
    """Numbers of weeks before each forecast."""
    ends = [panel.n_weeks - HORIZON * number for number in range(1, CUTOFFS + 1)]
    return [end for end in ends if end >= LEAST_WEEKS]


def of_model(model: ForecastModel) -> Method:
    """A model of this project as a method."""
    def run(panel: Panel) -> Answer:
        forecast = model.fit_predict(panel, HORIZON)
        return forecast.mean, forecast.quantiles
    return run


def methods() -> dict[str, Method]:
    """The compared methods; the network first, because others are relative to it."""
    own = {model.name: of_model(model) for model in (ZeroShot(load_model("weekly")), PhaseRidge(), SeasonalNaive())}
    every = per_history(flair)
    return own | ({"FLAIR": lambda panel: every(panel, HORIZON)} if find_spec("flaircast") else {})


def errors(panel: Panel, end: int, answer: Answer) -> dict[str, float]:
    """Errors of one forecast, mean over channels."""
    rows, (mean, cube) = [], answer
    counts = (panel.observed & ~panel.censored)[:, end:end + HORIZON]
    for channel in range(len(panel.channels)):
        seen, quantiles = counts[..., channel], cube[..., channel]
        actual = np.where(seen, panel.values[:, end:end + HORIZON, channel], 0.0)
        if not seen.any() or not actual.sum() > 0:
            continue
        inside = (actual >= quantiles[:, 2]) & (actual <= quantiles[:, 10])
        total = np.where(seen, mean[..., channel], 0.0).sum()
        rows.append({
            "wape": wape(actual, quantiles[:, 6], seen),
            "quantile_loss": weighted_quantile_loss(actual, quantiles, seen),
            "coverage_80": inside[seen].mean(), "total_error": total / actual.sum() - 1,
            **{f"wape_{name}": wape(actual[:, part], quantiles[:, 6, part], seen[:, part])
               for name, part in BUCKETS.items()},
        })
    return pd.DataFrame(rows).mean().to_dict()


def compare(name: str, panel: Panel, compared: dict[str, Method]) -> Iterator[dict[str, object]]:
    """One row per method: its mean errors over the cutoffs."""
    network: dict[int, Answer] = {}
    base: dict[str, float] = {}
    for label, method in compared.items():
        start, alone, blended = time.process_time(), [], []
        answers = {end: method(panel.slice(end=end)) for end in cutoffs(panel)}
        seconds = time.process_time() - start
        network = network or answers
        for end, answer in answers.items():
            alone.append(errors(panel, end, answer))
            blended.append(errors(panel, end, tuple(0.75 * a + 0.25 * b for a, b in zip(network[end], answer))))
        mean, mixed = (pd.DataFrame(rows).mean() for rows in (alone, blended))
        base = base or mean.to_dict()
        yield {"set": name, "series": panel.n_series, "weeks": panel.n_weeks, "cutoffs": len(answers), "method": label,
               "wape": mean["wape"], "ratio": mean["wape"] / base["wape"],
               "loss_ratio": mean["quantile_loss"] / base["quantile_loss"],
               "with_network": mixed["wape"] / base["wape"],
               "loss_with_network": mixed["quantile_loss"] / base["quantile_loss"],
               **{f"ratio_{part}": mean[f"wape_{part}"] / base[f"wape_{part}"] for part in BUCKETS},
               "coverage_80": mean["coverage_80"], "total_error": mean["total_error"], "seconds": seconds}


def summary(rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Geometric means of the ratios over sets, means of coverage and of the absolute error of totals."""
    ratios = [column for column in rows if "ratio" in column or "network" in column]
    for label, part in rows.groupby("method", sort=False):
        yield {"set": "geometric mean", "series": part["series"].sum(), "weeks": "", "cutoffs": part["cutoffs"].sum(),
               "method": label, "wape": np.exp(np.log(part["wape"]).mean()),
               **{column: np.exp(np.log(part[column]).mean()) for column in ratios},
               "coverage_80": part["coverage_80"].mean(), "total_error": part["total_error"].abs().mean(),
               "seconds": part["seconds"].sum()}


def main() -> None:
    """Compare all sets of a folder and write results/phase_ridge.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="*", help="names of files without .parquet; default: all")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    compared, rows = methods(), []
    for path in sorted(options.data.glob("*.parquet")):
        if options.sets and path.stem not in options.sets:
            continue
        panel = read_panel(path)
        if cutoffs(panel):
            rows += compare(path.stem, panel, compared)
    table = [*rows, *summary(pd.DataFrame(rows))]
    write_results("phase_ridge", [{key: round(value, 4) if isinstance(value, float) else value
                                   for key, value in row.items()} for row in table])


if __name__ == "__main__":
    main()
