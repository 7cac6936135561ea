"""Experience replay: its contract, and what D is shown against a buffer kept by hand."""

import pytest
import torch
from ganbench_plugins.tricks.experience_replay import ExperienceReplay, store, with_old_fakes

from ganbench.plugin import Buffers, Host
from ganbench.testing import TrickContract, tiny_config, tiny_data
from ganbench.training import NotApplicableError, Trial


class TestExperienceReplay(TrickContract):
    trick = ExperienceReplay
    parameters = {"capacity": 10}


class TestExperienceReplayOfAllFakesOnMLP(TrickContract):
    trick = ExperienceReplay
    architecture = "mlp"
    parameters = {"share": 1.0, "capacity": 64}


def stream():
    return torch.Generator().manual_seed(0)


def test_an_empty_buffer_replaces_nothing():
    fakes, old = torch.arange(4.0)[:, None], torch.full((6, 1), -1.0)
    shown = with_old_fakes(fakes, old, torch.tensor(0), 2, stream())
    assert torch.equal(shown, fakes)


def test_only_what_was_stored_is_shown_and_each_of_it_as_often():
    fakes, old = torch.full((9_000, 1), -1.0), torch.arange(6.0)[:, None]
    shown = with_old_fakes(fakes, old, torch.tensor(3), 6_000, stream()).flatten()
    assert (shown[:3_000] == -1).all()
    counts = torch.bincount(shown[3_000:].long(), minlength=6).tolist()
    assert counts[3:] == [0, 0, 0]
    # 6,000 draws of three: 2,000 each, standard deviation 36.5.
    assert counts[:3] == pytest.approx([2_000] * 3, abs=4 * 36.5)


def test_free_places_are_filled_in_order_and_then_random_ones_are_replaced():
    old, stored, draws = torch.full((5, 1), -1.0), torch.tensor(0), stream()
    seen = []
    for step in range(4):
        store(torch.tensor([[2.0 * step], [2.0 * step + 1]]), old, stored, draws)
        seen.append((sorted(old.flatten().tolist()), stored.item()))
    assert seen[0] == ([-1, -1, -1, 0, 1], 2)
    assert seen[1] == ([-1, 0, 1, 2, 3], 4)
    assert seen[2] == ([1, 2, 3, 4, 5], 5)  # wraps round to the oldest
    assert seen[3][1] == 5
    left, _ = seen[3]
    assert {6.0, 7.0} < set(left)
    assert len(set(left)) == 5


def test_every_place_of_a_full_buffer_is_replaced_as_often():
    old, stored, draws = torch.zeros(4, 1), torch.tensor(4), stream()
    hits = torch.zeros(4)
    for _ in range(2_000):
        old.zero_()
        store(torch.ones(2, 1), old, stored, draws)
        hits += old[:, 0]
    # Half of 2,000 in each place, standard deviation 22.4.
    assert hits.tolist() == pytest.approx([1_000] * 4, abs=4 * 22.4)


def made_buffers(trick, role="discriminator", extra=False):
    tensors = {"fakes": torch.zeros(4, 1), "stored": torch.tensor(0)}
    return Buffers(stream(), half=role, extra=extra, tensors=tensors)


@pytest.mark.parametrize(
    ("is_real", "role", "extra"),
    [(True, "discriminator", False), (False, "generator", False), (False, "discriminator", True)],
)
def test_nothing_but_the_fakes_of_ds_own_half_is_touched(is_real, role, extra):
    trick = ExperienceReplay(ExperienceReplay.Parameters())
    buffers, x = made_buffers(trick, role, extra), torch.ones(4, 1)
    assert trick.transform_images(x, is_real, buffers) is x
    assert buffers["stored"].item() == 0


def trial(steps=4, tricks=None, **parameters):
    config = tiny_config({"experience_replay": parameters, **(tricks or {})}, steps=steps)
    return Trial(config, 0, tiny_data(), Host(), torch.device("cpu"))


def test_d_sees_fakes_of_the_steps_before():
    made = trial(capacity=64)
    pair = made.pairs[0].pair
    inputs, outputs = [], []
    pair.discriminator.register_forward_pre_hook(lambda _, given: inputs.append(given[0].detach()))
    pair.generator.register_forward_hook(lambda *given: outputs.append(given[2].detach()))
    made.advance(4)
    # A step of D: real, fake; then of G: fake. G makes one batch in either.
    of_d, made_for_d = inputs[1::3], outputs[0::2]
    assert torch.equal(of_d[0], made_for_d[0])
    for step in range(1, 4):
        new, old = of_d[step][:4], of_d[step][4:]
        assert torch.equal(new, made_for_d[step][:4])
        past = torch.cat([batch[:4] for batch in made_for_d[:step]])
        assert all((past == image).flatten(1).all(1).any() for image in old)
    for step, seen in enumerate(inputs[2::3]):
        assert torch.equal(seen, outputs[2 * step + 1])  # G is judged on its own


def test_a_buffer_smaller_than_the_share_takes_as_many_as_it_holds():
    # As at a share of 0.9 of a batch of 256 and the least capacity that is searched, 128.
    made = trial(share=0.9, capacity=3)
    inputs, outputs = [], []
    pair = made.pairs[0].pair
    pair.discriminator.register_forward_pre_hook(lambda _, given: inputs.append(given[0].detach()))
    pair.generator.register_forward_hook(lambda *given: outputs.append(given[2].detach()))
    made.advance(2)
    buffers = made.pairs[0].buffers["experience_replay"]
    assert buffers["stored"].item() == 3
    # D, G, D: the second batch of fakes for D. 7 of 8 are old, from the first three.
    new, shown, held = outputs[2], inputs[4], outputs[0][:3]
    assert torch.equal(shown[:1], new[:1])
    assert all((held == image).flatten(1).all(1).any() for image in shown[1:])


def test_the_buffer_keeps_images_as_g_made_them_before_augmentation():
    made = trial(1, {"instance_noise": {"start": 1.0}, "diffaugment": {}}, capacity=64)
    outputs = []
    made.pairs[0].pair.generator.register_forward_hook(lambda *given: outputs.append(given[2]))
    made.advance(1)
    buffers = made.pairs[0].buffers["experience_replay"]
    assert buffers["stored"].item() == 4
    assert torch.equal(buffers["fakes"][:4], outputs[0][:4].detach())


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"share": 0.01}, "a share of 0.01 of a batch of 8 is less than one image"),
    ],
)
def test_it_does_not_apply_and_says_why(parameters, reason):
    with pytest.raises(NotApplicableError, match=reason):
        trial(**parameters)
