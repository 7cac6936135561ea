"""Relativistic: the formulas of Jolicoeur-Martineau (2018), and what they promise."""

import numpy as np
import pytest
import torch

from ganbench.config.model import Component
from ganbench.plugin import Host, Trick, TrickParameters
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import Trial


def make(average):
    return Host().create("objective", "relativistic", {"average": average})


def column(values):
    return torch.as_tensor(np.asarray(values, dtype=np.float64).reshape(-1, 1))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rsgan(real, fake):
    return -np.log(sigmoid(real - fake)).mean()


def rasgan(real, fake):
    likely = sigmoid(real - fake.mean()), sigmoid(fake - real.mean())
    return -np.log(likely[0]).mean() - np.log(1 - likely[1]).mean()


@pytest.mark.parametrize(("average", "formula"), [(False, rsgan), (True, rasgan)])
def test_the_losses_are_the_papers_and_the_generators_is_turned_round(average, formula):
    real, fake = np.random.default_rng(0).normal(size=(2, 8)) * 3
    objective = make(average)
    d_loss = objective.discriminator_loss(column(real), column(fake), None, None)
    g_loss = objective.generator_loss(column(fake), None, column(real))
    assert d_loss.item() == pytest.approx(formula(real, fake))
    assert g_loss.item() == pytest.approx(formula(fake, real))


@pytest.mark.parametrize(("average", "terms"), [(False, 1), (True, 2)])
def test_where_both_look_alike_each_term_is_log_2(average, terms):
    same = column(np.full(6, 1.3))
    loss = make(average).discriminator_loss(same, same, None, None).item()
    assert loss == pytest.approx(terms * np.log(2))


@pytest.mark.parametrize("average", [True, False])
def test_a_shift_of_all_outputs_changes_nothing(average):
    # Only differences count, which is what relativistic means.
    real, fake = (column(x) for x in np.random.default_rng(1).normal(size=(2, 8)))
    objective = make(average)
    one, other = (
        objective.discriminator_loss(real + shift, fake + shift, None, None).item()
        for shift in (0, 25)
    )
    assert one == pytest.approx(other)


@pytest.mark.parametrize("average", [True, False])
def test_the_loss_is_finite_for_outputs_far_apart(average):
    far = torch.full((4, 1), 1e4)
    assert torch.isfinite(make(average).discriminator_loss(-far, far, None, None))


def test_the_generators_half_is_shown_real_images():
    seen = []

    class Watch(Trick):
        """Notes which images D is shown in G's half."""

        name = "watch"
        neutral = TrickParameters()

        def transform_images(self, x, is_real, buf):
            if buf.half == "generator":
                seen.append(is_real)
            return x

    for name in ("relativistic", "non-saturating"):
        seen.clear()
        config = tiny_config({"watch": {}}, objective=name)
        Trial(config, 0, tiny_data(), Host(classes=[Watch]), torch.device("cpu")).advance(1)
        assert (True in seen) == (name == "relativistic")


class Halve(Trick):
    """Makes one input of D of two images, as packing does."""

    name = "halve"
    neutral = TrickParameters()

    def transform_discriminator_input(self, x, is_real, buf):
        return (x[0::2] + x[1::2]) / 2


class DropSome(Trick):
    """Shows D fewer real images than fakes."""

    name = "drop_some"
    neutral = TrickParameters()

    def transform_images(self, x, is_real, buf):
        return x[:5] if is_real else x


def trial(average, trick):
    config = tiny_config({trick.name: {}}).model_copy(
        update={"objective": Component(name="relativistic", parameters={"average": average})}
    )
    return Trial(config, 0, tiny_data(), Host(classes=[trick]), torch.device("cpu"))


@pytest.mark.parametrize(("average", "trick"), [(True, Halve), (False, Halve), (True, DropSome)])
def test_it_trains_on_the_batches_that_a_trick_leaves(average, trick):
    running = trial(average, trick)
    running.advance(2)
    assert torch.isfinite(running.loss_log[:2]).all()


def test_pairs_of_unequal_batches_are_refused_with_the_way_out():
    with pytest.raises(Exception, match=r"pairs real and fake outputs .* set average: true"):
        trial(False, DropSome).advance(1)
