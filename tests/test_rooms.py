"""The walls of docs/design.md: no room imports a later one, the core names no plugin."""

import ast
from pathlib import Path

import pytest

from ganbench.plugin import Host

ROOT = Path(__file__).parent.parent
ROOMS = ["plugin", "data", "config", "training", "evaluation", "study", "report", "cli"]
SOURCES = sorted((ROOT / "ganbench").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module or "")
    return found


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "ganbench").parts[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_room_imports_a_later_one(path):
    room = room_of(path)
    if room not in ROOMS:
        return
    later = ROOMS[ROOMS.index(room) + 1 :]
    wrong = [name for name in imported(path) if name.split(".")[:1] == ["ganbench"]]
    assert [name for name in wrong if (name.split(".") + [""])[1] in later] == []


@pytest.mark.parametrize("path", PLUGINS, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_builtin_imports_nothing_of_the_core_but_the_public_api(path):
    wrong = {name for name in imported(path) if name.split(".")[0] == "ganbench"}
    assert wrong <= {"ganbench.plugin"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_core_imports_no_plugin(path):
    assert not [name for name in imported(path) if name.startswith("ganbench_plugins")]


def test_the_core_names_no_trick():
    tricks = Host().names("trick")
    named = [
        (path.name, node.value)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in tricks
    ]
    assert named == []


def test_no_file_is_over_400_lines():
    sizes = {path.name: len(path.read_text().splitlines()) for path in SOURCES + PLUGINS}
    assert {name: size for name, size in sizes.items() if size > 400} == {}
