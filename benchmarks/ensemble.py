"""Is the average of two checkpoints better than one? python benchmarks/ensemble.py --data FOLDER [--rossmann FOLDER] --models weekly RUN2 ...

The sets of last_year_share.py (nothing of the benchmark windows). Each model and each average of them, all with the bundled share of last year: WAPE and
weighted quantile loss relative to seasonal naive's WAPE. Measured with the bundled network (patches of 26 weeks) and a second one (patches of 13, width
112, 9,000 steps, seed 20260104; pretrain_search.csv has its own scores): the average's quantile loss is .6 % lower and its WAPE .3 % higher, not worth a
second network.
"""
import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from last_year_share import ratios, read_sets
from machine import write_results

from ttm_notebooks.model.checkpoint import WeeklyModel, load_model


class Average:
    """The mean of several models' quantiles, level by level, and of their means."""

    def __init__(self, models: Sequence[WeeklyModel]):
        self.models = models

    def predict_arrays(self, values: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `WeeklyModel.predict_arrays`."""
        parts = [model.predict_arrays(values, observed) for model in self.models]
        return np.mean([part[0] for part in parts], axis=0), np.mean([part[1] for part in parts], axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True), parser.add_argument("--rossmann", type=Path)
    parser.add_argument("--models", nargs="+", default=["weekly"])
    options = parser.parse_args()
    sets, rows = read_sets(options.data, options.rossmann), []
    models = {Path(uri).name: load_model(uri) for uri in options.models}
    share = max(float(model.network.last_year_share) for model in models.values())
    for model in models.values():
        model.network.last_year_share.fill_(share)
    for count in range(1, len(models) + 1):
        for names in itertools.combinations(models, count):
            made = Average([models[name] for name in names])
            found = {one.name: ratios(made, one, horizon, ends) for one, horizon, ends in sets}
            found["geometric mean"] = tuple(np.exp(np.log(list(found.values())).mean(axis=0)))
            rows += [{"models": " + ".join(names), "set": name, "wape": round(error, 4), "quantile_loss": round(loss, 4)}
                     for name, (error, loss) in found.items()]
    write_results("ensemble", rows)


if __name__ == "__main__":
    main()
