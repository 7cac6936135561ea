"""From a path to a validated study: the one way in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from ganbench.config.check import check_study
from ganbench.config.marks import DEFAULT, Mark, Node, plain, walk
from ganbench.config.model import Study
from ganbench.config.problems import Path, Problem, StudyError, dotted
from ganbench.config.quick import quicken
from ganbench.config.sources import read_study
from ganbench.plugin import Host

Marks = Mapping[Path, tuple[Mark, Node]]

QUICK = "--quick"


@dataclass(frozen=True)
class LoadedStudy:
    """A study file, read.

    Attributes
    ----------
    study : Study
    resolved : dict
        The whole study as plain values, every default and plugin default filled in, in the
        shape of a study file: ``Study.model_validate(resolved) == study``.
    origins : dict of str to str
        Dotted path to ``file:line``, ``--set a.b=c``, ``--quick`` or ``default``.
    files : tuple of Path
        The file and those that it extends, in that order.
    """

    study: Study
    resolved: dict[str, Any]
    origins: dict[str, str]
    files: tuple[FilePath, ...]


def load_study(
    path: FilePath | str, host: Host, sets: Sequence[str] = (), quick: bool = False
) -> LoadedStudy:
    """Read, merge, complete and validate a study file.

    Parameters
    ----------
    path : Path or str
        A file, or the name of a shipped study (``tricks``).
    host : Host
        Knows the plugins that the study may name.
    sets : sequence of str
        ``a.b=c`` overrides, applied in order.
    quick : bool
        Shrink the study to one that shows that it runs; see ``ganbench.config.quick``.

    Raises
    ------
    StudyError
        With every problem of the study, one a line.
    """
    root, files, early = read_study(path, sets)
    marks = {at: (key, node) for at, key, node in walk(root)}
    raw = plain(root)
    resolved, problems = check_study(raw, host, quick)
    if early or problems:
        raise StudyError([*early, *located(problems, marks)])
    changed: list[Path] = []
    if quick:
        resolved, changed = quicken(resolved)
    origins = {
        dotted(at): QUICK if any(at[: len(c)] == c for c in changed) else _origin(at, marks)
        for at in _paths(resolved)
    }
    return LoadedStudy(Study.model_validate(resolved), resolved, origins, files)


def located(problems: Sequence[Problem], marks: Marks) -> list[str]:
    """Return one line a problem, in the order of the file.

    Parameters
    ----------
    problems : sequence of Problem
    marks : mapping
        Where each key and its value were written; of the root too.
    """
    lines = []
    for problem in problems:
        at = problem.path
        while at not in marks:
            at = at[:-1]
        key, node = marks[at]
        # A value that begins on a later line is better found by its key.
        at_key = at == problem.path and (problem.at_key or node.mark.line > key.line)
        mark = key if at_key else node.mark
        text = f"{mark.place}: {dotted(problem.path) or 'study'}: {problem.text}"
        lines.append((mark.source, mark.line, mark.column, text))
    return list(dict.fromkeys(text for *_, text in sorted(lines)))


def _paths(value: Any, at: Path = ()) -> Iterator[Path]:
    if at:
        yield at
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, (*at, index))


def _origin(at: Path, marks: Marks) -> str:
    if at in marks:
        return marks[at][0].origin
    owner = marks.get(at[:-1])
    if owner is not None:
        short_component = at[-1] == "name" and isinstance(owner[1].value, str)
        count_of_seeds = at[0] == "seeds"
        if short_component or count_of_seeds:
            return owner[0].origin
    return DEFAULT
