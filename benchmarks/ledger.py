"""What the ledger costs: claims and ends of up to 10,000 trials that train nothing.

``python benchmarks/ledger.py --storage journal`` lets 1, 4 and 16 processes claim and end trials
as fast as they can, while this one keeps the waiting window full as the supervisor of a run does.
It tells how long a claim and an end took around the 100th, the 1,000th and the 10,000th trial, how
long a look of the supervisor then took, and what the ledger adds to a process's memory.
``--storage postgresql`` does so on a server of its own, of the package that the tests use;
``--storage report`` times ``ganbench report`` on complete studies of so many trials instead.
"""

import argparse
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import psutil
from page import ROOT, add_options, expect_place, table, write
from sized import EVALUATIONS, SEEDS, Sized, ending_of, finished, sized

from ganbench.study.definition import Definition
from ganbench.study.ledger import Ledger
from ganbench.study.progress import Progress
from ganbench.study.records import Cell, failures
from ganbench.study.supervisor import WINDOW

MARKS = (100, 1_000, 10_000)
TRIAL_SECONDS = 60
"""Of the trial whose share is told."""
MEGABYTE = 1e6


@dataclass(frozen=True)
class Handled:
    """One trial in a worker's hands.

    Attributes
    ----------
    ended : float
        When, by a clock that all processes share.
    claim, notes, finish : float
        Seconds that each took; the notes of all evaluations together.
    """

    ended: float
    claim: float
    notes: float
    finish: float


def work(definition: Definition, folder: Path, url: str | None, workers: int, link: Any) -> None:
    """Claim and end trials until told to stop, and give back what each took, and the memory."""
    process = psutil.Process()
    before = process.memory_info().rss
    ledger = open_ledger(definition, folder, url, workers)
    done = []
    while True:
        began = time.perf_counter()
        claim = ledger.claim()
        if claim is None:
            link.send(None)
            if not link.recv():
                break
            continue
        claimed = time.perf_counter()
        ending = ending_of(Cell(claim.arm, claim.seed, claim.key, claim.fingerprint))
        trained = time.perf_counter()
        with ledger.alive(claim):
            for point in ending.evaluations:
                ledger.note(claim.number, point.step, point.figures["fid"])
            noted = time.perf_counter()
            ledger.finish(claim.number, ending)
        ended = time.perf_counter()
        done.append(Handled(time.time(), claimed - began, noted - trained, ended - noted))
    link.send((done, process.memory_info().rss - before))
    ledger.close()


def open_ledger(definition: Definition, folder: Path, url: str | None, workers: int) -> Ledger:
    """Open the journal in a folder, or the storage at an address."""
    if url is None:
        return Ledger(folder, definition)
    from ganbench.study.server import address_of

    return Ledger(folder, definition, address_of(url, workers))


class Supervisor:
    """Keeps the waiting window full, by the steps of the real one's looks."""

    def __init__(self, one: Sized, ledger: Ledger, workers: int) -> None:
        self._cells, self._ledger = one.cells, ledger
        self._window = WINDOW + 2 * workers
        self._progress = Progress({cell.key: 1 for cell in one.cells})
        self.looks: list[tuple[float, float]] = []

    def look(self) -> bool:
        """Refill the window; say whether anything is left to do."""
        began = time.perf_counter()
        records = self._ledger.records()
        failed = failures(records)
        wanted = [cell for cell in self._cells if cell.address not in failed]
        missing = self._ledger.queue(wanted, self._window, False, records)
        self._progress.count_in(self._cells, missing, failed)
        self.looks.append((time.time(), time.perf_counter() - began))
        return bool(missing)


@dataclass(frozen=True)
class Handling:
    """A whole study handled: by trial, in the order of their ends, and by look.

    Attributes
    ----------
    trials : list of Handled
    looks : list of (float, float)
        When each ended, and the seconds that it took.
    memory : list of float
        Bytes that each process grew by.
    seconds : float
        From the first trial's end to the last one's.
    """

    trials: list[Handled]
    looks: list[tuple[float, float]]
    memory: list[float]
    seconds: float


def handle(one: Sized, folder: Path, url: str | None, workers: int) -> Handling:
    """Let some processes handle a whole study."""
    supervisor = Supervisor(one, open_ledger(one.definition, folder, url, workers), workers)
    supervisor.look()
    context = multiprocessing.get_context("spawn")
    links = []
    for _ in range(workers):
        ours, theirs = context.Pipe()
        arguments = (one.definition, folder, url, workers, theirs)
        context.Process(target=work, args=arguments, daemon=True).start()
        theirs.close()
        links.append(ours)
    trials: list[Handled] = []
    memory = []
    while links:
        idle: list[Any] = wait(links)
        for link in idle:
            link.recv()
        more = supervisor.look()
        for link in idle:
            link.send(more)
            if not more:
                handled, grown = link.recv()
                trials += handled
                memory.append(grown)
                links.remove(link)
    trials.sort(key=lambda trial: trial.ended)
    return Handling(trials, supervisor.looks, memory, trials[-1].ended - trials[0].ended)


def rows_of(workers: int, marks: Sequence[int], found: Handling) -> Iterator[Sequence[str]]:
    """Give a row for each number of trials: of those that ended from half as many on."""
    for mark in marks:
        part = found.trials[mark // 2 : mark]
        since, until = part[0].ended, part[-1].ended
        looks = [took for ended, took in found.looks if since <= ended <= until]
        claims, notes = [t.claim for t in part], [t.notes for t in part]
        ends = [t.finish for t in part]
        all_told = statistics.median(t.claim + t.notes + t.finish for t in part)
        yield (
            f"{workers}",
            f"{mark:,}",
            *(milliseconds(claims, share) for share in (0.5, 0.95)),
            *(milliseconds(ends, share) for share in (0.5, 0.95)),
            milliseconds(notes, 0.5),
            milliseconds(looks, 0.5) if looks else "–",
            f"{all_told / TRIAL_SECONDS:.2%}",
        )


HEAD = (
    *("workers", "trials", "claim, p50 ms", "p95", "end, p50 ms", "p95"),
    *(f"{EVALUATIONS} notes, p50 ms", "look, p50 ms", "of a trial of 1 min"),
)


def milliseconds(seconds: Sequence[float], share: float) -> str:
    """Return a quantile, in milliseconds."""
    return f"{quantile(seconds, share) * 1e3:.1f}"


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextmanager
def storage(kind: str) -> Iterator[str | None]:
    """Start a server, if one is wanted, and give the address of an empty database."""
    if kind == "journal":
        yield None
        return
    sys.path.insert(0, str(ROOT / "tests" / "study"))
    from postgres import Postgres

    server = Postgres()
    try:
        yield server.database()
    finally:
        server.close()


def handling(kind: str, trials: int, counts: Sequence[int]) -> str:
    """Return what is told of a storage."""
    one = sized(trials)
    marks = [mark for mark in MARKS if mark < trials] + [trials]
    rows: list[Sequence[str]] = []
    told = []
    for workers in counts:
        with tempfile.TemporaryDirectory() as folder, storage(kind) as url:
            found = handle(one, Path(folder), url, workers)
        rows += rows_of(workers, marks, found)
        grown = statistics.median(found.memory) / MEGABYTE
        told.append(
            f"{workers} {'process' if workers == 1 else 'processes'}: {trials:,} trials at "
            f"{trials / found.seconds:.0f} a second, {grown:.0f} MB more memory in each"
        )
        print(table(HEAD, rows), told[-1], sep="\n\n", flush=True)
    return (
        "Trials that train nothing, claimed and ended as fast as the processes can. A row is of "
        "the trials from half as many to so many.\n\n"
        f"{table(HEAD, rows)}\n\n{'; '.join(told)}."
    )


REPORT = """
import resource, sys, time
from pathlib import Path
from ganbench.report import write_report
from ganbench.study.archive import read_results
began = time.perf_counter()
results = read_results(Path(sys.argv[1]))
read = time.perf_counter()
write_report(results, Path(sys.argv[1]))
print(read - began, time.perf_counter() - read)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def reporting(marks: Sequence[int]) -> str:
    """Return how long reports of complete studies take, each in a process of its own."""
    rows = []
    for mark in marks:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            finished(folder, mark)
            command = [sys.executable, "-c", REPORT, name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            read, written, memory = map(float, done.stdout.split())
            files = (folder / "ledger/journal.log", folder / "index.html", folder / "results.json")
            sizes = [f"{file.stat().st_size / MEGABYTE:.1f}" for file in files]
        rows.append(
            (f"{mark:,}", f"{read:.1f}", f"{written:.1f}", f"{memory / MEGABYTE:.0f}", *sizes)
        )
        print(" | ".join(rows[-1]), flush=True)
    head = (
        *("trials", "reading, s", "writing, s", "memory, MB", "journal, MB", "page, MB"),
        "results.json, MB",
    )
    return f"An arm has ten seeds, a trial ten evaluations.\n\n{table(head, rows)}"


def main() -> None:
    """Measure one storage, or the report, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    kinds = ("journal", "postgresql", "report")
    parser.add_argument("--storage", choices=kinds, default="journal")
    parser.add_argument("--trials", type=int, default=MARKS[-1], help="a multiple of ten")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--quick", action="store_true", help="100 trials, 1 and 2 processes")
    add_options(parser)
    options = parser.parse_args()
    trials, counts = (100, [1, 2]) if options.quick else (options.trials, options.workers)
    if trials < SEEDS or trials % SEEDS:
        parser.error(f"--trials {trials}: expected a multiple of {SEEDS}")
    section = f"ledger {options.storage}"
    if options.write:
        expect_place(section)
    if options.storage == "report":
        body = reporting([mark for mark in MARKS if mark <= trials])
    else:
        body = handling(options.storage, trials, counts)
    print(body)
    if options.write:
        write(section, body)


if __name__ == "__main__":
    main()
