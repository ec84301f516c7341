"""Make the pictures of the documentation: the architecture, and from a real run the fan chart and the report page.

Usage: python docs/pictures.py architecture
       python docs/pictures.py run RESULTS [REGION]    (a finished folder, for example reports/output/rossmann/2015-08-01)
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

PICTURES = Path(__file__).parent / "pictures"
INK, PALE, BLUE, WARM = "#1f2937", "#f3f4f6", "#2563eb", "#fff7ed"
BOXES = {  # name: (x, y, width, title, text, colour)
    "sources": (0.0, 2.1, 2.35, "Sources", "CSV, Excel, Parquet\nSAP, Salesforce, WMS, SQL\nplans, holidays", WARM),
    "connectors": (2.8, 2.1, 2.35, "06 connectors", "pages with a position\nretries, resume", PALE),
    "ingest": (5.6, 2.1, 2.35, "07 ingest", "parse, validate, versions\nquarantine, pseudonyms", PALE),
    "warehouse": (8.4, 2.1, 2.35, "04 warehouse", "raw rows, weekly table\nevery vintage, snapshots", PALE),
    "panel": (8.4, 0.5, 2.35, "08 panel", "series x weeks x channels\nmasks, data quality", PALE),
    "models": (5.6, 0.5, 2.35, "09 model, 10 forecast", "network, baselines, plans\nnew products, sums", PALE),
    "evaluation": (2.8, 0.5, 2.35, "11 evaluation", "backtest, calibration\nmodel selection", PALE),
    "registry": (0.0, 0.5, 2.35, "12 registry", "forecaster, versions\npromotion", PALE),
    "reports": (0.0, -1.1, 2.35, "13 report", "a page per region\nCSV and spreadsheets", WARM),
    "service": (2.8, -1.1, 2.35, "15 serve", "REST API, roles, regions\nmetrics", WARM),
    "pipeline": (5.6, -1.1, 2.35, "18 pipeline, 19 cli", "run, check, publish\none command a week", WARM),
    "guards": (8.4, -1.1, 2.35, "01-03 core, dataset, audit", "errors, keys, dataset.yaml\naudit log, run record", WARM)}
ARROWS = [("sources", "connectors"), ("connectors", "ingest"), ("ingest", "warehouse"), ("warehouse", "panel"),
          ("panel", "models"), ("models", "evaluation"), ("evaluation", "registry"), ("registry", "reports"),
          ("registry", "service")]
HEIGHT = 1.05


def _arrow(axes: plt.Axes, start: str, end: str) -> None:
    """Draw an arrow from box to box, between the nearest sides."""
    x0, y0, w0, *_ = BOXES[start]
    x1, y1, w1, *_ = BOXES[end]
    if y0 == y1:
        right = x1 > x0
        points = ((x0 + w0 if right else x0, y0 + HEIGHT / 2), (x1 if right else x1 + w1, y1 + HEIGHT / 2))
    elif x0 == x1:
        points = ((x0 + w0 / 2, y0), (x1 + w1 / 2, y1 + HEIGHT))
    else:
        points = ((x0 + w0 * 0.8, y0), (x1 + w1 * 0.2, y1 + HEIGHT))
    axes.add_patch(FancyArrowPatch(*points, arrowstyle="-|>", mutation_scale=12, color=BLUE, linewidth=1.4, shrinkA=2, shrinkB=2))


def architecture() -> None:
    """Draw the folders as boxes and the way of the data as arrows."""
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "ttm", "font.family": "sans-serif"})
    figure, axes = plt.subplots(figsize=(11, 5.4))
    for x, y, width, title, text, colour in BOXES.values():
        axes.add_patch(FancyBboxPatch((x, y), width, HEIGHT, boxstyle="round,pad=0.02,rounding_size=0.08",
                                      facecolor=colour, edgecolor="#9ca3af", linewidth=1))
        axes.text(x + 0.1, y + HEIGHT - 0.24, title, fontsize=9, fontweight="bold", color=INK)
        axes.text(x + 0.1, y + HEIGHT - 0.38, text, fontsize=8.5, color=INK, va="top", linespacing=1.4)
    for start, end in ARROWS:
        _arrow(axes, start, end)
    axes.set(xlim=(-0.1, 10.9), ylim=(-1.25, 3.3))
    axes.axis("off")
    figure.savefig(PICTURES / "architecture.svg", bbox_inches="tight", metadata={"Date": None})


def page_picture(page: Path, target: Path, width: int, height: int) -> None:
    """Take a picture of a page in a browser without a window."""
    browser = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if browser is None:
        sys.exit("a browser is needed for the pictures of pages: install chromium")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
                        f"--user-data-dir={profile}", f"--window-size={width},{height}", f"--screenshot={target}",
                        page.resolve().as_uri()], check=True, capture_output=True, timeout=120)


def fan_chart(results_folder: Path) -> None:
    """Draw history, forecast and intervals of the total of the largest region, and last year's weeks."""
    import numpy as np
    import pandas as pd

    from ttm_notebooks import load_results

    results = load_results(results_folder / "run")
    forecasts = results.forecasts
    channel = forecasts.channel.iloc[0]
    chosen = forecasts[(forecasts.level == "region") & (forecasts.channel == channel)]
    code = chosen.groupby("uf_cat")["mean"].sum().idxmax()
    chosen = chosen[chosen.uf_cat == code].sort_values("timestamp")
    history = results.history
    history = history[history.uf_cat == code].groupby("timestamp")[channel].sum(min_count=1).sort_index().iloc[-104:]
    scale = 1e6 if chosen["mean"].max() > 2e6 else 1e3
    figure, axes = plt.subplots(figsize=(11, 4))
    axes.fill_between(chosen.timestamp, chosen["q0.025"] / scale, chosen["q0.975"] / scale, color=BLUE, alpha=0.15, lw=0,
                      label="95 % interval")
    axes.fill_between(chosen.timestamp, chosen["q0.1"] / scale, chosen["q0.9"] / scale, color=BLUE, alpha=0.3, lw=0,
                      label="80 % interval")
    axes.plot(history.index, history / scale, color=INK, lw=1.3, label="sales")
    axes.plot(chosen.timestamp, chosen["mean"] / scale, color=BLUE, lw=2, label="forecast")
    last_year = history.reindex(pd.to_datetime(chosen.timestamp) - np.timedelta64(364, "D"))
    axes.plot(chosen.timestamp, last_year.to_numpy() / scale, color="#9ca3af", lw=1.2, ls=":", label="same week of last year")
    axes.set_ylabel("sales per week, " + ("million" if scale == 1e6 else "thousand"))
    axes.set_title("Two years of history, 26 weeks of forecast: the largest region of the public sample", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", frameon=False, ncols=5, fontsize=9)
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    figure.tight_layout()
    figure.savefig(PICTURES / "fan.png", dpi=130)


def main(arguments: list[str]) -> None:
    """Make the pictures that the arguments name."""
    PICTURES.mkdir(exist_ok=True)
    if arguments[:1] == ["architecture"]:
        architecture()
    elif arguments[:1] == ["run"] and len(arguments) >= 2:
        folder = Path(arguments[1])
        fan_chart(folder)
        pages = sorted(folder.glob("regional-*.html")) or sorted(folder.rglob("*.html"))
        named = [page for page in pages if arguments[2:] and arguments[2] in page.stem]
        page_picture((named or pages)[0], PICTURES / "report.png", 1200, 1350)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
