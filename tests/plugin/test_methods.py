"""Slips in a plugin class: told when it is loaded, not in the first step or never."""

import pytest

from ganbench.plugin import Host, Metric, PluginError, Trick, TrickParameters

HEAD = '''
"""A trick of one's own, for a test."""
from ganbench.plugin import Annotated, Field, Trick, TrickParameters

class Mine(Trick):
    """Does something."""
    name = "mine"
    class Parameters(TrickParameters):
        share: Annotated[float, Field(lt=0.5)] = 0.1
        """A share."""
'''


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "    def transform_target(self, t, is_real, role, buf): return t\n",
            "transform_target is no hook, did you mean 'transform_targets'",
        ),
        (
            "    def transform_targets(self, t, buf): return t\n",
            r"transform_targets\(self, t, buf\) does not take the hook's arguments, "
            r"expected transform_targets\(self, t, is_real, role, buf\)",
        ),
    ],
)
def test_a_method_that_is_never_called_or_cannot_be_is_refused(tmp_path, lines, message):
    file = tmp_path / "mine.py"
    file.write_text(HEAD + "    neutral = Parameters(share=0.0)\n" + lines)
    with pytest.raises(PluginError, match=rf"mine\.py: the trick 'mine': {message}"):
        Host([file], entry_points=False)


def test_other_names_for_arguments_helpers_and_defaults_are_fine():
    class Mine(Trick):
        name = "mine"
        neutral = TrickParameters()

        def transform_targets(self, targets, real, role, buffers, extra=None):
            return targets

        def transform_everything(self):
            return None

        def _transform_target(self):
            return None

    assert Host(entry_points=False, classes=[Mine]).names("trick") == ["mine"]


def test_an_inherited_method_is_looked_at_too_and_so_are_other_kinds():
    class Base(Metric):
        def compute(self, ctx, more):
            return {}

    class Mine(Base):
        name = "mine"

    with pytest.raises(PluginError, match=r"the metric 'mine': compute.*expected compute\(self, c"):
        Host(entry_points=False, classes=[Mine])


def test_a_neutral_out_of_range_is_told_on_one_line_with_the_parameter(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(HEAD + "    neutral = Parameters(share=0.7)\n")
    with pytest.raises(PluginError) as caught:
        Host([file], entry_points=False)
    text = str(caught.value)
    assert text.endswith("mine.py:11: Parameters.share: Input should be less than 0.5, got 0.7")
    assert "\n" not in text


def test_a_file_given_twice_is_loaded_once(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(HEAD + "    neutral = Parameters(share=0.0)\n")
    assert Host([file, file], entry_points=False).names("trick") == ["mine"]


def test_a_file_below_the_current_folder_is_named_relative_to_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(HEAD)
    with pytest.raises(PluginError, match=r"^mine\.py: the trick 'mine' declares no `neutral`"):
        Host([tmp_path / "mine.py"], entry_points=False)
