"""Reports read back, from their ``results.json``, and two of them put side by side."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ganbench.config.problems import closest
from ganbench.evaluation.comparable import Difference, differences, stamp
from ganbench.plugin import GanbenchError

RESULTS = "results.json"
LEVEL = 0.95


@dataclass(frozen=True)
class Report:
    """What a comparison needs of a report.

    Attributes
    ----------
    folder : Path
    primary : str
        The figure that its verdicts are about.
    quick : bool
    protocol : mapping
    environment : mapping
    keys : mapping of str to str
        Each arm's hash of its configuration.
    figures : mapping of str to mapping of int to mapping of str to float
        Of each arm's complete trials: seed to the figures at the last step.
    diverged : mapping of str to int
        Each arm's diverged trials.
    pending : int
        Trials that have not ended.
    """

    folder: Path
    primary: str
    quick: bool
    protocol: Mapping[str, Any]
    environment: Mapping[str, Any]
    keys: Mapping[str, str]
    figures: Mapping[str, Mapping[int, Mapping[str, float]]]
    diverged: Mapping[str, int]
    pending: int


@dataclass(frozen=True)
class Side:
    """A figure of an arm in one of two reports.

    Attributes
    ----------
    mean : float
    deviation : float or None
        None of a single trial.
    trials : int
        Complete ones, that the mean is of.
    diverged : int
    """

    mean: float
    deviation: float | None
    trials: int
    diverged: int


@dataclass(frozen=True)
class Row:
    """A figure of an arm that two reports have.

    Attributes
    ----------
    arm : str
    first, second : Side
    relative : bool
        Whether change and interval are of logarithms turned back, as parts of the first's: so
        where all values are above 0. Else they are plain differences.
    change : float
        The second's less the first's.
    low, high : float or None
        Welch's interval at 95 %; None with fewer than two trials of either.
    same : bool
        Whether the configuration is the same.
    """

    arm: str
    first: Side
    second: Side
    relative: bool
    change: float
    low: float | None
    high: float | None
    same: bool


@dataclass(frozen=True)
class SideBySide:
    """Two reports.

    Attributes
    ----------
    figure : str
    stamps : tuple of str
        Hashes of both protocols.
    differences : tuple of Difference
        In what the protocols differ; if in anything, there are no rows.
    rows : tuple of Row
    others : tuple of str
        Arms that only one of them has.
    notes : tuple of str
    """

    figure: str
    stamps: tuple[str, str]
    differences: tuple[Difference, ...]
    rows: tuple[Row, ...]
    others: tuple[str, ...]
    notes: tuple[str, ...]


def is_report(folder: Path) -> bool:
    """Whether a folder holds a report, or the ledger of one."""
    return (folder / RESULTS).is_file() or (folder / "ledger" / "study.json").is_file()


def read_report(folder: Path) -> Report:
    """Read a report's results.

    Raises
    ------
    GanbenchError
        If it holds none, or something that ganbench did not write.
    """
    path = folder / RESULTS
    try:
        content = json.loads(path.read_text())
        trials = content["trials"]
        complete = [t for t in trials if t["outcome"] == "complete" and t["evaluations"]]
        arms = content["arms"]
        return Report(
            folder=folder,
            primary=content["study"]["evaluation"]["primary"],
            quick=content["quick"],
            protocol=content["protocol"],
            environment=content["environment"],
            keys={arm["name"]: arm["key"] for arm in arms if arm["key"] is not None},
            figures={
                arm["name"]: {
                    trial["seed"]: trial["evaluations"][-1]["figures"]
                    for trial in complete
                    if trial["arm"] == arm["name"]
                }
                for arm in arms
            },
            diverged={
                arm["name"]: sum(
                    trial["arm"] == arm["name"] and trial["outcome"] == "diverged"
                    for trial in trials
                )
                for arm in arms
            },
            pending=sum(trial["outcome"] == "pending" for trial in trials),
        )
    except FileNotFoundError:
        raise GanbenchError(
            f"{folder}: has no {RESULTS}; `ganbench report {folder}` writes it from the ledger"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GanbenchError(
            f"{path}: not the results of a report: {type(error).__name__}: {error}"
        ) from error


def put_side_by_side(first: Report, second: Report, figure: str | None = None) -> SideBySide:
    """Compare the arms that two reports have, if their protocols allow it.

    Parameters
    ----------
    first, second : Report
    figure : str, optional
        The first's primary figure if not given.

    Raises
    ------
    GanbenchError
        If no arm of both has the figure.
    """
    figure = figure or first.primary
    stamps = stamp(first.protocol), stamp(second.protocol)
    apart = tuple(differences(first.protocol, second.protocol))
    names = [name for name in first.keys if name in second.keys]
    others = tuple(name for name in [*first.keys, *second.keys] if name not in names)
    if apart:
        return SideBySide(figure, stamps, apart, (), others, _references(first, second))
    found = {name: _row(name, first, second, figure) for name in names}
    rows = [row for row in found.values() if row is not None]
    if not rows:
        known = sorted({key for arm in first.figures.values() for f in arm.values() for key in f})
        near = None if figure in known else closest(figure, known)
        hint = f", did you mean {near!r}?" if near else ""
        raise GanbenchError(
            f"no arm has {figure!r} in both reports{hint}; arms of both: "
            f"{', '.join(names) or 'none'}; "
            f"figures of {first.folder}: {', '.join(known) or 'none'}"
        )
    notes = [_left_out(name, first, second, figure) for name in names if found[name] is None]
    notes += _notes(first, second)
    return SideBySide(figure, stamps, (), tuple(rows), others, tuple(notes))


def _references(first: Report, second: Report) -> tuple[str, ...]:
    """Name the data behind two hashes, where they are other ones."""
    one, other = (report.protocol.get("reference", {}).get("name") for report in (first, second))
    return () if one == other else (f"the reference of A is {one}, that of B {other}",)


def _left_out(arm: str, first: Report, second: Report, figure: str) -> str:
    """Say why an arm that both have is in no row."""
    told = []
    for side, report in (("A", first), ("B", second)):
        if not _values(arm, report, figure):
            lost = report.diverged[arm]
            told.append(f"{side} has no {figure} of it" + (f", {lost} diverged" if lost else ""))
    return f"{arm} is left out: {'; '.join(told)}"


def _notes(first: Report, second: Report) -> list[str]:
    sides = (("A", first), ("B", second))
    notes = [
        f"{side} was made with --quick: its numbers mean nothing"
        for side, report in sides
        if report.quick
    ]
    notes += [
        f"{side} has not finished: {report.pending} of its trials have not ended"
        for side, report in sides
        if report.pending
    ]
    for key in ("ganbench", "torch", "devices"):
        one, other = first.environment.get(key), second.environment.get(key)
        if one != other:
            notes.append(f"{key}: A was trained with {one}, B with {other}")
    return notes


def _values(arm: str, report: Report, figure: str) -> list[float]:
    values = (figures.get(figure) for figures in report.figures[arm].values())
    return [value for value in values if isinstance(value, int | float)]


def _row(arm: str, first: Report, second: Report, figure: str) -> Row | None:
    values = [_values(arm, report, figure) for report in (first, second)]
    if not all(values):
        return None
    sides = [
        Side(mean(own), stdev(own) if len(own) > 1 else None, len(own), report.diverged[arm])
        for own, report in zip(values, (first, second), strict=True)
    ]
    relative = min(*values[0], *values[1]) > 0
    logs = [[log(value) for value in own] for own in values] if relative else values
    ends = [mean(logs[1]) - mean(logs[0]), *_interval(*logs)]
    change, low, high = (exp(end) - 1 if relative and end is not None else end for end in ends)
    if change is None:
        raise ValueError("a change of two means is always there")
    same = first.keys[arm] == second.keys[arm]
    return Row(arm, sides[0], sides[1], relative, change, low, high, same)


def _interval(first: Sequence[float], second: Sequence[float]) -> tuple[float | None, float | None]:
    """Return Welch's interval of the difference of two means; none without two values of each."""
    if min(len(first), len(second)) < 2:
        return None, None
    from scipy import stats  # takes long to import

    if len({*first}) == len({*second}) == 1:
        apart = second[0] - first[0]
        return apart, apart
    found = stats.ttest_ind(second, first, equal_var=False).confidence_interval(LEVEL)
    return float(found.low), float(found.high)
