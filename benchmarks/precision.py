"""Forecasts at lower precision: python benchmarks/precision.py --data FOLDER.

Runs the bundled network on Hass avocado sales (the four 26-week windows that end the series) in float32, under
bfloat16 and float16 autocast, with int8 weights (dynamic quantisation of its linear layers), all in torch, and with
ONNX Runtime, which forecasts everywhere else. For each variant: error, weighted quantile loss, coverage, deviation of
the quantiles from float32 in torch, bytes of the weights, and milliseconds for 1, 32 and 900 series.

deviation_max    largest distance relative to the float32 quantile, or to 1 % of the level if the quantile is smaller
deviation_p999   99.9th percentile of the same distance
deviation_level  largest distance relative to the level of the series (the mean of its median)
batch_dependence largest distance, relative to the level, between a series forecast alone and in a batch; the engine
                 promises zero, and int8 breaks the promise: it quantises activations with one scale for the batch
Milliseconds are processor time of one thread on the CPU (elsewhere wall time), with scaling and sorting, median of
several runs.
"""
import argparse
import io
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from hab import read_panel
from machine import describe_machine, write_results
from torch import nn

from ttm_notebooks.core.metrics import QUANTILE_LEVELS, coverage, wape, weighted_quantile_loss
from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.model.checkpoint import NetworkFiles, WeeklyModel, load_model
from ttm_notebooks.model.inference import CONTEXT_LENGTH, HORIZON, provider_of

BATCHES = (1, 32, 900)
WINDOWS = 4


def as_int8(model: WeeklyModel) -> WeeklyModel:
    """`model` with int8 weights in its linear layers and activations quantised at run time."""
    runner = model.files.runner("cpu", "float32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao points to torchao, which would be one more dependency
        runner.network = torch.ao.quantization.quantize_dynamic(runner.network, {nn.Linear}, dtype=torch.qint8)
    return model


def in_torch(uri: str, device: str, dtype: str = "float32") -> WeeklyModel:
    """A new model that runs in torch: the checkpoint without its graph."""
    content = load_model(uri).files
    return WeeklyModel(NetworkFiles(content.settings, content.weights), uri, device, dtype)


def variants(uri: str, device: str) -> dict[str, Callable[[], WeeklyModel]]:
    """A constructor of each variant for a device; int8 kernels exist on the CPU only."""
    constructors = {
        "float32": lambda: in_torch(uri, device),
        "bfloat16 autocast": lambda: in_torch(uri, device, "bfloat16"),
        "float16 autocast": lambda: in_torch(uri, device, "float16"),
    }
    if provider_of(device):
        constructors["ONNX Runtime"] = lambda: load_model(uri, device)
    return constructors | ({"int8 dynamic": lambda: as_int8(in_torch(uri, device))} if device == "cpu" else {})


def size_on_disk(model: WeeklyModel) -> int:
    """Bytes of the weights, in int8 where they are (autocast keeps them in float32)."""
    network = getattr(model.files.runner(model.device, model.dtype), "network", None)
    if network is None:
        return len(model.files.weights)
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    return buffer.getbuffer().nbytes


def predict(model: WeeklyModel, panel: Panel, cutoff: int) -> np.ndarray:
    """Quantiles [N, 13, 26, C] and mean, stacked as level 0, from the weeks before `cutoff`."""
    past = slice(max(0, cutoff - CONTEXT_LENGTH), cutoff)
    quantiles, mean = model.predict_arrays(panel.values[:, past], panel.observed[:, past])
    return np.concatenate([mean[:, None], quantiles], axis=1)


def deviation(forecast: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Distances of the quantiles from the reference (defined in the docstring of the module)."""
    level = reference[:, 1 + QUANTILE_LEVELS.index(0.5)].mean(axis=1)[:, None, None]
    apart = np.abs(forecast[:, 1:] - reference[:, 1:])
    relative = apart / np.maximum(reference[:, 1:], 0.01 * level)
    return {
        "deviation_max": relative.max(),
        "deviation_p999": np.quantile(relative, 0.999),
        "deviation_level": (apart / level).max(),
    }


def batch_dependence(model: WeeklyModel, panel: Panel, cutoff: int, forecast: np.ndarray, series: int = 10) -> float:
    """Largest distance between the first `series` series forecast alone and in a batch, relative to their level."""
    alone = np.concatenate([predict(model, panel.slice(series=[row]), cutoff) for row in range(series)])
    level = forecast[:series, 1 + QUANTILE_LEVELS.index(0.5)].mean(axis=1)[:, None, None]
    return float((np.abs(alone - forecast[:series]) / level).max())


def accuracy(forecasts: list[np.ndarray], panel: Panel, cutoffs: list[int]) -> dict[str, float]:
    """WAPE and weighted quantile loss per channel, coverage over both; means over windows."""
    scores: dict[str, list[float]] = {}
    for parts, cutoff in zip(forecasts, cutoffs):
        for channel, name in enumerate(panel.channels):
            actual = panel.values[:, cutoff:cutoff + HORIZON, channel]
            seen = panel.observed[:, cutoff:cutoff + HORIZON, channel]
            quantiles = parts[:, 1:, ..., channel]
            scores.setdefault(f"wape_{name}", []).append(wape(actual, parts[:, 0, ..., channel], seen))
            scores.setdefault(f"wql_{name}", []).append(weighted_quantile_loss(actual, quantiles, seen))
            scores.setdefault("coverage80", []).append(coverage(actual, quantiles[:, 2], quantiles[:, 10], seen))
    return {name: round(float(np.mean(values)), 5) for name, values in scores.items()}


def milliseconds(model: WeeklyModel, panel: Panel, batch: int, repeats: int) -> float:
    """Median time of forecasting `batch` series at once."""
    rows = np.arange(batch) % panel.n_series
    values, observed = panel.values[rows, -CONTEXT_LENGTH:], panel.observed[rows, -CONTEXT_LENGTH:]
    clock = time.process_time if model.device == "cpu" else time.perf_counter
    seconds = []
    for _ in range(repeats + 2):
        started = clock()
        model.predict_arrays(values, observed)
        seconds.append(clock() - started)
    return 1000 * float(np.median(seconds[2:]))


def measure(
    name: str, model: WeeklyModel, panel: Panel, reference: list[np.ndarray], repeats: int
) -> dict[str, object]:
    """One row of the table."""
    cutoffs = [panel.n_weeks - HORIZON * back for back in range(1, WINDOWS + 1)]
    forecasts = [predict(model, panel, cutoff) for cutoff in cutoffs]
    apart = [deviation(*pair) for pair in zip(forecasts, reference)]
    deviations = {key: round(float(max(part[key] for part in apart)), 6) for key in apart[0]}
    row = {"device": model.device, "variant": name, "status": "measured"} | accuracy(forecasts, panel, cutoffs)
    row |= deviations | {
        "batch_dependence": round(batch_dependence(model, panel, cutoffs[0], forecasts[0]), 6),
        "bytes": size_on_disk(model),
    }
    return row | {f"ms_{batch}": round(milliseconds(model, panel, batch, repeats), 2) for batch in BATCHES}


def main(options: argparse.Namespace) -> None:
    """Measure every variant on the CPU, and on the GPU if present."""
    torch.set_num_threads(1)
    panel, plain = read_panel(options.data), in_torch(options.model, "cpu")
    reference = [predict(plain, panel, panel.n_weeks - HORIZON * back) for back in range(1, WINDOWS + 1)]
    rows = []
    for device in ("cpu", "cuda"):
        for name, make in variants(options.model, device).items():
            if device == "cuda" and not torch.cuda.is_available():
                rows.append({"device": device, "variant": name, "status": "no GPU here"})
                continue
            rows.append(measure(name, make(), panel, reference, options.repeats))
    cpu = rows[0]
    common = {
        "threads": 1,
        "parameters": plain.parameter_count,
        "weights_sha256": plain.weights_hash[:12],
        "torch": version("torch"),
    } | describe_machine()
    write_results(
        "precision",
        [
            row | ({"speedup_900": round(cpu["ms_900"] / row["ms_900"], 2)} if "ms_900" in row else {}) | common
            for row in rows
        ],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of avocado_hab_2017_2024.parquet")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--repeats", type=int, default=9)
    main(parser.parse_args())
