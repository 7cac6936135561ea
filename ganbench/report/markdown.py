"""The report as Markdown, with its pictures beside it."""

import re
from collections.abc import Sequence

from ganbench.report.content import Content
from ganbench.report.effects import EffectsSection
from ganbench.report.guide import (
    BANNER,
    CURVES_NOTE,
    EARLY_NOTE,
    EXPLORATORY_NOTE,
    INSIDE_NOTE,
    MORE_NOTE,
    OWN_NOTE,
    PRECEDENCE_NOTE,
    SIGNS_NOTE,
)
from ganbench.report.own import OwnPicture
from ganbench.report.sheets import Sheet
from ganbench.report.signs import EarlySection, Seen
from ganbench.report.svg import Figure, group, tiled
from ganbench.report.table import Table
from ganbench.report.timeline import legend
from ganbench.report.tuning import HISTORY_NOTE, IMPORTANCES_NOTE, TuningSection


def curves_figure(content: Content, axis: str) -> Figure | None:
    """Return all panels of curves in one picture."""
    panels = content.over_steps if axis == "steps" else content.over_seconds
    if not panels:
        return None
    return tiled(f"curves-{axis}", f"{content.primary} over {axis}", panels, 3, 24)


def collapse_figure(content: Content) -> Figure | None:
    """Return all timelines, and their key, in one picture."""
    if not content.timelines:
        return None
    panels = tiled("collapse", "State over training", content.timelines, 3, 24)
    key, x = [], 24.0
    for entry in legend():
        key.append(group(x, 12, entry.body))
        x += entry.width + 20
    return Figure(
        panels.name,
        panels.title,
        panels.description,
        max(panels.width, x),
        panels.height + 30,
        "".join(key) + group(0, 30, panels.body),
    )


def to_markdown(content: Content, pictures: str) -> str:
    """Return the report as Markdown; ``pictures`` is the folder of its pictures."""
    parts = [f"# {escape(content.question)}", f"*{escape(content.setting)}*"]
    if content.quick:
        parts.append(f"> **Quick run.** {BANNER}")
    if content.progress:
        parts.append(f"> **Not finished.** {escape(content.progress)}")
    parts.append(f"**{escape(content.answer)}**")
    if content.strength:
        parts.append(escape(content.strength))
    parts += ["## Verdicts", escape(content.baseline), escape(content.measured)]
    parts += [f"> **Warning.** {escape(warning)}." for warning in content.warnings]
    parts += [_verdicts(content), *(escape(note) for note in content.cost_notes)]
    parts += _reasons(content)
    parts += [content.left_out] if content.left_out else []
    if content.more is not None:
        parts += [
            "### More figures",
            escape(MORE_NOTE.format(reference=content.reference)),
            _table(content.more),
        ]
    if content.forest is not None:
        parts += ["## Effect of each arm", _picture(content.forest, pictures), content.forest_note]
    if content.effects is not None:
        parts += _effects(content.effects, pictures)
    if content.tuning is not None:
        parts += _tuning(content.tuning, pictures)
    parts += _curves(content, pictures)
    if content.sheets:
        parts += [
            "## Samples",
            content.sheets_note,
            *_samples(content, pictures),
        ]
    parts += _inside(content, pictures)
    parts += _own(content, pictures)
    parts += _collapse(content, pictures)
    parts += ["## Cost", _table(content.cost), *(escape(note) for note in content.cost_notes)]
    parts += [f"The whole study took {content.wall} of wall time."]
    parts.append("## Failed, diverged and skipped")
    parts.append(_table(content.troubles) if content.troubles else "None.")
    for title, text in content.sections:
        parts += [f"## {escape(title)}", text.strip()]
    parts += ["## How to read this"]
    parts += [f"- **{escape(term)}.** {escape(meaning)}" for term, meaning in content.glossary]
    parts += ["## Protocol", _table(Table(("Key", "Value"), content.protocol, 2))]
    if content.makeup:
        parts += ["## What each arm is made of", _table(content.makeup)]
    parts += ["## Versions and hardware", _table(Table(("Key", "Value"), content.environment, 2))]
    parts += ["## The study, resolved", _fence(_study(content.study), "yaml")]
    parts += ["## Run it again", _fence(content.command, "sh")]
    return _spaced(parts)


def escape(text: str) -> str:
    """Return text that Markdown, and the HTML within it, takes literally."""
    text = re.sub(r"[ \t\r\n]+", " ", text).strip()
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*\[\]|~#])", r"\\\1", text)
    # Inside a word an underscore means nothing.
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)


def _verdicts(content: Content) -> str:
    head = (
        *("Arm", "Verdict", f"Δ {content.primary}", content.interval, "p", "p Holm"),
        *(f"Final {content.primary}", "Collapsed", "Diverged", "Cost", "Seeds"),
    )
    rows = tuple(
        (
            f"{row.arm} ({row.changes})" if row.changes else row.arm,
            f"{row.symbol} {row.verdict}",
            *(row.change, row.interval, row.p, row.p_holm, row.final, row.collapsed),
            *(row.diverged, row.cost, row.seeds),
        )
        for row in content.rows
    )
    return _table(Table(head, rows, 2))


def _reasons(content: Content) -> list[str]:
    return [
        f"- **{escape(row.arm)}**"
        f"{'' if row.is_reference else f' {row.verdict}'}: {escape(row.note)}."
        for row in content.rows
        if row.note
    ]


def _effects(section: EffectsSection, pictures: str) -> list[str]:
    parts = ["## Effects and interactions", escape(section.design)]
    if section.mains is not None:
        parts.append(escape(" ".join(section.notes)))
        parts += [_picture(section.forest, pictures)] if section.forest else []
        parts.append(_table(section.mains))
    if section.interactions is not None:
        parts += ["### Interactions", escape(" ".join(section.interaction_notes))]
        parts += [_picture(section.map, pictures)] if section.map else []
        parts.append(_table(section.interactions))
    return parts


def _tuning(section: TuningSection, pictures: str) -> list[str]:
    shown = section.pictures()
    parts = [f"## {section.title}", *(escape(note) for note in section.notes)]
    if section.readings is not None:
        parts.append(_table(section.readings))
        parts += [
            f"- **{escape(arm)}** {verdict}: {escape(note)}."
            for arm, verdict, note in section.reasons
        ]
    parts += [_picture(shown["forest"], pictures)] if "forest" in shown else []
    parts += ["### What was tried", _table(section.searches)]
    parts += [_table(section.chosen)] if section.chosen else []
    if section.front is not None:
        parts += [escape(section.front_note), _table(section.front)]
    if "history" in shown:
        parts += [HISTORY_NOTE, _picture(shown["history"], pictures)]
    if "budget" in shown:
        parts += ["### What a budget buys", section.budget_note]
        parts.append(_picture(shown["budget"], pictures))
    parts += ["### What mattered"]
    parts += [IMPORTANCES_NOTE, _table(section.importances)] if section.importances else []
    return parts + [escape(text) for text in section.unimportant]


def _curves(content: Content, pictures: str) -> list[str]:
    steps, seconds = curves_figure(content, "steps"), curves_figure(content, "seconds")
    if steps is None or seconds is None:
        return []
    parts = [f"## {content.primary} over training", CURVES_NOTE.format(reference=content.reference)]
    parts += [_picture(steps, pictures), "Against training time:", _picture(seconds, pictures)]
    if content.exploratory:
        parts += [EXPLORATORY_NOTE.format(reference=content.reference), _table(content.exploratory)]
    return parts


def _samples(content: Content, pictures: str) -> list[str]:
    parts = []
    for row in content.sheets:
        note = f" ({escape(row.note)})" if row.note else ""
        parts.append(f"**{escape(row.title)}**{note}")
        cells = [_sheet(sheet, pictures) for sheet in row.sheets]
        captions = [escape(sheet.caption) for sheet in row.sheets]
        parts.append(
            "\n".join(
                [_line(captions), _line([":---"] * len(captions)), _line(cells)],
            )
        )
    return parts


def _sheet(sheet: Sheet, pictures: str) -> str:
    if sheet.picture is None:
        return "no picture"
    return f"![{escape(sheet.alternative)}]({pictures}/{sheet.name}.png)"


def _inside(content: Content, pictures: str) -> list[str]:
    if not content.inside:
        return []
    note = INSIDE_NOTE.format(reference=content.reference, seed=content.inside_seed)
    parts = ["## Looking inside", note]
    for part in content.inside:
        parts += [f"### {escape(part.title)}", part.note]
        for picture in part.pictures:
            parts += _labelled(picture, pictures)
        if part.missing:
            parts.append(f"No picture of {escape('; of '.join(part.missing))}.")
    return parts


def _labelled(own: OwnPicture, pictures: str) -> list[str]:
    labels = [
        f"{kind}: {escape(' · '.join(texts))}."
        for kind, texts in (("Rows", own.rows), ("Columns", own.columns))
        if texts
    ]
    shown = [_sheet(own.sheet, pictures)] if own.sheet is not None else []
    return [f"**{escape(own.title)}**", *shown, " ".join([escape(own.caption), *labels])]


def _own(content: Content, pictures: str) -> list[str]:
    if not (content.own_pictures or content.own_figures):
        return []
    parts = ["## What the plugins show", OWN_NOTE.format(reference=content.reference)]
    for own in content.own_pictures:
        parts += _labelled(own, pictures)
    if content.own_figures:
        parts.append(_table(content.own_figures))
        parts += [f"- **{escape(name)}**: {escape(text)}" for name, text in content.own_notes]
    return parts


def _collapse(content: Content, pictures: str) -> list[str]:
    figure = collapse_figure(content)
    parts = []
    if figure is not None:
        parts += ["## Collapse", *(f"- {escape(rule)}" for rule in content.collapse_rules)]
        parts.append(_picture(figure, pictures))
        if content.signs is not None:
            parts += [SIGNS_NOTE, *_seen(content.signs)]
    if content.figures is not None:
        parts += ["Other figures at the last step, medians over seeds:", _table(content.figures)]
        parts += [f"- **{escape(name)}**: {escape(text)}" for name, text in content.figure_notes]
    if content.early is not None:
        parts += _early(content.early)
    return parts


def _early(section: EarlySection) -> list[str]:
    parts = ["### Early warnings", EARLY_NOTE, *(f"- {escape(rule)}" for rule in section.rules)]
    parts += [section.missing] if section.missing else []
    parts += _seen(section.seen) if section.seen else ["None was seen."]
    parts += [PRECEDENCE_NOTE, _table(section.before)] if section.before else []
    return parts


def _seen(seen: Seen) -> list[str]:
    return [
        _table(seen.table),
        *(f"- **{escape(sign)}**: {escape(text)}" for sign, text in seen.meanings),
    ]


def _picture(figure: Figure, pictures: str) -> str:
    return f"![{escape(figure.title)}]({pictures}/{figure.name}.svg)"


def _table(table: Table) -> str:
    marks = [":---" if place < table.words else "---:" for place in range(len(table.head))]
    rows = [_line([escape(cell) for cell in row]) for row in table.rows]
    return "\n".join([_line([escape(cell) for cell in table.head]), _line(marks), *rows])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _study(lines: Sequence[tuple[str, str]]) -> str:
    width = min(60, max((len(line) for line, origin in lines if origin), default=0))
    return "\n".join(f"{line:<{width}}  # {origin}" if origin else line for line, origin in lines)


def _fence(text: str, language: str) -> str:
    """Return a code block whose fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _spaced(parts: Sequence[str]) -> str:
    """Join blocks with blank lines between, but not between the items of a list."""
    text = ""
    for before, part in zip(["", *parts], parts, strict=False):
        both = before.startswith("- ") and part.startswith("- ")
        text += ("" if not before else "\n" if both else "\n\n") + part
    return text + "\n"
