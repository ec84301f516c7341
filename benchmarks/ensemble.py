"""Average of two checkpoints against each alone: python benchmarks/ensemble.py --data FOLDER --models weekly RUN2 ...

Uses the sets of last_year_share.py (no benchmark window) and scores each model and each average of models, all with
the bundled share of last year: WAPE and weighted quantile loss relative to the WAPE of seasonal naive. Measured with
the bundled network (patches of 26 weeks) and a second one (patches of 13, width 112, 9,000 steps, seed 20260104; its
own scores are in pretrain_search.csv): the average has a .6 % lower quantile loss and a .3 % higher WAPE, not worth a
second network.
"""
import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from last_year_share import ratios, read_sets
from machine import write_results
from shares import with_share

from ttm_notebooks.model.checkpoint import WeeklyModel, load_model


class Average:
    """A model that averages the quantiles of several models, level by level, and their means."""

    def __init__(self, models: Sequence[WeeklyModel]):
        self.models = models

    def predict_arrays(self, values: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Quantiles and mean, with the arguments of `WeeklyModel.predict_arrays`."""
        parts = [model.predict_arrays(values, observed) for model in self.models]
        return np.mean([part[0] for part in parts], axis=0), np.mean([part[1] for part in parts], axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True), parser.add_argument("--rossmann", type=Path)
    parser.add_argument("--models", nargs="+", default=["weekly"])
    options = parser.parse_args()
    sets, rows = read_sets(options.data, options.rossmann), []
    models = {Path(uri).name: load_model(uri) for uri in options.models}
    share = max(model.last_year_share for model in models.values())
    models = {name: with_share(model, share) for name, model in models.items()}
    for count in range(1, len(models) + 1):
        for names in itertools.combinations(models, count):
            average = Average([models[name] for name in names])
            scores = {data.name: ratios(average, data, horizon, ends) for data, horizon, ends in sets}
            scores["geometric mean"] = tuple(np.exp(np.log(list(scores.values())).mean(axis=0)))
            rows += [
                {"models": " + ".join(names), "set": name, "wape": round(error, 4), "quantile_loss": round(loss, 4)}
                for name, (error, loss) in scores.items()
            ]
    write_results("ensemble", rows)


if __name__ == "__main__":
    main()
