"""Loads that are killed and repeated: python benchmarks/kills.py [--rounds 20] [--seed 3].

Loads fifty thousand order lines over OData from a local ERP. An undisturbed load gives the duration and the expected
rows. Then each round kills a fresh load with SIGKILL at a random moment, runs it again to its end, and compares row
for row. Writes kills.csv. A shorter form is a test (80_test_landing).
"""
import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from machine import write_results

from ttm_notebooks.simulation.odata_server import erp_app
from ttm_notebooks.simulation.server import LocalServer
from ttm_notebooks.warehouse.open import open_store
from ttm_notebooks.testing.small_erp import load_process, make_order_items, raw_rows, small_company


def load(folder: Path, server: LocalServer, killed_after: float | None = None) -> float | None:
    """Seconds of a load from begin to end; None if SIGKILL ended it `killed_after` seconds after its begin."""
    process = load_process(folder)
    assert process.stdout.readline() == "begun\n", process.stderr.read()
    started = time.perf_counter()
    if killed_after is not None:
        time.sleep(killed_after)
        process.send_signal(signal.SIGKILL)
    output, errors = process.communicate(timeout=300)
    assert "done" in output or process.returncode == -9, errors
    return time.perf_counter() - started if "done" in output else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20), parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    os.environ.update(TTM_LOCAL_ERP="local", TTM_TEST_PSEUDONYMS="5e" * 32)
    items, chance, rows = make_order_items(44_000), random.Random(options.seed), []
    with (
        tempfile.TemporaryDirectory() as scratch,
        LocalServer(erp_app({"Items": items}, {"Items": ("Order", "Item")}, limit=1000)) as server,
    ):
        def new_company(name: str) -> Path:
            small_company(Path(scratch) / name, server, 1000)
            return Path(scratch) / name

        whole = load(new_company("whole"), server)
        expected = raw_rows(open_store(Path(scratch) / "whole" / "w.duckdb"))
        assert len(expected) == items.num_rows > 50_000
        for number in range(1, options.rounds + 1):
            moment, folder = chance.uniform(0, whole), new_company(f"round {number}")
            while load(folder, server, moment) is not None:  # it ended before the signal: try again, sooner
                moment, folder = chance.uniform(0, moment), new_company(f"round {number}, after {moment:.3f} s")
            load(folder, server)
            rows_after = raw_rows(open_store(folder / "w.duckdb"))
            rows.append(
                {
                    "round": number,
                    "killed_after_s": round(moment, 3),
                    "share": round(moment / whole, 3),
                    "rows": len(rows_after),
                    "equal": rows_after == expected,
                }
            )
            print(rows[-1], flush=True)
    write_results("kills", rows)
    equal = sum(row["equal"] for row in rows)
    print(
        f"{equal} of {len(rows)} loads, each killed once and repeated, equal the undisturbed load; "
        f"a load takes {whole:.1f} s"
    )
    sys.exit(equal != len(rows))
