"""Sample sheets: which seeds are shown, and pictures small enough to be carried around."""

import io
import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from ganbench.report.words import number
from ganbench.study.results import StudyResults, TrialResult

TILES = 8
"""Tiles along each side of a sheet as the worker writes it."""
CROPS = ((8, 8), (4, 8), (4, 4), (2, 4), (2, 2))
"""Rows and columns of tiles to keep, until all sheets together are small enough."""
BUDGET = 700_000
"""Bytes of all sheets together: the page and the pictures beside it carry them once each."""
SHOWN = 256
"""Width in CSS pixels that a sheet is brought to, by whole multiples."""


@dataclass(frozen=True)
class Sheet:
    """One picture of samples, or the reason that there is none.

    Attributes
    ----------
    name : str
        Of its file, without suffix.
    caption : str
    alternative : str
        What it shows, for those who do not see it.
    picture : bytes or None
        PNG at native resolution.
    width, height : int
        At which it is shown, in CSS pixels.
    smooth : bool
        Whether it is a plot, to be scaled as one, and not pixels to be seen one by one.
    """

    name: str
    caption: str
    alternative: str
    picture: bytes | None = None
    width: int = 0
    height: int = 0
    smooth: bool = False

    @property
    def address(self) -> str:
        """The picture as a ``data:`` address."""
        return "data:image/png;base64," + b64encode(self.picture or b"").decode()

    def enlarged(self) -> bytes:
        """Return a PNG in which each pixel is a square: Markdown cannot ask for that.

        Of a plot, the plot.
        """
        if self.smooth:
            return self.picture or b""
        with Image.open(io.BytesIO(self.picture or b"")) as image:
            return encode(image.resize((self.width, self.height), Image.Resampling.NEAREST))


@dataclass(frozen=True)
class SheetRow:
    """An arm's sheets: the seed that is typical of the baseline, and the arm's worst."""

    title: str
    note: str
    sheets: tuple[Sheet, ...]


def typical_seed(results: StudyResults) -> int | None:
    """Return the seed whose baseline ends at the median, the lower of two; None without any.

    A trial whose figure is undefined at its end ranks last, as it does in verdicts.
    """
    finals = sorted(
        (_rank(trial, results.primary), trial.seed)
        for trial in results.of_arm(results.arms[0].name).values()
        if trial.outcome == "complete" and trial.samples is not None
    )
    return finals[(len(finals) - 1) // 2][1] if finals else None


def worst_trial(trials: Sequence[TrialResult], primary: str) -> TrialResult | None:
    """Return the complete trial that ends highest, or undefined, among those with samples."""
    ended = [t for t in trials if t.outcome == "complete" and t.samples is not None]
    return max(ended, key=lambda trial: (_rank(trial, primary), -trial.seed), default=None)


def _rank(trial: TrialResult, primary: str) -> float:
    final = trial.final(primary)
    return math.inf if final is None else final


def sheet_rows(results: StudyResults, label: str) -> tuple[SheetRow, ...]:
    """Return the data's sheet, then each arm's, cropped alike until they fit ``BUDGET``."""
    seed = typical_seed(results)
    rows: list[SheetRow] = []
    if results.data_samples is not None:
        data = Sheet("samples-data", "real data", "Items of the data")
        rows.append(SheetRow("The data", "what the generator is to imitate", (data,)))
    paths: dict[str, Path | None] = {"samples-data": results.data_samples}
    for place, arm in enumerate(results.arms):
        trials = results.of_arm(arm.name)
        shown = [trials[seed]] if seed is not None and seed in trials else []
        worst = worst_trial(list(trials.values()), results.primary)
        if worst is not None and worst not in shown:
            shown.append(worst)
        if not shown:
            continue
        sheets = []
        for trial in shown:
            name = f"samples-{place:02d}-seed-{trial.seed}"
            paths[name] = trial.samples
            sheets.append(
                _describe(trial, name, label, results.primary, _kind(trial, shown, worst))
            )
        lost = [str(t.seed) for t in trials.values() if t.outcome == "diverged"]
        note = f"diverged, nothing to show: seed {', '.join(lost)}" if lost else ""
        if arm.is_again:
            note = "; ".join(["other latents than the other arms'", *filter(None, [note])])
        rows.append(SheetRow(arm.name, note, tuple(sheets)))
    pictures = _load({name: path for name, path in paths.items() if path and path.is_file()})
    if not any(sheet.name in pictures for row in rows for sheet in row.sheets):
        return ()
    fitting = _fit(pictures, results.are_images)
    return tuple(
        replace(
            row, sheets=tuple(_fill(sheet, fitting, results.are_images) for sheet in row.sheets)
        )
        for row in rows
    )


def _kind(trial: TrialResult, shown: Sequence[TrialResult], worst: TrialResult | None) -> str:
    """Say which of its arm's seeds a sheet shows."""
    if trial is not worst:
        return "seed"
    return "worst seed" if len(shown) > 1 else "also its worst: seed"


def _describe(trial: TrialResult, name: str, label: str, primary: str, kind: str) -> Sheet:
    final = trial.final(primary)
    state = f"{label} {number(final)}" if final is not None else trial.outcome
    if final is None and trial.outcome == "complete":
        state = f"{label} undefined"
    caption = f"{kind} {trial.seed} · {state}"
    if trial.samples is None and trial.error:
        caption += f" · {trial.error}"
    return Sheet(name, caption, f"Samples of {trial.arm}, seed {trial.seed}, {state}")


def _fill(sheet: Sheet, pictures: dict[str, Image.Image], tiled: bool) -> Sheet:
    image = pictures.get(sheet.name)
    if image is None:
        return sheet
    scale = max(1, SHOWN // image.width) if tiled else SHOWN / image.width
    return replace(
        sheet,
        picture=encode(image),
        width=round(image.width * scale),
        height=round(image.height * scale),
        smooth=not tiled,
    )


def _load(paths: dict[str, Path]) -> dict[str, Image.Image]:
    loaded = {}
    for name, path in paths.items():
        try:
            with Image.open(path) as image:
                loaded[name] = image.convert("L" if image.mode in ("1", "L") else "RGB")
        except OSError:
            # One broken picture must not cost the report; its place says that it is missing.
            continue
    return loaded


def _fit(pictures: dict[str, Image.Image], tiled: bool) -> dict[str, Image.Image]:
    """Return the pictures, with fewer tiles while they are too large together."""
    if not tiled:
        return pictures
    cut = pictures
    for rows, columns in CROPS:
        cut = {name: _space(image, rows, columns) for name, image in pictures.items()}
        if sum(len(encode(image)) for image in cut.values()) <= BUDGET:
            break
    return cut


def _space(sheet: Image.Image, rows: int, columns: int) -> Image.Image:
    """Return the first tiles of a sheet with gaps between them, or small images run together."""
    width, height = sheet.width // TILES, sheet.height // TILES
    gap = max(1, width // 16)
    size = (columns * (width + gap) - gap, rows * (height + gap) - gap)
    # Half a grey stands out from black and from white, on light paper and on dark.
    spaced = Image.new("LA" if sheet.mode == "L" else "RGBA", size, _gap(sheet.mode))
    for row in range(rows):
        for column in range(columns):
            x, y = column * width, row * height
            tile = sheet.crop((x, y, x + width, y + height))
            spaced.paste(tile, (column * (width + gap), row * (height + gap)))
    return spaced


def _gap(mode: str) -> tuple[int, ...]:
    return (128, 110) if mode == "L" else (128, 128, 128, 110)


def encode(image: Image.Image) -> bytes:
    """Return an image as a PNG: the smallest would take seven times as long, and be 6 % smaller."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
