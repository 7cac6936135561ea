"""What the ledger costs, by trials that train nothing: a claim, an end, a look, a report.

``python benchmarks/ledger.py --storage journal`` fills a ledger with 100, 1,000 and 10,000 complete
trials. At each size 1, 4 and 16 processes claim and end some more, while this one keeps the
waiting window full as the supervisor of a run does: first trials that rest for some seconds, as if
they trained, which tells how long a claim and an end take; then trials that do not, which tells
how many a second are the most. ``--storage postgresql`` does so on a server of its own, of the
package that the tests use; ``--storage report`` times ``ganbench report`` on complete studies of
these sizes.
"""

import argparse
import importlib
import multiprocessing
import resource
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

from page import ROOT, add_options, expect_place, table, write
from sized import EVALUATIONS, SEEDS, ending_of, fill, finished, sized

from ganbench.study.definition import Definition
from ganbench.study.ledger import Ledger
from ganbench.study.progress import Progress
from ganbench.study.records import Cell, failures
from ganbench.study.supervisor import WINDOW

MARKS = (100, 1_000, 10_000)
EACH, LEAST = 10, 20
"""Trials of a process, and of all together at least, at each size and pace."""
TRIAL_SECONDS = 60
"""Of the trial whose share is told."""
MEGABYTE = 1e6


@dataclass(frozen=True)
class Place:
    """Where a ledger stands: a folder's journal, or the storage at an address."""

    definition: Definition
    folder: Path
    url: str | None

    def open(self) -> Ledger:
        """Open it."""
        if self.url is None:
            return Ledger(self.folder, self.definition)
        from ganbench.study.server import address_of

        return Ledger(self.folder, self.definition, address_of(self.url, 2))


@dataclass(frozen=True)
class Handled:
    """One trial in a worker's hands: seconds that each took, the notes of all evaluations."""

    ended: float
    claim: float
    notes: float
    finish: float


@dataclass(frozen=True)
class Handling:
    """Some trials in some workers' hands.

    Attributes
    ----------
    trials : list of Handled
    looks : list of float
        Seconds that each took.
    opening, memory : float
        Seconds that it took a process to open the ledger and read it, and the megabytes that
        this came to; medians over the processes.
    """

    trials: list[Handled]
    looks: list[float]
    opening: float
    memory: float

    @property
    def rate(self) -> float:
        """Trials a second, from the first end to the last."""
        ends = sorted(trial.ended for trial in self.trials)
        return (len(ends) - 1) / (ends[-1] - ends[0])


def work(place: Place, delay: float, rest: float, link: Any) -> None:
    """Claim and end trials until told to stop; give back what each took, and the memory."""
    before, began = memory(), time.perf_counter()
    ledger = place.open()
    ledger.records()
    opened = time.perf_counter() - began
    done = []
    link.send("ready")
    link.recv()
    time.sleep(delay)
    while True:
        began = time.perf_counter()
        claim = ledger.claim()
        claimed = time.perf_counter()
        if claim is None:
            link.send("idle")
            if not link.recv():
                break
            continue
        ending = ending_of(Cell(claim.arm, claim.seed, claim.key, claim.fingerprint))
        with ledger.alive(claim):
            time.sleep(rest)
            trained = time.perf_counter()
            for point in ending.evaluations:
                ledger.note(claim.number, point.step, point.figures["fid"])
            noted = time.perf_counter()
            ledger.finish(claim.number, ending)
        ended = time.perf_counter()
        done.append(Handled(time.time(), claimed - began, noted - trained, ended - noted))
    link.send((done, opened, memory() - before))
    ledger.close()


def memory() -> float:
    """Return the memory of this process, in megabytes; of Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MEGABYTE


def handle(place: Place, cells: Sequence[Cell], workers: int, rest: float) -> Handling:
    """Let some processes handle what is missing of ``cells``, and keep the window full."""
    ledger = place.open()
    progress = Progress({cell.key: 1 for cell in cells})
    looks = []

    def look() -> bool:
        """As the supervisor's; say whether anything is left."""
        began = time.perf_counter()
        records = ledger.records()
        failed = failures(records)
        wanted = [cell for cell in cells if cell.address not in failed]
        missing = ledger.queue(wanted, WINDOW + 2 * workers, False, records)
        progress.count_in(cells, missing, failed)
        looks.append(time.perf_counter() - began)
        return bool(missing)

    look()
    context = multiprocessing.get_context("spawn")
    links = []
    for index in range(workers):
        ours, theirs = context.Pipe()
        arguments = (place, rest * index / workers, rest, theirs)
        context.Process(target=work, args=arguments, daemon=True).start()
        theirs.close()
        links.append(ours)
    for link in links:
        link.recv()
    for link in links:
        link.send(True)
    trials: list[Handled] = []
    openings, grown = [], []
    while links:
        idle: list[Any] = wait(links, 2.0)
        more = look()
        for link in idle:
            link.recv()
            link.send(more)
            if not more:
                handled, opening, more_memory = link.recv()
                trials += handled
                openings.append(opening)
                grown.append(more_memory)
                links.remove(link)
    ledger.close()
    return Handling(trials, looks[1:], statistics.median(openings), statistics.median(grown))


HEAD = (
    *("trials", "processes", "claim, p50 ms", "p95", "end, p50 ms", "p95", "of 1 min"),
    *(
        "look, p50 ms",
        "opening, s",
        "memory, MB",
        "no rest: a second",
        "claim, p95 ms",
        "end, p95 ms",
    ),
)


def row_of(mark: int, workers: int, resting: Handling, hasty: Handling) -> Sequence[str]:
    """Return a line: with rests, and as fast as can be."""
    all_told = [trial.claim + trial.notes + trial.finish for trial in resting.trials]
    claims, ends = [t.claim for t in resting.trials], [t.finish for t in resting.trials]
    return (
        f"{mark:,}",
        f"{workers}",
        *(milliseconds(claims, share) for share in (0.5, 0.95)),
        *(milliseconds(ends, share) for share in (0.5, 0.95)),
        f"{statistics.median(all_told) / TRIAL_SECONDS:.2%}",
        milliseconds(resting.looks, 0.5),
        f"{resting.opening:.1f}",
        f"{resting.memory:.0f}",
        f"{hasty.rate:.1f}",
        milliseconds([t.claim for t in hasty.trials], 0.95),
        milliseconds([t.finish for t in hasty.trials], 0.95),
    )


def milliseconds(seconds: Sequence[float], share: float) -> str:
    """Return the value below which a share of the values lies, in milliseconds."""
    ordered = sorted(seconds)
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3:.1f}"


@contextmanager
def storage(kind: str) -> Iterator[str | None]:
    """Start a server, if one is wanted, and give the address of an empty database."""
    if kind == "journal":
        yield None
        return
    sys.path.insert(0, str(ROOT / "tests" / "study"))
    server = importlib.import_module("postgres").Postgres()
    try:
        yield server.database()
    finally:
        server.close()


def handling(kind: str, marks: Sequence[int], counts: Sequence[int], rest: float) -> str:
    """Return what is told of a storage."""
    amounts = [max(LEAST, EACH * workers) for workers in counts]
    one = sized(marks[-1] + 2 * sum(amounts))
    rows: list[Sequence[str]] = []
    with tempfile.TemporaryDirectory() as folder, storage(kind) as url:
        place = Place(one.definition, Path(folder), url)
        done = 0
        for mark in marks:
            if done < mark:
                fill(place.open(), one.cells[done:mark])
                done = mark
            for workers, amount in zip(counts, amounts, strict=True):
                found = []
                for seconds in (rest, 0.0):
                    done += amount
                    found.append(handle(place, one.cells[:done], workers, seconds))
                rows.append(row_of(mark, workers, *found))
                print(" | ".join(rows[-1]), flush=True)
    return (
        f"Trials that train nothing: first with a rest of {rest:g} s in each, then with none, "
        f"beside so many complete ones. Of a trial of one minute the ledger takes a claim, "
        f"{EVALUATIONS} notes and an end.\n\n{table(HEAD, rows)}"
    )


REPORT = """
import sys, time
from pathlib import Path
from ganbench.report import write_report
from ganbench.study.archive import read_results
began = time.perf_counter()
results = read_results(Path(sys.argv[1]))
read = time.perf_counter()
write_report(results, Path(sys.argv[1]))
print(read - began, time.perf_counter() - read)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
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
            read, written, peak = map(float, done.stdout.split())
            files = (folder / "ledger/journal.log", folder / "index.html", folder / "results.json")
            sizes = [f"{file.stat().st_size / MEGABYTE:.1f}" for file in files]
        rows.append(
            (f"{mark:,}", f"{read:.1f}", f"{written:.1f}", f"{peak * 1024 / MEGABYTE:.0f}", *sizes)
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
    parser.add_argument("--trials", type=int, default=MARKS[-1], help="of the largest ledger")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--rest", type=float, default=5.0, help="seconds that a trial rests")
    parser.add_argument("--quick", action="store_true", help="100 trials, 1 and 2 processes")
    add_options(parser)
    options = parser.parse_args()
    if options.quick:
        options.trials, options.workers, options.rest = MARKS[0], [1, 2], 0.2
    marks = [mark for mark in MARKS if mark < options.trials] + [options.trials]
    if any(mark < SEEDS or mark % SEEDS for mark in marks):
        parser.error(f"--trials {options.trials}: expected a multiple of {SEEDS}")
    section = f"ledger {options.storage}"
    if options.write:
        expect_place(section)
    if options.storage == "report":
        body = reporting(marks)
    else:
        body = handling(options.storage, marks, options.workers, options.rest)
    print(body)
    if options.write:
        write(section, body)


if __name__ == "__main__":
    main()
