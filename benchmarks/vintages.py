"""Revision bias, the effect of late corrections on a backtest: python benchmarks/vintages.py [--scale 0.1] [--seeds 7].

The order lines of the simulated company carry the time of their last change: some are corrected weeks later, and
returns come later still. The same models forecast at the same cutoffs twice: with history as it is known today, and
as it was known at each cutoff. Writes vintages.csv.
"""
import argparse
import tempfile
from pathlib import Path

import pandas as pd
from machine import write_results

from ttm_notebooks.simulation.company import write_simulated_company
from ttm_notebooks.evaluation.backtest import backtest
from ttm_notebooks.forecast.models import AutoTheta, SeasonalNaive, ZeroShot
from ttm_notebooks.evaluation.hindsight import revision_bias
from ttm_notebooks.model.checkpoint import load_model
from ttm_notebooks.panel.from_snapshot import panel_from
from ttm_notebooks.pipeline.run import ingest_step
from ttm_notebooks.pipeline.settings import open_warehouse, pipeline_settings
from ttm_notebooks.pipeline.steps import history_as_of

YAML = """\
schema_version: 1
name: drops
as_of: 2025-06-02
missing_week: zero
returns: net
sources:
  files: raw/orders/*.parquet
  columns:
    {date: data_pedido, product: material, region: uf, units: quantidade, revenue: valor_liquido, order_id: pedido,
     changed: alterado_em}
"""


def measure(seed: int, scale: float, models: list) -> pd.DataFrame:
    """The revision_bias table of one simulated company."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "drops"
        folder.mkdir()
        (folder / "dataset.yaml").write_text(YAML)
        write_simulated_company(folder, seed, scale)
        settings = pipeline_settings(folder, out=scratch)
        panel = panel_from(ingest_step(settings), settings.dataset, settings.horizon)
        known_at = history_as_of(settings.dataset, open_warehouse(settings).store, panel)
        return revision_bias(backtest(panel, models), backtest(panel, models, known_at=known_at)).assign(seed=seed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    (
        parser.add_argument("--scale", type=float, default=0.1),
        parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9]),
    )
    options = parser.parse_args()
    compared = [SeasonalNaive(), AutoTheta(), ZeroShot(load_model("weekly"))]
    table = pd.concat([measure(seed, options.scale, compared) for seed in options.seeds])
    write_results("vintages", table.round(5).to_dict("records"))
    print(table.groupby("model")[["wape_revised", "wape_as_of", "revision_bias"]].mean().round(4))
