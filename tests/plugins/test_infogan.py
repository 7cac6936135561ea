"""InfoGAN: its contract, its bounds against numpy, its role, its figures and pictures."""

import math

import numpy as np
import pytest
import torch
from ganbench_plugins.tricks._codes import (
    RecognitionHead,
    categorical_bound,
    continuous_bound,
    draw_latents,
    matching_errors,
)
from ganbench_plugins.tricks.infogan import InfoGAN
from pydantic import ValidationError
from torch import nn

from ganbench.config.model import Optimizer, Optimizers
from ganbench.plugin import (
    Architecture,
    Categorical,
    Data,
    Host,
    LatentSpec,
    Pair,
    Uniform,
)
from ganbench.testing import STEPS, TrickContract, differing, tiny_config, tiny_data, weights
from ganbench.training import NotApplicableError, Trial


class TestInfoGAN(TrickContract):
    trick = InfoGAN
    parameters = {"categorical": 3, "continuous": 2, "hidden": 8}


class TestInfoGANWithLearnedDeviation(TrickContract):
    trick = InfoGAN
    architecture = "mlp"
    parameters = {
        "categorical": 0,
        "continuous": 1,
        "hidden": 4,
        "learned_deviation": True,
        "q_learning_rate": 1e-3,
    }


SMALL = {"categorical": 3, "continuous": 2, "hidden": 8}


def labelled(shape=(1, 8, 8), items=40, classes=4):
    plain = tiny_data(shape, items)
    return Data("tiny", plain.items, torch.arange(items) % classes, tuple("abcdefgh"[:classes]))


def trial(data=None, architecture="dcgan-upsample", plugins=(), parameters=None, **infogan):
    config = tiny_config({"infogan": {**SMALL, **infogan}}, architecture, parameters)
    return Trial(config, 0, data or labelled(), Host(classes=plugins), torch.device("cpu"))


# -- the bounds ----------------------------------------------------------------------------


def test_the_categorical_bound_is_the_entropy_less_the_cross_entropy():
    rng = np.random.default_rng(0)
    logits, chosen = rng.normal(size=(50, 7)), rng.integers(7, size=50)
    q = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = np.log(7) + np.log(q[np.arange(50), chosen]).mean()
    got = categorical_bound(torch.from_numpy(np.eye(7)[chosen]), torch.from_numpy(logits))
    assert got.item() == pytest.approx(expected)


def test_the_categorical_bound_ends_at_its_ceiling_and_is_zero_for_a_guess():
    codes = torch.eye(10)
    assert categorical_bound(codes, 100 * codes).item() == pytest.approx(math.log(10), abs=1e-6)
    assert categorical_bound(codes, torch.zeros(10, 10)).item() == pytest.approx(0, abs=1e-6)


def test_the_continuous_bound_is_the_gaussian_log_likelihood_and_the_entropy():
    rng = np.random.default_rng(1)
    codes, mean, log_variance = rng.uniform(-1, 1, (3, 40, 2))
    density = np.exp(-((codes - mean) ** 2) / (2 * np.exp(log_variance)))
    density /= np.sqrt(2 * np.pi * np.exp(log_variance))
    expected = np.log(density).sum(1).mean() + 2 * np.log(2)
    got = continuous_bound(*(torch.from_numpy(x) for x in (codes, mean, log_variance)))
    assert got.item() == pytest.approx(expected)


def test_the_continuous_bound_says_little_of_codes_that_q_does_not_know():
    # The best Gaussian without knowledge has the uniform's variance, 1/3: by Gibbs, below 0.
    codes = torch.rand(100_000, 1, generator=torch.Generator().manual_seed(0)) * 2 - 1
    blind = continuous_bound(codes, torch.zeros(1), torch.tensor([1 / 3]).log()).item()
    assert blind == pytest.approx(math.log(2) - 0.5 * math.log(2 * math.pi * math.e / 3), abs=0.01)
    assert blind < 0


# -- categories as classes -----------------------------------------------------------------


def test_errors_of_categories_by_hand():
    # Category 0 holds classes 0 0 0 1, category 1 holds 0 0 1, category 2 holds 2.
    codes = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2])
    labels = torch.tensor([0, 0, 0, 1, 0, 0, 1, 2])
    majority, one_to_one = matching_errors(codes, labels, 4)
    assert majority == pytest.approx(2 / 8)  # 3 + 2 + 1 are right
    assert one_to_one == pytest.approx(3 / 8)  # 0 to 0, 1 to 1, 2 to 2: 3 + 1 + 1


def test_renamed_classes_are_found_without_error_and_one_category_guesses():
    labels = torch.arange(100) % 10
    assert matching_errors((labels + 3) % 10, labels, 10) == (0.0, 0.0)
    majority, one_to_one = matching_errors(torch.zeros_like(labels), labels, 10)
    assert majority == one_to_one == pytest.approx(0.9)


# -- in a trial ----------------------------------------------------------------------------


def test_codes_stand_behind_the_noise_and_q_is_a_role_of_its_own():
    one = trial(q_learning_rate=0.01)
    latent = one.pairs[0].context.spec.latent
    assert latent == LatentSpec(4, "normal", (Categorical(3), Uniform(2)))
    assert one.optimizers[0]["infogan.q"].param_groups[0]["lr"] == 0.01
    assert one.optimizers[0]["discriminator"].param_groups[0]["lr"] != 0.01
    # 2x2 maps of 8 channels; hidden 8 with its norm; 3 logits and 2 means.
    assert one.parameter_counts()["infogan.q"] == 33 * 8 + 2 * 8 + 9 * 5
    assert trial(learned_deviation=True).parameter_counts()["infogan.q"] == 33 * 8 + 16 + 9 * 7


def test_the_head_is_that_of_appendix_c_1():
    torch.manual_seed(0)
    head = RecognitionHead(1024, 128, 12)
    layers = [type(layer) for layer in head.children()]
    assert layers == [nn.Linear, nn.BatchNorm1d, nn.LeakyReLU, nn.Linear]
    assert head.activation.negative_slope == 0.1
    assert head.linear.weight.std().item() == pytest.approx(0.02, rel=0.02)
    x = torch.randn(16, 4, 16, 16)
    assert head(x).shape == (16, 12)


def test_weights_of_zero_leave_q_alone_and_the_rest_as_with_codes_only():
    silent = trial(categorical_weight=0.0, continuous_weight=0.0)
    before = weights(silent)
    silent.advance(STEPS)
    changed = differing(before, weights(silent))
    learned = [n for n in changed if "modules.infogan.q" in n and "running" not in n]
    assert [n for n in learned if "num_batches" not in n] == []


def test_both_networks_and_q_follow_the_bound():
    loud, silent = trial(), trial(categorical_weight=0.0, continuous_weight=0.0)
    assert not differing(weights(loud), weights(silent))
    for each in (loud, silent):
        each.advance(STEPS)
    changed = differing(weights(loud), weights(silent))
    for part in ("main.generator.", "main.discriminator.blocks.", "main.modules.infogan.q"):
        assert [name for name in changed if name.startswith(part)], part


def test_information_rises_towards_its_ceiling():
    config = tiny_config(
        {"infogan": {"categorical": 3, "continuous": 0, "hidden": 16}},
        "mlp",
        {"hidden": 32},
        steps=150,
        optimizers=Optimizers(generator=Optimizer(lr=3e-3), discriminator=Optimizer(lr=3e-3)),
    )
    one = Trial(config, 0, labelled(), Host(), torch.device("cpu"))
    before = one.extra_figures()
    one.advance(150)
    after = one.extra_figures()
    assert before["infogan.categorical_information"] < 0.2
    assert after["infogan.categorical_ceiling"] == pytest.approx(math.log(3))
    assert 0.9 < after["infogan.categorical_information"] <= math.log(3)


def test_the_error_is_that_of_the_categories_that_q_finds_in_the_data():
    one = trial()
    one.advance(3)
    figures = one.extra_figures()
    pair, q = one.pairs[0].pair, one.pairs[0].buffers["infogan"].modules["q"]
    images = labelled().items.float() / 127.5 - 1
    pair.discriminator.eval()
    q.eval()
    with torch.no_grad():
        _, features = pair.discriminator.forward_with_features(images)
        found = q(features["down2"])[:, :3].argmax(1).numpy()
    labels = labelled().labels.numpy()
    right = sum(max(((found == k) & (labels == c)).sum() for c in range(4)) for k in range(3))
    assert figures["infogan.code_error"] == pytest.approx(1 - right / 40)
    assert figures["infogan.code_error"] <= figures["infogan.code_error_one_to_one"] <= 1


class KnowsAll(nn.Module):
    """A Q that tells the class of each of the forty images, and nothing of anything else."""

    def forward(self, features):
        told = torch.zeros(len(features), 4)
        if len(features) == 40:
            told[torch.arange(40), torch.arange(40) % 4] = 1.0
        return told


def test_beside_an_error_stands_what_a_code_gets_that_says_nothing_of_the_classes():
    one = trial(categorical=4, continuous=0)
    one.pairs[0].buffers["infogan"].modules["q"] = KnowsAll()
    figures = one.extra_figures()
    for name in ("infogan.code_error", "infogan.code_error_one_to_one"):
        assert figures[name] == 0
        # Ten images of each of four classes: at best a category's own class is a little over
        # a quarter of it by chance.
        assert 0.5 < figures[f"{name}_chance"] < 0.75


def test_evaluating_leaves_no_trace():
    looked, blind = trial(), trial()
    looked.advance(2)
    one = looked.extra_figures()
    assert looked.extra_figures() == one
    looked.pictures()
    looked.advance(STEPS)
    blind.advance(STEPS)
    assert not differing(weights(looked), weights(blind))


def test_without_labels_there_is_no_error_to_report():
    figures = trial(tiny_data()).extra_figures()
    assert "infogan.code_error" not in figures
    assert "infogan.categorical_information" in figures


@pytest.mark.parametrize(
    ("infogan", "expected"),
    [
        (
            {"continuous": 0},
            {
                *("code_error", "code_error_chance", "categorical"),
                *("code_error_one_to_one", "code_error_one_to_one_chance"),
            },
        ),
        ({"categorical": 0}, {"continuous"}),
    ],
)
def test_a_kind_of_code_that_is_off_has_no_figures(infogan, expected):
    one = trial(**infogan)
    one.advance(2)
    names = {name.removeprefix("infogan.") for name in one.extra_figures()}
    assert {n.split("_information")[0].split("_ceiling")[0] for n in names} == expected


def test_the_pictures_vary_one_code_at_a_time():
    one = trial(labelled((3, 8, 8)), categorical=3, continuous=2)
    one.advance(2)
    pictures = one.pictures()
    assert set(pictures) == {"infogan.categories", "infogan.continuous-1", "infogan.continuous-2"}
    assert pictures["infogan.categories"].images.shape == (8, 3, 3, 8, 8)
    traversal = pictures["infogan.continuous-2"]
    assert traversal.images.shape == (3, 9, 3, 8, 8)
    assert traversal.row_labels == ("category 0", "category 1", "category 2")
    assert traversal.column_labels == ("-2", "-1.5", "-1", "-0.5", "0", "0.5", "1", "1.5", "2")
    generator = one.pairs[0].pair.generator.eval()
    z = one._evaluating._latents(8)["main"][:1].clone()
    z[0, 4:7] = torch.tensor([0.0, 1.0, 0.0])
    z[0, 8] = -1.5
    with torch.no_grad():
        expected = generator(z)[0]
    assert torch.allclose(traversal.images[1, 1], expected, atol=1e-5)


def test_without_categories_the_rows_are_samples():
    one = trial(categorical=0, continuous=1)
    assert one.pictures()["infogan.continuous-1"].images.shape == (8, 9, 1, 8, 8)


def test_drawn_latents_have_the_distributions_of_the_prior():
    latent = LatentSpec(2, "uniform", (Categorical(4), Uniform(1)))
    z = draw_latents(latent, 40_000, torch.Generator().manual_seed(0))
    assert z.shape == (40_000, 7)
    assert torch.equal(z[:, 2:6].sum(1), torch.ones(40_000))
    assert torch.allclose(z[:, 2:6].mean(0), torch.full((4,), 0.25), atol=0.01)
    for column in (0, 1, 6):
        assert z[:, column].abs().max() <= 1
        assert z[:, column].var().item() == pytest.approx(1 / 3, rel=0.03)
    normal = draw_latents(LatentSpec(1), 40_000, torch.Generator().manual_seed(0))
    assert normal.var().item() == pytest.approx(1, rel=0.03)


# -- where it does not apply, and where it does --------------------------------------------


def test_points_have_codes_too_and_no_pictures():
    one = trial(tiny_data((2,)), "mlp")
    one.advance(STEPS)
    assert one.diverged_at is None
    assert one.pictures() == {}


def test_in_a_pyramid_the_codes_belong_to_the_coarsest():
    small = {"width": 4, "generator_hidden": 8, "discriminator_hidden": 8}
    one = trial(None, "lapgan", parameters=small)
    one.advance(STEPS)
    assert one.pairs[0].context.spec.latent.codes
    assert not one.pairs[1].context.spec.latent.codes
    assert "4x4.infogan.code_error" in one.extra_figures()
    assert "4x4.infogan.categories" in one.pictures()
    assert "8x8.infogan.q" not in one.parameter_counts()


class NoFeatures(Architecture):
    """A discriminator that is a plain Sequential."""

    name = "no-features"

    def build_pairs(self, spec):
        generator = nn.Sequential(nn.Linear(spec.latent.dimension, 64), nn.Unflatten(1, (1, 8, 8)))
        return (Pair("main", generator, nn.Sequential(nn.Flatten(), nn.Linear(64, 1))),)


def test_a_discriminator_without_features_is_not_applicable():
    with pytest.raises(NotApplicableError, match="does not show its features"):
        trial(None, "no-features", (NoFeatures,), {})


@pytest.mark.parametrize("other", ["packing", "experience_replay"])
def test_tricks_that_part_codes_from_images_are_refused(other):
    config = tiny_config({"infogan": SMALL, other: {}})
    with pytest.raises(NotApplicableError, match="infogan"):
        Trial(config, 0, labelled(), Host(), torch.device("cpu"))


def test_one_class_is_refused():
    with pytest.raises(ValidationError, match="0 for none, or 2 classes or more"):
        InfoGAN.Parameters(categorical=1)
