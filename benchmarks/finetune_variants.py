"""Variants that could make fine-tuning more reliable: python benchmarks/finetune_variants.py --data FOLDER.

All weeks lie before the benchmark windows. FOLDER is that of hab.py and rossmann.py; `--validation` names a folder of
further Parquet files (series_id, week, units, revenue), read in full. Of HAB the script reads only the weeks before its
four test windows, of Rossmann only the first 81. At each cutoff it tunes the network with `finetune`, and then:
  refit      trains again for the best number of steps, on all weeks including the validation weeks
  soup       averages the weights of tuned networks (Wortsman et al. 2022), or of a tuned and the untuned network
  average    averages their forecasts
  share      selects the weight of last year's values per channel, on windows inside the history
Writes finetune_variants.csv: WAPE and weighted quantile loss relative to the untuned network, by set and channel. The
table dates from when fine-tuning was validated on one half year (finetune_validation.py compares the methods).
"""
import argparse
from collections.abc import Sequence
from pathlib import Path

import hab
import numpy as np
import pandas as pd
import rossmann
import torch
from machine import write_results
from shares import with_share

from ttm_notebooks.core.metrics import wape, weighted_quantile_loss
from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.model.checkpoint import WeeklyModel, load_model, model_of
from ttm_notebooks.model.finetune import finetune

STRATEGIES = ("bias", "head", "full", "spec_fc")
SHARES = (0.0, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)


def read_sets(data: Path, validation: Path | None) -> dict[str, tuple[Panel, int, list[int]]]:
    """Panel, horizon and cutoffs of each set."""
    avocado, stores = hab.read_panel(data), rossmann.read_panel(data).slice(end=81)
    avocado = avocado.slice(end=avocado.n_weeks - 104)
    sets = {
        "hab": (avocado, 26, [avocado.n_weeks - 26 * back for back in (1, 2, 3, 4)]),
        "rossmann": (stores, 13, [68, 61, 55]),
    }
    for path in sorted(validation.glob("*.parquet")) if validation else ():
        frame = pd.read_parquet(path)
        weeks = pd.DataFrame(
            {
                "timestamp": frame["week"],
                "produto_cat": pd.factorize(frame["series_id"], sort=True)[0] + 1,
                "uf_cat": 1,
                "vendas": frame["units"],
                "faturamento": frame["revenue"],
            }
        )
        panel = Panel.from_frame(weeks, missing="mask")
        sets[path.stem] = panel, 26, [panel.n_weeks - 26, panel.n_weeks - 39]
    return sets


def soup(models: Sequence[WeeklyModel]) -> WeeklyModel:
    """A model whose weights are the mean of the weights of `models`."""
    network, states = models[0].torch_network(), [model.torch_network().state_dict() for model in models]
    network.load_state_dict(
        {name: torch.stack([state[name].float() for state in states]).mean(0) for name in states[0]}
    )
    return model_of(network, models[0].uri, models[0].card)


def with_shares(model: WeeklyModel, shares: Sequence[float]) -> list[WeeklyModel]:
    """One copy of the model per share of last year."""
    return [with_share(model, share) for share in shares]


def average_forecast(models: Sequence[WeeklyModel], past: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles and mean, averaged over the models."""
    usable = past.observed & ~past.censored
    parts = [model.predict_arrays(np.where(usable, past.values, 0.0), usable) for model in models]
    return np.mean([part[0] for part in parts], axis=0), np.mean([part[1] for part in parts], axis=0)


def losses(forecast: tuple[np.ndarray, np.ndarray], panel: Panel, cutoff: int, end: int) -> np.ndarray:
    """[channels, 2]: WAPE of the mean and weighted quantile loss on weeks `cutoff` to `end`."""
    (quantiles, mean), weeks = forecast, end - cutoff
    actual, known = panel.values[:, cutoff:end], panel.observed[:, cutoff:end] & ~panel.censored[:, cutoff:end]
    return np.array(
        [
            [
                wape(actual[..., c], mean[:, :weeks, c], known[..., c]),
                weighted_quantile_loss(actual[..., c], quantiles[:, :, :weeks, c], known[..., c]),
            ]
            for c in range(actual.shape[2])
        ]
    )


def tuned(model: WeeklyModel, past: Panel) -> dict[str, list[WeeklyModel]]:
    """Every variant that changes weights, as a list of models whose forecasts are averaged."""
    models = {}
    for strategy in STRATEGIES:
        first = finetune(model, past, strategy, progress=False)
        settings = {"steps": first.best_step, "check_every": first.best_step, "validation_weeks": 0, "progress": False}
        models |= {
            strategy: first.model,
            f"{strategy}, refit": finetune(model, past, strategy, **settings).model if first.best_step else model,
        }
    single = {name: [tuned_model] for name, tuned_model in models.items()}
    three = [models[f"{name}, refit"] for name in ("bias", "head", "full")]
    return single | {
        "soup of bias, head, full": [soup([models[name] for name in ("bias", "head", "full")])],
        "soup of bias, head, full, refit": [soup(three)],
        "soup of untuned and full": [soup([model, models["full"]])],
        "average of bias, head, full, refit": three,
        "average of untuned and full, refit": [model, models["full, refit"]],
    }


def best_shares(model: WeeklyModel, panel: Panel, cutoff: int, horizon: int) -> np.ndarray:
    """Per channel, the share with the least quantile loss on up to three windows inside the history; default 15 %."""
    inner = [start for start in (cutoff - horizon, cutoff - horizon - 13, cutoff - horizon - 26) if start >= 65]
    if not inner:
        return np.full(len(panel.channels), 0.15)
    scores = [
        [
            losses(average_forecast([shared], panel.slice(end=start)), panel, start, min(start + horizon, cutoff))[:, 1]
            for shared in with_shares(model, SHARES)
        ]
        for start in inner
    ]
    return np.array(SHARES)[np.log(scores).mean(axis=0).argmin(axis=0)]


def by_share(model: WeeklyModel, panel: Panel, cutoff: int, horizon: int) -> np.ndarray:
    """Losses [channels, 2] with the selected share of each channel."""
    shares = best_shares(model, panel, cutoff, horizon)
    return np.stack(
        [
            losses(average_forecast([shared], panel.slice(end=cutoff)), panel, cutoff, cutoff + horizon)[channel]
            for channel, shared in enumerate(with_shares(model, shares))
        ]
    )


def measure(name: str, panel: Panel, horizon: int, cutoffs: list[int], model: WeeklyModel) -> list[dict[str, object]]:
    """Rows of one set: losses by cutoff, channel and variant."""
    rows = []
    for cutoff in cutoffs:
        variants = {"untuned": [model]} | tuned(model, panel.slice(end=cutoff))
        scores = {
            label: losses(average_forecast(models, panel.slice(end=cutoff)), panel, cutoff, cutoff + horizon)
            for label, models in variants.items()
        }
        scores["share chosen inside the history"] = by_share(model, panel, cutoff, horizon)
        rows += [{"set": name, "channel": channel, "variant": label, "wape": values[c, 0], "wql": values[c, 1]}
                 for label, values in scores.items() for c, channel in enumerate(panel.channels)]
        print(name, cutoff, flush=True)
    return rows


def main(options: argparse.Namespace) -> None:
    """Measure all sets, then divide by the losses of the untuned network."""
    torch.set_num_threads(options.threads)
    model = load_model(options.model)
    table = pd.DataFrame(
        [
            row
            for name, part in read_sets(options.data, options.validation).items()
            for row in measure(name, *part, model)
        ]
    )
    means = table.groupby(["variant", "set", "channel"], sort=False)[["wape", "wql"]].mean()
    ratio = (means / means.loc["untuned"].reindex(means.index.droplevel("variant")).to_numpy()).reset_index()
    overall = (
        ratio.groupby("variant", sort=False)[["wape", "wql"]]
        .agg(lambda part: np.exp(np.log(part).mean()))
        .reset_index()
    )
    overall = overall.assign(set="all", channel="geometric mean")
    rows = pd.concat([ratio, overall]).round(4).assign(weights=model.weights_hash[:12])
    write_results("finetune_variants", rows.to_dict("records"))
    print(overall.round(3).to_string(index=False))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of HAB and Rossmann")
    parser.add_argument("--validation", type=Path, help="folder of further weekly series")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--threads", type=int, default=1)
    main(parser.parse_args())
