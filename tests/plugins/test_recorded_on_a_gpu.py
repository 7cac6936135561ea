"""Every trick, objective and architecture recorded as a CUDA graph: the numbers of eager steps."""

import pytest
import torch
from test_pairs import ARCHITECTURES, HOST, OBJECTIVES, PLACES, SETTINGS, TRICKS

from ganbench.config.model import Execution
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import NotApplicableError, Trial

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]
STEPS = 6


def compare(tricks=(), shape=(1, 8, 8), **changes):
    changes = {key: value for key, value in changes.items() if key not in ("steps", "figures")}
    given = {name: SETTINGS.get(name, {}) for name in tricks}
    trials = []
    for backend in ("eager", "graphed"):
        execution = Execution(backend=backend, tf32=False)
        config = tiny_config(given, steps=STEPS, execution=execution, **changes)
        try:
            trials.append(Trial(config, 3, tiny_data(shape), HOST, torch.device("cuda")))
        except NotApplicableError as error:
            pytest.skip(str(error))
        trials[-1].advance(STEPS)
    eager, ours = trials
    assert ours.execution == {"backend": "graphed"}
    for name, state in eager.streams.state_dict().items():
        assert torch.equal(ours.streams.state_dict()[name], state), f"other draws of {name}"
    assert torch.equal(ours.update_log, eager.update_log)
    torch.testing.assert_close(ours.loss_log, eager.loss_log, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("trick", TRICKS)
def test_a_recorded_trick_trains_as_it_does_eagerly(trick):
    compare((trick,))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_recorded_objective_trains_as_it_does_eagerly(objective):
    compare(objective=objective)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_recorded_architecture_trains_as_it_does_eagerly(architecture):
    compare(architecture=architecture, **{**PLACES.get(architecture, {}), "batch_size": 2})
