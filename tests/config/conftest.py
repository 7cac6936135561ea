from pathlib import Path

import pytest

from ganbench.config.load import load_study
from ganbench.config.problems import StudyError
from ganbench.plugin import Host

PLUGINS = Path(__file__).parent / "small_plugins.py"

GOOD = """\
name: small
question: Does it help?
dataset: squares
baseline:
  architecture: {name: conv, width: 16}
  objective: non-saturating
  latent: {dimension: 32}
  optimizers:
    generator: {name: adam, lr: 2e-4, beta1: 0.5}
    discriminator: {name: sgd, lr: 1e-2, momentum: 0.9}
  batch_size: 64
  steps: 600
  tricks:
    norm: {placement: both}
factors:
  smoothing: [off, {real: 0.8}]
  noise: [off, {start: 0.2}]
  matching: [off, on]
  norm: [{placement: both}, {placement: none}]
  latent.dimension: [32, 64]
design: {kind: one-at-a-time}
seeds: 3
evaluation: {extractor: classifier, samples: 1797, every: 100}
"""


@pytest.fixture(scope="session")
def host():
    return Host([PLUGINS], entry_points=False)


@pytest.fixture
def good():
    return GOOD


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of study files, which is the working directory: paths in messages are short."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    return tmp_path


@pytest.fixture
def load(folder, host):
    """Load the given text, or the good study with one text replaced by another."""

    def load(text=GOOD, *, replace=None, sets=(), quick=False):
        for old, new in (replace or {}).items():
            assert old in text
            text = text.replace(old, new)
        (folder / "study.yaml").write_text(text)
        return load_study("study.yaml", host, sets, quick)

    return load


@pytest.fixture
def errors(load):
    """Load a study that is wrong, and return its problems, a line each."""

    def errors(*args, **kwargs):
        with pytest.raises(StudyError) as caught:
            load(*args, **kwargs)
        return str(caught.value).splitlines()

    return errors
