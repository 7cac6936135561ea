"""The walls of docs/design.md: no room imports a later one, the core names no plugin."""

import ast
from pathlib import Path

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


IMPORTED = {path: imported(path) for path in SOURCES}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "ganbench").parts[0]


def test_no_room_imports_a_later_one():
    wrong = {}
    for path, names in IMPORTED.items():
        room = room_of(path)
        if room in ROOMS:
            later = {f"ganbench.{name}" for name in ROOMS[ROOMS.index(room) + 1 :]}
            wrong[path] = {name for name in names if ".".join(name.split(".")[:2]) in later}
    assert {path: names for path, names in wrong.items() if names} == {}


def test_a_builtin_imports_nothing_of_the_core_but_the_public_api():
    found = {
        path: {name for name in imported(path) if name.split(".")[0] == "ganbench"}
        for path in PLUGINS
    }
    assert {path: names for path, names in found.items() if names - {"ganbench.plugin"}} == {}


def test_the_core_imports_no_plugin():
    named = {
        path
        for path, names in IMPORTED.items()
        if any(name.startswith("ganbench_plugins") for name in names)
    }
    assert named == set()


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
