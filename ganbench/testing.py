"""The contract of a trick, as tests to subclass (``class TestMine(TrickContract)``).

A trick passes when it is what it says it is: at its neutral setting nothing at all, and
switched on a change of the step that leaves everybody else's random draws alone and
survives a restart bit for bit.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganbench.config.model import (
    Component,
    Evaluation,
    Execution,
    Latent,
    Optimizers,
    TrialConfig,
)
from ganbench.plugin import Buffers, Data, Host, Trick, TrickParameters
from ganbench.training import Trial, load, save

STEPS = 6
BATCH = 8


def tiny_data(shape: tuple[int, ...] = (1, 8, 8), items: int = 40) -> Data:
    """Return random data for a test: uint8 images, or points for a shape of one number."""
    stream = torch.Generator().manual_seed(1)
    if len(shape) == 1:
        return Data("tiny", torch.randn((items, *shape), generator=stream))
    images = torch.randint(0, 256, (items, *shape), generator=stream, dtype=torch.uint8)
    return Data("tiny", images)


def tiny_config(
    tricks: Mapping[str, Mapping[str, Any]] | None = None,
    architecture: str = "dcgan-upsample",
    architecture_parameters: Mapping[str, Any] | None = None,
    objective: str = "non-saturating",
    steps: int = STEPS,
    **changes: Any,
) -> TrialConfig:
    """Return the configuration of a trial that takes a fraction of a second."""
    small = {"width": 4} if architecture.startswith("dcgan") else {"hidden": 8}
    return TrialConfig(
        dataset=Component(name="tiny"),
        architecture=Component(
            name=architecture, parameters=dict(architecture_parameters or small)
        ),
        objective=Component(name=objective),
        latent=Latent(dimension=4),
        optimizers=Optimizers(),
        batch_size=BATCH,
        steps=steps,
        tricks={name: dict(given) for name, given in (tricks or {}).items()},
        execution=Execution(),
        evaluation=Evaluation(samples=16, batch_size=8, every=2),
    ).model_copy(update=changes)


def weights(trial: Trial) -> dict[str, Tensor]:
    """Return a copy of all that a trial's networks and tricks hold in tensors, by name."""
    found: dict[str, Tensor] = {}
    for built in trial.pairs:
        nets = {
            "generator": built.pair.generator,
            "discriminator": built.pair.discriminator,
            **{f"modules.{role}": modules for role, modules in built.modules.items()},
        }
        for part, net in nets.items():
            for name, value in net.state_dict().items():
                found[f"{built.pair.name}.{part}.{name}"] = value.clone()
        for trick, buffers in built.buffers.items():
            for name, value in buffers.items():
                found[f"{built.pair.name}.{trick}.{name}"] = value.clone()
    return found


def differing(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    """Return the names that the two share and that are not equal bit for bit."""
    return [name for name in one if name in other and not torch.equal(one[name], other[name])]


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _results_differing(one: Trial, other: Trial) -> list[str]:
    changed = differing(weights(one), weights(other))
    same = torch.equal(one.sample(16), other.sample(16))
    return changed if same else [*changed, "the samples"]


class _Witness(Trick):
    """Draws in every step, so that a trick that moves another's draws is seen to."""

    name = "contract_witness"
    neutral = TrickParameters()

    def transform_discriminator_input(self, x: Tensor, is_real: bool, buf: Buffers) -> Tensor:
        """Add noise."""
        return x + 0.01 * torch.randn(x.shape, generator=buf.generator)


class TrickContract:
    """Subclass it in a test module, and set ``trick`` and ``parameters``."""

    trick: ClassVar[type[Trick]]
    """The class under test."""
    parameters: ClassVar[Mapping[str, Any]] = {}
    """A setting at which the trick does something."""
    with_tricks: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Other tricks that it requires, or is best tested with."""
    plugins: ClassVar[Sequence[type[Any]]] = ()
    """Other plugin classes, not installed, that ``with_tricks``, ``objective`` or so name."""
    architecture: ClassVar[str] = "dcgan-upsample"
    objective: ClassVar[str] = "non-saturating"

    def make(self, parameters: Mapping[str, Any] | None, seed: int = 3) -> Trial:
        """Build a tiny trial: with the trick at ``parameters``, or without it for None."""
        tricks = dict(self.with_tricks)
        if parameters is not None:
            tricks[self.trick.name] = dict(parameters)
        config = tiny_config(tricks, self.architecture, objective=self.objective)
        host = Host(classes=[self.trick, _Witness, *self.plugins])
        return Trial(config, seed, tiny_data(), host, torch.device("cpu"))

    def test_neutral_is_the_identity(self) -> None:
        """Trained at ``neutral``, every weight and sample equals that without the trick."""
        without, neutral = self.make(None), self.make(self.trick.neutral.model_dump())
        without.advance(STEPS)
        neutral.advance(STEPS)
        changed = _results_differing(without, neutral)
        assert not changed, f"{self.trick.neutral!r} is not neutral: it changed {changed}"  # noqa: S101

    def test_switched_on_changes_the_step(self) -> None:
        """Trained at ``parameters``, networks or samples are not those of a trial without it."""
        without, switched_on = self.make(None), self.make(self.parameters)
        without.advance(STEPS)
        switched_on.advance(STEPS)
        text = f"{dict(self.parameters)} changed no weight and no sample in {STEPS} steps"
        assert _results_differing(without, switched_on), text  # noqa: S101

    def test_shared_layers_start_alike(self) -> None:
        """Before the first step, the layers that both trials have are equal bit for bit.

        A layer is another one if a tensor of it has another shape.
        """
        without, switched_on = self.make(None), self.make(self.parameters)
        one, other = weights(without), weights(switched_on)
        resized = {_layer(n) for n in one if n in other and one[n].shape != other[n].shape}
        changed = [name for name in differing(one, other) if _layer(name) not in resized]
        assert not changed, f"layers that both trials have start differently: {changed}"  # noqa: S101

    def test_other_streams_are_undisturbed(self) -> None:
        """Latents, data order and another trick's draws stand where they stand without it."""
        without, switched_on = self._witnessed(None), self._witnessed(self.parameters)
        drawn = [_global_draws(trial) for trial in (without, switched_on)]
        one, other = without.streams.state_dict(), switched_on.streams.state_dict()
        # Whatever a trick makes of G's half, there the witness may be asked more or less often.
        theirs = f"trick/{_Witness.name}/main/"
        moved = [
            name
            for name in differing(one, other)
            if not name.startswith(theirs) or name == f"{theirs}discriminator"
        ]
        assert not moved, f"the trick moved streams that are not its own: {moved}"  # noqa: S101
        text = "the trick draws from torch's global stream; pass generator=buf.generator"
        assert drawn[0] == drawn[1], text  # noqa: S101

    def _witnessed(self, parameters: Mapping[str, Any] | None) -> Trial:
        tricks = {**self.with_tricks, _Witness.name: {}}
        if parameters is not None:
            tricks[self.trick.name] = dict(parameters)
        config = tiny_config(tricks, self.architecture, objective=self.objective)
        host = Host(classes=[self.trick, _Witness, *self.plugins])
        return Trial(config, 3, tiny_data(), host, torch.device("cpu"))

    def test_resume_is_exact(self) -> None:
        """Saved in mid-trial and loaded into a new one, it ends with the same bits."""
        whole, first, second = (self.make(self.parameters) for _ in range(3))
        whole.advance(STEPS)
        first.advance(STEPS // 2)
        with tempfile.TemporaryDirectory() as folder:
            save(first, Path(folder) / "trial.pt")
            load(second, Path(folder) / "trial.pt")
        second.advance(STEPS)
        text = "a resumed trial differs: state that is not in a buffer, a module or state_dict"
        assert not differing(weights(whole), weights(second)), text  # noqa: S101
        assert torch.equal(whole.loss_log, second.loss_log), text  # noqa: S101
        assert torch.equal(whole.sample(16), second.sample(16)), text  # noqa: S101

    def test_card_and_parameters_are_documented(self) -> None:
        """The module has a docstring, and every parameter a description."""
        host = Host(classes=[self.trick, *self.plugins])
        card = host.find("trick", self.trick.name).card
        assert len(card) > 40, f"the module's docstring is to be the method card, not {card!r}"  # noqa: S101
        fields = self.trick.Parameters.model_fields
        bare = [name for name, field in fields.items() if not field.description]
        assert not bare, f"parameters without a docstring below them: {bare}"  # noqa: S101


def _global_draws(trial: Trial) -> list[bytes]:
    """Train a trial, and return where the global stream stood after each half of a step."""
    seen: list[bytes] = []
    seed_layers = trial.streams.seed_layers

    def note_and_seed(*names: str) -> None:
        seen.append(torch.get_rng_state().numpy().tobytes())
        seed_layers(*names)

    # A method of this one object: the trial is thrown away after.
    object.__setattr__(trial.streams, "seed_layers", note_and_seed)
    trial.advance(STEPS)
    return seen[1:]
