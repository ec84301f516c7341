"""Cost of the audit log: python benchmarks/audit.py [--folder DIR] [--seconds 5].

Measures single events beside the bare write and fdatasync of the same line (the peer: same run and folder, in turns);
many callers at once as threads, as coroutines at 300 events a second (the load of the service), and as four processes
with a segment each beside four that share one file under a lock; and the verification of 100,000 entries. `--folder`
selects the disk. Writes audit.csv.
"""
import argparse
import asyncio
import fcntl
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from machine import describe_machine, write_results

from ttm_notebooks.audit.log import AuditLog
from ttm_notebooks.audit.verification import verify_log
from ttm_notebooks.audit.reader import read_entries
from ttm_notebooks.audit.signing import AuditKey
from ttm_notebooks.audit.events import Event

KEY = AuditKey(bytes(range(32)))
LINE = b"x" * 330 + b"\n"


def event(number: int) -> Event:
    """The event of a prediction, as the service logs it."""
    details = {"product": f"MAT-{number % 900:04d}", "region": "SP", "horizon": 26}
    return Event("prediction", "auth0|5f7c8ec7c33c6c004bbafe82", "predict", "demand/3", details=details)


def timed(call: Callable[[], object]) -> float:
    """Milliseconds of a call."""
    started = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - started)


def result_row(what: str, milliseconds: list[float], events: int, seconds: float, **more: object) -> dict:
    """One row of the table."""
    cuts = statistics.quantiles(milliseconds, n=100)
    return {
        "what": what,
        "events": events,
        "p50_ms": cuts[49],
        "p99_ms": cuts[98],
        "events_per_second": events / seconds,
        **more,
    }


def single_events(folder: Path, count: int = 400) -> list[dict]:
    """One event per append, and the bare write and sync of a line, in turns."""
    handle, bare, ours = os.open(folder / "bare", os.O_RDWR | os.O_CREAT), [], []
    with AuditLog(folder / "alone", KEY) as log:
        for number in range(count):
            bare.append(
                timed(lambda number=number: (os.pwrite(handle, LINE, number * len(LINE)), os.fdatasync(handle)))
            )
            ours.append(timed(lambda number=number: log.append(event(number))))
    os.close(handle)
    ratio = statistics.median(ours) / statistics.median(bare)
    return [result_row("bare write and fdatasync, one after the other", bare, count, sum(bare) / 1e3),
            result_row("append, one after the other", ours, count, sum(ours) / 1e3, ratio_to_peer=ratio)]


def without_disk(count: int = 3000) -> dict:
    """The share of the log itself in an append: the same work in memory, where a sync costs nothing."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, AuditLog(Path(folder) / "log", KEY) as log:
        ours = [timed(lambda number=number: log.append(event(number))) for number in range(count)]
    return result_row("append in memory (cost without the disk)", ours, count, sum(ours) / 1e3)


def threads(folder: Path, seconds: float, callers: int = 32) -> dict:
    """Appends by `callers` threads as fast as they can, each thread waiting for its answer."""
    taken: list[float] = []
    with AuditLog(folder / "threads", KEY) as log:
        until = time.perf_counter() + seconds

        def _call() -> None:
            while time.perf_counter() < until:
                taken.append(timed(lambda: log.append(event(len(taken)))))

        pool = [threading.Thread(target=_call) for _ in range(callers)]
        for thread in pool:
            thread.start()
        for thread in pool:
            thread.join()
    return result_row(f"append by {callers} threads at once", taken, len(taken), seconds)


def coroutines(folder: Path, seconds: float, rate: int = 300) -> dict:
    """`rate` events a second from one event loop, each awaited by its own coroutine, and the share of one core used."""
    taken: list[float] = []

    async def _append(log: AuditLog, number: int) -> None:
        started = time.perf_counter()
        await log.append_async(event(number))
        taken.append(1e3 * (time.perf_counter() - started))

    async def _all(log: AuditLog) -> None:
        started, tasks = time.perf_counter(), []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(_append(log, number)))
        await asyncio.gather(*tasks)

    with AuditLog(folder / "coroutines", KEY) as log:
        wall, processor = time.perf_counter(), time.process_time()
        asyncio.run(_all(log))
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return result_row(f"append_async at {rate} a second", taken, len(taken), wall, core_share=processor / wall)


def _own_segment(folder: str, seconds: float, answers: multiprocessing.SimpleQueue) -> None:
    taken, until = [], time.perf_counter() + seconds
    with AuditLog(folder, KEY) as log:
        while time.perf_counter() < until:
            taken.append(timed(lambda: log.append(event(1))))
    answers.put(taken)


def _shared_file(folder: str, seconds: float, answers: multiprocessing.SimpleQueue) -> None:
    taken, until, handle = (
        [],
        time.perf_counter() + seconds,
        os.open(Path(folder).with_suffix(".shared"), os.O_RDWR | os.O_CREAT | os.O_APPEND),
    )

    def _append() -> None:
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.write(handle, LINE)
        os.fdatasync(handle)
        fcntl.flock(handle, fcntl.LOCK_UN)

    while time.perf_counter() < until:
        taken.append(timed(_append))
    answers.put(taken)


def processes(folder: Path, seconds: float, count: int = 4) -> list[dict]:
    """Four processes with a segment each, and the peer: four processes that share a bare file under a lock."""
    rows, context = [], multiprocessing.get_context("spawn")
    for what, work in (
        (f"{count} processes, one file under a lock, bare", _shared_file),
        (f"{count} processes, a segment each, append", _own_segment),
    ):
        answers = context.SimpleQueue()
        workers = [
            context.Process(target=work, args=(str(folder / "processes"), seconds, answers)) for _ in range(count)
        ]
        for worker in workers:
            worker.start()
        taken = [milliseconds for _ in workers for milliseconds in answers.get()]
        for worker in workers:
            worker.join()
        rows.append(result_row(what, taken, len(taken), seconds))
    rows[1]["ratio_to_peer"] = rows[1]["events_per_second"] / rows[0]["events_per_second"]
    return rows


def reading(folder: Path, count: int = 100_000) -> list[dict]:
    """Verification of a log of `count` entries, and one query to it."""
    with AuditLog(folder / "reading", KEY) as log:
        for start in range(0, count, 1000):
            log.append(*(event(number) for number in range(start, start + 1000)))
    rows = []
    queries = {
        "verify 100,000 entries": lambda: verify_log(folder / "reading", KEY),
        "entries of one actor among 100,000": lambda: read_entries(folder / "reading", actor="unknown", key=KEY),
    }
    for what, query in queries.items():
        seconds = [timed(query) for _ in range(5)]
        rows.append(
            {
                "what": what,
                "events": count,
                "p50_ms": statistics.median(seconds),
                "events_per_second": count / statistics.median(seconds) * 1e3,
            }
        )
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        folder, seconds = Path(scratch), options.seconds
        rows = [
            *single_events(folder),
            without_disk(),
            threads(folder, seconds),
            coroutines(folder, seconds),
            *processes(folder, seconds),
            *reading(folder),
        ]
    machine = describe_machine()
    write_results(
        "audit",
        [
            {name: round(value, 3) if isinstance(value, float) else value for name, value in {**row, **machine}.items()}
            for row in rows
        ],
    )
