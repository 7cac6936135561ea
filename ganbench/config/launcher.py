"""A launcher and its parameters, as the command line and a file of settings give them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ganbench.config.load import located
from ganbench.config.marks import Entry, Mark, Node, parse, plain, walk
from ganbench.config.problems import StudyError
from ganbench.config.setting import resolve_component
from ganbench.config.sources import read_mapping
from ganbench.plugin import Host, Launcher

SUFFIXES = (".yaml", ".yml")


def load_launcher(given: str, sets: Sequence[str], host: Host) -> Launcher:
    """Return a launcher with its parameters.

    Parameters
    ----------
    given : str
        Its name, or a YAML file: its ``name`` and its parameters.
    sets : sequence of str
        ``key=value``, on top of those; the value is YAML.
    host : Host

    Raises
    ------
    StudyError
        With everything that is wrong, one a line.
    """
    problems: list[str] = []
    if given.endswith(SUFFIXES):
        root, problems = read_mapping(Path(given), given, "launcher")
    else:
        mark = Mark(f"--launcher {given}")
        root = Node({"name": Entry(mark, Node(given, mark))}, mark)
    for text in sets:
        root, more = _with(root, text)
        problems = [*problems, *more]
    marks = {at: (key, node) for at, key, node in walk(root)}
    resolved, found = resolve_component("launcher", plain(root), host, ())
    if problems or found or resolved is None:
        raise StudyError([*problems, *located(found, marks)])
    name = resolved.pop("name")
    launcher: Launcher = host.create("launcher", name, resolved)
    return launcher


def _with(root: Node, text: str) -> tuple[Node, list[str]]:
    source = f"--set-launcher {text}"
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise StudyError([f"{source}: expected a key, '=' and a value, such as timeout_min=60"])
    node, problems = parse(value, source, lines=False)
    entry = Entry(Mark(source), node or Node(None, Mark(source)))
    return replace(root, value={**root.value, key.strip(): entry}), problems
