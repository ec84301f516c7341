"""Published forecasting methods with a common interface: a `Panel` of the past in, a mean and thirteen quantiles out.

All methods see the same data: the weeks before the cutoff, both channels, gaps filled by a stated rule
(`models.IMPUTATION`). Each forecasts every series and channel separately, except LightGBM, which fits one model per
channel on all series. Negative numbers become zero.
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
from ttm_notebooks.forecast.models import INTERVAL_LEVELS, MSTLETS, AutoTheta, ForecastModel, SeasonalNaive, impute

SEASON_LENGTH = 52
FEWEST_WEEKS = 8  # a shorter history gets its own average as the forecast
Answer = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Peer:
    """A named method: `run(panel, horizon)` returns mean [N, H, C] and quantiles [N, 13, H, C].

    The versions of its `packages` are part of the key of cached forecasts.
    """

    name: str
    packages: tuple[str, ...]
    run: Callable[[Panel, int], Answer] = field(repr=False)
    settings: dict[str, Any] = field(default_factory=dict)
    intervals: str = "its own"

    @property
    def identity(self) -> dict[str, Any]:
        """What determines its numbers: name, settings and versions of the packages."""
        return {
            "name": self.name,
            "settings": self.settings,
            "versions": {name: version(name) for name in self.packages},
        }


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
    """Thirteen levels from quantiles [..., levels]: linear in the normal score, extrapolated beyond the outer two."""
    known, wanted = norm.ppf(levels), norm.ppf(QUANTILE_LEVELS)
    lower = np.clip(np.searchsorted(known, wanted) - 1, 0, len(known) - 2)
    share = (wanted - known[lower]) / (known[lower + 1] - known[lower])
    return quantiles[..., lower] + share * (quantiles[..., lower + 1] - quantiles[..., lower])


def from_levels(result: Any, prefix: str = "", middle: str = "mean") -> np.ndarray:
    """Quantiles [13, ...] from columns lo-95 .. hi-95 around `middle`, as the Nixtla libraries name them."""
    low = [result[f"{prefix}lo-{level}"] for level in reversed(INTERVAL_LEVELS)]
    return np.stack(
        [
            np.asarray(part)
            for part in (*low, result[middle], *(result[f"{prefix}hi-{level}"] for level in INTERVAL_LEVELS))
        ]
    )


def baseline_peer(model: ForecastModel) -> Peer:
    """A baseline of this project: a model of statsforecast with stated rules for short histories."""
    def run(panel: Panel, horizon: int) -> Answer:
        forecast = model.predict(panel, horizon)
        return forecast.mean, forecast.quantiles
    name = {"MSTLETS": "MSTL+ETS"}.get(model.name, model.name)
    return Peer(name, ("statsforecast",), run, {"rules": [list(rule) for rule in model.rules]})


def per_history(single: Callable[[np.ndarray, int], Answer]) -> Callable[[Panel, int], Answer]:
    """Apply a method for a single history to all; a history that is too short gets its average, without a spread."""
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
    """AutoETS of statsforecast with a season of 52 weeks, which it drops where it cannot estimate 52 phases."""
    from statsforecast.models import AutoETS
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        result = AutoETS(season_length=SEASON_LENGTH).forecast(history, horizon, level=list(INTERVAL_LEVELS))
    return result["mean"], from_levels(result)


def flair(history: np.ndarray, horizon: int) -> Answer:
    """FLAIR: the mean of its sample paths, as in its documentation, and their quantiles."""
    from flaircast import forecast
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        samples = forecast(history, horizon, "W", n_samples=200, seed=0)
    return samples.mean(axis=0), np.quantile(samples, QUANTILE_LEVELS, axis=0)


@cache
def fracast_model() -> Any:
    """Fracast-0 with the weights of its package, in full precision."""
    from fracast import FracastModel
    return FracastModel.from_pretrained(weights="fp32")


def fracast(panel: Panel, horizon: int) -> Answer:
    """Fracast-0: its median, and thirteen quantiles from its nine."""
    model, past = fracast_model(), histories(panel)
    short = np.isfinite(past[:, -model.context_length:]).sum(axis=1) < FEWEST_WEEKS
    rows = np.where(short[:, None], 0.0, past)
    nine = np.concatenate(
        [model.forecast_batch(rows[start : start + 32], horizon=horizon) for start in range(0, len(rows), 32)]
    )
    cube = np.moveaxis(widen_levels(nine.astype(np.float64), np.array(model.quantiles)), 2, 1)
    level = (
        np.nan_to_num(np.nanmean(np.where(short[:, None], past, 0.0), axis=1)) if short.any() else np.zeros(len(past))
    )
    cube = np.where(short[:, None, None], level[:, None, None], cube)
    return unfold(panel, cube[:, QUANTILE_LEVELS.index(0.5)], cube)


TREES = {
    "n_estimators": 300,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_child_samples": 20,
    "subsample": 0.8,
    "subsample_freq": 1,
    "colsample_bytree": 0.8,
}
TREE_LAGS = (1, 2, 3, 4, 8, 13, 26, 39, 51, 52, 53)
CONFORMAL_WINDOWS = 2


@dataclass(frozen=True)
class TreeSettings:
    """A configuration of LightGBM; `recursive` uses its own forecasts week by week, else only lags of >= a horizon."""

    objective: str
    logs: bool
    recursive: bool
    week: bool


TREE_SETTINGS = (
    TreeSettings("l1", True, True, True),
    TreeSettings("l2", True, True, True),
    TreeSettings("l2", False, False, False),
)


def week_of_year(dates: pd.DatetimeIndex) -> pd.Index:
    """ISO week number, a feature of LightGBM."""
    return pd.Index(dates.isocalendar().week.astype(np.int64))


def trees(settings: TreeSettings, horizon: int) -> Any:
    """mlforecast's pipeline with LightGBM: lags, rolling means, last year, week of year, targets scaled per series."""
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean
    from mlforecast.target_transforms import GlobalSklearnTransformer, LocalStandardScaler
    from sklearn.preprocessing import FunctionTransformer

    first = 1 if settings.recursive else horizon
    scalers = [LocalStandardScaler()]
    if settings.logs:
        scalers.insert(0, GlobalSklearnTransformer(FunctionTransformer(func=np.log1p, inverse_func=np.expm1)))
    model = LGBMRegressor(
        **TREES,
        objective=settings.objective,
        n_jobs=1,
        random_state=0,
        deterministic=True,
        force_row_wise=True,
        verbosity=-1,
    )
    means = {
        first: [RollingMean(weeks, min_samples=1) for weeks in (4, 13, 52)],
        SEASON_LENGTH - 2: [RollingMean(5, min_samples=1)],
    }
    lags = sorted({*range(first, first + 4), *(lag for lag in TREE_LAGS if lag >= first)})
    return MLForecast(
        {"tree": model},
        freq="W-MON",
        lags=lags,
        target_transforms=scalers,
        num_threads=1,
        lag_transforms=means,
        date_features=[week_of_year] if settings.week else None,
    )


def long_frame(panel: Panel, rows: np.ndarray) -> pd.DataFrame:
    """Imputed rows [N, T] of one channel in the form that mlforecast takes; series with too few weeks are absent."""
    keep = np.isfinite(rows)
    keep[keep.sum(axis=1) < FEWEST_WEEKS] = False
    number, week = np.nonzero(keep)
    return pd.DataFrame(
        {"unique_id": number, "ds": pd.to_datetime(panel.weeks.astype("datetime64[D]"))[week], "y": rows[number, week]}
    )


def tree_forecast(panel: Panel, rows: np.ndarray, horizon: int, settings: TreeSettings, intervals: bool) -> Answer:
    """Mean [N, H] and quantiles [N, 13, H] of one channel from imputed rows [N, T]; short series get their average."""
    from mlforecast.utils import PredictionIntervals

    frame = long_frame(panel, rows)
    enough = frame.groupby("unique_id").size().min() > CONFORMAL_WINDOWS * horizon + FEWEST_WEEKS
    conformal = PredictionIntervals(n_windows=CONFORMAL_WINDOWS, h=horizon) if intervals and enough else None
    fitted = trees(settings, horizon).fit(frame, dropna=False, static_features=[], prediction_intervals=conformal)
    frame = fitted.predict(horizon, level=list(INTERVAL_LEVELS) if conformal else None)
    known = np.isfinite(rows)
    level = np.where(known, rows, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    mean = np.repeat(level[:, None], horizon, axis=1)
    quantiles = np.repeat(mean[:, None], len(QUANTILE_LEVELS), axis=1)
    number = frame["unique_id"].to_numpy().reshape(-1, horizon)[:, 0]
    mean[number] = frame["tree"].to_numpy().reshape(-1, horizon)
    cube = from_levels(frame, "tree-", "tree") if conformal else np.tile(frame["tree"], (len(QUANTILE_LEVELS), 1))
    quantiles[number] = np.moveaxis(cube.reshape(len(QUANTILE_LEVELS), -1, horizon), 0, 1)
    return mean, quantiles


def best_settings(panel: Panel, rows: np.ndarray, horizon: int) -> TreeSettings:
    """The configuration with the least error over the last `horizon` weeks; the first if the history is too short."""
    if panel.n_weeks <= 2 * horizon + FEWEST_WEEKS:
        return TREE_SETTINGS[0]
    actual = rows[:, -horizon:]
    errors = [
        np.nansum(np.abs(tree_forecast(panel, rows[:, :-horizon], horizon, settings, intervals=False)[0] - actual))
        for settings in TREE_SETTINGS
    ]
    return TREE_SETTINGS[int(np.argmin(errors))]


def lightgbm(panel: Panel, horizon: int) -> Answer:
    """One LightGBM per channel on all series, configured by a trial before the cutoff, with conformal intervals."""
    past = histories(panel).reshape(panel.n_series, len(panel.channels), panel.n_weeks)
    logging.getLogger("mlforecast").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = [
            tree_forecast(panel, rows, horizon, best_settings(panel, rows, horizon), intervals=True)
            for rows in np.moveaxis(past, 1, 0)
        ]
    means, quantiles = (np.stack(part, axis=1).reshape(-1, *part[0].shape[1:]) for part in zip(*parts))
    return unfold(panel, means, quantiles)


def peers() -> tuple[Peer, ...]:
    """All peers, fast ones first."""
    return (
        baseline_peer(SeasonalNaive()),
        baseline_peer(MSTLETS()),
        baseline_peer(AutoTheta()),
        Peer("FLAIR", ("flaircast",), per_history(flair), {"samples": 200, "seed": 0}, "its sample paths"),
        Peer(
            "Fracast-0",
            ("fracast", "torch"),
            fracast,
            {"weights": "fp32"},
            "its nine levels (10 to 90 %), tails continued over the normal score",
        ),
        Peer(
            "LightGBM",
            ("lightgbm", "mlforecast"),
            lightgbm,
            {"trees": TREES, "configurations": [str(settings) for settings in TREE_SETTINGS]},
            f"mlforecast's conformal ones, {CONFORMAL_WINDOWS} windows",
        ),
        Peer("AutoETS", ("statsforecast",), per_history(auto_ets), {"season_length": SEASON_LENGTH}),
    )
