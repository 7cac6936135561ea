"""``ganbench check``: each way to break the contract is found, named, and told how to mend."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ganbench.cli.main import cli
from ganbench.plugin import GanbenchError, Host
from ganbench.testing.kinds import CONTRACTS

HEAD = '''"""A trick of one's own, as a test of the command writes it.

How to use
    ``mine: on``.
"""

import random

import torch

from ganbench.plugin import Annotated, Field, Search, Trick, TrickParameters


class Mine(Trick):
    """Does something."""

    name = "mine"

    class Parameters(TrickParameters):
        amount: Annotated[float, Field(ge=0, le=1), Search(0.1, 0.9)] = 0.5
        """How much."""

    neutral = Parameters(amount=0.0)

'''
NOISE = """    def transform_discriminator_input(self, x, is_real, buf):
        draws = torch.randn(x.shape, generator=buf.generator)
        return x + self.parameters.amount * draws
"""
BROKEN = {
    "described": (
        "    class Parameters(TrickParameters):\n        bare: float = 0.0\n"
        "    neutral = Parameters()\n" + NOISE.replace("amount", "bare"),
        "parameters without a docstring: bare",
        "Write it below the parameter",
    ),
    "names": (
        '    before = ("label_smothing",)\n' + NOISE,
        "before names 'label_smothing', and there is no such trick",
        "Did you mean 'label_smoothing'?",
    ),
    "trains": (
        "    def transform_targets(self, t, is_real, role, buf):\n"
        "        return t * self.missing\n",
        "mine.transform_targets raised AttributeError: 'Mine' object has no attribute 'missing' "
        "(mine.py:26)",
        "Mend transform_targets at that line.",
    ),
    "neutral": (
        NOISE.replace("self.parameters.amount *", "0.01 *"),
        "at neutral, {amount: 0.0}, it changed main.generator.",
        "At `neutral` every hook must return exactly what it was given.",
    ),
    "acts": (
        "    def transform_targets(self, t, is_real, role, buf):\n        return t\n",
        "{amount: 0.5} changed no weight and no sample in 6 steps",
        "It overrides transform_targets. Is the changed value returned?",
    ),
    "same start": (
        "    def transform_generator(self, net, ctx):\n"
        "        with torch.no_grad():\n"
        "            net[0].linear.weight.mul_(1 + self.parameters.amount)\n"
        "        return net\n",
        "layers that both trials have start differently: main.generator.project.linear.weight",
        "mark those whose weights the trick chooses with `keep_weights(layer)`",
    ),
    "streams": (
        NOISE.replace("torch.randn(x.shape, generator=buf.generator)", "torch.randn_like(x)"),
        "the trick draws from torch's global stream at mine.py:26 (randn_like); pass "
        "generator=buf.generator",
        "`torch.randn(x.shape, generator=buf.generator, device=x.device)`",
    ),
    "repeats": (
        NOISE.replace("self.parameters.amount", "self.parameters.amount * random.random()"),
        "two trials of one seed differ in main.generator.",
        "Python's `random`",
    ),
    "resumes": (
        "    _mean = 0.0\n"
        "    def generator_penalty(self, step, buf):\n"
        "        self._mean = 0.9 * self._mean + step.real.mean()\n"
        "        return self.parameters.amount * (step.fake.mean() - self._mean).square()\n",
        "self._mean not restored: a resumed trial differs in main.generator.",
        "Declare a tensor in `make_buffers`",
    ),
    "static steps": (
        "    def generator_penalty(self, step, buf):\n"
        "        mean = step.fake.mean()\n"
        "        return self.parameters.amount * (mean if mean > 0 else 2 * mean)\n",
        "a step hook looks at a value at mine.py:27 (__bool__)",
        "or declare `capturable = False`",
    ),
    "search": (
        NOISE.replace(
            "return x", "1 // (self.parameters.amount != 0.9)\n        return x"
        ),
        "at amount=0.9, an end of its Search range: mine.transform_discriminator_input raised "
        "ZeroDivisionError",
        "Narrow the range",
    ),
    "points": (
        NOISE.replace("return x +", "x.shape[3]\n        return x +"),
        "for points of shape (2,), with mlp: mine.transform_discriminator_input raised IndexError",
        "or say in `skip` why it does not apply",
    ),
    "colour": (
        NOISE.replace("return x +", "x.view(-1, 64)[: 8]\n        return x + 0 * x.reshape("
                      "8, -1)[:, :64].reshape(x.shape) +"),
        "for images of shape (3, 8, 8): mine.transform_discriminator_input raised RuntimeError",
        "or say in `skip` why it does not apply",
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def check(*arguments):
    result = CliRunner().invoke(cli, ["check", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def squeezed(text):
    return " ".join(text.split())


def marks(output):
    """Return the mark before each check's name."""
    found = {}
    for line in output.splitlines():
        if line[:2] in ("✓ ", "✗ ", "– "):
            found[line[2:16].strip()] = line[0]
    return found


def test_a_schedule_in_a_number_of_pythons_is_no_fixed_step(folder):
    # Eagerly it works; a graph would keep the first step's number for good.
    schedule = NOISE.replace("self.parameters.amount *", "self.parameters.amount * self._fade *")
    (folder / "mine.py").write_text(
        HEAD + schedule + "    def before_step(self, step, buf):\n"
        "        self._fade = 1 / (1 + step)\n"
    )
    code, output = check("mine.py")
    assert code == 1
    text = squeezed(output.partition("✗ static steps")[2])
    assert "seen a step with it is no fixed graph: the last step is another one than this" in text
    assert "`ganbench check` of its tricks" not in text  # this is it
    assert "goes into a buffer of `make_buffers`" in text


def test_a_selection_by_a_mask_is_told_with_its_line(folder):
    selects = (
        "    def make_buffers(self, ctx):\n"
        "        return {'running': torch.zeros(())}\n"
        "    def transform_discriminator_input(self, x, is_real, buf):\n"
        "        buf['running'].lerp_(x.detach().std(), 0.1)\n"
        "        noise = torch.randn(x.shape, generator=buf.generator)\n"
        "        big, jittered = x > buf['running'], x.clone()\n"
        "        jittered[big] = x[big] + self.parameters.amount * noise[big]\n"
        "        return jittered\n"
    )
    (folder / "mine.py").write_text(HEAD + selects)
    code, output = check("mine.py")
    assert code == 1
    line = (HEAD + selects).splitlines().index(selects.splitlines()[6]) + 1
    text = squeezed(output.partition("✗ static steps")[2])
    assert f"seen a step hook selects with a mask at mine.py:{line}, so that a shape" in text
    assert "torch.where(mask, one, other)" in text


def test_every_clause_has_a_trick_that_breaks_it():
    assert list(BROKEN) == [clause.name for clause in CONTRACTS["trick"]]


@pytest.mark.parametrize("clause", BROKEN)
def test_a_broken_clause_is_told_with_what_was_seen_and_how_to_mend_it(folder, clause):
    body, seen, mend = BROKEN[clause]
    (folder / "mine.py").write_text(HEAD + body)
    code, output = check("mine.py")
    assert code == 1
    told = marks(output)
    assert told[clause] == "✗"
    text = squeezed(output.partition(f"✗ {clause}")[2])
    assert f"seen {seen}" in text
    assert mend in text
    assert "Traceback" not in output
    assert max(map(len, output.splitlines())) <= 80
    assert "next:" not in output


def test_a_trick_that_keeps_it_passes_with_a_line_for_each_clause_and_what_to_do_next(folder):
    (folder / "mine.py").write_text(HEAD + NOISE)
    code, output = check("mine.py")
    assert code == 0
    assert marks(output) == dict.fromkeys(BROKEN, "✓")
    assert "13 passed, in" in output
    line = "ganbench run tricks --quick --plugin mine.py --set name=mine --set "
    assert f"{line}'factors.mine=[off, on]'" in output


def test_after_an_exception_the_other_clauses_are_not_run(folder):
    (folder / "mine.py").write_text(HEAD + BROKEN["trains"][0])
    _, output = check("mine.py")
    assert marks(output) == {"described": "✓", "names": "✓", "trains": "✗"}
    assert "2 passed, 1 failed, 10 not run" in output


@pytest.mark.parametrize(
    ("options", "passes"),
    [([], False), (["--parameters", "amount: 0"], False), (["--parameters", "amount: 1"], True)],
)
def test_parameters_say_where_the_trick_acts(folder, options, passes):
    body = "    def transform_targets(self, t, is_real, role, buf):\n"
    body += "        return t * 0.9 if self.parameters.amount == 1 else t\n"
    (folder / "mine.py").write_text(HEAD + body)
    code, output = check("mine.py", *options)
    assert code == (0 if passes else 1)
    assert marks(output)["acts"] == ("✓" if passes else "✗")
    assert ("That is its neutral setting." in output) == ("amount: 0" in options)


def test_not_applicable_in_this_set_up_is_told_with_the_reason_and_the_options(folder):
    skip = "    def skip(self, ctx):\n"
    skip += "        return ctx.architecture != 'mlp', 'needs an MLP'\n"
    (folder / "mine.py").write_text(HEAD + skip + NOISE)
    code, output = check("mine.py")
    assert code == 1
    assert "why   mine: needs an MLP" in output
    assert "--architecture (now dcgan-upsample)" in squeezed(output)
    code, output = check("mine.py", "--architecture", "mlp")
    assert code == 0


def test_not_applicable_for_other_data_is_no_failure_and_told(folder):
    skip = "    def skip(self, ctx):\n        return not ctx.spec.is_image, 'needs images'\n"
    (folder / "mine.py").write_text(HEAD + skip + BROKEN["points"][0])
    code, output = check("mine.py")
    assert code == 0
    assert "– points        n/a for points of shape (2,), with mlp: mine: needs images" in output


def test_what_it_requires_is_on_by_itself_and_other_tricks_and_shapes_can_be_chosen(folder):
    body = '    requires = {"instance_noise": "it adds to it"}\n' + NOISE
    (folder / "mine.py").write_text(HEAD + body)
    with_norm = ["--with", "batch_norm: {placement: none}", "--shape", "3x16x16"]
    code, output = check("mine.py", *with_norm)
    assert code == 0
    assert "non-saturating + batch_norm + instance_noise, 3x16x16 noise" in output
    assert "--set baseline.tricks.instance_noise=on" in output


def test_an_installed_trick_is_checked_by_its_name():
    code, output = check("label_smoothing")
    assert code == 0
    assert "next:" not in output


def test_the_file_of_an_installed_plugin_is_taken_for_that_plugin():
    source = inspect.getsourcefile(Host().find("trick", "label_smoothing").cls)
    with pytest.raises(GanbenchError, match="has no plugin named 'label_smooth', did you mean"):
        check(source, "--only", "label_smooth")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.py"], "none.py: there is no such plugin file"),
        (["empty.py"], "empty.py: defines no plugin; expected a subclass of"),
        (["zzz"], "there is no plugin file, or plugin, 'zzz'; `ganbench plugins` lists them"),
        (["measure.py"], "loads, and there is no contract to check it by: it holds metric"),
        (["label_smothing"], "plugin, 'label_smothing', did you mean 'label_smoothing'?"),
        (["mine.py", "--only", "mime"], "mine.py has no plugin named 'mime', did you mean 'mine'"),
        (["mine.py", "--parameters", "amout: 1"], "amout: unknown key, did you mean 'amount'?"),
        (["mine.py", "--parameters", "amount: 3"], "out of range, got 3, expected a number from"),
        (["mine.py", "--parameters", "[1]"], "expected a mapping such as 'share: 0.5'"),
        (["mine.py", "--parameters", "{"], "--parameters"),
        (["mine.py", "--with", "batch_nrom"], "no trick has the name 'batch_nrom', did you mean"),
        (["mine.py", "--objective", "hing"], "no objective named 'hing'"),
        (["mine.py", "--architecture", "mlpp"], "no architecture named 'mlpp'; did you mean 'mlp'"),
    ],
)
def test_a_users_mistake_is_an_error_of_the_users(folder, arguments, message):
    (folder / "mine.py").write_text(HEAD + NOISE)
    (folder / "empty.py").write_text("x = 1\n")
    (folder / "measure.py").write_text(
        "from ganbench.plugin import Metric\n\n\nclass Size(Metric):\n    name = 'size'\n"
        "    figures = {'size': 'how large'}\n\n    def compute(self, ctx):\n        return {}\n"
    )
    with pytest.raises(GanbenchError) as caught:
        check(*arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize("kind", ["architecture", "objective"])
def test_a_template_of_another_kind_keeps_its_contract(kind):
    CliRunner().invoke(cli, ["new", kind, "mine", "--to", "my_own.py"])
    code, output = check("my_own.py")
    assert code == 0, output
    assert set(marks(output)) == {clause.name for clause in CONTRACTS[kind]}
    assert f"--set 'factors.{kind}=[" in output


@pytest.mark.parametrize(
    ("right", "wrong", "clause", "seen"),
    [
        ("math.prod(spec.shape))\n        )", "1))", "fits", "Build for it, or say no"),
        ("nn.Tanh()", "nn.Softplus()", "fits", "G's output reaches"),
        ("nn.Linear(hidden, 1)", "nn.Linear(hidden, 2)", "fits", "D returns shape (4, 2), expec"),
        ('return True, ""', 'return not spec.is_image, ""', "fits", "`supports` gives no reason"),
        ('return True, ""', 'return False, "is shy"', "fits", "it supports none of 13 shapes: mi"),
        (
            "return Discriminator(nn.Sequential(blocks), nn.Linear(hidden, 1))",
            'return nn.Sequential(OrderedDict(b=nn.Sequential(blocks), h=nn.Linear(hidden, 1)))',
            "fits",
            "D has no forward_with_features",
        ),
        (
            "        return nn.Sequential(layers)",
            "        made = nn.Sequential(layers)\n"
            '        made.register_parameter("idle", nn.Parameter(torch.ones(1)))\n'
            "        return made",
            "all used",
            "weights that no step changes: main.G.idle",
        ),
    ],
)  # fmt: skip
def test_a_broken_architecture_is_told(folder, right, wrong, clause, seen):
    CliRunner().invoke(cli, ["new", "architecture", "mine", "--to", "my_own.py"])
    source = (folder / "my_own.py").read_text().replace("import math", "import math\nimport torch")
    assert right in source
    (folder / "my_own.py").write_text(source.replace(right, wrong))
    code, output = check("my_own.py")
    assert code == 1
    assert marks(output)[clause] == "✗"
    assert seen in squeezed(output)


@pytest.mark.parametrize(
    ("right", "wrong", "clause", "seen"),
    [
        ("return real +", "return -real -", "direction", "at logits of 0.5, D's loss does not"),
        ("(fake_logits - targets).square()", "fake_logits", "direction", "at logits of -0.5, G's"),
        ("uses_targets = True", "uses_targets = False", "targets", "D's loss changes with the"),
        ("targets).square().mean()", "targets).square()", "numbers", "G's loss is (8, 1), expect"),
        (
            "real = (real_logits",
            "real = (real_logits / (0 * real_logits)",
            "numbers",
            "is not finite",
        ),
    ],
)
def test_a_broken_objective_is_told(folder, right, wrong, clause, seen):
    CliRunner().invoke(cli, ["new", "objective", "mine", "--to", "my_own.py"])
    source = (folder / "my_own.py").read_text()
    assert right in source
    head, _, tail = source.rpartition(right)
    (folder / "my_own.py").write_text(head + wrong + tail)
    code, output = check("my_own.py")
    assert code == 1
    assert marks(output)[clause] == "✗"
    assert seen in squeezed(output)


@pytest.mark.parametrize("shape", ["3x16", "axbxc", "0x8x8"])
def test_a_shape_that_is_none_is_refused(folder, shape):
    code, output = check("label_smoothing", "--shape", shape)
    assert code == 2
    assert f"got '{shape}', expected such as 3x16x16, or 2 for points" in squeezed(output)


def test_as_a_program_it_prints_no_traceback_and_no_colours(folder):
    Path("mine.py").write_text(HEAD + "    def transform_target(self, t):\n        return t\n")
    done = subprocess.run(
        [sys.executable, "-m", "ganbench.cli.main", "check", "mine.py"],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 2
    assert "transform_target is no hook, did you mean 'transform_targets'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
