"""A trial's pairing, sampling, checkpoints and settings."""

import pytest
import torch

from ganbench.config.model import Execution, Latent, Optimizer, Optimizers
from ganbench.plugin import Host
from ganbench.testing import STEPS, differing, tiny_config, tiny_data, weights
from ganbench.training import CheckpointError, Trial, load, save

CPU = torch.device("cpu")
ALL = {
    "batch_norm": {"placement": "both"},
    "feature_matching": {"weight": 0.5},
    "instance_noise": {"start": 0.3},
    "label_smoothing": {"real": 0.8},
}


def trial(tricks=None, seed=3, data=None, **changes):
    return Trial(tiny_config(tricks, **changes), seed, data or tiny_data(), Host(), CPU)


@pytest.mark.parametrize("batch_norm", ["running", "batch"])
def test_sampling_does_not_disturb_training(batch_norm):
    evaluation = tiny_config().evaluation.model_copy(update={"batch_norm": batch_norm})
    asked, left_alone = trial(ALL, evaluation=evaluation), trial(ALL, evaluation=evaluation)
    for running in (asked, left_alone):
        running.advance(2)
        if running is asked:
            running.sample(16)
        running.advance(STEPS)
    assert differing(weights(asked), weights(left_alone)) == []


def test_samples_are_the_same_at_every_call_and_as_images_would_be_saved():
    running = trial()
    one, other = running.sample(16), running.sample(16)
    assert torch.equal(one, other)
    assert one.dtype == torch.uint8
    assert one.shape == (16, 1, 8, 8)


def test_two_arms_of_a_seed_sample_the_same_latents():
    one, other = trial(), trial(ALL)
    assert torch.equal(one._evaluation_latents(8), other._evaluation_latents(8))
    assert not torch.equal(one._evaluation_latents(8), trial(seed=4)._evaluation_latents(8))


def test_running_statistics_make_a_sample_independent_of_its_batch():
    running = trial()
    running.advance(2)
    whole = running.sample(16)
    evaluation = tiny_config().evaluation.model_copy(update={"batch_size": 3})
    apart = trial(evaluation=evaluation)
    apart.advance(2)
    difference = (whole.int() - apart.sample(16).int()).abs().max()
    assert difference <= 1


def test_a_checkpoint_restores_everything_with_all_tricks_on(tmp_path):
    whole, half, rest = trial(ALL), trial(ALL), trial(ALL)
    whole.advance(STEPS)
    half.advance(3)
    save(half, tmp_path / "trial.pt", {"evaluations": [{"step": 3, "fid": 1.5}]})
    assert load(rest, tmp_path / "trial.pt") == {"evaluations": [{"step": 3, "fid": 1.5}]}
    assert (rest.step, rest.seconds) == (3, half.seconds)
    rest.advance(STEPS)
    assert differing(weights(whole), weights(rest)) == []
    assert torch.equal(whole.loss_log, rest.loss_log)
    assert whole.losses(0) == rest.losses(0)


@pytest.mark.parametrize("change", [{"seed": 4}, {"steps": STEPS + 1}])
def test_a_checkpoint_of_another_trial_is_refused(tmp_path, change):
    save(trial(), tmp_path / "trial.pt")
    with pytest.raises(CheckpointError, match="this trial"):
        load(trial(**change), tmp_path / "trial.pt")


def test_a_torn_checkpoint_is_refused(tmp_path):
    path = tmp_path / "trial.pt"
    save(trial(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load(trial(), path)


def test_a_failed_write_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "trial.pt"
    running = trial()
    save(running, path)
    before = path.read_bytes()

    def full(*_, **__):
        raise RuntimeError("PytorchStreamWriter failed writing file: file write failed")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="failed writing"):
        save(running, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_points_are_trained_and_sampled_unbounded():
    running = trial(architecture="mlp", data=tiny_data((2,)))
    running.advance(STEPS)
    assert running.sample(7).shape == (7, 2)
    assert running.sample(7).dtype == torch.float32


def test_a_uniform_latent_stays_in_its_range():
    running = trial(latent=Latent(dimension=4, distribution="uniform"))
    z = running._evaluation_latents(500)
    assert z.abs().max() <= 1
    assert z.var().item() == pytest.approx(1 / 3, rel=0.1)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (Optimizer(name="sgd", lr=0.1, momentum=0.9), torch.optim.SGD),
        (Optimizer(name="rmsprop", lr=0.01), torch.optim.RMSprop),
        (Optimizer(name="adamw"), torch.optim.AdamW),
    ],
)
def test_every_optimizer_trains_and_resumes(tmp_path, settings, kind):
    optimizers = Optimizers(generator=settings, discriminator=settings)
    whole, half, rest = (trial(optimizers=optimizers) for _ in range(3))
    assert isinstance(whole.optimizers[0]["generator"], kind)
    whole.advance(4)
    half.advance(2)
    save(half, tmp_path / "t.pt")
    load(rest, tmp_path / "t.pt")
    rest.advance(2)
    assert differing(weights(whole), weights(rest)) == []


def test_bf16_autocast_changes_the_numbers_and_stays_finite():
    plain, cast = trial(), trial(execution=Execution(amp="bf16"))
    plain.advance(STEPS)
    cast.advance(STEPS)
    assert differing(weights(plain), weights(cast))
    assert cast.diverged_at is None
    assert torch.allclose(plain.loss_log, cast.loss_log, rtol=0.1)


def test_the_losses_are_means_since_a_step():
    running = trial()
    running.advance(4)
    assert running.losses(2)["generator"] == pytest.approx(
        running.loss_log[2:4, 0, 0].mean().item()
    )
