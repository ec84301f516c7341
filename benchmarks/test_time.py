"""Does looking twice help? python benchmarks/test_time.py --data FOLDER [--rossmann FOLDER] [--model weekly].

Averages at the time of forecasting, without another network: origins a few weeks earlier beside the last one (lagged), shorter histories beside the
whole one, histories under another power (quantiles commute with it), histories with a little noise. The sets of last_year_share.py (nothing of the
benchmark windows); WAPE and weighted quantile loss relative to seasonal naive's WAPE. Measured with the bundled network: the best, 104 and 78 weeks
together, errs .4 % less than one look, all of it on one set; most err more. Not worth twice the time. Writes test_time.csv.
"""
import argparse
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from last_year_share import ratios, read_sets
from machine import write_results

from ttm_notebooks.core.metrics import QUANTILE_LEVELS
from ttm_notebooks.model.checkpoint import load_model, mean_from_quantiles

Predict = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def average(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Level by level the mean of quantiles, and of means."""
    return np.mean([part[0] for part in parts], axis=0), np.mean([part[1] for part in parts], axis=0)


def lagged(predict: Predict, lags: int) -> Predict:
    """The forecast averaged with those made 1 to `lags` weeks earlier, where they reach."""
    def made(values: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        quantiles, mean = (array.copy() for array in predict(values, observed))
        count = np.ones(mean.shape[1])
        for lag in range(1, min(lags, values.shape[1] - 60) + 1):
            earlier, center = predict(values[:, :-lag], observed[:, :-lag])
            quantiles[:, :, :-lag] += earlier[:, :, lag:]
            mean[:, :-lag] += center[:, lag:]
            count[:-lag] += 1
        return quantiles / count[None, None, :, None], mean / count[None, :, None]
    return made


def powered(predict: Predict, *powers: float) -> Predict:
    """The average of forecasts of the histories to these `powers`, taken back."""
    def one(values: np.ndarray, observed: np.ndarray, power: float) -> tuple[np.ndarray, np.ndarray]:
        quantiles = predict(np.where(observed, np.maximum(values, 0.0), 0.0) ** power, observed)[0] ** (1 / power)
        return quantiles, mean_from_quantiles(quantiles, axis=1, levels=QUANTILE_LEVELS)
    return lambda values, observed: average([one(values, observed, power) for power in powers])


def shortened(predict: Predict, *lengths: int) -> Predict:
    """The average of forecasts from the last `lengths` weeks."""
    return lambda values, observed: average([predict(values[:, -weeks:], observed[:, -weeks:]) for weeks in lengths])


def shaken(predict: Predict, spread: float, times: int = 4) -> Predict:
    """The average of a forecast and `times` of histories with log-normal noise."""
    def made(values: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        draw = np.random.default_rng(0)
        return average([predict(values * np.exp(noise * draw.normal(0, 1, values.shape)), observed) for noise in (0.0, *[spread] * times)])
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True), parser.add_argument("--rossmann", type=Path), parser.add_argument("--model", default="weekly")
    options = parser.parse_args()
    look, sets, rows = load_model(options.model).predict_arrays, read_sets(options.data, options.rossmann), []
    looks = {"one look": look, "1 week earlier too": lagged(look, 1), "2 weeks": lagged(look, 2), "4 weeks": lagged(look, 4),
             "square roots": powered(look, 0.5), "as it is, and square roots": powered(look, 1.0, 0.5), "power 0.75": powered(look, 0.75),
             "power 1.5": powered(look, 1.5),
             "104 and 78 weeks": shortened(look, 104, 78), "104 and 60 weeks": shortened(look, 104, 60), "noise of 10 %": shaken(look, 0.1)}
    for name, made in looks.items():
        found = {one.name: ratios(SimpleNamespace(predict_arrays=made), one, horizon, ends) for one, horizon, ends in sets}
        found["geometric mean"] = tuple(np.exp(np.log(list(found.values())).mean(axis=0)))
        rows += [{"look": name, "set": where, "wape": round(error, 4), "quantile_loss": round(loss, 4)} for where, (error, loss) in found.items()]
    write_results("test_time", rows)


if __name__ == "__main__":
    main()
