"""The host: entry points, files, clashes and near misses."""

import sys
from pathlib import Path

import pytest

from ganbench.plugin import (
    Host,
    Metric,
    PluginError,
    Search,
    Trick,
    UnknownPluginError,
    search_ranges,
)
from ganbench.plugin.parameters import Parameters

MINE = '''
"""A trick of one's own."""
from ganbench.plugin import Trick, TrickParameters

class Mine(Trick):
    """Does nothing yet."""
    name = "mine"
    neutral = TrickParameters()
'''


@pytest.fixture
def file(tmp_path):
    def write(text: str, name: str = "my_trick.py") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_builtins_come_through_the_entry_point_group():
    host = Host()
    assert {"batch_norm", "feature_matching", "instance_noise", "label_smoothing"} <= set(
        host.names("trick")
    )
    assert host.find("trick", "label_smoothing").source.startswith("ganbench ")
    assert host.find("trick", "label_smoothing").builtin


def test_a_file_with_a_class_and_nothing_else_is_a_plugin(file):
    found = Host([file(MINE)]).find("trick", "mine")
    assert found.summary == "Does nothing yet."
    assert found.card == "A trick of one's own."
    assert not found.builtin


def test_a_hook_implementation_in_a_file_is_called(file):
    path = file(
        MINE.replace("class Mine", "class _Mine")
        + "from ganbench.plugin import hookimpl\n"
        + "@hookimpl\ndef register_tricks():\n    return [_Mine]\n"
    )
    assert "mine" in Host([path]).names("trick")


def test_observers_of_a_file_are_called(file):
    path = file(
        "from ganbench.plugin import hookimpl\nseen = []\n"
        "@hookimpl\ndef on_trial_end(arm, seed, outcome):\n    seen.append((arm, seed, outcome))\n"
    )
    host = Host([path], entry_points=False)
    host.hook.on_trial_end(arm="baseline", seed=1, outcome="complete")
    (module,) = [p for p in host._manager.get_plugins() if hasattr(p, "seen")]
    assert module.seen == [("baseline", 1, "complete")]


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution whose entry point is its package, and its trick in a module."""

    def install(hook: str) -> Path:
        package = tmp_path / "site" / "my_tricks"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(hook)
        (package / "names.py").write_text("NAME = 'mine'\n")
        # Loaded as a file of its own it would have no package to import from.
        text = MINE.replace('"mine"', "NAME")
        (package / "trick.py").write_text(text.replace("class Mine", f"{RELATIVE}class Mine"))
        information = tmp_path / "site" / "my_tricks-1.2.dist-info"
        information.mkdir()
        (information / "METADATA").write_text("Name: my-tricks\nVersion: 1.2\n")
        point = "my_tricks.trick" if not hook else "my_tricks"
        (information / "entry_points.txt").write_text(f"[ganbench]\nmine = {point}\n")
        monkeypatch.syspath_prepend(package.parent)
        for name in ("my_tricks", "my_tricks.trick", "my_tricks.names"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        return package / "trick.py"

    yield install
    for name in ("my_tricks", "my_tricks.trick", "my_tricks.names"):
        sys.modules.pop(name, None)


RELATIVE = "from .names import NAME\n\n"
HOOK = """
from ganbench.plugin import hookimpl
from my_tricks.trick import Mine

@hookimpl
def register_tricks():
    return [Mine]
"""


@pytest.mark.parametrize("hook", ["", HOOK], ids=["named", "registered by a hook"])
def test_a_file_that_an_installed_distribution_provides_is_no_second_plugin(install, hook):
    path = install(hook)
    assert Host().find("trick", "mine").source == "my-tricks 1.2"
    host = Host([path])
    assert host.find("trick", "mine").source == str(path.resolve())
    assert host.find("trick", "mine").cls.__module__ == "my_tricks.trick"


def test_a_file_of_a_name_that_is_installed_from_elsewhere_is_still_an_error(install, file):
    install("")
    with pytest.raises(PluginError, match=r"'mine': my-tricks 1\.2 and .*my_trick\.py; rename"):
        Host([file(MINE)])


def test_observers_of_an_installed_file_are_called_once(install):
    path = install("")
    with path.open("a") as text:
        text.write(
            "from ganbench.plugin import hookimpl\nseen = []\n"
            "@hookimpl\ndef on_trial_end(arm, seed, outcome):\n    seen.append(arm)\n"
        )
    host = Host([path])
    host.hook.on_trial_end(arm="baseline", seed=1, outcome="complete")
    assert sys.modules["my_tricks.trick"].seen == ["baseline"]


def test_two_plugins_of_one_name_are_an_error_that_names_both(file):
    one, other = file(MINE, "one.py"), file(MINE, "other.py")
    with pytest.raises(PluginError, match=r"'mine'.*one\.py.*other\.py"):
        Host([one, other])


def test_an_unknown_name_says_what_is_close():
    with pytest.raises(UnknownPluginError, match="did you mean 'label_smoothing'") as caught:
        Host().find("trick", "label_smothing")
    assert caught.value.close[0] == "label_smoothing"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", r"my_trick\.py:1: SyntaxError"),
        ("x = 1\n\nraise ValueError('no')\n", r"my_trick\.py:3: ValueError: no"),
        ("x = 1\n", "defines no plugin"),
        (MINE.replace("    neutral = TrickParameters()\n", ""), "declares no `neutral`"),
        (MINE.replace('    name = "mine"\n', ""), "the trick Mine has no `name`"),
        (MINE.replace('"mine"', '"My Trick"'), "named 'My Trick', expected lower-case letters"),
        (
            "from ganbench.plugin import Objective\n"
            "class Half(Objective):\n    name = 'half'\n"
            "    def discriminator_loss(self, *logits_and_targets):\n"
            "        return fake_logits.mean()\n",
            "the objective 'half' lacks generator_loss",
        ),
    ],
)
def test_a_broken_file_says_where_and_why(file, text, message):
    with pytest.raises(PluginError, match=message):
        Host([file(text)])


def test_a_missing_file_is_named():
    with pytest.raises(PluginError, match="there is no such plugin file"):
        Host([Path("nowhere.py")])


def test_create_validates_parameters():
    with pytest.raises(ValueError, match="real"):
        Host().create("trick", "label_smoothing", {"real": 2.0})


@pytest.mark.parametrize("registered", Host().all("trick"), ids=lambda r: r.name)
def test_every_builtin_trick_has_a_card_with_its_four_headings(registered):
    for heading in (
        "How to use",
        "Suggested hyperparameters",
        "Technical details and trade-offs",
        "Attribution",
    ):
        assert heading in registered.card


def test_search_ranges_are_read_from_annotations():
    found = search_ranges(Host().find("trick", "label_smoothing").cls.Parameters)
    assert found == {"real": Search(0.7, 1.0)}


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0)])
def test_an_empty_search_range_is_refused(bounds):
    with pytest.raises(ValueError, match="low < high"):
        Search(*bounds)


def test_a_logarithmic_search_from_zero_is_refused():
    with pytest.raises(ValueError, match="low > 0"):
        Search(0, 1, log=True)


class Numbers(Parameters):
    real: float = 1.0
    whole: int = 1


def test_parameters_take_an_int_for_a_float_and_nothing_else():
    assert Numbers(real=2).real == 2.0
    for wrong in ({"real": "2"}, {"real": True}, {"whole": 1.5}, {"other": 1}):
        with pytest.raises(ValueError, match="validation error"):
            Numbers(**wrong)


def test_the_base_trick_is_no_plugin_of_its_own():
    with pytest.raises(PluginError, match="has no `name`"):
        Host(classes=[type("Nameless", (Trick,), {})])


def test_a_metric_cannot_declare_a_direction_for_a_figure_it_does_not_give():
    class Typo(Metric):
        """A metric."""

        name = "typo"
        figures = {"sharpness": "of edges"}
        lower_is_better = ("sharpnes",)

    with pytest.raises(PluginError, match=r"'typo' names sharpnes in `lower_is_better`.*sharpness"):
        Host(entry_points=False, classes=[Typo])


def test_what_is_measured_once_cannot_be_what_a_study_is_judged_by():
    class Late(Metric):
        """A metric."""

        name = "late"
        figures = {"error": "of a kind"}
        lower_is_better = ("error",)
        final_only = True

    with pytest.raises(PluginError, match=r"'late' is `final_only`, and names error"):
        Host(entry_points=False, classes=[Late])


def test_a_metric_s_figure_cannot_be_named_like_a_trick_s_own():
    class Dotted(Metric):
        """A metric."""

        name = "dotted"
        figures = {"sharpness": "of edges", "edge.share": "of pixels"}

        def compute(self, ctx):
            return {}

    with pytest.raises(
        PluginError, match=r"'dotted' names figures \['edge.share'\].*without a dot"
    ):
        Host(entry_points=False, classes=[Dotted])
