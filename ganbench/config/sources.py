"""Study files on disk: finding them, reading them, following ``extends``."""

import difflib
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from ganbench.config.marks import MAX_BYTES, Entry, Node, parse
from ganbench.config.merge import apply_set, merge
from ganbench.config.problems import StudyError, quote
from ganbench.config.question import settle_question

_SHIPPED = "ganbench_studies"
_MAX_CHAIN = 20


def shipped_studies() -> dict[str, Path]:
    """Return the study files that ship with ganbench, by name.

    A preset's name begins with its folder: ``presets/keras-dcgan``.
    """
    folder = _shipped_folder()
    files = [*sorted(folder.glob("*.yaml")), *sorted(folder.glob("presets/*.yaml"))]
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}


def _shipped_folder() -> Path:
    return Path(str(resources.files(_SHIPPED)))


def read_study(path: Path | str, sets: Sequence[str]) -> tuple[Node, tuple[Path, ...], list[str]]:
    """Read a study file, what it extends, and the overrides, into one tree.

    Returns
    -------
    Node
        The merged tree, without ``extends``.
    tuple of Path
        Every file read, the study's own first.
    list of str
        Problems that did not stop the reading.

    Raises
    ------
    StudyError
        If a file cannot be had or is not YAML, or the chain of ``extends`` has no end.
    """
    file = find_study(Path(path))
    root, files, problems = _chain(file, _label(file), ())
    changed = root
    for text in sets:
        changed, more = apply_set(changed, text)
        problems.extend(more)
    return settle_question(root, changed), files, problems


def find_study(path: Path, folder: Path | None = None) -> Path:
    """Return the file that ``path`` names: one on disk, or else a shipped study.

    Parameters
    ----------
    path : Path
        ``mine.yaml``, or ``tricks``, ``tricks.yaml``, ``studies/tricks.yaml``, or
        ``presets/keras-dcgan``.
    folder : Path, optional
        What a relative path is relative to; the working directory by default.

    Raises
    ------
    StudyError
        If there is no such file; the message names those that are close.
    """
    here = (folder or Path()) / path
    try:
        if here.is_file():
            return here
        shipped = shipped_studies()
        name = path.as_posix().removesuffix(".yaml").removeprefix("studies/")
        if name in shipped:
            return shipped[name]
        if here.is_dir():
            raise StudyError([f"{path}: a folder, expected a study file"])
        if here.exists():
            raise StudyError([f"{path}: not a regular file, expected a study file"])
        beside = here.parent.glob("*.y*ml") if here.parent.is_dir() else ()
        # As it can be written there; of two of one stem the file, which goes before.
        stems = {Path(name).stem: name for name in shipped}
        stems |= {file.stem: (path.parent / file.name).as_posix() for file in beside}
    except OSError as error:
        raise StudyError([f"{quote(str(path))}: {error.strerror or error}"]) from None
    # Without suffixes: every file is alike in those.
    near = [stems[stem] for stem in difflib.get_close_matches(path.stem, stems, n=3)]
    if path.parent.name == "presets":
        near += difflib.get_close_matches(path.as_posix(), shipped, n=3)
    hint = (
        f"did you mean {' or '.join(map(repr, near))}?"
        if near
        else ("shipped studies: " + ", ".join(shipped))
    )
    raise StudyError([f"{path}: there is no such study file; {hint}"])


def _label(file: Path) -> str:
    """Return how a file is shown: short, and without this machine's folders if possible."""
    absolute = Path(os.path.abspath(file))  # `..` folded, links kept as the user wrote them
    if absolute.is_relative_to(Path.cwd()):
        return absolute.relative_to(Path.cwd()).as_posix()
    if absolute.is_relative_to(shipped := _shipped_folder().absolute()):
        name = absolute.relative_to(shipped).with_suffix("").as_posix()
        return f"{name} (shipped with ganbench)"
    return str(file)


def _chain(
    file: Path, label: str, above: tuple[Path, ...]
) -> tuple[Node, tuple[Path, ...], list[str]]:
    root, problems = read_mapping(file, label)
    entry = root.value.get("extends")
    if entry is None:
        return root, (file,), problems
    own = Node({key: item for key, item in root.value.items() if key != "extends"}, root.mark)
    base = _base_of(entry, file, (*above, file))
    parent, files, more = _chain(base, _label(base), (*above, file))
    return settle_question(parent, merge(parent, own)), (file, *files), problems + more


def _base_of(entry: Entry, file: Path, chain: tuple[Path, ...]) -> Path:
    mark, value = entry.node.mark, entry.node.value
    where = f"{mark.place}: extends:"
    if not isinstance(value, str) or not value:
        shown = quote(value) if not isinstance(value, dict | list) else "a list or mapping"
        raise StudyError([f"{where} expected one file or shipped study, got {shown}"])
    try:
        base = find_study(Path(value), file.parent)
    except StudyError as error:
        raise StudyError([f"{where} {error}"]) from None
    resolved = [link.resolve() for link in chain]
    if base.resolve() in resolved:
        loop = [*chain[resolved.index(base.resolve()) :], base]
        raise StudyError([f"{where} a cycle: " + " -> ".join(_label(link) for link in loop)])
    if len(chain) >= _MAX_CHAIN:
        raise StudyError([f"{where} more than {_MAX_CHAIN} files, each extending the next"])
    return base


def read_mapping(file: Path, label: str, what: str = "study") -> tuple[Node, list[str]]:
    """Read a YAML file of ``key: value`` lines.

    Parameters
    ----------
    file : Path
    label : str
        What the marks name.
    what : str
        What it is a file of, which begins with ``name:``.

    Returns
    -------
    Node
    list of str
        What is wrong but did not stop the reading.

    Raises
    ------
    StudyError
        If it cannot be read, or is not such a file.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise StudyError([f"{label}: cannot be read: {error.strerror or error}"]) from None
    if len(data) > MAX_BYTES:
        raise StudyError(
            [f"{label}:1:1: larger than {MAX_BYTES // 1024} KiB, which no {what} file is"]
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        place = f"{label}:{before.count(10) + 1}:{column}"
        raise StudyError([f"{place}: not UTF-8 text: the byte 0x{data[error.start]:02x}"]) from None
    root, problems = parse(text, label)
    if root is None or (root.value is None and not text.strip("-. \n")):
        raise StudyError([f"{label}:1:1: empty, expected a {what}, which begins with `name:`"])
    if not isinstance(root.value, dict):
        shown = "a list" if isinstance(root.value, list) else quote(root.value)
        raise StudyError([f"{root.mark.place}: expected `key: value` lines, got {shown}"])
    return root, problems
