"""A resolved study as the lines of a study file, each with its origin."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ganbench.config.problems import Path, dotted
from ganbench.config.text import flow, scalar

WIDTH = 80


@dataclass(frozen=True)
class Line:
    """One line of YAML.

    Attributes
    ----------
    indent : str
        Spaces, and the dash of a list's item.
    key : str
        ``name:``, or nothing in an item of a list.
    value : str
    origin : str
        Nothing where the line has no value of its own.
    """

    indent: str
    key: str
    value: str
    origin: str

    @property
    def text(self) -> str:
        """The line without its origin."""
        return self.indent + " ".join(part for part in (self.key, self.value) if part)


def listing(resolved: Mapping[str, Any], origins: Mapping[str, str]) -> list[Line]:
    """Return the lines of a study file that loads to the same study.

    Parameters
    ----------
    resolved : mapping
        As ``LoadedStudy.resolved``.
    origins : mapping of str to str
        As ``LoadedStudy.origins``.
    """
    return list(_mapping(resolved, origins, (), "", ""))


def comment_column(lines: list[Line]) -> int:
    """Return the column of the origins at which most lines fit in 80."""
    commented = [line for line in lines if line.origin]
    room = WIDTH - max((len(line.origin) for line in commented), default=0) - 2
    widths = [len(line.text) + 2 for line in commented]
    return max((width for width in widths if width <= room), default=min(widths, default=0))


def _mapping(
    value: Mapping[str, Any], origins: Mapping[str, str], at: Path, first: str, rest: str
) -> Iterator[Line]:
    indent = first
    for key, item in value.items():
        yield from _entry(key, item, origins, (*at, key), indent, rest)
        indent = rest


def _entry(
    key: str, item: Any, origins: Mapping[str, str], at: Path, first: str, rest: str
) -> Iterator[Line]:
    name, origin = f"{scalar(key)}:", origins.get(dotted(at), "")
    short = _short(item, at, origins)
    if short is not None:
        if isinstance(item, str) and len(first) + len(name) + len(short) >= WIDTH and _folds(item):
            yield Line(first, name, ">-", origin)
            for text in textwrap.wrap(item, WIDTH - len(rest) - 2, break_long_words=False):
                yield Line(f"{rest}  ", "", text, "")
        else:
            yield Line(first, name, short, origin)
        return
    yield Line(first, name, "", "")
    if isinstance(item, dict):
        yield from _mapping(item, origins, at, f"{rest}  ", f"{rest}  ")
        return
    for index, part in enumerate(item):
        here = (*at, index)
        short = _short(part, here, origins)
        if short is not None:
            yield Line(f"{rest}  - ", "", short, origins.get(dotted(here), ""))
        else:
            yield from _mapping(part, origins, here, f"{rest}  - ", f"{rest}    ")


def _short(value: Any, at: Path, origins: Mapping[str, str]) -> str | None:
    """Return the value on one line, where it has one origin."""
    if at == ("seeds",) and value == list(range(len(value))):
        return str(len(value))
    if at == ("seeds",) and isinstance(value, dict):
        return flow(value)
    if isinstance(value, dict) and list(value) == ["name"] and _is_component(at):
        return scalar(value["name"])
    if isinstance(value, dict):
        return None if value else "{}"
    if isinstance(value, list) and value:
        here = {origins.get(dotted((*at, index))) for index in range(len(value))}
        plain = not any(isinstance(item, dict | list) for item in value)
        return flow(value) if plain and len(here) == 1 else None
    return flow(value)


def _is_component(at: Path) -> bool:
    return at[-1] in ("dataset", "architecture", "objective", "extractor") or (
        at[:-1] in (("evaluation", "metrics"), ("evaluation", "inspections"))
    )


def _folds(text: str) -> bool:
    """Return whether YAML's folded style keeps the text as it is."""
    return text == " ".join(text.split()) and text.isprintable()
