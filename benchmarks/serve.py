"""What the service bears: python benchmarks/serve.py [--company FOLDER] [--seconds 20] [--workers 2].

A company of 900 series whose champion is the bundled network, served over TLS 1.3 on 127.0.0.1 by a development server with its issuer and
its audit log: a load generator of our own asks it at fixed times over 128 kept connections, whatever the answers do, and counts an answer's time
from when its request was due, waiting for a connection included (as wrk2 does). Server and generator share the machine's cores. The parts: one
prediction at 50 requests/s (published numbers, and a history of the caller's own); 300 a second through micro-batching; two and four times that;
and the whole company in one batch, in three forms. Every part
ends by looking into the audit log: as many predictions as answers. Bounded: at most --seconds per part and 12,000 requests. Writes serve.csv.
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

from ttm_notebooks.audit.log import entries, verify
from ttm_notebooks.serve.launch import Started, audit_key_of
from ttm_notebooks.testing.service import served_company

MOST = 12_000


class Caller:
    """A pool of keep-alive connections that speaks just enough HTTP/1.1, so that the generator leaves the cores to the server."""

    def __init__(self, host: str, port: int, ca: str, token: str):
        self.host, self.port, self.token = host, port, token
        self.context, self.idle, self.room = ssl.create_default_context(cafile=ca), [], asyncio.Semaphore(128)

    async def open(self, count: int) -> None:
        """Open `count` connections beforehand, so that their handshakes are not measured."""
        for _ in range(count):
            self.idle.append(await asyncio.open_connection(self.host, self.port, ssl=self.context))

    async def post(self, path: str, body: bytes, accept: str = "application/json") -> tuple[int, bytes]:
        """Status and body of the answer; status 0 where the connection broke."""
        async with self.room:
            return await self._asked(path, body, accept)

    async def _asked(self, path: str, body: bytes, accept: str) -> tuple[int, bytes]:
        """One request on an idle connection."""
        try:
            while self.idle and (self.idle[-1][0].at_eof() or self.idle[-1][1].is_closing()):
                self.idle.pop()
            reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection(self.host, self.port, ssl=self.context)
            writer.write(f"POST {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nAuthorization: Bearer {self.token}\r\nAccept: {accept}\r\n"
                         f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
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
    found: list[tuple[int, float]] = []
    start, count = time.perf_counter() + 0.05, min(int(rate * seconds), MOST)

    async def one(number: int) -> None:
        due = start + number / rate
        status, _ = await caller.post("/predict", bodies[number % len(bodies)])
        found.append((status, time.perf_counter() - due))

    tasks = []
    for number in range(count):
        if (ahead := start + number / rate - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        tasks.append(asyncio.create_task(one(number)))
    await asyncio.gather(*tasks)
    return found


def told(name: str, found: list[tuple[int, float]], rate: float, seconds: float) -> dict[str, object]:
    """A row of the results."""
    accepted = sorted(taken for status, taken in found if status == 200)
    counts = Counter(status for status, _ in found)
    at = {level: round(1000 * float(np.quantile(accepted, level)), 1) if accepted else None for level in (0.5, 0.95, 0.99, 1.0)}
    return {"what": name, "requests_per_s": rate, "sent": len(found), "answered": counts[200],
            "answered_per_s": round(counts[200] / seconds, 1), "refused_429": counts[429],
            "errors_5xx_or_broken": sum(count for status, count in counts.items() if status >= 500 or status == 0),
            "p50_ms": at[0.5], "p95_ms": at[0.95], "p99_ms": at[0.99], "slowest_ms": at[1.0]}


def questions(company: Path, own: bool, count: int = 64) -> list[bytes]:
    """Bodies of requests: series of the company, with two years and more of a history of their own where `own`."""
    from ttm_notebooks.evaluation.results import load_results

    results = load_results(next((company / "output" / "company").glob("2*/run")))
    frames, found = dict(list(results.history.groupby(["produto_cat", "uf_cat"]))), []
    for number, key in enumerate(list(frames)[:count]):
        asked: dict[str, object] = {"produto_id": int(key[0]), "regiao_id": int(key[1]), "horizon": 26}
        if own:
            weeks = frames[key].sort_values("timestamp").iloc[-(104 + number % 40):]
            asked["history"] = [{"week": str(row.timestamp.date()), "vendas": row.vendas * 1.1, "faturamento": row.faturamento * 1.1}
                                for row in weeks.itertuples()]
        found.append(json.dumps(asked).encode())
    return found


async def batches(caller: Caller, company: Path, repeats: int = 7) -> list[dict[str, object]]:
    """All 900 series in one request, in three forms; the median of `repeats`."""
    from ttm_notebooks.evaluation.results import load_results

    caller.idle, caller.room = [], asyncio.Semaphore(128)
    results = load_results(next((company / "output" / "company").glob("2*/run")))
    pairs = [{"produto_id": int(p), "regiao_id": int(r)} for p, r in results.series[["produto_cat", "uf_cat"]].itertuples(index=False)]
    body, rows = json.dumps({"series": pairs, "horizon": 26}).encode(), []
    for name, form in (("JSON", "application/json"), ("NDJSON", "application/x-ndjson"), ("Arrow", "application/vnd.apache.arrow.stream")):
        taken, size = [], 0
        for _ in range(repeats):
            started = time.perf_counter()
            status, content = await caller.post("/predict/batch", body, form)
            taken.append(time.perf_counter() - started)
            assert status == 200, content[:300]
            size = len(content)
        rows.append({"what": f"/predict/batch of {len(pairs)} series, {name}", "sent": repeats, "p50_ms": round(1000 * statistics.median(taken), 1),
                     "slowest_ms": round(1000 * max(taken), 1), "megabytes": round(size / 1e6, 2)})
    frames = [json.loads(text) for text in questions(company, True, len(pairs))]
    own = json.dumps({"series": [{key: one[key] for key in ("produto_id", "regiao_id", "history")} for one in frames], "horizon": 26}).encode()
    grown = [one for one in json.loads(own)["series"] if len(one["history"]) >= 104]
    started = time.perf_counter()
    status, content = await caller.post("/predict/batch", json.dumps({"series": grown, "horizon": 26}).encode(), "application/vnd.apache.arrow.stream")
    assert status == 200, content[:300]
    rows.append({"what": f"/predict/batch of {len(grown)} series with own histories, Arrow", "sent": 1,
                 "p50_ms": round(1000 * (time.perf_counter() - started), 1)})
    return rows


def main() -> int:
    """Measure all parts and write serve.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--company", type=Path, help="a folder made by tests.served; made anew by default")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sustained", type=float, default=300.0)
    asked = parser.parse_args()
    company = asked.company or served_company(network=True, products=150, regions=6)
    rows = []
    with Started(company / "company", out=str(company / "output"), workers=asked.workers) as server:
        caller = Caller("127.0.0.1", server.told.port, str(server.ca), server.token("business_user"))
        before = len(entries(server.told.home / "audit", kind="prediction"))
        answered = 0
        for name, own, rate in (("one prediction, published", False, 50.0), ("one prediction, own history", True, 50.0),
                                ("sustained, own histories", True, asked.sustained),
                                ("sustained, published", False, asked.sustained), ("overload, own histories", True, 2 * asked.sustained),
                                ("overload, own histories", True, 4 * asked.sustained)):
            bodies = questions(company, own)
            found = asyncio.run(_part(caller, rate, asked.seconds, bodies))
            answered += 100
            rows.append(told(name, found, rate, min(asked.seconds, len(found) / rate)))
            answered += rows[-1]["answered"]
            print(rows[-1], flush=True)
        rows += asyncio.run(batches(caller, company))
        answered += 7 * 3 + 1
        kept = len(entries(server.told.home / "audit", kind="prediction")) - before
    checked = verify(server.told.home / "audit", audit_key_of(server.told))
    print(f"{answered} answers, {kept} entries of predictions, audit log sound: {checked.ok}")
    assert kept == answered and checked.ok
    about = {"workers": asked.workers, "audit_entries": kept, "day": datetime.date.today().isoformat()} | describe_machine()
    write_results("serve", [row | about for row in rows])
    return 0


async def _part(caller: Caller, rate: float, seconds: float, bodies: list[bytes]) -> list[tuple[int, float]]:
    """Warm up, and then the load, over fresh connections."""
    caller.idle, caller.room = [], asyncio.Semaphore(128)
    await _warm(caller, bodies)
    await caller.open(128 - len(caller.idle))
    found = await load(caller, rate, seconds, bodies)
    caller.close()
    return found


async def _warm(caller: Caller, bodies: list[bytes]) -> None:
    """A hundred requests, one after the other in ten lanes, that do not count."""
    async def lane() -> None:
        for number in range(10):
            assert (await caller.post("/predict", bodies[number % len(bodies)]))[0] == 200
    await asyncio.gather(*(lane() for _ in range(10)))


if __name__ == "__main__":
    sys.exit(main())
