"""In which precision a trial computes: what its study says, and nothing of it is left behind."""

import pytest
import torch
from surface_trials import make

from ganbench.config.differences import differing_settings
from ganbench.config.model import Execution
from ganbench.plugin import Host
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import Trial
from ganbench.training.arithmetic import Arithmetic, float32_products

CUDA, CPU = torch.device("cuda"), torch.device("cpu")
BACKENDS = (
    torch.backends.cudnn.conv,
    torch.backends.cudnn.rnn,
    torch.backends.cuda.matmul,
)


def in_force():
    return {backend.fp32_precision for backend in BACKENDS}


def test_products_are_as_chosen_inside_and_as_they_were_after():
    before = [backend.fp32_precision for backend in BACKENDS]
    with float32_products(tf32=True):
        assert in_force() == {"tf32"}
        with float32_products(tf32=False):
            assert in_force() == {"ieee"}
        assert in_force() == {"tf32"}
    with pytest.raises(ZeroDivisionError), float32_products(tf32=False):
        1 / 0  # noqa: B018
    assert [backend.fp32_precision for backend in BACKENDS] == before


@pytest.mark.parametrize(("wanted", "found"), [(True, {"tf32"}), (False, {"ieee"})])
def test_on_cuda_a_trial_trains_and_samples_as_its_study_says(wanted, found):
    seen = []

    def note(self, x, *_):
        seen.append(in_force())
        return x

    class Noting(make("noting", transform_images=note, transform_latent=note)):
        def draw_pictures(self, ctx, sampler, buf):
            sampler.images(sampler.latents(2))
            return {}

    config = tiny_config({"noting": {}}, execution=Execution(tf32=wanted))
    running = Trial(config, 0, tiny_data(), Host(classes=[Noting]), CPU)
    running._arithmetic._device = CUDA  # settings of CUDA's can be made, and read, without one
    before = in_force()
    running.advance(2)
    trained = len(seen)
    running.sample(4)
    running.pictures()
    assert 0 < trained < len(seen)
    assert all(one == found for one in seen)
    assert in_force() == before


def test_on_a_cpu_nothing_is_set():
    seen = []

    def note(self, x, is_real, buf):
        seen.append(in_force())
        return x

    config = tiny_config({"noting": {}}, execution=Execution(tf32=False))
    running = Trial(
        config, 0, tiny_data(), Host(classes=[make("noting", transform_images=note)]), CPU
    )
    before = in_force()
    running.advance(1)
    assert seen
    assert all(one == before for one in seen)


@pytest.mark.parametrize(
    ("settings", "device", "precision"),
    [
        ({}, CPU, "off"),
        ({}, CUDA, "tf32"),
        ({"tf32": False}, CUDA, "off"),
        ({"amp": "bf16"}, CUDA, "bf16"),
    ],
)
def test_steps_are_compared_with_the_tolerance_of_the_precision(settings, device, precision):
    assert Arithmetic(Execution(**settings), device).precision == precision


def test_a_report_from_before_there_was_the_key_is_of_the_same_study():
    here = {
        "dataset": {"name": "ring"},
        "baseline": {"execution": Execution().model_dump(mode="json")},
        "evaluation": {"samples": 64},
    }
    there = {**here, "baseline": {"execution": {"amp": "off", "backend": "auto"}}}
    assert differing_settings(there, here) == []
    other = {**here, "baseline": {"execution": Execution(tf32=False).model_dump(mode="json")}}
    assert differing_settings(there, other) == [
        "baseline.execution.tf32 is true there and false here"
    ]
