"""The fine-tuning strategies side by side on Hass avocado sales: python benchmarks/finetune.py --data FOLDER.

For each strategy: parameters trained, seconds and peak memory of one run, and WAPE on the windows after each origin,
before and after. Each strategy runs in a fresh process, since memory that an earlier run freed would hide a later
one's need. Origins are those of hab.py: the 26-week windows that end the series, so nothing here may be used to choose
a setting. About 20 seconds per strategy and origin on two quiet cores.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
from hab import read_panel
from machine import describe_machine, write_results

from ttm_notebooks.model.checkpoint import load_model
from ttm_notebooks.model.finetune import STRATEGIES, strategy_table


def measure(strategy: str, options: argparse.Namespace) -> list[dict[str, object]]:
    """The table's rows for one strategy (and the untouched model), at the last `origins` windows."""
    torch.set_num_threads(options.threads)
    panel, model = read_panel(options.data), load_model(options.model)
    origins = [panel.n_weeks - model.horizon * back for back in range(1, options.origins + 1)]
    table = strategy_table(model, panel, [strategy], origins, steps=options.steps, batch_size=options.batch_size, progress=False)
    return table.round(4).assign(weights_sha256=model.weights_hash[:12]).to_dict("records")


def in_fresh_process(strategy: str, options: argparse.Namespace) -> list[dict[str, object]]:
    """`measure` in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, strategy, options).result()


def main(options: argparse.Namespace) -> None:
    """All strategies one after another; the untouched model once."""
    parts = {strategy: in_fresh_process(strategy, options) for strategy in options.strategies}
    rows = [next(iter(parts.values()))[0], *(part[1] for part in parts.values())]
    common = {"origins": options.origins, "steps": options.steps, "batch_size": options.batch_size,
              "threads": options.threads, "model": options.model} | describe_machine()
    write_results("finetune", [row | common for row in rows])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds avocado_hab_2017_2024.parquet")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--origins", type=int, default=4)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES), choices=list(STRATEGIES))
    main(parser.parse_args())
