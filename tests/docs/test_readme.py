"""README.md: the trick on it loads, and the command beside it is a study."""

import re
import shlex

from docs_page import DOCS, blocks

from ganbench.config.load import load_study
from ganbench.plugin import Host
from ganbench.study.design import expand

PAGE = (DOCS.parent / "README.md").read_text()


def test_the_trick_loads_and_the_command_beside_it_makes_an_arm_of_it(tmp_path):
    (code,) = (block.text for block in blocks(PAGE) if block.language == "python")
    file = tmp_path / "my_trick.py"
    file.write_text(code)
    host = Host([file])
    (command,) = re.findall(r"^ganbench run (.*--plugin.*)$", PAGE, re.M)
    study, *options = shlex.split(command)
    assert options[:2] == ["--plugin", file.name]
    assert options[2::2] == ["--set", "--set"]
    loaded = load_study(study, host, options[3::2]).study
    assert loaded.name != study  # the shipped study's report is left alone
    assert "my_smoothing" in [arm.name for arm in expand(loaded, host)]
