"""Commands, options and environment variables that the pages name are there."""

import os
import re

import click
import pytest
from docs_page import DOCS

from ganbench.cli.main import cli
from ganbench.data.load import data_root
from ganbench.study.run_plan import cache_folder

PAGES = [*sorted(DOCS.glob("*.md")), DOCS.parent / "README.md"]
CONTEXT = click.Context(cli)
COMMANDS = {name: cli.get_command(CONTEXT, name) for name in cli.list_commands(CONTEXT)}
OPTIONS = {
    option
    for command in COMMANDS.values()
    for parameter in command.params
    if isinstance(parameter, click.Option)
    for option in (*parameter.opts, *parameter.secondary_opts)
}


def text_of(page):
    """Return a page's code: spans and blocks, less what is marked as to come."""
    lines = [line for line in page.read_text().splitlines() if "*Later*" not in line]
    text = "\n".join(lines)
    fences = re.findall(r"^```(?:console.*)?\n(.*?)^```$", text, re.M | re.S)
    spans = re.findall(
        r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    )
    # A benchmark's command has options of its own.
    return "\n".join([*fences, *(span for span in spans if not span.startswith("python "))])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_is_there(page):
    text = text_of(page)
    assert set(re.findall(r"(?:^|\$ |&& )ganbench ([a-z]+)\b", text, re.M)) <= set(COMMANDS)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) <= OPTIONS


def test_the_environment_variables_are_read(monkeypatch, tmp_path):
    named = set(re.findall(r"GANBENCH_[A-Z]+", (DOCS / "study-files.md").read_text()))
    readers = {"GANBENCH_DATA": data_root, "GANBENCH_CACHE": cache_folder}
    assert named == set(readers)
    for variable, read in readers.items():
        monkeypatch.setenv(variable, os.fspath(tmp_path / variable))
        assert read() == tmp_path / variable
