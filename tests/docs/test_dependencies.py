"""docs/dependencies.md: a row for each dependency, none without need, none undeclared."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from docs_page import DOCS

ROOT = DOCS.parent
PAGE = (DOCS / "dependencies.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
IMPORT_NAMES = {"pillow": "PIL", "pyyaml": "yaml", "scikit-learn": "sklearn"}
"""What a distribution is imported as, where that is not its own name."""


def names(requirements: list[str]) -> set[str]:
    return {re.match(r"[A-Za-z0-9_.-]+", text)[0] for text in requirements}


RUNTIME = names(PROJECT["project"]["dependencies"])
DEVELOPMENT = names([text for group in PROJECT["dependency-groups"].values() for text in group])


def rows(part: str) -> dict[str, list[str]]:
    lines = re.findall(r"^\| `([^`]+)` \| (.*) \|$", part, re.M)
    return {name: rest.split(" | ") for name, rest in lines}


def imported(paths: list[Path]) -> set[str]:
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found.add(node.module.split(".")[0])
    ours = {"ganbench", "ganbench_plugins", "ganbench_studies"}
    return found - set(sys.stdlib_module_names) - ours


EXTRAS = names([text for e in PROJECT["project"]["optional-dependencies"].values() for text in e])
AT_RUN_TIME, IN_EXTRAS, FOR_DEVELOPMENT = (
    rows(part) for part in re.split("## Extras|## For development", PAGE)
)
IMPORTED = imported([*(ROOT / "ganbench").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])


@pytest.mark.parametrize(
    ("table", "declared"),
    [(AT_RUN_TIME, RUNTIME), (IN_EXTRAS, EXTRAS), (FOR_DEVELOPMENT, DEVELOPMENT)],
)
def test_each_declared_dependency_has_a_whole_row_and_nothing_else_has(table, declared):
    assert set(table) == declared
    assert [name for name, cells in table.items() if len(cells) != 4 or not all(cells)] == []


def test_everything_imported_is_declared_or_told_to_come_with_what_is():
    declared = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in RUNTIME | EXTRAS}
    brought = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"Brings (.*?), used", PAGE))))
    assert brought == {
        "markupsafe",
        "pydantic_core",
        "annotated_types",
        "sqlalchemy",
        "botocore",
    }
    assert IMPORTED - declared - brought == set()


@pytest.mark.parametrize("name", sorted(RUNTIME))
def test_a_declared_dependency_is_used(name):
    assert IMPORT_NAMES.get(name, name.replace("-", "_")) in IMPORTED
