"""Named random streams."""

import hashlib

import torch

from ganbench.training.streams import Streams, derive, seeded

CPU = torch.device("cpu")


def test_a_stream_depends_on_seed_and_name_only():
    one, other = Streams(7, CPU), Streams(7, CPU)
    torch.rand(5, generator=one.stream("data"))
    assert torch.equal(
        torch.rand(4, generator=one.stream("latent")),
        torch.rand(4, generator=other.stream("latent")),
    )
    assert not torch.equal(
        torch.rand(4, generator=Streams(7, CPU).stream("latent")),
        torch.rand(4, generator=Streams(8, CPU).stream("latent")),
    )


def test_the_derived_seed_is_the_hash_that_the_design_states():
    digest = hashlib.sha256(b"3/latent/main").digest()
    assert derive(3, "latent", "main") == int.from_bytes(digest[:8], "big") // 2


def test_state_goes_on_bit_for_bit():
    streams = Streams(1, CPU)
    torch.rand(3, generator=streams.stream("a"))
    state = streams.state_dict()
    expected = torch.rand(3, generator=streams.stream("a"))
    restored = Streams(1, CPU)
    restored.load_state_dict(state)
    assert torch.equal(torch.rand(3, generator=restored.stream("a")), expected)


def test_layers_draw_alike_for_a_purpose_whatever_was_drawn_before():
    streams, draws = Streams(1, CPU), []
    for before in (0, 7):
        with streams.layers():
            torch.rand(before)
            streams.seed_layers("main", "generator", "3")
            draws.append(torch.rand(4))
    assert torch.equal(*draws)


def test_the_layers_stream_leaves_the_global_one_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    streams = Streams(1, CPU)
    with streams.layers():
        streams.seed_layers("evaluation")
        torch.rand(10)
    with seeded("init", seed=1):
        torch.rand(10)
    assert torch.equal(torch.get_rng_state(), before)


def test_seeded_is_the_same_each_time():
    with seeded("init", "conv", seed=4):
        one = torch.rand(3)
    with seeded("init", "conv", seed=4):
        other = torch.rand(3)
    assert torch.equal(one, other)
