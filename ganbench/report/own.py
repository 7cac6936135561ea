"""What plugins show of their own: figures over seeds, and pictures with labels."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from PIL import Image

from ganbench.report.sheets import Sheet, encode, typical_seed
from ganbench.report.words import NOTHING, number
from ganbench.study.results import StudyResults, TrialResult

LABELS = "ganbench"
"""Key of the text inside a picture that holds its caption and labels, as JSON."""
LARGEST = (720, 960)
"""Pixels across and down that a picture has at most; a larger one is reduced."""
SHOWN = (512, 600)
"""CSS pixels that a picture is brought to, by whole multiples, if it is smaller."""
COLUMN = 330
"""Pixels of a column of the page; a wider picture gets two, or its pixels would be lost."""
GUTTER = (88, 122, 176)
"""Colour between cells: a hue, for images are grey more often than not, and neither dark nor
light, to stand out from the page and from black and white cells alike."""
BUDGET = 400_000
"""Bytes of all pictures together: the page and the pictures beside it carry them once each."""
ROWS = (16, 8, 4, 2, 1)
"""Rows that are kept of each picture, until all together are small enough."""
REASONS: Mapping[str, str] = {
    "complete": "none was drawn",
    "diverged": "the trial diverged",
    "failed": "the trial failed",
    "pending": "the trial has not ended",
}
Row = tuple[str, ...]


@dataclass(frozen=True)
class OwnPicture:
    """A plugin's picture of one trial, or the reason that there is none.

    Attributes
    ----------
    arm : str
    title : str
        Arm, seed, plugin and picture.
    caption : str
        With what of the grid was left out; without a picture, why there is none.
    rows, columns : tuple of str
        Labels, one each; empty for none.
    sheet : Sheet or None
    wide : bool
        Whether it has more pixels across than a column of the page.
    """

    arm: str
    title: str
    caption: str
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    sheet: Sheet | None = None
    wide: bool = False


@dataclass(frozen=True)
class Grid:
    """A picture, its cells apart by ``gap`` pixels of ``GUTTER``.

    Attributes
    ----------
    image : Image
    gap : int
    caption : str
    rows, columns : tuple of str
    shape, whole : (int, int)
        Rows and columns that are here, and that the plugin drew.
    """

    image: Image.Image
    gap: int
    caption: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    shape: tuple[int, int]
    whole: tuple[int, int]

    def first_rows(self, most: int) -> "Grid":
        """Return the grid without its last rows."""
        rows, columns = self.shape
        if rows <= most:
            return self
        height = (self.image.height + self.gap) // rows * most - self.gap
        image = self.image.crop((0, 0, self.image.width, height))
        return replace(self, image=image, rows=self.rows[:most], shape=(most, columns))

    def reduced(self) -> Image.Image:
        """Return the image no larger than it may be shown."""
        image = self.image.copy()
        image.thumbnail(LARGEST, Image.Resampling.LANCZOS)
        return image

    def told(self) -> str:
        """Return the caption, with what was left out."""
        parts = [
            f"{here} of {all_} {kind}"
            for here, all_, kind in zip(self.shape, self.whole, ("rows", "columns"), strict=True)
            if here < all_
        ]
        caption = sentence(self.caption)
        return f"{caption} Shown: the first {' and '.join(parts)}." if parts else caption


def is_own(figure: str) -> bool:
    """Say whether a figure is a plugin's own, or of other weights than those scored.

    The host takes no metric whose figures have a dot in their names.
    """
    return "." in figure


def own_figures(results: StudyResults) -> tuple[Row, ...]:
    """Return, for each own figure and arm, its distribution over seeds at the last step.

    A figure's arms stand together, in the arms' order, to be compared.
    """
    rows = []
    for arm in results.arms:
        trials = results.of_arm(arm.name).values()
        ended = [t.evaluations[-1].figures for t in trials if t.outcome == "complete"]
        for name in sorted({key for figures in ended for key in figures if is_own(key)}):
            values = [figures[name] for figures in ended if name in figures]
            spread = number(stdev(values)) if len(values) > 1 else NOTHING
            numbers = (median(values), mean(values))
            extremes = (min(values), max(values))
            rows.append(
                (
                    name,
                    arm.name,
                    *map(number, numbers),
                    spread,
                    *map(number, extremes),
                    str(len(values)),
                )
            )
    return tuple(sorted(rows, key=lambda row: row[0]))


OWN_HEAD: Row = ("Figure", "Arm", "Median", "Mean", "SD", "Lowest", "Highest", "Seeds")


def own_notes(results: StudyResults, figures: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the meaning of each of these figures that has one, as ``trick.figure``.

    A figure of one pair among several, ``pair.trick.figure``, means the same in each.
    """
    shown = set(figures)
    return tuple(
        (name, note)
        for name, note in (results.metric_notes or {}).items()
        if is_own(name) and any(key == name or key.endswith(f".{name}") for key in shown)
    )


def picture_of(
    trial: TrialResult | None, name: str, paths: Mapping[str, Path], file: str, arm: str, title: str
) -> "tuple[OwnPicture, Grid] | None":
    """Return a picture of a trial yet without its pixels, and them; None if it has none."""
    grid = _read(paths[name]) if trial is not None and name in paths else None
    if trial is None or grid is None:
        return None
    text = f"{name} of {arm}, seed {trial.seed}: {grid.caption}"
    return OwnPicture(arm, title, "", sheet=Sheet(file, grid.caption, text)), grid


def own_pictures(results: StudyResults) -> tuple[OwnPicture, ...]:
    """Return the pictures of each arm's plugins, at the seed that is typical of the baseline.

    An arm that has a picture at another seed, but not at that one, gets the reason instead.
    """
    seed = typical_seed(results)
    shown: list[OwnPicture] = []
    grids: dict[int, Grid] = {}
    for place, arm in enumerate(results.arms):
        trials = results.of_arm(arm.name)
        names = sorted({name for each in trials.values() for name in each.pictures})
        if seed is None:
            if names:
                caption = "Not shown: no seed of the baseline has ended."
                shown.append(OwnPicture(arm.name, f"{arm.name}: {', '.join(names)}", caption))
            continue
        trial, missing = trials.get(seed), []
        paths = trial.pictures if trial else {}
        for index, name in enumerate(names):
            # The place makes it one file's name, whatever the names have in common.
            file = f"own-{place:02d}-{index:02d}-{slug(name)}"
            found = picture_of(trial, name, paths, file, arm.name, _title(arm.name, seed, name))
            if found is None:
                missing.append(name)
                continue
            grids[len(shown)] = found[1]
            shown.append(found[0])
        if missing:
            caption = f"No picture of {', '.join(missing)}: {_reason(trial, missing)}."
            shown.append(OwnPicture(arm.name, f"{arm.name}, seed {seed}", caption))
    return filled(shown, grids)


def slug(name: str) -> str:
    """Return a picture's name as part of a file's."""
    return re.sub("[^a-z0-9]+", "-", name.lower())


def sentence(text: str) -> str:
    """Return a text with a stop at its end."""
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?", "…")) else f"{text}."


def _title(arm: str, seed: int, name: str) -> str:
    """Say arm, seed, plugin and picture, of ``plugin.picture`` or ``pair.plugin.picture``."""
    parts = name.rsplit(".", 2)
    pair = f" ({parts[0]})" if len(parts) == 3 else ""
    plugin = "".join(f"{each}, " for each in parts[-2:-1] if each != arm)
    return f"{arm}, seed {seed}: {plugin}{parts[-1]}{pair}"


def _reason(trial: TrialResult | None, missing: Sequence[str]) -> str:
    if trial is None:
        return REASONS["pending"]
    if any(name in trial.pictures for name in missing):
        return "the file cannot be read"
    return REASONS[trial.outcome]


def filled(
    shown: Sequence[OwnPicture], grids: Mapping[int, Grid], budget: int = BUDGET
) -> tuple[OwnPicture, ...]:
    """Put pictures and labels in place: all of the rows, or fewer while they are too large."""
    cut = dict(grids)
    drawn = {index: encode(grid.reduced()) for index, grid in cut.items()}
    for most in ROWS:
        if sum(map(len, drawn.values())) <= budget:
            break
        cut = {index: grid.first_rows(most) for index, grid in grids.items()}
        drawn = {index: encode(grid.reduced()) for index, grid in cut.items()}
    left, found = budget, list[OwnPicture]()
    for index, own in enumerate(shown):
        if own.sheet is None:
            found.append(own)
        elif len(drawn[index]) > left:
            caption = f"Left out: all pictures together are larger than {budget:,} bytes."
            found.append(OwnPicture(own.arm, own.title, caption))
        else:
            left -= len(drawn[index])
            found.append(_fill(own, own.sheet, cut[index], drawn[index]))
    return tuple(found)


def _fill(own: OwnPicture, sheet: Sheet, grid: Grid, picture: bytes) -> OwnPicture:
    width, height = grid.reduced().size
    scale = max(1, min(SHOWN[0] // width, SHOWN[1] // height))
    return replace(
        own,
        caption=grid.told(),
        rows=grid.rows,
        columns=grid.columns,
        sheet=replace(sheet, picture=picture, width=width * scale, height=height * scale),
        wide=width > COLUMN,
    )


def _read(path: Path) -> Grid | None:
    """Read one picture; one that is broken must not cost the report."""
    try:
        with Image.open(path) as image:
            labels: dict[str, Any] = json.loads(image.info[LABELS])
            drawn = image.convert("RGB")
        rows, columns = labels["grid"]
        all_rows, all_columns = labels["whole"]
        spaced, gap = _spaced(drawn, int(rows), int(columns))
        return Grid(
            image=spaced,
            gap=gap,
            caption=str(labels["caption"]),
            rows=tuple(map(str, labels["rows"])),
            columns=tuple(map(str, labels["columns"])),
            shape=(int(rows), int(columns)),
            whole=(int(all_rows), int(all_columns)),
        )
    except (OSError, KeyError, ValueError, TypeError, ZeroDivisionError):
        return None


def _spaced(drawn: Image.Image, rows: int, columns: int) -> tuple[Image.Image, int]:
    """Return a picture with gutters that stand out, and their width in pixels.

    They are as wide, for the size of a cell, as those of a sheet of samples.

    Parameters
    ----------
    drawn : Image
        Its cells one pixel apart.
    rows, columns : int, at least 1
    """
    width, height = (drawn.width + 1) // columns - 1, (drawn.height + 1) // rows - 1
    gap = max(1, width // 16)
    size = (columns * (width + gap) - gap, rows * (height + gap) - gap)
    spaced = Image.new("RGB", size, GUTTER)
    for row in range(rows):
        for column in range(columns):
            x, y = column * (width + 1), row * (height + 1)
            cell = drawn.crop((x, y, x + width, y + height))
            spaced.paste(cell, (column * (width + gap), row * (height + gap)))
    return spaced, gap
