"""Does a load survive being shot? python benchmarks/kills.py [--rounds 20] [--seed 3].

Fifty thousand order lines over OData from a local ERP. A load that is left in peace says how long it takes and what the warehouse must hold. Then,
in each round, a fresh load is killed by SIGKILL at a random moment of that time, run again to its end, and compared row for row. Writes kills.csv.
A shorter form of this is a test (80_test_landing).
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
from ttm_notebooks.warehouse.store import open_store
from ttm_notebooks.tests.ingest.test_landing import child, company, content, make_items


def load(folder: Path, server: LocalServer, shot_after: float | None = None) -> float | None:
    """Seconds from the beginning of a load to its end; None where it was shot `shot_after` seconds into it."""
    process = child(folder, server)
    assert process.stdout.readline() == "begun\n", process.stderr.read()
    started = time.perf_counter()
    if shot_after is not None:
        time.sleep(shot_after)
        process.send_signal(signal.SIGKILL)
    told, problems = process.communicate(timeout=300)
    assert "done" in told or process.returncode == -9, problems
    return time.perf_counter() - started if "done" in told else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20), parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    os.environ.update(TTM_LOCAL_ERP="local", TTM_TEST_PSEUDONYMS="5e" * 32)
    items, chance, rows = make_items(44_000), random.Random(options.seed), []
    with tempfile.TemporaryDirectory() as room, LocalServer(erp_app({"Items": items}, {"Items": ("Order", "Item")}, limit=1000)) as server:
        def place(name: str) -> Path:
            company(Path(room) / name, server, 1000)
            return Path(room) / name

        whole = load(place("whole"), server)
        expected = content(open_store(Path(room) / "whole" / "w.duckdb"))
        assert len(expected) == items.num_rows > 50_000
        for number in range(1, options.rounds + 1):
            moment, home = chance.uniform(0, whole), place(f"round {number}")
            while load(home, server, moment) is not None:  # it was faster than the shot: another, sooner
                moment, home = chance.uniform(0, moment), place(f"round {number}, after {moment:.3f} s")
            load(home, server)
            found = content(open_store(home / "w.duckdb"))
            rows.append({"round": number, "killed_after_s": round(moment, 3), "share": round(moment / whole, 3), "rows": len(found),
                         "equal": found == expected})
            print(rows[-1], flush=True)
    write_results("kills", rows)
    equal = sum(row["equal"] for row in rows)
    print(f"{equal} of {len(rows)} loads, each shot once and run again, equal the one left in peace; a load takes {whole:.1f} s")
    sys.exit(equal != len(rows))
