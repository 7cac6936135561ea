"""Writes a report's folder: a page, Markdown with pictures, and tables for programs."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from ganbench.plugin import GanbenchError
from ganbench.report.content import Content, Section, content_of
from ganbench.report.machine import to_arms_csv, to_csv, to_json
from ganbench.report.markdown import collapse_figure, curves_figure, to_markdown
from ganbench.report.page import to_page
from ganbench.study.effects import effects_of
from ganbench.study.exploratory import explore
from ganbench.study.importing import import_quickly
from ganbench.study.results import StudyResults
from ganbench.study.statistics import compare

PICTURES = "figures"
"""Folder, inside the report's, that holds nothing but its pictures."""


class ReportError(GanbenchError):
    """A report that cannot be written; what it reports on is in the ledger all the same."""


def prepare_report() -> None:
    """Import what a report takes longest for: while others work, say."""
    import_quickly("scipy.stats")


def write_report(results: StudyResults, folder: Path, sections: Sequence[Section] = ()) -> Path:
    """Write the page, the Markdown with its ``figures/``, and the tables for programs.

    They are ``index.html``, ``report.md``, ``results.csv``, ``arms.csv``, ``results.json``.

    Each file is replaced whole, the page last; equal results give equal bytes. Pictures of an
    earlier report that this one does not have are removed from ``figures/``.

    Parameters
    ----------
    results : StudyResults
        Of a whole study, or as far as it has run.
    folder : Path
        Made if need be.
    sections : sequence of (title, Markdown text)
        What plugins add.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    ReportError
        If the folder cannot be written to.
    """
    prepare_report()
    comparisons = compare(results)
    explorations = explore(results, comparisons)
    effects = effects_of(results)
    second = results.retuned()
    retuned = compare(second) if second is not None else ()
    content = content_of(results, comparisons, explorations, effects, retuned, sections)
    try:
        tables = {
            "results.csv": to_csv(results),
            "arms.csv": to_arms_csv(comparisons, explorations),
            "results.json": to_json(results, comparisons, explorations, effects, retuned),
        }
        return _write(content, tables, folder)
    except OSError as error:
        raise ReportError(
            f"the report cannot be written to {folder}: {error.strerror or error}"
            f"{f' ({error.filename})' if error.filename else ''}; the results are safe in the "
            f"ledger, and `ganbench report {folder}` writes the report once that is mended"
        ) from error


def _write(content: Content, tables: Mapping[str, str], folder: Path) -> Path:
    pictures = folder / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    made = _pictures(content)
    for name, data in made.items():
        _replace(pictures / name, data)
    for old in sorted(pictures.iterdir()):
        if old.suffix in (".svg", ".png") and old.name not in made:
            old.unlink()
    for name, text in tables.items():
        _replace(folder / name, text.encode())
    _replace(folder / "report.md", to_markdown(content, PICTURES).encode())
    page = folder / "index.html"
    _replace(page, to_page(content).encode())
    return page


def _pictures(content: Content) -> dict[str, bytes]:
    """Return the pictures that the Markdown shows, by file name."""
    figures = [
        content.forest,
        curves_figure(content, "steps"),
        curves_figure(content, "seconds"),
        collapse_figure(content),
    ]
    if content.effects is not None:
        figures += [content.effects.forest, content.effects.map]
    if content.tuning is not None:
        figures += content.tuning.pictures().values()
    made = {f"{figure.name}.svg": figure.standalone().encode() for figure in figures if figure}
    for row in content.sheets:
        for sheet in row.sheets:
            if sheet.picture is not None:
                made[f"{sheet.name}.png"] = sheet.enlarged()
    inside = [picture for part in content.inside for picture in part.pictures]
    for own in (*content.own_pictures, *inside):
        if own.sheet is not None:
            made[f"{own.sheet.name}.png"] = own.sheet.enlarged()
    return made


def _replace(path: Path, data: bytes) -> None:
    """Put a file in place whole: who reads it sees the old one or the new one."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            file.close()
            temporary.unlink(missing_ok=True)
            raise
    # A temporary file is its owner's alone; a report is to be read.
    temporary.chmod(0o644)
    temporary.replace(path)
