"""Check the built wheel as a new user meets it: an empty environment, no checkout, no torch.

Builds the wheel, installs it without and then with the extra `serve`, and runs `ttm init`, `ttm run` and `ttm serve` on a
small CSV. Measures size on disk and time of the installation against their limits. Exit 1 names what failed.

Usage: python tools/wheel_check.py [--keep FOLDER]      (uv stands beside python; its cache makes this quick)
"""

import argparse
import datetime
import math
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UV = str(Path(sys.executable).parent / "uv")
MOST_BYTES, MOST_SECONDS = 900e6, 30.0
NEEDS_SERVE = 'ttm serve needs: pip install "ttm-notebooks[serve]"'
NO_REFERENCES = 'needs an extra package (pip install "ttm-notebooks[references]")'


def run(*command: object, cwd: Path, code: int = 0) -> str:
    """Output of a command, both streams. RuntimeError for another exit code than `code`."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode != code or "Traceback" in done.stdout:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}, not {code}:\n{done.stdout}")
    return done.stdout


def bytes_of(folder: Path) -> int:
    """Bytes of all files under a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def install(folder: Path, environment: Path, extras: str = "") -> float:
    """Install the wheel in `folder` into an environment; return the seconds."""
    (wheel,) = folder.glob("*.whl")
    started = time.perf_counter()
    run(UV, "pip", "install", "--quiet", "--python", environment / "bin" / "python", "--constraint",
        ROOT / "constraints.txt", f"ttm_notebooks{extras} @ {wheel.as_uri()}", cwd=folder)
    return time.perf_counter() - started


def write_sales(path: Path) -> None:
    """Three products in two regions, 130 weeks, as a planner exports them."""
    first = datetime.date(2023, 1, 2)
    lines = ["week,product,region,units,revenue"]
    for week in range(130):
        for product in range(3):
            for region in ("SP", "MG"):
                units = round((60 + 20 * product) * (1 + 0.3 * math.sin(2 * math.pi * week / 52)) + (week * 7) % 11)
                day = first + datetime.timedelta(weeks=week)
                lines.append(f"{day},item {product},{region},{units},{units * 9.9:.2f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def free_port() -> int:
    """A TCP port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_ready(port: int) -> bool:
    """Whether the server on `port` answers that it is ready."""
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    try:
        address = f"https://127.0.0.1:{port}/health/ready"
        return urllib.request.urlopen(address, timeout=2, context=unverified).status == 200
    except OSError:
        return False


def seconds_until_ready(command: list[str], port: int, cwd: Path, patience: float = 120.0) -> float:
    """Seconds from the start of `ttm serve` until it is ready; the server is stopped afterwards."""
    started = time.perf_counter()
    server = subprocess.Popen([*command, "--port", str(port)], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
    try:
        while time.perf_counter() - started < patience and server.poll() is None:
            if is_ready(port):
                return time.perf_counter() - started
            time.sleep(0.05)
    finally:
        server.terminate()
        output, _ = server.communicate()
    raise RuntimeError(f"ttm serve was not ready in {patience:.0f} s:\n{output}")


def check(folder: Path) -> None:
    """Build, install and use the wheel in `folder`; RuntimeError for the first thing that fails."""
    environment, company = folder / "environment", folder / "company"
    company.mkdir()
    run(UV, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT, cwd=folder)
    run(UV, "venv", "--quiet", "--python", sys.executable, environment, cwd=folder)
    seconds = install(folder, environment)
    ttm, size = environment / "bin" / "ttm", bytes_of(environment)
    print(f"wheel without extras: {size / 1e6:.0f} MB on disk, installed in {seconds:.1f} s")
    packages = sorted(((bytes_of(path), path.name) for path in (environment / "lib").glob("python*/site-packages/*")),
                      reverse=True)
    print("  " + ", ".join(f"{name} {part / 1e6:.0f}" for part, name in packages[:14]))

    write_sales(company / "sales.csv")
    run(ttm, "init", "sales.csv", "--no-ask", cwd=company)
    output = run(ttm, "run", ".", "--jobs", "1", cwd=company)
    if NO_REFERENCES not in output or not list((company / "reports" / "output").rglob("index.html")):
        raise RuntimeError(f"ttm run made no pages, or did not say that it left the references out:\n{output}")
    for words, line in ((["serve", "."], NEEDS_SERVE), (["finetune", "."], NEEDS_SERVE.replace("serve", "finetune", 1)
                                                         .replace("[serve]", "[train]"))):
        if line not in (output := run(ttm, *words, cwd=company, code=2)).splitlines():
            raise RuntimeError(f"ttm {words[0]} did not name its extra:\n{output}")

    install(folder, environment, "[serve]")
    ready = seconds_until_ready([str(ttm), "serve", ".", "--dev"], free_port(), company)
    print(f"ttm init, run and serve work; the server was ready after {ready:.1f} s")
    if size > MOST_BYTES or seconds > MOST_SECONDS:
        raise RuntimeError(f"{size / 1e6:.0f} MB (at most {MOST_BYTES / 1e6:.0f}), {seconds:.1f} s (at most "
                           f"{MOST_SECONDS:.0f})")


def main() -> int:
    """Check in a temporary folder, or in `--keep`; print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="a new folder that stays")
    kept = parser.parse_args().keep
    with tempfile.TemporaryDirectory(prefix="ttm-wheel-") as temporary:
        folder = kept or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            check(folder.resolve())
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
