"""docs/plugin-api.md: every public name and hook, with its exact signature, and no other."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import ganbench.plugin
import ganbench.testing
from ganbench.plugin import hookspecs, methods
from ganbench.plugin.kinds import BASES

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "plugin-api.md").read_text()
SOURCES = [
    *(p for p in sorted((ROOT / "ganbench" / "plugin").glob("*.py")) if p.stem != "__init__"),
    *(p for p in sorted((ROOT / "ganbench" / "testing").glob("*.py")) if p.stem != "__init__"),
]


def squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text).replace(",)", ")")


def spans(text: str) -> list[str]:
    """Return the pieces of code of a part of the page, without whitespace."""
    return [squeeze(span) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]


def sections() -> dict[str, str]:
    """Return the text under each heading that names something, with its subheadings."""
    found = {}
    headings = list(re.finditer(r"^(#+) (.*)$", PAGE, re.MULTILINE))
    for index, heading in enumerate(headings):
        ends = [h.start() for h in headings[index + 1 :] if len(h[1]) <= len(heading[1])]
        for name in re.findall(r"`([A-Za-z_]+)`", heading[2]):
            found[name] = PAGE[heading.end() : ends[0] if ends else len(PAGE)]
    return found


def signature(node: ast.FunctionDef) -> str:
    bare = ast.FunctionDef(node.name, node.args, [], [], node.returns, type_params=[])
    return squeeze(ast.unparse(ast.fix_missing_locations(bare)).rstrip(":\n "))


def public_functions(body: list[ast.stmt]) -> list[ast.FunctionDef]:
    return [
        node
        for node in body
        if isinstance(node, ast.FunctionDef)
        and (node.name in ("__init__", "__call__") or not node.name.startswith("_"))
    ]


def declared() -> dict[str, list[str]]:
    """Return, for each public name of the sources, what its section must hold."""
    wanted: dict[str, list[str]] = {}
    for path in SOURCES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                wanted[node.name] = [
                    *(signature(function) for function in public_functions(node.body)),
                    *(squeeze(ast.unparse(n)) for n in node.body if isinstance(n, ast.AnnAssign)),
                    *(squeeze(ast.unparse(n)) for n in node.body if isinstance(n, ast.Assign)),
                ]
                wanted[node.name] = [w for w in wanted[node.name] if "model_config" not in w]
            elif isinstance(node, ast.FunctionDef):
                wanted[node.name] = [signature(node)]
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                wanted[ast.unparse(target)] = [squeeze(ast.unparse(node))]
    return wanted


DECLARED, SECTIONS = declared(), sections()
LIBRARY = {"Annotated", "Field"}
"""Other people's names, passed on: there is no source of ours to compare with."""
KIT = ganbench.testing.__all__


@pytest.mark.parametrize("name", [*ganbench.plugin.__all__, *KIT])
def test_every_public_name_has_a_section_of_its_own(name):
    assert name in SECTIONS
    assert len(SECTIONS[name].split()) > 3


@pytest.mark.parametrize("name", sorted({*ganbench.plugin.__all__, *KIT} - LIBRARY - {"hookimpl"}))
def test_every_signature_field_and_alias_stands_in_its_section(name):
    missing = [text for text in DECLARED[name] if text not in spans(SECTIONS[name])]
    assert missing == []


def test_every_cold_hook_is_there_with_its_signature():
    tree = ast.parse(inspect.getsource(hookspecs))
    wanted = [signature(f) for f in public_functions(tree.body) if f.decorator_list]
    assert len(wanted) == 14
    assert [text for text in wanted if text not in spans(SECTIONS["hookimpl"])] == []


def test_nothing_is_documented_that_is_not_there():
    real = {text for texts in DECLARED.values() for text in texts}
    documented = {span for span in spans(PAGE) if span.startswith("def")}
    assert documented
    assert documented - real == set()


def test_every_hook_of_a_trick_stands_in_the_table_of_combinations():
    table = {span for line in PAGE.splitlines() if line.startswith("| `") for span in spans(line)}
    trick = vars(BASES["trick"])
    hooks = {name for name, value in trick.items() if methods._is_public_method(name, value)}
    assert hooks == table
