"""Compare the forecasts of two runs to the last digit. Exit code 1 if a row, a column or a digit differs.

Use it after a change that must not change a number: run the old and the new code on the same data set and day, into
two output folders, and compare their `run` folders.

Usage: python benchmarks/same_forecasts.py OLD_RUN NEW_RUN
       (for example /tmp/old/rossmann/2015-08-01/run reports/output/rossmann/2015-08-01/run)
"""

import sys
from pathlib import Path

import pandas as pd

KEYS = ["channel", "level", "produto_cat", "uf_cat", "timestamp"]


def forecasts_of(run: Path) -> pd.DataFrame:
    """The forecast frame of a run folder in a fixed order of rows and columns."""
    frame = pd.read_parquet(run / "forecasts.parquet")
    keys = [key for key in KEYS if key in frame.columns]
    return frame.sort_values([*keys, *sorted(set(frame.columns) - set(keys))], na_position="first")[
        sorted(frame.columns)
    ].reset_index(drop=True)


def differences(old: pd.DataFrame, new: pd.DataFrame) -> list[str]:
    """The differences as sentences; empty if both frames are identical, including their types."""
    if list(old.columns) != list(new.columns):
        return [f"columns differ: {sorted(set(old.columns) ^ set(new.columns))}"]
    if len(old) != len(new):
        return [f"{len(old):,} rows against {len(new):,}"]
    faults = [
        f"{name}: type {old[name].dtype} against {new[name].dtype}"
        for name in old
        if old[name].dtype != new[name].dtype
    ]
    for name in old:
        unequal = ~((old[name] == new[name]) | (old[name].isna() & new[name].isna()))
        if unequal.any():
            row = unequal.idxmax()
            faults.append(f"{name}: {unequal.sum():,} rows differ, first {old[name][row]!r} against {new[name][row]!r}")
    return faults


def main(old_run: str, new_run: str) -> int:
    """Compare two run folders and print the result."""
    old, new = forecasts_of(Path(old_run)), forecasts_of(Path(new_run))
    faults = differences(old, new)
    print("\n".join(faults) or f"identical: {len(old):,} rows x {old.shape[1]} columns")
    return int(bool(faults))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
