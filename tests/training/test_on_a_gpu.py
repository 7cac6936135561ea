"""What only a GPU shows: that a trial trains there, resumes, and never waits in its loop."""

import pytest
import torch

from ganbench.plugin import Host
from ganbench.testing import STEPS, differing, tiny_config, tiny_data, weights
from ganbench.training import Trial, dump, load

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    # Of a thread of autograd's whose first kernel is a product.
    pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS:UserWarning"),
]
TRICKS = {
    "batch_norm": {"placement": "both"},
    "feature_matching": {"weight": 0.5},
    "instance_noise": {"start": 0.3},
    "label_smoothing": {"real": 0.8},
}


def trial(tricks=TRICKS, **changes):
    config = tiny_config(tricks, **changes)
    return Trial(config, 3, tiny_data(), Host(), torch.device("cuda"))


def test_the_loop_never_waits_for_the_device():
    running = trial(steps=20)
    running.advance(5)
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        with running.streams.layers():
            for step in range(5, 15):
                for turn in running.turns(step):
                    running.keep(turn, running.take(turn))
    finally:
        torch.cuda.set_sync_debug_mode(before)


def test_a_trial_starts_where_it_starts_on_a_cpu():
    on_cpu = Trial(tiny_config(TRICKS), 3, tiny_data(), Host(), torch.device("cpu"))
    here = {name: value.cpu() for name, value in weights(trial()).items()}
    assert differing(weights(on_cpu), here) == []


def test_a_checkpoint_goes_on_as_if_nothing_had_happened():
    whole, half, rest = trial(), trial(), trial()
    whole.advance(STEPS)
    half.advance(3)
    load(rest, dump(half))
    rest.advance(STEPS)
    for name, value in weights(whole).items():
        torch.testing.assert_close(value, weights(rest)[name], rtol=1e-3, atol=1e-4)


def test_samples_are_the_same_at_every_call():
    running = trial()
    running.advance(STEPS)
    one, other = running.sample(16), running.sample(16)
    assert one.device.type == "cuda"
    assert (one.int() - other.int()).abs().max() <= 1
