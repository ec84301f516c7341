"""How `ttm init` reads files of every shape: right, right with a question, asked first, or refused. No wrong guess is left.

The shapes are those of the tests of the inspection, each rebuilt after a case or a public report.

Usage: python benchmarks/init_shapes.py   (writes benchmarks/results/init_shapes.csv)
"""

import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd

from ttm_notebooks.core.errors import TTMError
from ttm_notebooks.tests.ingest.test_inspection import SHAPES, Shape, inspected, silent_errors

RESULT = Path(__file__).parent / "results" / "init_shapes.csv"


def outcome(case: Shape) -> dict[str, str]:
    """One row of the table: the shape, what happened, the questions, and keys that are wrong in silence."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            inspection = inspected(case, Path(folder), {})
        except TTMError as error:
            return {"shape": case.name, "outcome": "refused", "questions": error.problem.split("/")[-1], "wrong": "",
                    "source": case.source}
    questions = [item.key for item in inspection.questions]
    kind = "asked first" if inspection.blocked else "right, with a question" if questions else "right"
    return {"shape": case.name, "outcome": kind, "questions": " ".join(questions),
            "wrong": "; ".join(silent_errors(case, inspection)), "source": case.source}


def main() -> None:
    """Print and write the table."""
    table = pd.DataFrame([outcome(case) for case in SHAPES])
    table.to_csv(RESULT, index=False)
    print(table.to_string(max_colwidth=60))
    print(dict(Counter(table["outcome"])), f"{int((table['wrong'] != '').sum())} wrong in silence")


if __name__ == "__main__":
    main()
