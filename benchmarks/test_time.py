"""Averages at forecast time, without another network: python benchmarks/test_time.py --data FOLDER [--rossmann FOLDER].

Compares a single forecast with averages over: cutoffs a few weeks earlier (lagged), shorter histories, histories
under another power (quantiles commute with it), and histories with a little noise. It uses the sets of
last_year_share.py (no benchmark window); WAPE and weighted quantile loss are relative to the WAPE of seasonal naive.
Measured with the bundled network: the best average, 104 and 78 weeks, errs .4 % less than a single forecast, with the
whole gain on a single set; most averages err more. Not worth twice the time. Writes test_time.csv.
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
    """The mean of the quantiles, level by level, and of the means."""
    return np.mean([part[0] for part in parts], axis=0), np.mean([part[1] for part in parts], axis=0)


def lagged(predict: Predict, lags: int) -> Predict:
    """The average of the forecast and the forecasts made 1 to `lags` weeks earlier, for the weeks that they cover."""
    def lagged_predict(values: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        quantiles, mean = (array.copy() for array in predict(values, observed))
        count = np.ones(mean.shape[1])
        for lag in range(1, min(lags, values.shape[1] - 60) + 1):
            earlier, center = predict(values[:, :-lag], observed[:, :-lag])
            quantiles[:, :, :-lag] += earlier[:, :, lag:]
            mean[:, :-lag] += center[:, lag:]
            count[:-lag] += 1
        return quantiles / count[None, None, :, None], mean / count[None, :, None]
    return lagged_predict


def powered(predict: Predict, *powers: float) -> Predict:
    """The average of the forecasts of the histories to these `powers`, transformed back."""
    def powered_predict(values: np.ndarray, observed: np.ndarray, power: float) -> tuple[np.ndarray, np.ndarray]:
        quantiles = predict(np.where(observed, np.maximum(values, 0.0), 0.0) ** power, observed)[0] ** (1 / power)
        return quantiles, mean_from_quantiles(quantiles, axis=1, levels=QUANTILE_LEVELS)
    return lambda values, observed: average([powered_predict(values, observed, power) for power in powers])


def shortened(predict: Predict, *lengths: int) -> Predict:
    """The average of forecasts from the last `lengths` weeks."""
    return lambda values, observed: average([predict(values[:, -weeks:], observed[:, -weeks:]) for weeks in lengths])


def with_noise(predict: Predict, spread: float, times: int = 4) -> Predict:
    """The average of the forecast and `times` forecasts of the history with log-normal noise."""
    def noisy_predict(values: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        draw = np.random.default_rng(0)
        return average(
            [
                predict(values * np.exp(noise * draw.normal(0, 1, values.shape)), observed)
                for noise in (0.0, *[spread] * times)
            ]
        )
    return noisy_predict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    (
        parser.add_argument("--data", type=Path, required=True),
        parser.add_argument("--rossmann", type=Path),
        parser.add_argument("--model", default="weekly"),
    )
    options = parser.parse_args()
    predict, sets, rows = load_model(options.model).predict_arrays, read_sets(options.data, options.rossmann), []
    variants = {
        "one forecast": predict,
        "1 week earlier too": lagged(predict, 1),
        "2 weeks": lagged(predict, 2),
        "4 weeks": lagged(predict, 4),
        "square roots": powered(predict, 0.5),
        "unchanged and square roots": powered(predict, 1.0, 0.5),
        "power 0.75": powered(predict, 0.75),
        "power 1.5": powered(predict, 1.5),
        "104 and 78 weeks": shortened(predict, 104, 78),
        "104 and 60 weeks": shortened(predict, 104, 60),
        "noise of 10 %": with_noise(predict, 0.1),
    }
    for name, averaged in variants.items():
        scores = {
            data.name: ratios(SimpleNamespace(predict_arrays=averaged), data, horizon, ends)
            for data, horizon, ends in sets
        }
        scores["geometric mean"] = tuple(np.exp(np.log(list(scores.values())).mean(axis=0)))
        rows += [
            {"variant": name, "set": set_name, "wape": round(error, 4), "quantile_loss": round(loss, 4)}
            for set_name, (error, loss) in scores.items()
        ]
    write_results("test_time", rows)


if __name__ == "__main__":
    main()
