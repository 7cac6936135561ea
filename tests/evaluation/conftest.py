"""Real digits; an evaluator whose classifier, and Inception weights, are made once a session."""

import hashlib

import pytest
import torch
from pytorch_fid import inception
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


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Random weights of the architecture: they test the code, and measure nothing."""
    network = inception._inception_v3(num_classes=1008, aux_logits=False, weights=None)
    for name, block in {
        "Mixed_5b": inception.FIDInceptionA(192, pool_features=32),
        "Mixed_5c": inception.FIDInceptionA(256, pool_features=64),
        "Mixed_5d": inception.FIDInceptionA(288, pool_features=64),
        "Mixed_6b": inception.FIDInceptionC(768, channels_7x7=128),
        "Mixed_6c": inception.FIDInceptionC(768, channels_7x7=160),
        "Mixed_6d": inception.FIDInceptionC(768, channels_7x7=160),
        "Mixed_6e": inception.FIDInceptionC(768, channels_7x7=192),
        "Mixed_7b": inception.FIDInceptionE_1(1280),
        "Mixed_7c": inception.FIDInceptionE_2(2048),
    }.items():
        setattr(network, name, block)
    draws = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                scale = (2 / parameter[0].numel()) ** 0.5
                parameter.copy_(scale * torch.randn(parameter.shape, generator=draws))
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def sha256(weights):
    return hashlib.sha256(weights.read_bytes()).hexdigest()
