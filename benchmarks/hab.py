"""Hass avocado sales, the four 26-week windows that end the series: python benchmarks/hab.py --data FOLDER.

FOLDER holds avocado_hab_2017_2024.parquet (series_id, product, region, week, units, revenue): 100 series, weeks
missing in 2018 and 2020, complete from 2021-01-10. Earlier weeks serve for training, with their gaps masked.
"""
from pathlib import Path

import numpy as np
import pandas as pd
from windows import arguments, measure

from ttm_notebooks.panel.panel import Panel


def read_panel(folder: Path) -> Panel:
    """Units and revenue per type and market; weeks begin on Sundays and carry the date of the Monday inside them."""
    frame = pd.read_parquet(
        folder / "avocado_hab_2017_2024.parquet", columns=["product", "region", "week", "units", "revenue"]
    )
    codes = {"produto_cat": frame["product"].rank(method="dense"), "uf_cat": frame["region"].rank(method="dense")}
    weeks = pd.DataFrame(
        {"timestamp": frame["week"] + pd.Timedelta("1D"), "vendas": frame["units"], "faturamento": frame["revenue"]}
    )
    return Panel.from_frame(weeks.assign(**{name: code.astype(np.int64) for name, code in codes.items()}))


if __name__ == "__main__":
    options = arguments(__doc__)
    measure(read_panel(options.data), "hab", 26, options)
