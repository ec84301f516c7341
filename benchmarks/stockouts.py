"""Does masking stock-outs keep them out of the forecast? python benchmarks/stockouts.py [--scale 0.2] [--seeds 7 8 9].

The simulator draws demand and takes away what was not on the shelf. The same draw with full shelves is the planted demand. Forecasts are made 26
weeks before the end, from the sales that were seen, with and without the mask, and compared with the planted demand of those 26 weeks: in the
weeks whose same week last year was short ("mirrored"), and over all weeks of the series that were short at some time in the last 26 weeks ("recent").
Bias is the sum of errors over the sum of the planted demand. Writes stockouts.csv.
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


def weekly(plan: demand.Plan, lines: pd.DataFrame) -> np.ndarray:
    """Units [products, regions, weeks]."""
    units = np.zeros(plan.shape)
    np.add.at(units, (lines["product"], lines["region"], lines["week"]), lines["quantity"])
    return units


def worlds(seed: int, scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What was sold, what would have been sold with full shelves, whether goods were short, and what is traded; [products, regions, weeks] each."""
    plan = demand.make_plan(seed, scale, datetime.date(2025, 6, 2))
    real = demand.make_demand(plan)
    with mock.patch.object(demand, "_stocked", lambda plan, stockouts: np.ones(plan.shape)):
        full = demand.make_demand(plan)
    past = slice(0, plan.history)
    return (weekly(plan, real.lines)[:, :, past], weekly(plan, full.lines)[:, :, past], (real.stocked == 0)[:, :, past], real.traded[:, :, past])


def panel_of(sold: np.ndarray, short: np.ndarray, traded: np.ndarray) -> Panel:
    """The panel of all series that were traded for two years, short weeks censored."""
    product, region = np.nonzero(traded.sum(axis=2) >= 104)
    weeks = pd.date_range("2020-06-01", periods=sold.shape[2], freq="7D")
    count = len(product)
    frame = pd.DataFrame({"timestamp": np.tile(weeks, count), "produto_cat": np.repeat(product + 1, len(weeks)), "uf_cat": np.repeat(region + 1, len(weeks)),
                          "vendas": sold[product, region].ravel()})
    made = Panel.from_frame(frame)
    return replace(made, observed=traded[product, region][..., None], censored=(short & traded)[product, region][..., None])


def measure(seed: int, scale: float, model) -> list[dict]:
    """Bias with and without the mask, per candidate and scope."""
    sold, full, short, traded = worlds(seed, scale)
    panel = panel_of(sold, short, traded)
    product, region = panel.series["produto_cat"].to_numpy() - 1, panel.series["uf_cat"].to_numpy() - 1
    origin = panel.n_weeks - AHEAD
    truth, alive = full[product, region][:, origin:], traded[product, region][:, origin:]
    mirrored = short[product, region][:, origin - 52:origin - 52 + AHEAD] & alive
    recent = np.broadcast_to(short[product, region][:, origin - 26:origin].any(axis=1, keepdims=True), alive.shape) & alive
    seen = panel.slice(end=origin)
    blind = replace(seen, censored=np.zeros_like(seen.censored))
    rows = []
    for candidate in (SeasonalNaive(), AutoTheta(), ZeroShot(model)):
        told = {name: candidate.predict(one, AHEAD).mean[..., 0] for name, one in (("masked", seen), ("learnt", blind))}
        for scope, cells in (("mirrored", mirrored), ("recent", recent)):
            bias = {name: float((mean - truth)[cells].sum() / truth[cells].sum()) for name, mean in told.items()}
            rows.append({"seed": seed, "candidate": candidate.name, "scope": scope, "cells": int(cells.sum()), **bias,
                         "ratio": abs(bias["masked"]) / abs(bias["learnt"])})
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.2), parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9, 10, 11])
    options = parser.parse_args()
    network = load_model("weekly")
    found = [row for seed in options.seeds for row in measure(seed, options.scale, network)]
    table = pd.DataFrame(found)
    for (candidate, scope), part in table.groupby(["candidate", "scope"]):
        means = part[["learnt", "masked"]].mean()
        ratio = abs(means["masked"] / means["learnt"])
        found.append({"seed": "all", "candidate": candidate, "scope": scope, "cells": int(part["cells"].sum()), **means, "ratio": ratio})
        print(f"{candidate}, {scope}: bias {means['learnt']:+.3f} learnt, {means['masked']:+.3f} masked")
    write_results("stockouts", [{name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()} for row in found])
