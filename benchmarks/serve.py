"""Load test of the service: python benchmarks/serve.py [--company FOLDER] [--seconds 20] [--workers 2].

A development server with its issuer and its audit log serves a company of 900 series over TLS 1.3 on 127.0.0.1; the
champion is the bundled network. The load generator sends requests at fixed times over 128 open connections,
independent of the answers. The time of an answer starts when its request was due, so it includes the wait for a
connection (as in wrk2). Server and generator share the cores of the machine. The parts: single predictions at 50
requests/s (published numbers, and the caller's own history); 300 requests/s through micro-batching; two and four
times that rate; and the whole company in a single batch, in three formats. At the end the audit log must hold as many
predictions as answers. Limits: --seconds per part and 12,000 requests. Writes serve.csv.
"""
import argparse
import asyncio
import datetime
import json
import ssl
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from machine import describe_machine, write_results

from ttm_notebooks.audit.verification import verify_log
from ttm_notebooks.audit.reader import read_entries
from ttm_notebooks.serve.launch import ServerProcess, server_audit_key
from ttm_notebooks.testing.service import served_company

MOST = 12_000


class Caller:
    """A pool of keep-alive connections with a minimal HTTP/1.1 client, which leaves the cores to the server."""

    def __init__(self, host: str, port: int, ca: str, token: str):
        self.host, self.port, self.token = host, port, token
        self.context, self.idle, self.slots = ssl.create_default_context(cafile=ca), [], asyncio.Semaphore(128)

    async def open(self, count: int) -> None:
        """Open `count` connections in advance, so that their handshakes are not measured."""
        for _ in range(count):
            self.idle.append(await asyncio.open_connection(self.host, self.port, ssl=self.context))

    async def post(self, path: str, body: bytes, accept: str = "application/json") -> tuple[int, bytes]:
        """Status and body of the answer; status 0 if the connection broke."""
        async with self.slots:
            return await self._send(path, body, accept)

    async def _send(self, path: str, body: bytes, accept: str) -> tuple[int, bytes]:
        """One request on an idle connection."""
        try:
            while self.idle and (self.idle[-1][0].at_eof() or self.idle[-1][1].is_closing()):
                self.idle.pop()
            reader, writer = (
                self.idle.pop() if self.idle else await asyncio.open_connection(self.host, self.port, ssl=self.context)
            )
            writer.write(
                f"POST {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
                f"Authorization: Bearer {self.token}\r\nAccept: {accept}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
            )
            content = await reader.readexactly(length)
            self.idle.append((reader, writer))
            return int(head[9:12]), content
        except (OSError, asyncio.IncompleteReadError):
            return 0, b""

    def close(self) -> None:
        """Close all connections."""
        for _, writer in self.idle:
            writer.close()


async def load(caller: Caller, rate: float, seconds: float, bodies: list[bytes]) -> list[tuple[int, float]]:
    """(status, seconds since due) of requests sent every 1/`rate` seconds."""
    answers: list[tuple[int, float]] = []
    start, count = time.perf_counter() + 0.05, min(int(rate * seconds), MOST)

    async def ask(number: int) -> None:
        due = start + number / rate
        status, _ = await caller.post("/predict", bodies[number % len(bodies)])
        answers.append((status, time.perf_counter() - due))

    tasks = []
    for number in range(count):
        if (ahead := start + number / rate - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        tasks.append(asyncio.create_task(ask(number)))
    await asyncio.gather(*tasks)
    return answers


def result_row(name: str, answers: list[tuple[int, float]], rate: float, seconds: float) -> dict[str, object]:
    """One row of the results."""
    accepted = sorted(taken for status, taken in answers if status == 200)
    counts = Counter(status for status, _ in answers)
    quantiles = {
        level: round(1000 * float(np.quantile(accepted, level)), 1) if accepted else None
        for level in (0.5, 0.95, 0.99, 1.0)
    }
    return {
        "what": name,
        "requests_per_s": rate,
        "sent": len(answers),
        "answered": counts[200],
        "answered_per_s": round(counts[200] / seconds, 1),
        "refused_429": counts[429],
        "errors_5xx_or_broken": sum(count for status, count in counts.items() if status >= 500 or status == 0),
        "p50_ms": quantiles[0.5],
        "p95_ms": quantiles[0.95],
        "p99_ms": quantiles[0.99],
        "slowest_ms": quantiles[1.0],
    }


def request_bodies(company: Path, own: bool, count: int = 64) -> list[bytes]:
    """Bodies of requests for series of the company; `own` adds a history of two years or more to each."""
    from ttm_notebooks.evaluation.results import load_results

    results = load_results(next((company / "output" / "company").glob("2*/run")))
    frames, bodies = dict(list(results.history.groupby(["produto_cat", "uf_cat"]))), []
    for number, key in enumerate(list(frames)[:count]):
        request: dict[str, object] = {"produto_id": int(key[0]), "regiao_id": int(key[1]), "horizon": 26}
        if own:
            weeks = frames[key].sort_values("timestamp").iloc[-(104 + number % 40):]
            request["history"] = [
                {"week": str(row.timestamp.date()), "vendas": row.vendas * 1.1, "faturamento": row.faturamento * 1.1}
                for row in weeks.itertuples()
            ]
        bodies.append(json.dumps(request).encode())
    return bodies


async def batches(caller: Caller, company: Path, repeats: int = 7) -> list[dict[str, object]]:
    """All series in a single request, in three formats; the median of `repeats`."""
    from ttm_notebooks.evaluation.results import load_results

    caller.idle, caller.slots = [], asyncio.Semaphore(128)
    results = load_results(next((company / "output" / "company").glob("2*/run")))
    pairs = [
        {"produto_id": int(p), "regiao_id": int(r)}
        for p, r in results.series[["produto_cat", "uf_cat"]].itertuples(index=False)
    ]
    body, rows = json.dumps({"series": pairs, "horizon": 26}).encode(), []
    for name, media_type in (
        ("JSON", "application/json"),
        ("NDJSON", "application/x-ndjson"),
        ("Arrow", "application/vnd.apache.arrow.stream"),
    ):
        taken, size = [], 0
        for _ in range(repeats):
            started = time.perf_counter()
            status, content = await caller.post("/predict/batch", body, media_type)
            taken.append(time.perf_counter() - started)
            assert status == 200, content[:300]
            size = len(content)
        rows.append(
            {
                "what": f"/predict/batch of {len(pairs)} series, {name}",
                "sent": repeats,
                "p50_ms": round(1000 * statistics.median(taken), 1),
                "slowest_ms": round(1000 * max(taken), 1),
                "megabytes": round(size / 1e6, 2),
            }
        )
    frames = [json.loads(text) for text in request_bodies(company, True, len(pairs))]
    own = json.dumps(
        {
            "series": [{key: frame[key] for key in ("produto_id", "regiao_id", "history")} for frame in frames],
            "horizon": 26,
        }
    ).encode()
    mature = [series for series in json.loads(own)["series"] if len(series["history"]) >= 104]
    started = time.perf_counter()
    status, content = await caller.post(
        "/predict/batch", json.dumps({"series": mature, "horizon": 26}).encode(), "application/vnd.apache.arrow.stream"
    )
    assert status == 200, content[:300]
    rows.append({"what": f"/predict/batch of {len(mature)} series with own histories, Arrow", "sent": 1,
                 "p50_ms": round(1000 * (time.perf_counter() - started), 1)})
    return rows


def main() -> int:
    """Measure all parts and write serve.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--company", type=Path, help="a folder that served_company created; default: a new folder")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sustained", type=float, default=300.0)
    options = parser.parse_args()
    company = options.company or served_company(network=True, products=150, regions=6)
    rows = []
    with ServerProcess(company / "company", out=str(company / "output"), workers=options.workers) as server:
        caller = Caller("127.0.0.1", server.settings.port, str(server.ca), server.token("business_user"))
        before = len(read_entries(server.settings.home / "audit", kind="prediction"))
        answered = 0
        for name, own, rate in (
            ("one prediction, published", False, 50.0),
            ("one prediction, own history", True, 50.0),
            ("sustained, own histories", True, options.sustained),
            ("sustained, published", False, options.sustained),
            ("overload, own histories", True, 2 * options.sustained),
            ("overload, own histories", True, 4 * options.sustained),
        ):
            bodies = request_bodies(company, own)
            answers = asyncio.run(_part(caller, rate, options.seconds, bodies))
            answered += 100
            rows.append(result_row(name, answers, rate, min(options.seconds, len(answers) / rate)))
            answered += rows[-1]["answered"]
            print(rows[-1], flush=True)
        rows += asyncio.run(batches(caller, company))
        answered += 7 * 3 + 1
        kept = len(read_entries(server.settings.home / "audit", kind="prediction")) - before
    checked = verify_log(server.settings.home / "audit", server_audit_key(server.settings))
    print(f"{answered} answers, {kept} entries of predictions, audit log verified: {checked.ok}")
    assert kept == answered and checked.ok
    common = {
        "workers": options.workers,
        "audit_entries": kept,
        "day": datetime.date.today().isoformat(),
    } | describe_machine()
    write_results("serve", [row | common for row in rows])
    return 0


async def _part(caller: Caller, rate: float, seconds: float, bodies: list[bytes]) -> list[tuple[int, float]]:
    """Warm up, then apply the load over new connections."""
    caller.idle, caller.slots = [], asyncio.Semaphore(128)
    await _warm(caller, bodies)
    await caller.open(128 - len(caller.idle))
    answers = await load(caller, rate, seconds, bodies)
    caller.close()
    return answers


async def _warm(caller: Caller, bodies: list[bytes]) -> None:
    """Send a hundred requests that are not measured, ten at a time."""
    async def lane() -> None:
        for number in range(10):
            assert (await caller.post("/predict", bodies[number % len(bodies)]))[0] == 200
    await asyncio.gather(*(lane() for _ in range(10)))


if __name__ == "__main__":
    sys.exit(main())
