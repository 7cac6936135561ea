"""Real digits, and an evaluator whose classifier is trained once a session."""

import pytest
import torch
from sklearn.datasets import load_digits

from ganbench.config.model import Evaluation
from ganbench.evaluation.evaluator import Evaluator
from ganbench.plugin import Data, Host


@pytest.fixture(scope="session")
def digits():
    bunch = load_digits()
    images = torch.tensor(bunch.images).mul(255 / 16).round().to(torch.uint8)[:, None]
    return Data("digits", images, torch.tensor(bunch.target), tuple("0123456789"))


@pytest.fixture(scope="session")
def host():
    return Host()


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluation-cache")


@pytest.fixture(scope="session")
def evaluator(digits, host, cache):
    return Evaluator(Evaluation(), digits, host, torch.device("cpu"), cache)
