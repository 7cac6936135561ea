"""What `ganbench show` prints is a study file that comes to the same study."""

import pytest

from ganbench.config.listing import comment_column, listing
from ganbench.config.load import load_study
from ganbench.config.marks import parse, plain
from ganbench.config.text import flow


def written(loaded):
    return "\n".join(line.text for line in listing(loaded.resolved, loaded.origins)) + "\n"


@pytest.mark.parametrize(
    "sets",
    [
        [],
        ["seeds=[4, 7]"],
        ["factors=null", "baseline.tricks=null"],
        ["question='# \"x\": off, 1e-4 - é'"],
        ["question=" + "many words " * 20],
        ["question='two\n\n  lines'"],
        ["question='1e-4'"],
        ["question='null'"],
        ["factors.architecture=[{name: conv, width: 16}, {name: dense, layers: [1, 2, 3]}]"],
        ["factors=null", "design={kind: arms, arms: [{name: a (b), set: {noise: on, norm: off}}]}"],
    ],
)
def test_the_listing_loads_to_the_same_study(load, folder, host, sets):
    loaded = load(sets=sets)
    (folder / "again.yaml").write_text(written(loaded))
    assert load_study("again.yaml", host).resolved == loaded.resolved


def test_every_value_has_its_origin_beside_it(load):
    loaded = load(sets=["seeds=[4, 7]"])
    lines = {line.text.strip(): line.origin for line in listing(loaded.resolved, loaded.origins)}
    assert lines["steps: 600"] == "study.yaml:12"
    assert lines["- start: 0.2"] == "study.yaml:17"
    assert lines["end: 0.0"] == "default"
    assert lines["seeds: [4, 7]"] == "--set seeds=[4, 7]"
    assert lines["baseline:"] == ""


def test_lines_and_origins_fit_in_80_columns(load):
    loaded = load()
    lines = listing(loaded.resolved, loaded.origins)
    column = comment_column(lines)
    assert all(max(column, len(line.text) + 2) + len(f"# {line.origin}") <= 80 for line in lines)


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0, -3, 0.1, 1e-4, 1e22, 2.0, "off", "true", "null", "~", "", "1e-4", "12",
     "a: b", "a #b", " a", "-", "- a", "[a]", "{a}", "*a", "&a", "!a", "<<", "é", "a\nb", "'", '"',
     "yes", "0x1", "a b", "a:b", "#", "%a", "@a", "`a`", "?", "a,b",
     [1, "a, b", [None]], {"a b": 1, "x": {"1": "off"}}, {}, []],
    ids=repr,
)  # fmt: skip
def test_flow_text_reads_back_as_the_same_value(value):
    for text in (f"k: {flow(value)}", f"k: [{flow(value)}, 1]"):
        result = plain(parse(text, "f.yaml")[0])["k"]
        assert (result == value and type(result) is type(value)) or result == [value, 1]
