"""Fine-tuning strategies side by side on Hass avocado sales: python benchmarks/finetune.py --data FOLDER.

For each strategy: trained parameters, seconds and peak memory of one run, and WAPE on the windows after each cutoff,
before and after fine-tuning. Each strategy runs in a fresh process, because memory that an earlier run has freed
would hide the need of a later one. The cutoffs are those of hab.py: the 26-week windows that end the series, so this
script must not be used to choose a setting. It takes about 20 seconds per strategy and cutoff on two idle cores.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
from hab import read_panel
from machine import describe_machine, write_results

from ttm_notebooks.model.checkpoint import load_model
from ttm_notebooks.model.finetune import strategy_table
from ttm_notebooks.model.strategies import STRATEGIES


def measure(strategy: str, options: argparse.Namespace) -> list[dict[str, object]]:
    """Table rows for one strategy and the untuned model, at the last `cutoffs` windows."""
    torch.set_num_threads(options.threads)
    panel, model = read_panel(options.data), load_model(options.model)
    cutoffs = [panel.n_weeks - model.horizon * back for back in range(1, options.cutoffs + 1)]
    table = strategy_table(
        model, panel, [strategy], cutoffs, steps=options.steps, batch_size=options.batch_size, progress=False
    )
    return table.round(4).assign(weights_sha256=model.weights_hash[:12]).to_dict("records")


def in_fresh_process(strategy: str, options: argparse.Namespace) -> list[dict[str, object]]:
    """Run `measure` in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, strategy, options).result()


def main(options: argparse.Namespace) -> None:
    """Measure all strategies in sequence, and the untuned model once."""
    parts = {strategy: in_fresh_process(strategy, options) for strategy in options.strategies}
    rows = [next(iter(parts.values()))[0], *(part[1] for part in parts.values())]
    common = {"cutoffs": options.cutoffs, "steps": options.steps, "batch_size": options.batch_size,
              "threads": options.threads, "model": options.model} | describe_machine()
    write_results("finetune", [row | common for row in rows])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of avocado_hab_2017_2024.parquet")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--cutoffs", type=int, default=4)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES), choices=list(STRATEGIES))
    main(parser.parse_args())
