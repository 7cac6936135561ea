"""YAML read safely, each key and value with the place that it came from.

The dialect is the core schema of YAML 1.2.2 (section 10.3.2): ``off``, ``on``, ``yes`` and
``no`` are text, only ``true`` and ``false`` are booleans, and ``1e-4`` is a number.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from ganbench.config.problems import Path, StudyError

MAX_BYTES = 1 << 18
MAX_DEPTH = 32
MAX_NODES = 20_000

_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_RESOLVERS: list[tuple[str, str, str]] = [
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("merge", r"<<", "<"),
]


_OPENED = {
    "while parsing a flow sequence": "a '['",
    "while parsing a flow mapping": "a '{'",
    "while scanning a quoted scalar": "a quotation mark",
}
"""What PyYAML was in the middle of, and what began it."""

DEFAULT = "default"
"""The origin of what no file and no ``--set`` says."""


@dataclass(frozen=True)
class Mark:
    """Where something was written.

    Attributes
    ----------
    source : str
        A file as the user knows it, ``--set a.b=c``, or `DEFAULT`.
    line, column : int
        Counted from 1; 0 where there are no lines.
    """

    source: str
    line: int = 0
    column: int = 0

    @property
    def origin(self) -> str:
        """``file:line``, as origins are shown."""
        return f"{self.source}:{self.line}" if self.line else self.source

    @property
    def place(self) -> str:
        """``file:line:column``, as errors begin."""
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True)
class Node:
    """A value and where it was written.

    Attributes
    ----------
    value : scalar, list of Node, or dict of str to Entry
    mark : Mark
    """

    value: Any
    mark: Mark


@dataclass(frozen=True)
class Entry:
    """A key's place, and its value."""

    key: Mark
    node: Node


def plain(node: Node) -> Any:
    """Return the value without its marks."""
    if isinstance(node.value, dict):
        return {key: plain(entry.node) for key, entry in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def walk(node: Node, path: Path = (), key: Mark | None = None) -> Iterator[tuple[Path, Mark, Node]]:
    """Yield each path with its key's mark (an item's own, in a list) and its node."""
    yield path, key or node.mark, node
    if isinstance(node.value, dict):
        for name, entry in node.value.items():
            yield from walk(entry.node, (*path, name), entry.key)
    elif isinstance(node.value, list):
        for index, item in enumerate(node.value):
            yield from walk(item, (*path, index))


def parse(text: str, source: str, lines: bool = True) -> tuple[Node | None, list[str]]:
    """Read one YAML document.

    Parameters
    ----------
    text : str
    source : str
        What the marks name.
    lines : bool
        Whether marks carry lines; not for a value on the command line.

    Returns
    -------
    Node or None
        None for an empty document.
    list of str
        What is wrong but did not stop the reading: duplicate keys, keys that are not text.

    Raises
    ------
    StudyError
        If the text is not one YAML document of plain values.
    """
    return _Reader(source, lines).read(text)


class _Loader(yaml.SafeLoader):
    """Composes nodes by the core schema, to a bounded depth."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.composer.ComposerError(
                None, None, f"nested deeper than {MAX_DEPTH} levels", self.get_mark()
            )
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _name, _pattern, _first in _RESOLVERS:
    # The empty string's first character is "" to PyYAML.
    _Loader.add_implicit_resolver(
        _TAG + _name, re.compile(f"^(?:{_pattern})$"), ["" if c == "\0" else c for c in _first]
    )


class _Reader:
    """Turns PyYAML's nodes into ours."""

    def __init__(self, source: str, lines: bool) -> None:
        self._source = source
        self._lines = lines
        self._problems: list[str] = []
        self._count = 0
        self._open: set[int] = set()

    def read(self, text: str) -> tuple[Node | None, list[str]]:
        try:
            loader = _Loader(text)
            root = loader.get_node() if loader.check_node() else None
            if root is not None and loader.check_node():
                mark = self._mark(loader.get_mark())
                raise StudyError([f"{mark.place}: a second YAML document, expected only one"])
        except yaml.MarkedYAMLError as error:
            unclosed = _unclosed(error)
            first = error.context_mark if unclosed else error.problem_mark
            mark = self._mark(first or error.context_mark)
            raise StudyError([f"{mark.place}: not YAML: {unclosed or _explain(error)}"]) from None
        except yaml.reader.ReaderError as error:
            mark = self._at(text, error.position)
            what = f"the character U+{int(error.character):04X} is not allowed in YAML"
            raise StudyError([f"{mark.place}: {what}"]) from None
        except (ValueError, OverflowError):
            # PyYAML passes on what `chr` and `int` say of an escape or a directive.
            mark = self._mark(loader.get_mark())
            raise StudyError([f"{mark.place}: not YAML: an impossible number or escape"]) from None
        if root is None:
            return None, self._problems
        return self._node(root), self._problems

    def _mark(self, mark: Any) -> Mark:
        if not self._lines:
            return Mark(self._source)
        return Mark(self._source, mark.line + 1, mark.column + 1) if mark else self._at("", 0)

    def _at(self, text: str, position: int) -> Mark:
        if not self._lines:
            return Mark(self._source)
        before = text[:position]
        return Mark(
            self._source, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        )

    def _node(self, node: yaml.Node) -> Node:
        mark = self._mark(node.start_mark)
        self._count += 1
        if self._count > MAX_NODES:
            raise StudyError([f"{mark.place}: more than {MAX_NODES} values, aliases expanded"])
        if id(node) in self._open:
            raise StudyError([f"{mark.place}: an alias inside the value that it stands for"])
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                self._require_tag(node, "map", mark)
                return Node(self._mapping(node), mark)
            if isinstance(node, yaml.SequenceNode):
                self._require_tag(node, "seq", mark)
                return Node([self._node(item) for item in node.value], mark)
            return Node(self._scalar(node, mark), mark)
        finally:
            self._open.discard(id(node))

    def _require_tag(self, node: yaml.Node, kind: str, mark: Mark) -> None:
        if node.tag != _TAG + kind:
            raise StudyError([f"{mark.place}: the tag {_short(node.tag)} is not supported"])

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Entry]:
        own: dict[str, Entry] = {}
        inherited: dict[str, Entry] = {}
        for key, value in node.value:
            mark = self._mark(key.start_mark)
            if key.tag == _MERGE:
                for name, entry in self._merged(value, mark).items():
                    inherited.setdefault(name, entry)
            elif not isinstance(key, yaml.ScalarNode) or key.tag != _TAG + "str":
                shown = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
                self._problems.append(f"{mark.place}: a key must be text, got {shown or 'nothing'}")
            elif key.value in own:
                first = own[key.value].key
                where = f"line {first.line}" if first.line else "the same value"
                self._problems.append(
                    f"{mark.place}: duplicate key {key.value!r}, first given at {where}"
                )
            else:
                own[self._text(key.value, mark)] = Entry(mark, self._node(value))
        return {**{k: entry for k, entry in inherited.items() if k not in own}, **own}

    def _merged(self, value: yaml.Node, mark: Mark) -> dict[str, Entry]:
        parts = value.value if isinstance(value, yaml.SequenceNode) else [value]
        merged: dict[str, Entry] = {}
        for part in parts:
            node = self._node(part)
            if not isinstance(node.value, dict):
                raise StudyError([f"{mark.place}: '<<' expects a mapping, or a list of mappings"])
            for name, entry in node.value.items():
                merged.setdefault(name, entry)
        return merged

    def _text(self, text: str, mark: Mark) -> str:
        for character in text:
            code = ord(character)
            if (
                (code < 32 and character not in "\n\t")
                or 127 <= code < 160
                or 0xD800 <= code < 0xE000
            ):
                raise StudyError([f"{mark.place}: the character U+{code:04X} is not text"])
        return text

    def _scalar(self, node: yaml.Node, mark: Mark) -> Any:
        text, kind = str(node.value), node.tag.removeprefix(_TAG)
        if kind == "str":
            return self._text(text, mark)
        if kind == "merge":
            return text
        resolver = {name: pattern for name, pattern, _ in _RESOLVERS}.get(kind)
        if resolver is None:
            raise StudyError([f"{mark.place}: the tag {_short(node.tag)} is not supported"])
        if not re.fullmatch(resolver, text):
            raise StudyError([f"{mark.place}: {text[:60]!r} is not a YAML {kind}"])
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind == "float":
            return _float(text)
        if len(text) > 20 or abs(whole := _whole(text)) >= 1 << 63:
            raise StudyError([f"{mark.place}: {text[:30]}: a whole number needs 64 bits at most"])
        return whole


def _whole(text: str) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text[2:] if base != 10 else text, base)


def _float(text: str) -> float:
    if text.lower().endswith(".inf"):
        return -math.inf if text.startswith("-") else math.inf
    return math.nan if text.lower() == ".nan" else float(text)


def _short(tag: str) -> str:
    return tag.replace(_TAG, "!!")[:60]


def _unclosed(error: yaml.MarkedYAMLError) -> str:
    """Say what is open where the error began, empty if nothing is: the reader sees it there.

    PyYAML tells where it stumbled, which is on a later line.
    """
    opened = _OPENED.get(error.context or "")
    if opened is None or error.context_mark is None or error.problem_mark is None:
        return ""
    problem = error.problem or ""
    if "end of stream" in problem or "<stream end>" in problem:
        return f"{opened} is never closed"
    line = error.problem_mark.line + 1
    if line == error.context_mark.line + 1:
        return ""
    return f"{opened} is not closed before line {line}, or a ',' is missing"


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "cannot be read"
    if "'\\t'" in problem:
        return "a tab where YAML wants spaces"
    if problem.startswith("mapping values are not allowed"):
        return "a ':' that is out of place; put the value in quotes, or mend the indentation"
    if problem.startswith("could not find expected ':'"):
        return "expected ':' after a key"
    if problem.startswith("expected <block end>"):
        return "a line that does not fit; mend its indentation"
    context = f" {error.context}" if error.context and error.context != problem else ""
    return f"{problem}{context}"
