"""Speed of 900 series x 26 weeks x 13 quantiles x 2 channels: the engine, the bare network, granite-tsfm's pipeline.

    python benchmarks/speed.py [--series 900] [--repeats 5] [--threads 2] [--skip-pipeline]

Engine and bare network run in ONNX Runtime, the pipeline in torch. All three use the same weights, the same data and the
same process. The pipeline gets its fastest conditions: only the
104 weeks that it needs, and results as lists in cells (`explode_forecasts=False`). Rows that start and end with a
pandas frame are compared with each other; the engine on a prepared panel is compared with the bare forward pass.
"""

import argparse
import os

import numpy as np
import pandas as pd
import torch
from machine import describe_machine, median_seconds, write_results

from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.panel.scaler import WindowScaler
from ttm_notebooks.forecast.engine import forecast
from ttm_notebooks.model.checkpoint import load_model
from ttm_notebooks.model.pretrain import sample_demand

CHANNELS = ["vendas", "faturamento"]


def demand_frame(series: int, weeks: int) -> pd.DataFrame:
    """A weekly table of synthetic units and revenue, without gaps (the pipeline has no mask for them)."""
    values, _ = sample_demand(series, weeks, 7)
    row, week = np.indices((series, weeks)).reshape(2, -1)
    stamps = (np.datetime64("2021-01-04", "D") + 7 * week).astype("datetime64[us]")
    numbers = values.reshape(-1, 2)
    return pd.DataFrame({"timestamp": stamps, "produto_cat": 1 + row // 6, "uf_cat": 1 + row % 6,
                         "vendas": numbers[:, 0], "faturamento": numbers[:, 1]})


def bare_forward(model, panel: Panel):
    """A function that runs only the network, on the scaled windows of the engine."""
    values, observed = panel.values[:, -104:], panel.observed[:, -104:]
    scaled = WindowScaler.fit(values, observed).transform(values, observed)
    fold = lambda array: np.ascontiguousarray(array.transpose(0, 2, 1)).reshape(-1, 104, 1)
    past, mask = fold(scaled), fold(observed)
    return lambda: model.files.runner("cpu", "float32").run(past, mask)


def pipeline_run(model, frame: pd.DataFrame):
    """A function that turns the frame into forecasts with the pipeline of granite-tsfm."""
    from tsfm_public import TimeSeriesForecastingPipeline, TimeSeriesPreprocessor

    tail = frame.groupby(["produto_cat", "uf_cat"]).tail(104).reset_index(drop=True)

    def run():
        preprocessor = TimeSeriesPreprocessor(
            id_columns=["produto_cat", "uf_cat"],
            timestamp_column="timestamp",
            target_columns=CHANNELS,
            context_length=104,
            prediction_length=26,
            scaling=True,
            scaler_type="standard",
            encode_categorical=False,
            freq="W-MON",
        )
        preprocessor.train(tail)
        pipeline = TimeSeriesForecastingPipeline(
            model.torch_network(),
            feature_extractor=preprocessor,
            batch_size=512,
            device="cpu",
            explode_forecasts=False,
            inverse_scale_outputs=True,
        )
        return pipeline(tail)
    return run


def check_pipeline(model, frame: pd.DataFrame) -> None:
    """Warm up the pipeline on six series and assert that it returns what is compared: 26 weeks and the quantiles."""
    result = pipeline_run(model, frame[frame["produto_cat"] == 1])()
    assert (
        len(result) == 6
        and result["vendas_prediction"].map(len).eq(26).all()
        and "faturamento_prediction_q0.9" in result
    )


def measure(series: int, repeats: int, skip_pipeline: bool) -> list[dict[str, object]]:
    """All rows of the result."""
    model, frame = load_model("weekly"), demand_frame(series, 208)
    panel = Panel.from_frame(frame)
    single = panel.slice(series=[0])
    rows = {
        "bare forward": median_seconds(bare_forward(model, panel), repeats),
        "engine, panel to forecast": median_seconds(lambda: forecast(model, panel), repeats),
        "engine, panel to frame": median_seconds(lambda: forecast(model, panel).to_frame(), repeats),
        "engine, frame to frame": median_seconds(lambda: forecast(model, Panel.from_frame(frame)).to_frame(), repeats),
        "engine, one series": median_seconds(lambda: forecast(model, single), 4 * repeats),
    }
    if not skip_pipeline:
        check_pipeline(model, frame)
        rows["granite-tsfm pipeline, frame to frame"] = median_seconds(
            pipeline_run(model, frame), max(repeats // 2, 1), warm=False
        )
    ratios = {"engine, panel to forecast": ("bare forward", rows["bare forward"]),
              "granite-tsfm pipeline, frame to frame": ("engine, frame to frame", rows["engine, frame to frame"])}
    common = {"threads": torch.get_num_threads()} | describe_machine()
    times = {"engine, one series": 4 * repeats, "granite-tsfm pipeline, frame to frame": max(repeats // 2, 1)}
    return [
        {
            "what": what,
            "series": 1 if "one series" in what else series,
            "seconds": round(seconds, 4),
            "median_of": times.get(what, repeats),
            "compared_with": ratios.get(what, ("", 1))[0],
            "ratio": round(seconds / ratios[what][1], 2) if what in ratios else "",
        }
        | common
        for what, seconds in rows.items()
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=900)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--skip-pipeline", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    write_results("speed", measure(arguments.series, arguments.repeats, arguments.skip_pipeline))
