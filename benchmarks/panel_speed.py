"""Panel from a 900-series x 260-week x 2-channel frame, beside pandas' pivot in the same run.

Both read the same rows, once sorted as the warehouse returns them and once shuffled. The pivot makes one wide table
per channel and stacks them; it checks only duplicate keys. The panel also checks Mondays, time zones, codes and
finite numbers. With --large the script also builds a panel of 100,000 series from Arrow batches in a memory map.

    python benchmarks/panel_speed.py [--repeats 9] [--large]
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from machine import describe_machine, median_seconds, write_results

from ttm_notebooks.panel.panel import Panel, aggregate
from ttm_notebooks.panel.weekly_rows import mondays

CHANNELS = ["vendas", "faturamento"]


def weekly_frame(products: int = 150, regions: int = 6, weeks: int = 260, seed: int = 0) -> pd.DataFrame:
    """A weekly table of every product in every region, two channels, sorted by series."""
    rng = np.random.default_rng(seed)
    series = products * regions
    units = rng.poisson(40, series * weeks).astype(float)
    return pd.DataFrame({"timestamp": np.tile(mondays(2600, weeks).astype("M8[us]"), series),
                         "produto_cat": np.repeat(np.arange(series) // regions + 1, weeks),
                         "uf_cat": np.repeat(np.arange(series) % regions + 1, weeks),
                         "vendas": units, "faturamento": units * rng.uniform(5, 6, series * weeks)})


def pivoted(frame: pd.DataFrame) -> np.ndarray:
    """The same array [series, weeks, channels] with pandas' pivot."""
    wide = frame.pivot(index=["produto_cat", "uf_cat"], columns="timestamp", values=CHANNELS)
    return np.stack([wide[name].to_numpy() for name in CHANNELS], axis=2)


def compare(repeats: int) -> list[dict[str, object]]:
    """One row per method and order of rows; compares the results before it measures time."""
    ordered = weekly_frame()
    rows = []
    for order, frame in (("sorted", ordered), ("shuffled", ordered.sample(frac=1, random_state=0))):
        panel = Panel.from_frame(frame)
        assert np.array_equal(panel.values, pivoted(frame))
        methods = {
            "Panel.from_frame": lambda frame=frame: Panel.from_frame(frame),
            "pandas pivot": lambda frame=frame: pivoted(frame),
            "Panel.to_frame": panel.to_frame,
            "aggregate to region, product, total": lambda panel=panel: [
                aggregate(panel, level) for level in ("region", "product", "total")
            ],
        }
        rows += [
            {
                "what": what,
                "rows": len(frame),
                "order": order,
                "seconds": round(median_seconds(method, repeats), 4),
                "median_of": repeats,
            }
            for what, method in methods.items()
            if order == "sorted" or what in ("Panel.from_frame", "pandas pivot")
        ]
    return rows


def many_batches(blocks: int, products: int = 1000, weeks: int = 104) -> Iterator[pa.RecordBatch]:
    """Batches of 1,000 series x 104 weeks, generated in turn, so that the source needs little memory."""
    block = weekly_frame(products, 1, weeks)
    for number in range(blocks):
        yield from pa.Table.from_pandas(
            block.assign(produto_cat=block["produto_cat"] + number * products), preserve_index=False
        ).to_batches()


def measure_large(blocks: int = 100) -> dict[str, object]:
    """Time one build of 100,000 series from batches into a memory map."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        panel = Panel.from_arrow_batches(lambda: many_batches(blocks), memmap_folder=Path(folder) / "panel")
        seconds = time.perf_counter() - started
    return {
        "what": "Panel.from_arrow_batches into a memory map",
        "rows": panel.n_series * panel.n_weeks,
        "order": "sorted",
        "seconds": round(seconds, 2),
        "median_of": 1,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument(
        "--large", action="store_true", help="also build 100,000 series through a memory map (2 GB on disk)"
    )
    arguments = parser.parse_args()
    measured = compare(arguments.repeats) + ([measure_large()] if arguments.large else [])
    write_results("panel_speed", [row | describe_machine() for row in measured])
