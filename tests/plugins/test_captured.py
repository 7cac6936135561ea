"""Every trick, objective and architecture as a captured graph: the numbers of the eager step.

The graphs run as they were traced, not compiled: what a compiler makes of them is PyTorch's
affair and is tested in tests/training/test_compiled.py.
"""

import pytest
import torch
from test_pairs import ARCHITECTURES, CPU, HOST, OBJECTIVES, PLACES, SETTINGS, TRICKS

from ganbench.config.model import Execution
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import NotApplicableError, Trial, compiled

STEPS = 4  # one eagerly, since optimizers begin then; three of the graph
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


@pytest.fixture(autouse=True)
def _uncompiled(monkeypatch):
    monkeypatch.setattr(torch._inductor, "compile", lambda graph, arguments: graph)
    monkeypatch.setattr(compiled, "_functions", {})
    # What a trial compares for itself is compared here, too.
    monkeypatch.setattr(compiled, "CHECKED_STEPS", 1)


def compare(tricks=(), shape=(1, 8, 8), **changes):
    changes = {key: value for key, value in changes.items() if key not in ("steps", "figures")}
    given = {name: SETTINGS.get(name, {}) for name in tricks}
    trials = []
    for backend in ("eager", "compiled"):
        config = tiny_config(given, steps=STEPS, execution=Execution(backend=backend), **changes)
        try:
            trials.append(Trial(config, 3, tiny_data(shape), HOST, CPU))
        except NotApplicableError as error:
            pytest.skip(str(error))
        trials[-1].advance(STEPS)
    eager, ours = trials
    assert ours.execution == {"backend": "compiled"}
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
