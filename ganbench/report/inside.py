"""What generators and discriminators have learned: the inspections' pictures, arm beside arm."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from ganbench.report.own import REASONS, Grid, OwnPicture, filled, picture_of, slug
from ganbench.report.sheets import typical_seed
from ganbench.study.results import ArmResult, StudyResults, TrialResult

BUDGET = 1_000_000
"""Bytes of all these pictures together."""
OPEN = 6
"""Pictures of an inspection that are to be seen at once; the rest are folded away."""


@dataclass(frozen=True)
class Inside:
    """What one inspection has to show.

    Attributes
    ----------
    title, note : str
        Of the inspection: what is to be seen, and how to read it.
    pictures : tuple of OwnPicture
        In the arms' order.
    missing : tuple of str
        Which arms have no picture, and why.
    """

    title: str
    note: str
    pictures: tuple[OwnPicture, ...]
    missing: tuple[str, ...]

    @property
    def rows(self) -> tuple[tuple[OwnPicture, ...], ...]:
        """The pictures in rows: one an arm, if any arm has several, or all in one."""
        arms: dict[str, list[OwnPicture]] = {}
        for picture in self.pictures:
            arms.setdefault(picture.arm, []).append(picture)
        if all(len(own) == 1 for own in arms.values()):
            return (self.pictures[:OPEN], self.pictures[OPEN:])
        return tuple(tuple(own) for own in arms.values())

    @property
    def open(self) -> tuple[tuple[OwnPicture, ...], ...]:
        """The first rows: those that begin within the first pictures."""
        starts = accumulate((len(row) for row in self.rows), initial=0)
        return tuple(row for row, start in zip(self.rows, starts, strict=False) if start < OPEN)

    @property
    def folded(self) -> tuple[tuple[OwnPicture, ...], ...]:
        """The other rows."""
        return tuple(row for row in self.rows[len(self.open) :] if row)


def inside_sections(results: StudyResults) -> tuple[Inside, ...]:
    """Return a section for each inspection, at the seed that is typical of the baseline.

    None where no inspection has a picture, and no reason that belongs to a trial.
    """
    seed = typical_seed(results)
    if seed is None:
        return ()
    shown: list[OwnPicture] = []
    grids: dict[int, Grid] = {}
    parts: list[tuple[str, slice, tuple[str, ...]]] = []
    for name in results.inspections:
        start, reasons = len(shown), dict[str, list[str]]()
        for place, arm in enumerate(results.arms):
            trial = results.of_arm(arm.name).get(seed)
            found = _pictures(trial, name, place, arm)
            for picture, grid in found:
                grids[len(shown)] = grid
                shown.append(picture)
            if not found and trial is not None:
                reasons.setdefault(_reason(trial, name), []).append(arm.name)
        missing = tuple(f"{', '.join(arms)}: {why}" for why, arms in reasons.items())
        parts.append((name, slice(start, len(shown)), missing))
    if not shown:
        return ()
    drawn = filled(shown, grids, BUDGET)
    return tuple(_section(results.inspections[name], drawn[at], why) for name, at, why in parts)


def _section(
    words: Mapping[str, str], pictures: tuple[OwnPicture, ...], missing: tuple[str, ...]
) -> Inside:
    left_out = words.get("left_out")
    return Inside(
        title=words["title"],
        note=words["note"],
        pictures=pictures,
        missing=(f"any arm: {left_out}",) if left_out else missing,
    )


def _pictures(
    trial: TrialResult | None, name: str, place: int, arm: ArmResult
) -> list[tuple[OwnPicture, Grid]]:
    """Return an arm's pictures of one inspection, with their pixels."""
    if trial is None:
        return []
    own = sorted(key for key in trial.inspected if key.partition(".")[0] == name)
    found = []
    for key in own:
        title = arm.name if len(own) == 1 else f"{arm.name}: {key.partition('.')[2]}"
        file = f"inside-{slug(name)}-{place:02d}-{slug(key.partition('.')[2])}"
        picture = picture_of(trial, key, trial.inspected, file, arm.name, title)
        if picture is not None:
            found.append(picture)
    return found


def _reason(trial: TrialResult, name: str) -> str:
    told = (trial.details or {}).get("not_shown") or {}
    return str(told.get(name) or REASONS[trial.outcome])
