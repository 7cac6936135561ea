"""What plugins show of their own: figures over seeds, and pictures with labels."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from PIL import Image

from ganbench.report.sheets import Sheet, encode, typical_seed
from ganbench.report.words import NOTHING, number
from ganbench.study.results import StudyResults

LABELS = "ganbench"
"""Key of the text inside a picture that holds its caption and labels, as JSON."""
WIDEST = 640
"""Width in CSS pixels that a picture is enlarged to, at most, by whole multiples."""
Row = tuple[str, ...]


@dataclass(frozen=True)
class OwnPicture:
    """A plugin's picture of one trial.

    Attributes
    ----------
    title : str
        Plugin, arm and seed.
    caption : str
    rows, columns : tuple of str
        Labels, one each; empty for none.
    sheet : Sheet
    """

    title: str
    caption: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    sheet: Sheet


def is_own(figure: str) -> bool:
    """Say whether a figure is a plugin's own, or of other weights than those scored."""
    return "." in figure


def own_figures(results: StudyResults) -> tuple[Row, ...]:
    """Return, for each arm and own figure, its distribution over seeds at the last step."""
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
                    arm.name,
                    name,
                    *map(number, numbers),
                    spread,
                    *map(number, extremes),
                    str(len(values)),
                )
            )
    return tuple(rows)


OWN_HEAD: Row = ("Arm", "Figure", "Median", "Mean", "SD", "Lowest", "Highest", "Seeds")


def own_pictures(results: StudyResults) -> tuple[OwnPicture, ...]:
    """Return the pictures of each arm's plugins, at the seed that is typical of the baseline."""
    seed = typical_seed(results)
    found = []
    for place, arm in enumerate(results.arms):
        trial = results.of_arm(arm.name).get(seed) if seed is not None else None
        for name, path in sorted(trial.pictures.items()) if trial is not None else ():
            picture = _read(path, f"own-{place:02d}-{name.replace('.', '-')}", name, arm.name)
            if picture is not None:
                found.append(picture)
    return tuple(found)


def _read(path: Path, file: str, name: str, arm: str) -> OwnPicture | None:
    """Read one picture; one that is broken must not cost the report."""
    try:
        with Image.open(path) as image:
            labels: dict[str, Any] = json.loads(image.info[LABELS])
            image.load()
            drawn = image.copy()
    except (OSError, KeyError, ValueError):
        return None
    scale = max(1, WIDEST // drawn.width)
    caption = str(labels.get("caption", ""))
    sheet = Sheet(
        name=file,
        caption=caption,
        alternative=f"{name} of {arm}: {caption}",
        picture=encode(drawn),
        width=drawn.width * scale,
        height=drawn.height * scale,
    )
    return OwnPicture(
        title=f"{arm}: {name}",
        caption=caption,
        rows=_texts(labels.get("rows")),
        columns=_texts(labels.get("columns")),
        sheet=sheet,
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, Sequence) else ()
