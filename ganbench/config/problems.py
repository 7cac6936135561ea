"""What is wrong with a study file: collected, located, and told all at once."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ganbench.config.text import flow
from ganbench.plugin.errors import GanbenchError

Path = tuple[str | int, ...]
"""A key of the study: ``("seeds", 0)``; a factor's own dots stay inside one part."""

MOST_PLACES = 2
"""A key that has more is told none of them."""
SLIP = 0.85
"""So alike are a key and one with a letter too few; ``execution`` and ``evaluation`` are not."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes
    ----------
    path : tuple of str or int
        The key that it is about.
    text : str
        What is wrong, what was expected, what is close.
    at_key : bool
        Whether the key itself is wrong, rather than its value.
    """

    path: Path
    text: str
    at_key: bool = False


class StudyError(GanbenchError):
    """A study that cannot be run as it is written. Exit code 2.

    Parameters
    ----------
    problems : sequence of str
        One line each, ``file:line:column: dotted.path: what``.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(_one_line(problem) for problem in problems)
        super().__init__("\n".join(self.problems))


def _one_line(text: str) -> str:
    """Escape what would break the line, or be a command to the terminal."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def dotted(path: Path) -> str:
    """Return ``baseline.steps`` for ``("baseline", "steps")``."""
    return ".".join(str(part) for part in path)


def quote(value: Any, limit: int = 60) -> str:
    """Return a value as YAML would write it, on one line, shortened; text in quotes."""
    text = repr(value) if isinstance(value, str) else flow(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def closest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the known name most like ``name``, None if none is like it."""
    names = list(known)
    plain = {known.lower().replace("-", "_"): known for known in names}
    same = plain.get(name.lower().replace("-", "_"))
    if same is not None:
        return same
    found = difflib.get_close_matches(name, names, n=1, cutoff=likeness)
    return found[0] if found else None


def elsewhere(name: str, paths: Iterable[str]) -> str | None:
    """Return ``, did you mean 'a.x'?`` for an ``x`` that stands in the wrong place.

    None where no path ends so, or so many do that none is likely to be meant.
    """
    found = sorted({path for path in paths if path.rpartition(".")[2] == name})
    if not 0 < len(found) <= MOST_PLACES:
        return None
    return f", did you mean {' or '.join(map(repr, found))}?"


def suggest(name: Any, known: Iterable[str], limit: int = 12) -> str:
    """Return ``, did you mean 'x'?``, or the known names if none is close."""
    names = sorted(known)
    near = closest(name, names) if isinstance(name, str) else None
    if near is not None:
        return f", did you mean {near!r}?"
    if not names:
        return ", there are none"
    more = ", …" if len(names) > limit else ""
    return ", expected one of " + ", ".join(names[:limit]) + more
