"""What the networks have learned: each picture against its definition, done by hand or by plan."""

import math
from types import SimpleNamespace

import pytest
import torch
from ganbench_plugins.inspections import _latents, guided_backprop, neighbours
from torch import nn

from ganbench.plugin import (
    Categorical,
    Data,
    Discriminator,
    Host,
    LatentSpec,
    NothingToShowError,
    Sampler,
    TrainedDiscriminator,
    Uniform,
)

HALVES = torch.tensor([0.0, 0.5, 1.0])
GAUSSIAN = LatentSpec(2)


def drawn(name, ctx, **parameters):
    with torch.no_grad():
        return Host().create("inspection", name, parameters).draw(ctx)


def sampler(latents, images):
    return Sampler({}, lambda count: {"main": latents[:count]}, lambda z: images(z["main"]))


class TestBetweenLatents:
    def test_a_straight_line_has_equal_steps(self):
        found = _latents.lerp(torch.tensor([[0.0, 4.0]]), torch.tensor([[8.0, 0.0]]), HALVES)
        assert found.tolist() == [[[0, 4], [4, 2], [8, 0]]]

    def test_a_great_arc_turns_by_equal_angles_and_keeps_the_length(self):
        first, last = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
        found = _latents.slerp(first, last, torch.linspace(0, 1, 4))[0]
        turned = [[2 * math.cos(a), 2 * math.sin(a)] for a in (0, math.pi / 6, math.pi / 3)]
        assert torch.allclose(found, torch.tensor([*turned, [0.0, 2.0]]), atol=1e-6)

    @pytest.mark.parametrize("last", [[3.0, 0.0], [-2.0, 0.0]])
    def test_where_there_is_no_arc_there_is_a_line(self, last):
        first, last = torch.tensor([[1.0, 0.0]]), torch.tensor([last])
        assert torch.equal(_latents.slerp(first, last, HALVES), _latents.lerp(first, last, HALVES))

    def test_codes_stay_what_the_prior_has(self):
        latent = LatentSpec(2, codes=(Categorical(3), Uniform(1)))
        first = torch.tensor([[3.0, 0.0, 0, 1, 0, -1.0]])
        last = torch.tensor([[0.0, 3.0, 1, 0, 0, 1.0]])
        found = _latents.walk(first, last, HALVES, latent, "slerp")
        root = 3 / math.sqrt(2)
        assert found[0, 1].tolist() == pytest.approx([root, root, 0, 1, 0, 0])
        assert found[0, 2].tolist() == pytest.approx([0, 3, 0, 1, 0, 1], abs=1e-6)

    def test_sums_are_brought_back_into_the_prior(self):
        latent = LatentSpec(2, "uniform", codes=(Categorical(3), Uniform(1)))
        found = _latents.as_drawn(torch.tensor([[1.5, -0.5, -1.0, 0.3, 0.2, -1.7]]), latent)
        assert found.tolist() == [[1.0, -0.5, 0.0, 1.0, 0.0, -1.0]]
        assert _latents.as_drawn(torch.tensor([[1.5, -3.0]]), GAUSSIAN).tolist() == [[1.5, -3.0]]


class TestInterpolation:
    def shown(self, latent, parameters, draws):
        # An image of two pixels: the latent itself, an eighth as large.
        look = sampler(draws, lambda z: (z / 8)[:, None, None])
        ctx = SimpleNamespace(sampler=look, latents={"main": latent})
        return drawn("interpolation", ctx, **parameters)["walks"]

    def test_every_pair_of_latents_is_walked_both_ways(self):
        draws = torch.tensor([[2.0, 0.0], [0.0, 2.0], [4.0, 0.0], [0.0, -4.0]])
        picture = self.shown(GAUSSIAN, {"walks": 2, "steps": 3}, draws)
        assert picture.row_labels == ("1 slerp", "1 lerp", "2 slerp", "2 lerp")
        at = picture.images[:, :, 0, 0] * 8
        root = math.sqrt(2)
        wanted = [[root, root], [1, 1], [2 * root, -2 * root], [2, -2]]
        assert torch.allclose(at[:, 1], torch.tensor(wanted), atol=1e-6)
        assert torch.allclose(at[0, [0, 2]], draws[:2], atol=1e-6)
        # Lerp's middle of latents at right angles is √½ as long as its ends.
        told = "Length of the latents half-way, as a share of that at the ends: 1.00 along the arc"
        assert picture.caption.startswith(f"{told}, 0.71 along the line")

    def test_of_a_uniform_prior_the_straight_line_comes_first(self):
        draws = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        picture = self.shown(LatentSpec(2, "uniform"), {"walks": 1, "steps": 4}, draws)
        assert picture.row_labels == ("1 lerp", "1 slerp")


class TestArithmetic:
    """Latents of three numbers: the class on the first axis, and the manner on the others."""

    CLASSES = ("low", "high")

    def ctx(self, draws, classes=CLASSES):
        def classify(images):
            return (images[:, 0, 0, 0] > 0).long()

        return SimpleNamespace(
            data=Data("x", torch.zeros(2, 1, 1, 3).byte(), torch.tensor([0, 1]), classes),
            sampler=sampler(draws, lambda z: (z / 8)[:, None, None]),
            latents={"main": LatentSpec(3)},
            classify=classify,
        )

    def test_a_class_that_is_a_direction_is_changed_and_the_manner_stays(self):
        stream = torch.Generator().manual_seed(0)
        draws = torch.randn(200, 3, generator=stream)
        draws[:, 0] = torch.where(draws[:, 0] > 0, 2.0, -2.0)
        picture = drawn("arithmetic", self.ctx(draws), samples=200)["moved"]
        assert picture.row_labels == ("low → high",)
        assert picture.column_labels == ("Ā", "B̄", "a", "→ B", "a", "→ B", "a", "→ B")
        found = picture.images[0, :, 0, 0] * 8
        low, high = (draws[::2][draws[::2, 0] == side].mean(0) for side in (-2, 2))
        held = draws[1::2][draws[1::2, 0] == -2]
        assert torch.allclose(found[:2], torch.stack([low, high]), atol=1e-5)
        assert torch.allclose(found[2::2], held[:3], atol=1e-5)
        assert torch.allclose(found[3::2], held[:3] - low + high, atol=1e-5)
        assert f"Of {len(held)} latents of a class A that were moved, 100%" in picture.caption

    def test_the_share_of_class_b_to_compare_with_is_that_of_the_generator(self):
        # Of 200 samples, every tenth is of the first class: nine in ten are of the second anyway.
        draws = torch.ones(200, 3)
        draws[torch.arange(200) // 2 % 10 == 0, 0] = -1
        picture = drawn("arithmetic", self.ctx(draws), samples=200)["moved"]
        assert picture.caption.endswith("of latents that nobody moved, 90% are.")

    def test_classes_too_rare_to_average_are_told(self):
        draws = torch.ones(100, 3)
        draws[:5, 0] = -1
        with pytest.raises(NothingToShowError, match="fewer than two classes have 6 or more"):
            drawn("arithmetic", self.ctx(draws), samples=100)


class TestGuidedBackpropagation:
    def network(self):
        """One channel that sums a 2×2 patch, less 1; then a linear layer."""
        conv = nn.Conv2d(1, 1, 2)
        conv.weight.data = torch.tensor([[[[1.0, -1.0], [1.0, 1.0]]]])
        conv.bias.data = torch.tensor([-1.0])
        blocks = nn.Sequential()
        blocks.add_module("look", nn.Sequential(conv, nn.LeakyReLU(0.2, inplace=True)))
        return Discriminator(blocks, nn.Linear(4, 1)).eval().requires_grad_(False)

    def test_only_positive_gradients_pass_and_only_where_the_input_was_positive(self):
        x = torch.tensor([-1.0, 2.0, 3.0], requires_grad=True)
        out = guided_backprop.GuidedReLU(0.2)(x)
        assert out.tolist() == pytest.approx([-0.2, 2, 3])
        (gradient,) = torch.autograd.grad(out, x, torch.tensor([1.0, 5.0, -5.0]))
        assert gradient.tolist() == [0, 5, 0]

    def test_of_one_layer_it_is_the_filter_where_the_response_is_largest(self):
        items = torch.zeros(30, 1, 3, 3, dtype=torch.uint8)
        items[7, 0, 1:, :2] = torch.tensor([[255, 0], [255, 255]])  # the filter's own patch
        network = self.network()
        shown = TrainedDiscriminator(
            "main", network, lambda: network, lambda items: (items.float() / 255,)
        )
        ctx = SimpleNamespace(data=Data("x", items), discriminator=lambda: shown)
        pictures = drawn("guided_backprop", ctx, images=30)
        assert list(pictures) == ["trained", "untrained"]
        image, response = pictures["trained"].images[0, :2, 0]
        assert torch.equal(image, items[7, 0].float() / 127.5 - 1)
        assert response.tolist() == [[0, 0, 0], [1, -1, 0], [1, 1, 0]]
        labels = ("1st", "pixels", "2nd", "pixels", "3rd", "pixels")
        assert pictures["trained"].column_labels == labels

    def test_the_network_that_it_was_given_keeps_its_layers(self):
        network = self.network()
        changed = guided_backprop.guided(network)
        assert isinstance(network.blocks.look[1], nn.LeakyReLU)
        assert isinstance(changed.blocks.look[1], guided_backprop.GuidedReLU)
        assert changed.blocks.look[1].slope == 0.2

    @pytest.mark.parametrize(
        ("network", "obstacle", "reason"),
        [
            (
                Discriminator(nn.Sequential(nn.Sequential(nn.Flatten())), nn.Linear(9, 1)),
                "",
                "not c",
            ),
            (Discriminator(nn.Sequential(nn.Conv2d(1, 1, 1)), nn.Linear(9, 1)), "", "no ReLU"),
            (Discriminator(nn.Sequential(nn.Identity()), nn.Linear(9, 1)), "packs", "packs"),
        ],
    )
    def test_a_network_that_has_nothing_to_show_says_why(self, network, obstacle, reason):
        for parameter in network.parameters():
            parameter.data.fill_(1.0)
        shown = TrainedDiscriminator(
            "main", network, lambda: network, lambda items: (items.float(),), obstacle
        )
        items = torch.ones(20, 1, 3, 3, dtype=torch.uint8)
        ctx = SimpleNamespace(data=Data("x", items), discriminator=lambda: shown)
        with pytest.raises(NothingToShowError, match=reason):
            drawn("guided_backprop", ctx)


class TestNeighbours:
    def test_nearest_are_found_by_trying_all(self):
        stream = torch.Generator().manual_seed(0)
        queries, features = (torch.randn(n, 5, generator=stream) for n in (7, 60))
        distances, places = neighbours.nearest_features(queries, features, 3)
        for query, row, found in zip(queries, distances, places, strict=True):
            every = sorted((math.dist(query, other), i) for i, other in enumerate(features))
            assert [i for _, i in every[:3]] == found.tolist()
            assert row.tolist() == pytest.approx([d for d, _ in every[:3]])

    def test_a_planted_copy_is_the_first_row_at_distance_nought(self):
        stream = torch.Generator().manual_seed(0)
        items = torch.randint(256, (50, 1, 4, 4), generator=stream).byte()
        made = torch.rand(40, 16, generator=stream) * 2 - 1
        made[23] = items[31].flatten() / 127.5 - 1
        order = torch.randperm(50, generator=stream)

        def features(images):
            return (images.flatten(1) + 1) * 127.5

        ctx = SimpleNamespace(
            data=Data("x", items),
            sampler=sampler(made, lambda z: z.reshape(-1, 1, 4, 4)),
            features=features,
            data_features=lambda: (order, items[order].flatten(1).float()),
        )
        picture = drawn("neighbours", ctx, samples=40)["nearest"]
        assert picture.images.shape == (8, 4, 1, 4, 4)
        assert torch.allclose(picture.images[0, 0].flatten(), made[23])
        assert torch.equal(picture.images[0, 1], items[31].float() / 127.5 - 1)
        assert float(picture.row_labels[0]) < 1e-3 < 10 < float(picture.row_labels[1])
        assert torch.allclose(picture.images[4, 0].flatten(), made[0])
        assert "among 50 training images" in picture.caption

    def test_the_caption_tells_how_near_training_images_lie_to_each_other(self):
        # On a line, each at 1 from the next one; but the last two, of a hundred, are at 0.
        items = torch.arange(100).clamp(max=98).byte().reshape(-1, 1, 1, 1)
        values = items.flatten(1).float()
        ctx = SimpleNamespace(
            data=Data("x", items),
            sampler=sampler(torch.zeros(100, 1), lambda z: z.reshape(-1, 1, 1, 1)),
            features=lambda images: images.flatten(1),
            data_features=lambda: (torch.arange(100), values),
        )
        caption = drawn("neighbours", ctx, samples=100)["nearest"].caption
        assert "half have another within 1, and one in a hundred within 0." in caption
