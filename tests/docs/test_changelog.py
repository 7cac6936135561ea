"""CHANGELOG.md: the first version names what is installed."""

import pytest
from docs_page import DOCS

from ganbench.cli.main import COMMANDS
from ganbench.config.sources import shipped_studies
from ganbench.plugin import Host

TEXT = " ".join((DOCS.parent / "CHANGELOG.md").read_text().split())
KINDS = ("architecture", "objective", "trick", "dataset", "metric", "extractor")


@pytest.mark.parametrize("kind", KINDS)
def test_every_builtin_is_named(kind):
    builtin = {found.name for found in Host().all(kind) if found.builtin}
    assert {name for name in builtin if f"`{name}`" not in TEXT} == set()


def test_every_command_and_shipped_study_is_named():
    assert {name for name in COMMANDS if f"`ganbench {name}`" not in TEXT} == set()
    assert {name for name in shipped_studies() if f"`{name}`" not in TEXT} == set()
