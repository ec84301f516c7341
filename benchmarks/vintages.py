"""How much do late corrections flatter a backtest? python benchmarks/vintages.py [--scale 0.1] [--seeds 7 8 9].

The simulated company's order lines say when they got their present content; a part is corrected weeks later, goods come back later still. The
same candidates forecast at the same origins twice: with history as it is known today, and as it was known at each origin. Writes vintages.csv.
"""
import argparse
import tempfile
from pathlib import Path

import pandas as pd
from machine import write_results

from ttm_notebooks.simulation.company import write_industria
from ttm_notebooks.evaluation.backtest import backtest
from ttm_notebooks.forecast.models import AutoTheta, SeasonalNaive, ZeroShot
from ttm_notebooks.evaluation.hindsight import flattery
from ttm_notebooks.model.checkpoint import load_model
from ttm_notebooks.pipeline.run import history_known, ingest, panel_of, settings

YAML = """\
schema_version: 1
name: drops
as_of: 2025-06-02
missing_week: zero
returns: net
sources:
  files: raw/orders/*.parquet
  columns: {date: data_pedido, product: material, region: uf, units: quantidade, revenue: valor_liquido, order_id: pedido, changed: alterado_em}
"""


def measure(seed: int, scale: float, candidates: list) -> pd.DataFrame:
    """The flattery table of one simulated company."""
    with tempfile.TemporaryDirectory() as room:
        home = Path(room) / "drops"
        home.mkdir()
        (home / "dataset.yaml").write_text(YAML)
        write_industria(home, seed, scale)
        chosen = settings(home, out=room)
        panel = panel_of(chosen, ingest(chosen))
        return flattery(backtest(panel, candidates), backtest(panel, candidates, known_at=history_known(chosen, panel))).assign(seed=seed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.1), parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    options = parser.parse_args()
    everyone = [SeasonalNaive(), AutoTheta(), ZeroShot(load_model("weekly"))]
    table = pd.concat([measure(seed, options.scale, everyone) for seed in options.seeds])
    write_results("vintages", table.round(5).to_dict("records"))
    print(table.groupby("model")[["wape_hindsight", "wape_as_known", "flattery"]].mean().round(4))
