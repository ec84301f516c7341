"""Effect of masking stock-outs on the forecast: python benchmarks/stockouts.py [--scale 0.2] [--seeds 7 8 9].

The simulator draws demand and removes the sales for which there was no stock. The same draw with full stock is the
true demand. The script forecasts 26 weeks before the end from the observed sales, with and without the mask, and
compares with the true demand of those 26 weeks: in weeks whose same week of the previous year was short of stock
("mirrored"), and in all weeks of the series that were short at any time in the last 26 weeks ("recent"). Bias is the
sum of errors over the sum of the true demand. Writes stockouts.csv.
"""
import argparse
import datetime
from dataclasses import replace
from unittest import mock

import numpy as np
import pandas as pd
from machine import write_results

from ttm_notebooks.simulation import demand
from ttm_notebooks.panel.panel import Panel
from ttm_notebooks.forecast.models import AutoTheta, SeasonalNaive, ZeroShot
from ttm_notebooks.model.checkpoint import load_model

AHEAD = 26


def weekly(plan: demand.SimulationPlan, lines: pd.DataFrame) -> np.ndarray:
    """Units [products, regions, weeks]."""
    units = np.zeros(plan.shape)
    np.add.at(units, (lines["product"], lines["region"], lines["week"]), lines["quantity"])
    return units


def worlds(seed: int, scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sales, sales with full stock, mask of stock-outs, mask of traded series; each [products, regions, weeks]."""
    plan = demand.make_plan(seed, scale, datetime.date(2025, 6, 2))
    real = demand.make_demand(plan)
    with mock.patch.object(demand, "_stocked", lambda plan, stockouts: np.ones(plan.shape)):
        full = demand.make_demand(plan)
    past = slice(0, plan.history)
    return (
        weekly(plan, real.lines)[:, :, past],
        weekly(plan, full.lines)[:, :, past],
        (real.stocked == 0)[:, :, past],
        real.traded[:, :, past],
    )


def panel_of(sold: np.ndarray, short: np.ndarray, traded: np.ndarray) -> Panel:
    """The panel of all series that were traded for two years, with weeks short of stock censored."""
    product, region = np.nonzero(traded.sum(axis=2) >= 104)
    weeks = pd.date_range("2020-06-01", periods=sold.shape[2], freq="7D")
    count = len(product)
    frame = pd.DataFrame(
        {
            "timestamp": np.tile(weeks, count),
            "produto_cat": np.repeat(product + 1, len(weeks)),
            "uf_cat": np.repeat(region + 1, len(weeks)),
            "vendas": sold[product, region].ravel(),
        }
    )
    panel = Panel.from_frame(frame)
    return replace(
        panel, observed=traded[product, region][..., None], censored=(short & traded)[product, region][..., None]
    )


def measure(seed: int, scale: float, network) -> list[dict]:
    """Bias with and without the mask, per model and scope."""
    sold, full, short, traded = worlds(seed, scale)
    panel = panel_of(sold, short, traded)
    product, region = panel.series["produto_cat"].to_numpy() - 1, panel.series["uf_cat"].to_numpy() - 1
    cutoff = panel.n_weeks - AHEAD
    truth, alive = full[product, region][:, cutoff:], traded[product, region][:, cutoff:]
    mirrored = short[product, region][:, cutoff - 52:cutoff - 52 + AHEAD] & alive
    recent = (
        np.broadcast_to(short[product, region][:, cutoff - 26 : cutoff].any(axis=1, keepdims=True), alive.shape) & alive
    )
    seen = panel.slice(end=cutoff)
    blind = replace(seen, censored=np.zeros_like(seen.censored))
    rows = []
    for model in (SeasonalNaive(), AutoTheta(), ZeroShot(network)):
        means = {
            name: model.predict(history, AHEAD).mean[..., 0] for name, history in (("masked", seen), ("learnt", blind))
        }
        for scope, cells in (("mirrored", mirrored), ("recent", recent)):
            bias = {name: float((mean - truth)[cells].sum() / truth[cells].sum()) for name, mean in means.items()}
            rows.append({"seed": seed, "model": model.name, "scope": scope, "cells": int(cells.sum()), **bias,
                         "ratio": abs(bias["masked"]) / abs(bias["learnt"])})
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    (
        parser.add_argument("--scale", type=float, default=0.2),
        parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9, 10, 11]),
    )
    options = parser.parse_args()
    network = load_model("weekly")
    rows = [row for seed in options.seeds for row in measure(seed, options.scale, network)]
    table = pd.DataFrame(rows)
    for (model, scope), part in table.groupby(["model", "scope"]):
        means = part[["learnt", "masked"]].mean()
        ratio = abs(means["masked"] / means["learnt"])
        rows.append(
            {"seed": "all", "model": model, "scope": scope, "cells": int(part["cells"].sum()), **means, "ratio": ratio}
        )
        print(f"{model}, {scope}: bias {means['learnt']:+.3f} learnt, {means['masked']:+.3f} masked")
    write_results(
        "stockouts",
        [{name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()} for row in rows],
    )
