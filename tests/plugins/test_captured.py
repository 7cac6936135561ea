"""Every trick, objective and architecture as a captured graph: the numbers of the eager step.

The graphs run as they were traced, neither compiled nor recorded: what becomes of them is
PyTorch's affair, and is tested in tests/training. But all that a recording must not hold is
looked for, and inputs and draws come to the graph by places of its own.
"""

import pytest
import torch
from test_pairs import ARCHITECTURES, CPU, HOST, OBJECTIVES, PLACES, SETTINGS, TRICKS

from ganbench.testing import tiny_config, tiny_data
from ganbench.training import NotApplicableError, Trial, checking
from ganbench.training.graphed import Graphed

STEPS = 4  # one eagerly, since optimizers begin then; three of the graph
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


class Repeats:
    """Stands in for a recorder of CUDA graphs: it calls the function again."""

    device_type = "cpu"

    def record(self, function, device):
        return function


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch):
    # What a trial compares for itself is compared here, too.
    monkeypatch.setattr(checking, "CHECKED_STEPS", 1)


def compare(tricks=(), shape=(1, 8, 8), **changes):
    changes = {key: value for key, value in changes.items() if key not in ("steps", "figures")}
    given = {name: SETTINGS.get(name, {}) for name in tricks}
    config = tiny_config(given, steps=STEPS, **changes)
    try:
        eager, ours = (Trial(config, 3, tiny_data(shape), HOST, CPU) for _ in range(2))
    except NotApplicableError as error:
        pytest.skip(str(error))
    ours.capture_with(Graphed(Repeats()))
    for trial in (eager, ours):
        trial.advance(STEPS)
    assert ours.execution == {"backend": "graphed"}
    for name, state in eager.streams.state_dict().items():
        assert torch.equal(ours.streams.state_dict()[name], state), f"other draws of {name}"
    assert torch.equal(ours.update_log, eager.update_log)
    torch.testing.assert_close(ours.loss_log, eager.loss_log, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("trick", TRICKS)
def test_a_captured_trick_trains_as_it_does_eagerly(trick):
    compare((trick,))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_captured_objective_trains_as_it_does_eagerly(objective):
    compare(objective=objective)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_captured_architecture_trains_as_it_does_eagerly(architecture):
    compare(architecture=architecture, **{**PLACES.get(architecture, {}), "batch_size": 2})
