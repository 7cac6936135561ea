"""YAML is read by the core schema, with marks; what is not YAML is told at its place."""

import math

import pytest

from ganbench.config.marks import Mark, parse, plain, walk
from ganbench.config.problems import StudyError


def value_of(text):
    node, problems = parse(text, "f.yaml")
    assert problems == []
    return plain(node)


# Table 10.3.2 of YAML 1.2.2, and what YAML 1.1 would read otherwise.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"), ("on", "on"), ("yes", "yes"), ("No", "No"), ("y", "y"),
        ("true", True), ("False", False), ("TRUE", True),
        ("1e-4", 1e-4), ("2e-4", 2e-4), ("1E+2", 100.0), (".5", 0.5), ("1.", 1.0), ("-0.0", 0.0),
        ("12", 12), ("-3", -3), ("0o14", 12), ("0x1F", 31), ("012", 12),
        ("1_000", "1_000"), ("190:20:30", "190:20:30"), ("2001-12-14", "2001-12-14"),
        ("~", None), ("null", None), ("'off'", "off"), ("'12'", "12"),
        (".inf", math.inf), ("-.inf", -math.inf), ("0x", "0x"), ("1e", "1e"),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema_of_yaml_1_2(text, value):
    result = value_of(f"k: {text}")["k"]
    assert result == value
    assert type(result) is type(value)


def test_an_empty_value_is_null():
    assert value_of("k:\nl: 1") == {"k": None, "l": 1}


def test_not_a_number_is_read_as_such():
    assert math.isnan(value_of("k: .nan")["k"])


def test_each_key_and_value_keeps_its_line_and_column():
    node, _ = parse("a: 1\nb:\n  - x\n  - {c: 2}\n", "f.yaml")
    marks = {path: (key.place, node.mark.place) for path, key, node in walk(node)}
    assert marks["a",] == ("f.yaml:1:1", "f.yaml:1:4")
    assert marks["b", 0] == ("f.yaml:3:5", "f.yaml:3:5")
    assert marks["b", 1, "c"] == ("f.yaml:4:6", "f.yaml:4:9")


def test_the_origin_of_a_mark_leaves_the_column_out():
    assert Mark("f.yaml", 3, 5).origin == "f.yaml:3"
    assert Mark("--set a=1").origin == Mark("--set a=1").place == "--set a=1"


def test_aliases_and_merge_keys_work_and_own_keys_win():
    text = "base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nk: {<<: [*b, *o], x: 9}\nl: *b"
    assert value_of(text)["k"] == {"x": 9, "y": 2, "z": 4}
    assert value_of(text)["l"] == {"x": 1, "y": 2}


def test_every_duplicate_key_is_told_with_the_place_of_the_first():
    _, problems = parse("a: 1\nb: {c: 1, c: 2}\na: 2", "f.yaml")
    assert problems == [
        "f.yaml:2:11: duplicate key 'c', first given at line 2",
        "f.yaml:3:1: duplicate key 'a', first given at line 1",
    ]


@pytest.mark.parametrize("key", ["1", "true", "~", "[a]", "{a: b}", "1.5"])
def test_a_key_that_is_not_text_is_told(key):
    _, problems = parse(f"? {key}\n: 1", "f.yaml")
    assert len(problems) == 1
    assert problems[0].startswith("f.yaml:1:3: a key must be text")


def laughs():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("a: 1\nb: [1, 2", "2:4", "not YAML: a '[' is never closed"),
        ("a: {b: 1\n\nc:\n  d: 2", "1:4", "a '{' is not closed before line 3, or a ',' is missing"),
        ("a: [1, 2\nb: 3\nc: 4", "1:4", "a '[' is not closed before line 2"),
        ("a: [1, {b: 2]", "1:13", "expected ',' or '}', but got ']'"),
        ('a: 1\nb: "c\nd: e', "2:4", "a quotation mark is never closed"),
        ("a: 1\n\tb: 2", "2:1", "a tab where YAML wants spaces"),
        ("a: b: c", "1:5", "a ':' that is out of place"),
        ("a: 1\n b: 2", "2:", "out of place"),
        ("a: *nowhere", "1:4", "undefined alias"),
        ("a: &a [*a]", "1:4", "an alias inside the value"),
        ("a: !!python/object:os.system {}", "1:4", "the tag !!python/object:os.system"),
        ("a: !mine 3", "1:4", "the tag !mine"),
        ("a: !!int x", "1:4", "not a YAML int"),
        ("a: !!set {x}", "1:4", "the tag !!set"),
        ("a: 1\n---\nb: 2", "", "a second YAML document"),
        ('a: "\\UFFFFFFFF"', "1:", "impossible number or escape"),
        ('a: "\\uD800"', "1:4", "U+D800 is not text"),
        ('a: "\\e[31m"', "1:4", "U+001B is not text"),
        ("a: \x07", "1:4", "U+0007 is not allowed"),
        ("a: " + "9" * 5000, "1:4", "64 bits"),
        ("a: " + "[" * 500, "1:", "nested deeper"),
        ("a: " + "{a: " * 500, "1:", "nested deeper"),
        ("<<: 3", "1:1", "'<<' expects a mapping"),
        ("%YAML " + "9" * 5000 + ".1\n---\na: 1", "1:", "not YAML"),
        (laughs(), "", "aliases expanded"),
    ],
)  # fmt: skip
def test_what_is_not_a_document_of_plain_values_is_told_at_its_place(text, place, what):
    with pytest.raises(StudyError) as caught:
        parse(text, "f.yaml")
    message = str(caught.value)
    assert message.startswith(f"f.yaml:{place}")
    assert what in message
    assert "\n" not in message
