"""Ways to make fine-tuning surer, tried on weeks before every benchmark window: python benchmarks/finetune_variants.py --data FOLDER [--validation FOLDER].

FOLDER as in hab.py and rossmann.py; `--validation` holds further Parquet files (series_id, week, units, revenue), read whole. Of HAB only
the weeks before its four test windows are read, of Rossmann its first 81. Before each origin the network is tuned as `finetune` does it, and then:
  refit      trained again for as many steps as were best, on all weeks instead of all but the judged ones
  soup       the weights of several tuned networks averaged (Wortsman et al. 2022), or those of one with the untouched network's
  average    their forecasts averaged
  share      how far towards last year, per channel, chosen on windows inside the history
Writes finetune_variants.csv: WAPE and weighted quantile loss relative to the untouched network's, by set and channel. Last made when tuning was
still judged on one half year (judging.py compares).
"""
import argparse
import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import hab
import numpy as np
import pandas as pd
import rossmann
import torch
from machine import write_results

from ttm_notebooks.core.metrics import wape, weighted_quantile_loss
from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.model.checkpoint import WeeklyModel, load_model
from ttm_notebooks.model.finetune import finetune

STRATEGIES = ("bias", "head", "full", "spec_fc")
SHARES = (0.0, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)


def read_sets(data: Path, validation: Path | None) -> dict[str, tuple[Panel, int, list[int]]]:
    """Panel, horizon and origins of each set."""
    avocado, stores = hab.read_panel(data), rossmann.read_panel(data).slice(end=81)
    avocado = avocado.slice(end=avocado.n_weeks - 104)
    sets = {"hab": (avocado, 26, [avocado.n_weeks - 26 * back for back in (1, 2, 3, 4)]), "rossmann": (stores, 13, [68, 61, 55])}
    for path in sorted(validation.glob("*.parquet")) if validation else ():
        frame = pd.read_parquet(path)
        weeks = pd.DataFrame({"timestamp": frame["week"], "produto_cat": pd.factorize(frame["series_id"], sort=True)[0] + 1, "uf_cat": 1,
                              "vendas": frame["units"], "faturamento": frame["revenue"]})
        panel = Panel.from_frame(weeks, missing="mask")
        sets[path.stem] = panel, 26, [panel.n_weeks - 26, panel.n_weeks - 39]
    return sets


def soup(models: Sequence[WeeklyModel]) -> WeeklyModel:
    """One network with the mean of the models' weights."""
    network, states = copy.deepcopy(models[0].network), [model.network.state_dict() for model in models]
    network.load_state_dict({name: torch.stack([state[name].float() for state in states]).mean(0) for name in states[0]})
    return replace(models[0], network=network)


def with_shares(model: WeeklyModel, shares: Sequence[float]) -> list[WeeklyModel]:
    """The model once per share of last year."""
    made = [replace(model, network=copy.deepcopy(model.network)) for _ in shares]
    for one, share in zip(made, shares):
        one.network.last_year_share.fill_(share)
    return made


def told(models: Sequence[WeeklyModel], past: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles and mean, averaged over the models."""
    usable = past.observed & ~past.censored
    parts = [model.predict_arrays(np.where(usable, past.values, 0.0), usable) for model in models]
    return np.mean([part[0] for part in parts], axis=0), np.mean([part[1] for part in parts], axis=0)


def losses(forecast: tuple[np.ndarray, np.ndarray], panel: Panel, origin: int, end: int) -> np.ndarray:
    """[channels, 2]: WAPE of the mean and weighted quantile loss on weeks `origin` to `end`."""
    (quantiles, mean), weeks = forecast, end - origin
    actual, known = panel.values[:, origin:end], panel.observed[:, origin:end] & ~panel.censored[:, origin:end]
    return np.array([[wape(actual[..., c], mean[:, :weeks, c], known[..., c]),
                      weighted_quantile_loss(actual[..., c], quantiles[:, :, :weeks, c], known[..., c])] for c in range(actual.shape[2])])


def tuned(model: WeeklyModel, past: Panel) -> dict[str, list[WeeklyModel]]:
    """Every variant that changes weights: the models whose forecasts are averaged."""
    found = {}
    for strategy in STRATEGIES:
        first = finetune(model, past, strategy, progress=False)
        settings = {"steps": first.best_step, "check_every": first.best_step, "validation_weeks": 0, "progress": False}
        found |= {strategy: first.model, f"{strategy}, refit": finetune(model, past, strategy, **settings).model if first.best_step else model}
    single = {name: [one] for name, one in found.items()}
    three = [found[f"{name}, refit"] for name in ("bias", "head", "full")]
    return single | {"soup of bias, head, full": [soup([found[name] for name in ("bias", "head", "full")])], "soup of bias, head, full, refit": [soup(three)],
                     "soup of untouched and full": [soup([model, found["full"]])], "average of bias, head, full, refit": three,
                     "average of untouched and full, refit": [model, found["full, refit"]]}


def chosen_shares(model: WeeklyModel, panel: Panel, origin: int, horizon: int) -> np.ndarray:
    """Per channel, the share with the least quantile loss on up to three windows inside the history; 15 % where there is none."""
    inner = [place for place in (origin - horizon, origin - horizon - 13, origin - horizon - 26) if place >= 65]
    if not inner:
        return np.full(len(panel.channels), 0.15)
    scores = [[losses(told([one], panel.slice(end=place)), panel, place, min(place + horizon, origin))[:, 1] for one in with_shares(model, SHARES)]
              for place in inner]
    return np.array(SHARES)[np.log(scores).mean(axis=0).argmin(axis=0)]


def by_share(model: WeeklyModel, panel: Panel, origin: int, horizon: int) -> np.ndarray:
    """Losses [channels, 2] with each channel's chosen share."""
    picked = chosen_shares(model, panel, origin, horizon)
    return np.stack([losses(told([one], panel.slice(end=origin)), panel, origin, origin + horizon)[c] for c, one in enumerate(with_shares(model, picked))])


def measure(name: str, panel: Panel, horizon: int, origins: list[int], model: WeeklyModel) -> list[dict[str, object]]:
    """Rows of one set: losses by origin, channel and variant."""
    rows = []
    for origin in origins:
        variants = {"untouched": [model]} | tuned(model, panel.slice(end=origin))
        found = {label: losses(told(models, panel.slice(end=origin)), panel, origin, origin + horizon) for label, models in variants.items()}
        found["share chosen inside the history"] = by_share(model, panel, origin, horizon)
        rows += [{"set": name, "channel": channel, "variant": label, "wape": values[c, 0], "wql": values[c, 1]}
                 for label, values in found.items() for c, channel in enumerate(panel.channels)]
        print(name, origin, flush=True)
    return rows


def main(options: argparse.Namespace) -> None:
    """All sets, then ratios to the untouched network."""
    torch.set_num_threads(options.threads)
    model = load_model(options.model)
    table = pd.DataFrame([row for name, part in read_sets(options.data, options.validation).items() for row in measure(name, *part, model)])
    means = table.groupby(["variant", "set", "channel"], sort=False)[["wape", "wql"]].mean()
    ratio = (means / means.loc["untouched"].reindex(means.index.droplevel("variant")).to_numpy()).reset_index()
    overall = ratio.groupby("variant", sort=False)[["wape", "wql"]].agg(lambda part: np.exp(np.log(part).mean())).reset_index()
    overall = overall.assign(set="all", channel="geometric mean")
    rows = pd.concat([ratio, overall]).round(4).assign(weights=model.weights_hash[:12])
    write_results("finetune_variants", rows.to_dict("records"))
    print(overall.round(3).to_string(index=False))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds HAB and Rossmann")
    parser.add_argument("--validation", type=Path, help="folder of further weekly series")
    parser.add_argument("--model", default="weekly", help="checkpoint, as load_model takes it")
    parser.add_argument("--threads", type=int, default=1)
    main(parser.parse_args())
