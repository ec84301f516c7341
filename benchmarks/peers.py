"""Forecasting methods that others publish, behind one door: a `Panel` of the past in, a mean and thirteen quantiles out.

All see the same: the weeks before the origin, both channels, gaps filled by one stated rule (`candidates.IMPUTATION`). Each
forecasts every series and channel on its own, save LightGBM, which learns one model per channel over all series. Negative numbers become zero.
"""

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from ttm_notebooks.core.metrics import QUANTILE_LEVELS
from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.forecast.models import INTERVAL_LEVELS, MSTLETS, AutoTheta, Candidate, SeasonalNaive, impute

SEASON_LENGTH = 52
FEWEST_WEEKS = 8  # under which a method gets the average of what there is
Answer = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Peer:
    """A named method: `run(panel, horizon)` gives mean [N, H, C] and quantiles [N, 13, H, C]; `packages` decide its cache."""

    name: str
    packages: tuple[str, ...]
    run: Callable[[Panel, int], Answer] = field(repr=False)
    settings: dict[str, Any] = field(default_factory=dict)
    intervals: str = "its own"

    @property
    def identity(self) -> dict[str, Any]:
        """What shapes its numbers: name, settings and the packages' versions."""
        return {"name": self.name, "settings": self.settings, "versions": {name: version(name) for name in self.packages}}


def histories(panel: Panel) -> np.ndarray:
    """Imputed history of every series and channel [N * C, T], series first; NaN before its first usable week."""
    usable = np.moveaxis(panel.observed & ~panel.censored, 2, 1).reshape(-1, panel.n_weeks)
    return impute(np.moveaxis(panel.values, 2, 1).reshape(-1, panel.n_weeks), usable)


def unfold(panel: Panel, mean: np.ndarray, quantiles: np.ndarray) -> Answer:
    """Rows [N * C, H] and [N * C, 13, H] as arrays with channels last, ordered and not below zero."""
    shape = (panel.n_series, len(panel.channels))
    cube = np.sort(np.maximum(quantiles, 0.0), axis=1).reshape(*shape, *quantiles.shape[1:])
    return np.moveaxis(np.maximum(mean, 0.0).reshape(*shape, -1), 1, 2), np.moveaxis(cube, 1, 3)


def widen_levels(quantiles: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Thirteen levels from quantiles [..., levels]: straight lines over the normal score, continued beyond the outer two."""
    known, wanted = norm.ppf(levels), norm.ppf(QUANTILE_LEVELS)
    place = np.clip(np.searchsorted(known, wanted) - 1, 0, len(known) - 2)
    share = (wanted - known[place]) / (known[place + 1] - known[place])
    return quantiles[..., place] + share * (quantiles[..., place + 1] - quantiles[..., place])


def from_levels(result: Any, prefix: str = "", middle: str = "mean") -> np.ndarray:
    """Quantiles [13, ...] from columns lo-95 .. hi-95 around `middle`, as the Nixtla libraries name them."""
    low = [result[f"{prefix}lo-{level}"] for level in reversed(INTERVAL_LEVELS)]
    return np.stack([np.asarray(part) for part in (*low, result[middle], *(result[f"{prefix}hi-{level}"] for level in INTERVAL_LEVELS))])


def of_candidate(candidate: Candidate) -> Peer:
    """A baseline of this project's own line-up: statsforecast's models with stated rules for short histories."""
    def run(panel: Panel, horizon: int) -> Answer:
        told = candidate.predict(panel, horizon)
        return told.mean, told.quantiles
    name = {"MSTLETS": "MSTL+ETS"}.get(candidate.name, candidate.name)
    return Peer(name, ("statsforecast",), run, {"rules": [list(rule) for rule in candidate.rules]})


def one_by_one(single: Callable[[np.ndarray, int], Answer]) -> Callable[[Panel, int], Answer]:
    """A method for one history, applied to all; a history too short for it gets its average, without a spread."""
    def run(panel: Panel, horizon: int) -> Answer:
        rows = []
        for history in histories(panel):
            known = history[np.isfinite(history)]
            if len(known) >= FEWEST_WEEKS:
                rows.append(single(known, horizon))
            else:
                level = known.mean() if len(known) else 0.0
                rows.append((np.full(horizon, level), np.full((len(QUANTILE_LEVELS), horizon), level)))
        return unfold(panel, *(np.stack(part) for part in zip(*rows)))
    return run


def auto_ets(history: np.ndarray, horizon: int) -> Answer:
    """statsforecast's AutoETS with a year's season, which it drops by itself where it cannot hold 52 phases."""
    from statsforecast.models import AutoETS
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        result = AutoETS(season_length=SEASON_LENGTH).forecast(history, horizon, level=list(INTERVAL_LEVELS))
    return result["mean"], from_levels(result)


def flair(history: np.ndarray, horizon: int) -> Answer:
    """FLAIR's sample paths: their mean, as its documentation takes it, and their quantiles."""
    from flaircast import forecast
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        samples = forecast(history, horizon, "W", n_samples=200, seed=0)
    return samples.mean(axis=0), np.quantile(samples, QUANTILE_LEVELS, axis=0)


@cache
def fracast_model() -> Any:
    """Fracast-0 with the weights that its package bundles, in full precision."""
    from fracast import FracastModel
    return FracastModel.from_pretrained(weights="fp32")


def fracast(panel: Panel, horizon: int) -> Answer:
    """Fracast-0: its median, and its nine quantiles drawn out to thirteen."""
    model, past = fracast_model(), histories(panel)
    short = np.isfinite(past[:, -model.context_length:]).sum(axis=1) < FEWEST_WEEKS
    rows = np.where(short[:, None], 0.0, past)
    told = np.concatenate([model.forecast_batch(rows[start:start + 32], horizon=horizon) for start in range(0, len(rows), 32)])
    cube = np.moveaxis(widen_levels(told.astype(np.float64), np.array(model.quantiles)), 2, 1)
    level = np.nan_to_num(np.nanmean(np.where(short[:, None], past, 0.0), axis=1)) if short.any() else np.zeros(len(past))
    cube = np.where(short[:, None, None], level[:, None, None], cube)
    return unfold(panel, cube[:, QUANTILE_LEVELS.index(0.5)], cube)


TREES = {"n_estimators": 300, "learning_rate": 0.05, "num_leaves": 15, "min_child_samples": 20, "subsample": 0.8, "subsample_freq": 1,
         "colsample_bytree": 0.8}
TREE_LAGS = (1, 2, 3, 4, 8, 13, 26, 39, 51, 52, 53)
CONFORMAL_WINDOWS = 2


@dataclass(frozen=True)
class Growing:
    """A way to set LightGBM up. `recursive`: week after week on its own forecasts; else only lags of a whole horizon and more."""

    objective: str
    logs: bool
    recursive: bool
    week: bool


GROWING = (Growing("l1", True, True, True), Growing("l2", True, True, True), Growing("l2", False, False, False))


def week_of_year(dates: pd.DatetimeIndex) -> pd.Index:
    """ISO week number, a feature of LightGBM."""
    return pd.Index(dates.isocalendar().week.astype(np.int64))


def trees(way: Growing, horizon: int) -> Any:
    """mlforecast's pipeline around LightGBM: lags, rolling means, last year's weeks, week of the year, targets scaled per series."""
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean
    from mlforecast.target_transforms import GlobalSklearnTransformer, LocalStandardScaler
    from sklearn.preprocessing import FunctionTransformer

    first = 1 if way.recursive else horizon
    scalers = [LocalStandardScaler()]
    if way.logs:
        scalers.insert(0, GlobalSklearnTransformer(FunctionTransformer(func=np.log1p, inverse_func=np.expm1)))
    model = LGBMRegressor(**TREES, objective=way.objective, n_jobs=1, random_state=0, deterministic=True, force_row_wise=True, verbosity=-1)
    means = {first: [RollingMean(weeks, min_samples=1) for weeks in (4, 13, 52)], SEASON_LENGTH - 2: [RollingMean(5, min_samples=1)]}
    lags = sorted({*range(first, first + 4), *(lag for lag in TREE_LAGS if lag >= first)})
    return MLForecast({"tree": model}, freq="W-MON", lags=lags, target_transforms=scalers, num_threads=1, lag_transforms=means,
                      date_features=[week_of_year] if way.week else None)


def long_frame(panel: Panel, rows: np.ndarray) -> pd.DataFrame:
    """Imputed rows [N, T] of one channel as mlforecast wants them; series without enough weeks are absent."""
    keep = np.isfinite(rows)
    keep[keep.sum(axis=1) < FEWEST_WEEKS] = False
    number, week = np.nonzero(keep)
    return pd.DataFrame({"unique_id": number, "ds": pd.to_datetime(panel.weeks.astype("datetime64[D]"))[week], "y": rows[number, week]})


def grow(panel: Panel, rows: np.ndarray, horizon: int, way: Growing, intervals: bool) -> Answer:
    """Mean [N, H] and quantiles [N, 13, H] of one channel's imputed rows [N, T]; series too short to learn from get their average."""
    from mlforecast.utils import PredictionIntervals

    frame = long_frame(panel, rows)
    enough = frame.groupby("unique_id").size().min() > CONFORMAL_WINDOWS * horizon + FEWEST_WEEKS
    conformal = PredictionIntervals(n_windows=CONFORMAL_WINDOWS, h=horizon) if intervals and enough else None
    fitted = trees(way, horizon).fit(frame, dropna=False, static_features=[], prediction_intervals=conformal)
    told = fitted.predict(horizon, level=list(INTERVAL_LEVELS) if conformal else None)
    known = np.isfinite(rows)
    level = np.where(known, rows, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    mean = np.repeat(level[:, None], horizon, axis=1)
    quantiles = np.repeat(mean[:, None], len(QUANTILE_LEVELS), axis=1)
    number = told["unique_id"].to_numpy().reshape(-1, horizon)[:, 0]
    mean[number] = told["tree"].to_numpy().reshape(-1, horizon)
    cube = from_levels(told, "tree-", "tree") if conformal else np.tile(told["tree"], (len(QUANTILE_LEVELS), 1))
    quantiles[number] = np.moveaxis(cube.reshape(len(QUANTILE_LEVELS), -1, horizon), 0, 1)
    return mean, quantiles


def best_way(panel: Panel, rows: np.ndarray, horizon: int) -> Growing:
    """The way that would have erred least over the `horizon` weeks before the origin; the first where history is too short to ask."""
    if panel.n_weeks <= 2 * horizon + FEWEST_WEEKS:
        return GROWING[0]
    actual = rows[:, -horizon:]
    errors = [np.nansum(np.abs(grow(panel, rows[:, :-horizon], horizon, way, intervals=False)[0] - actual)) for way in GROWING]
    return GROWING[int(np.argmin(errors))]


def lightgbm(panel: Panel, horizon: int) -> Answer:
    """One LightGBM per channel over all series, set up by a trial before the origin, with mlforecast's conformal intervals."""
    past = histories(panel).reshape(panel.n_series, len(panel.channels), panel.n_weeks)
    logging.getLogger("mlforecast").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = [grow(panel, rows, horizon, best_way(panel, rows, horizon), intervals=True) for rows in np.moveaxis(past, 1, 0)]
    means, quantiles = (np.stack(part, axis=1).reshape(-1, *part[0].shape[1:]) for part in zip(*parts))
    return unfold(panel, means, quantiles)


def peers() -> tuple[Peer, ...]:
    """All of them, quick ones first."""
    return (of_candidate(SeasonalNaive()), of_candidate(MSTLETS()), of_candidate(AutoTheta()),
            Peer("FLAIR", ("flaircast",), one_by_one(flair), {"samples": 200, "seed": 0}, "its sample paths"),
            Peer("Fracast-0", ("fracast", "torch"), fracast, {"weights": "fp32"}, "its nine levels (10 to 90 %), tails continued over the normal score"),
            Peer("LightGBM", ("lightgbm", "mlforecast"), lightgbm, {"trees": TREES, "ways": [str(way) for way in GROWING]},
                 f"mlforecast's conformal ones, {CONFORMAL_WINDOWS} windows"),
            Peer("AutoETS", ("statsforecast",), one_by_one(auto_ets), {"season_length": SEASON_LENGTH}))
