"""One plugin as ``ganbench plugins NAME`` shows it."""

import re
import textwrap
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ganbench.config.fields import interval, type_name
from ganbench.config.text import flow, number
from ganbench.plugin import Registered, Search, search_ranges


def as_values(registered: Registered) -> dict[str, Any]:
    """Return everything that is known of a plugin as plain values."""
    cls = registered.cls
    values: dict[str, Any] = {
        "kind": registered.kind,
        "name": registered.name,
        "summary": registered.summary,
        "source": registered.source,
        "builtin": registered.builtin,
        "card": registered.card,
        "parameters": cls.Parameters.model_json_schema(),
        "search": {
            name: {"low": search.low, "high": search.high, "log": search.log}
            for name, search in search_ranges(cls.Parameters).items()
        },
    }
    if registered.kind == "trick":
        values["neutral"] = cls.neutral.model_dump(mode="json")
        values["stage"] = cls.stage.name.lower()
        for name in ("before", "after"):
            values[name] = list(getattr(cls, name))
        for name in ("conflicts", "requires"):
            values[name] = dict(getattr(cls, name))
        values["needs_targets"] = cls.needs_targets
        values["capturable"] = cls.capturable
    if registered.kind == "metric":
        values["figures"] = dict(cls.figures)
    return values


def print_card(registered: Registered, console: Console) -> None:
    """Print the method card, the parameters, and how the plugin sorts with others."""
    title = Text(registered.name, "bold").append(f"  {registered.kind}", "dim")
    console.print(title.append(f" · {registered.source}", "dim"), soft_wrap=True)
    console.print()
    width = min(console.width, 88)
    for line in _card_lines(registered.card, width):
        console.print(line, soft_wrap=True)
    console.print()
    fields = registered.cls.Parameters.model_fields
    if fields:
        console.print(_parameter_table(fields, search_ranges(registered.cls.Parameters)))
    else:
        console.print("It has no parameters.")
    for label, text in _facts(registered):
        body = textwrap.wrap(text, max(width - len(label) - 2, 30)) or [""]
        console.print(Text(f"{label}: ", "bold").append(body[0]), soft_wrap=True)
        for rest in body[1:]:
            console.print(Text(" " * (len(label) + 2) + rest), soft_wrap=True)


def _card_lines(card: str, width: int) -> list[Text]:
    """Return a docstring's paragraphs wrapped to the width, headings in bold."""
    lines: list[Text] = []
    for index, (indent, paragraph, heads) in enumerate(_paragraphs(card)):
        margin = " " * indent
        text = re.sub(r"``([^`]*)``", r"`\1`", paragraph)
        wrapped = textwrap.wrap(text, width, initial_indent=margin, subsequent_indent=margin)
        style = "bold" if heads or index == 0 else ""
        lines.extend(Text(line, style) for line in wrapped or [""])
    return lines


def _paragraphs(card: str) -> list[tuple[int, str, bool]]:
    """Return each paragraph's indent, its text on one line, and whether it is a heading.

    A heading is a line whose next line is indented deeper; an empty line stands alone.
    """
    found: list[tuple[int, str, bool]] = []
    lines = [*card.splitlines(), ""]
    open_indent = -1
    for line, following in pairwise(lines):
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        heads = bool(text) and len(following) - len(following.lstrip()) > indent
        if text and indent == open_indent and not text.startswith(("- ", "* ", ">>> ")):
            found[-1] = (indent, f"{found[-1][1]} {text}", False)
        else:
            found.append((indent, text, heads))
        open_indent = indent if text and not heads else -1
    return found


def _parameter_table(fields: Mapping[str, FieldInfo], searches: Mapping[str, Search]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("parameter", style="bold", no_wrap=True)
    columns = {
        "type": [type_name(field) for field in fields.values()],
        "range": [interval(field) for field in fields.values()],
        "default": [_default(field) for field in fields.values()],
        "search": [_search(searches.get(name)) for name in fields],
    }
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    for name, cells in shown.items():
        longest = max(len(word) for cell in cells for word in (cell.split() or [""]))
        table.add_column(name, no_wrap=name in ("range", "default"), min_width=longest)
    table.add_column("what it is", ratio=1)
    for index, (name, field) in enumerate(fields.items()):
        what = re.sub(r"``([^`]*)``", r"`\1`", " ".join((field.description or "").split()))
        table.add_row(name, *(Text(cells[index]) for cells in shown.values()), Text(what))
    return table


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(required)"
    default = field.get_default(call_default_factory=True, validated_data={})
    return flow(to_jsonable_python(default))


def _search(search: Search | None) -> str:
    if search is None:
        return ""
    return f"{number(search.low)} to {number(search.high)}" + (", log" if search.log else "")


def _facts(registered: Registered) -> list[tuple[str, str]]:
    cls = registered.cls
    if registered.kind == "metric":
        return [(f"figure {figure}", meaning) for figure, meaning in cls.figures.items()]
    if registered.kind == "objective":
        return [("uses targets", "yes" if cls.uses_targets else "no: label tricks are n/a")]
    if registered.kind != "trick":
        return []
    neutral = cls.neutral.model_dump(mode="json", exclude_defaults=True)
    facts = [
        ("neutral at", flow(neutral) if neutral else "its defaults"),
        ("stage", cls.stage.name.lower()),
    ]
    facts += [(name, ", ".join(getattr(cls, name))) for name in ("before", "after")]
    facts += [
        (f"{verb} {other}", reason)
        for verb, others in (("conflicts with", cls.conflicts), ("requires", cls.requires))
        for other, reason in others.items()
    ]
    if cls.needs_targets:
        facts.append(("needs targets", "n/a under an objective that has none"))
    if not cls.capturable:
        facts.append(("capturable", "no: the trial runs without compilation"))
    return [(label, text) for label, text in facts if text]
