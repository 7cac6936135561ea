"""Views in stacked steps: copies where nobody sees it, and nowhere else."""

import pytest
import torch
from test_compiled import in_double
from test_together import TAKEN, alone, train, trials
from torch.fx.experimental.proxy_tensor import make_fx

from ganbench.plugin import Stage
from ganbench.testing import weights
from ganbench.training.capture import CaptureError
from ganbench.training.memory import copyable
from ganbench.training.stacked import stacked

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
ROWS = 3


def images(x, weight):
    """Return maps that lie in memory with the trials' channels side by side, if stacked."""
    return torch.conv2d(x, weight)


def written_before(x, weight):
    return images(x, weight).mul_(2).view(2, -1).sum(1)


def another_written_after(x, weight):
    packs = images(x, weight).view(2, -1)
    return packs.sum(1) + images(x, weight).mul_(2).sum()


def written_after(x, weight):
    base = images(x, weight)
    packs = base.view(2, -1)
    base.mul_(2)
    return packs.sum(1)


def written_by_another_name(x, weight):
    base = images(x, weight)
    packs = base.view(2, -1)
    base.detach()[:, 1].unbind(2)[0].add_(1)
    return packs.sum(1)


def written_through_the_view(x, weight):
    base = images(x, weight)
    base.view(2, -1).t().mul_(2)
    return base.sum()


def written_as_one_of_a_list(x, weight):
    base = images(x, weight)
    packs = base.view(2, -1)
    torch._foreach_mul_([base], 2.0)
    return packs.sum(1)


def stacked_step(step):
    torch.manual_seed(1)
    x, weight = torch.randn(ROWS, 4, 2, 3, 3), torch.randn(ROWS, 5, 2, 2, 2)
    graph = make_fx(lambda *given: (step(*given),))(x[0], weight[0])
    made = stacked(graph, [x, weight], [True, True])
    (found,) = made(x, weight)
    return found, torch.stack([step(*row) for row in zip(x, weight, strict=True)])


@pytest.mark.parametrize("step", [written_before, another_written_after])
def test_a_view_of_what_is_not_written_to_later_may_be_a_copy(step):
    torch.testing.assert_close(*stacked_step(step))


@pytest.mark.parametrize(
    "step",
    [
        written_after,
        written_by_another_name,
        written_through_the_view,
        written_as_one_of_a_list,
    ],
)
def test_a_view_of_what_is_written_to_later_is_none_or_is_refused(step):
    with pytest.raises(CaptureError, match="view size is not compatible"):
        stacked_step(step)


def test_a_view_of_a_weight_that_is_updated_later_stays_a_view():
    def step(x, weight):
        flat = weight.view(5, -1)
        weight.mul_(2)
        return (flat.sum(1),)

    graph = make_fx(step)(torch.ones(4, 2, 3, 3), torch.ones(5, 2, 2, 2))
    assert copyable(graph.graph) == frozenset()
    weight = torch.ones(ROWS, 5, 2, 2, 2)
    (found,) = stacked(graph, [torch.ones(1), weight], [False, True])(None, weight)
    assert found.tolist() == [[16.0] * 5] * ROWS


def test_packs_of_images_are_stacked():
    settings = {"tricks": {"packing": {}}, "architecture": "dcgan-transpose", "seeds": (7, 8)}
    # Behind packing, which puts a new layer into D.
    double = type("double", (in_double(),), {"stage": Stage.LAST, "after": ("packing",)})
    ours = trials(double, **settings)
    train(ours, 10)
    for run, solo in zip(ours, alone(double, **settings), strict=True):
        solo.advance(10)
        assert run.execution == TAKEN
        torch.testing.assert_close(run.loss_log, solo.loss_log, rtol=1e-12, atol=1e-12)
        trained = weights(run)
        for name, value in weights(solo).items():
            torch.testing.assert_close(trained[name], value, rtol=1e-9, atol=1e-9)
