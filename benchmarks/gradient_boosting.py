"""The LightGBM member of the blend against mlforecast's and last year: python benchmarks/gradient_boosting.py --data FOLDER.

FOLDER holds Parquet files, a set each (series_id, week, units and/or revenue). The sets, cutoffs, errors and columns are
those of phase_ridge.py: at most 60 series and 400 weeks, 26 weeks from up to three cutoffs, ratios relative to the
bundled network, zero-shot. `with_network` is three quarters network and one quarter of the method. mlforecast's LightGBM
is that of peers.py (configured on the past, week by week or on long lags) and is left out without mlforecast.
"""
import argparse
import warnings
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from machine import write_results
from peers import lightgbm
from phase_ridge import HORIZON, Method, compare, cutoffs, of_model, read_panel, summary

from ttm_notebooks.forecast.gradient_boosting import LightGBM
from ttm_notebooks.forecast.models import SeasonalNaive, ZeroShot
from ttm_notebooks.model.checkpoint import load_model


def methods() -> dict[str, Method]:
    """The compared methods; the network first, because others are relative to it."""
    own = {model.name: of_model(model) for model in (ZeroShot(load_model("weekly")), LightGBM(), SeasonalNaive())}
    peer = {"LightGBM of mlforecast": lambda panel: lightgbm(panel, HORIZON)}
    return own | (peer if find_spec("mlforecast") else {})


def main() -> None:
    """Compare all sets of a folder and write results/gradient_boosting.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="*", help="names of files without .parquet; default: all")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    compared, rows = methods(), []
    for path in sorted(options.data.glob("*.parquet")):
        if options.sets and path.stem not in options.sets:
            continue
        panel = read_panel(path)
        if cutoffs(panel):
            rows += compare(path.stem, panel, compared)
    table = [*rows, *summary(pd.DataFrame(rows))]
    write_results("gradient_boosting", [{key: round(value, 4) if isinstance(value, float) else value
                                         for key, value in row.items()} for row in table])


if __name__ == "__main__":
    main()
