"""Speed of loads into the warehouse: python benchmarks/landing.py [--data data/industria].

Loads five years of order lines of the simulated company: first from Parquet files (first load, the increment of one
day in a new file, a run without new data), then from the local ERP, CRM and WMS with a second load; and it reads
50,000 entities with the OData connector and with pyodata's objects. Each load is a fresh process with a new
warehouse; memory is the peak of the process. Writes landing.csv.
"""
import argparse
import datetime
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from machine import write_results

DROPS = """\
schema_version: 1
name: drops
as_of: 2025-06-03
missing_week: zero
returns: net
sources:
  files: orders/*.parquet
  columns:
    {date: data_pedido, product: material, region: uf, category: categoria, units: quantidade, revenue: valor_liquido,
     order_id: pedido}
  joins: [{file: materials.parquet, on: material, columns: [categoria]}]
  covariates: {desconto: {column: desconto_planejado, planned: true, aggregate: max}}
"""
INGEST = """
import sys
from ttm_notebooks.pipeline.run import ingest_step
from ttm_notebooks.pipeline.settings import pipeline_settings
ingest_step(pipeline_settings(sys.argv[1], out=sys.argv[2]))
"""


def run(code: str, *arguments: object) -> tuple[float, float]:
    """Run `code` in a fresh interpreter; return its seconds and peak gigabytes."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=True)
    return time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def drops(raw: Path, scratch: Path) -> list[dict]:
    """First load, increment and run without new data, from Parquet files."""
    company = scratch / "drops"
    shutil.copytree(raw / "orders", company / "orders")
    shutil.copy(raw / "materials.parquet", company / "materials.parquet")
    (company / "dataset.yaml").write_text(DROPS)
    total = sum(pq.read_metadata(file).num_rows for file in company.glob("orders/*.parquet"))
    rows = []
    seconds, memory = run(INGEST, company, scratch / "out")
    rows.append({"what": "first load, Parquet files", "rows": total, "seconds": seconds, "gigabytes": memory})
    newest = max((pq.read_table(file) for file in company.glob("orders/*.parquet")), key=len).slice(0, 1300)
    day = pa.array([datetime.date(2025, 6, 2)] * len(newest))
    pq.write_table(
        newest.set_column(newest.column_names.index("data_pedido"), "data_pedido", day),
        company / "orders" / "orders-2025-06-02.parquet",
    )
    for what in ("a day's increment", "nothing new"):
        rows.append(
            {
                "what": what,
                "rows": len(newest) if what[0] == "a" else 0,
                "seconds": run(INGEST, company, scratch / "out")[0],
                "gigabytes": float("nan"),
            }
        )
    return rows


AGAIN = """
import sys, time
from ttm_notebooks.simulation.systems import local_systems
from ttm_notebooks.ingest.landing import load_increment
from ttm_notebooks.pipeline.settings import open_warehouse, pipeline_settings
settings = pipeline_settings(sys.argv[1], out=sys.argv[2])
with local_systems(settings.dataset) as systems, open_warehouse(settings).writing() as writer:
    started = time.perf_counter()
    load_increment(systems, writer)
    print(time.perf_counter() - started)
"""


def over_odata(data: Path, scratch: Path) -> list[dict]:
    """First load of the whole company from its local systems, and a second load (without the start of the servers)."""
    started = time.perf_counter()
    command = [str(Path(sys.executable).parent / "ttm"), "ingest", str(data), "--out", str(scratch / "systems")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, loaded = time.perf_counter() - started, done.stderr.split("loaded ")[1].split(" new rows")[0]
    again = subprocess.run(
        [sys.executable, "-c", AGAIN, str(data), str(scratch / "systems")], capture_output=True, text=True, check=True
    ).stdout
    return [
        {
            "what": "first load, ERP, CRM and WMS",
            "rows": int(loaded.replace(",", "")),
            "seconds": seconds,
            "gigabytes": float("nan"),
        },
        {"what": "nothing new in ERP, CRM and WMS", "rows": 0, "seconds": float(again), "gigabytes": float("nan")},
    ]


def readers(count: int = 50_000, page: int = 5000) -> list[dict]:
    """Seconds to read `count` entities with our connector and with pyodata's objects."""
    import os

    import pyodata
    import requests

    from ttm_notebooks.simulation.odata_server import erp_app
    from ttm_notebooks.simulation.server import LocalServer
    from ttm_notebooks.connectors.odata import odata_pages
    from ttm_notebooks.dataset.systems import Feed, OData

    os.environ["TTM_LOCAL_ERP"] = "local"
    names = [f"C{number}" for number in range(6)]
    table = pa.table(
        {
            "Order": [f"{number:09d}" for number in range(count)],
            **{name: [float(number) for number in range(count)] for name in names},
        }
    )
    with LocalServer(erp_app({"Items": table}, {"Items": ("Order",)})) as server:
        started = time.perf_counter()
        system = OData(
            kind="odata", url=f"{server.url}/odata", user="TTM", password="env:TTM_LOCAL_ERP", page_size=page
        )
        feed = Feed(system="erp", entity="Items", key="Order")
        assert sum(page.num_rows for page in odata_pages(system, feed, names)) == count
        ours = time.perf_counter() - started
        session = requests.Session()
        session.auth = ("TTM", "local")
        started, seen = time.perf_counter(), 0
        client = pyodata.Client(f"{server.url}/odata/", session)
        while seen < count:
            for entity in client.entity_sets.Items.get_entities().order_by("Order").top(page).skip(seen).execute():
                seen += bool([getattr(entity, name) for name in ("Order", *names)])
        theirs = time.perf_counter() - started
    return [{"what": "50,000 entities, our connector", "rows": count, "seconds": ours, "gigabytes": float("nan")},
            {"what": "50,000 entities, pyodata's objects", "rows": count, "seconds": theirs, "gigabytes": float("nan")}]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data/industria"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = drops(options.data / "raw", Path(folder)) + over_odata(options.data, Path(folder)) + readers()
    for row in rows:
        row["rows_per_second"] = row["rows"] / row["seconds"]
        print({name: round(value, 2) if isinstance(value, float) else value for name, value in row.items()})
    write_results(
        "landing",
        [{name: round(value, 3) if isinstance(value, float) else value for name, value in row.items()} for row in rows],
    )
