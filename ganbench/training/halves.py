"""D's half and G's half of a step."""

from functools import partial

import torch
from torch import Tensor

from ganbench.plugin import DiscriminatorStep, Features, GeneratorStep
from ganbench.training.culprit import expect_shape
from ganbench.training.networks import views
from ganbench.training.update import Functional, Part, Parts, Update


class DiscriminatorUpdate(Update):
    """D's half: real and fake images, D's loss, its penalties, the descent."""

    def __init__(self, parts: Parts, repeat: int = 0) -> None:
        super().__init__(parts, "discriminator", repeat)

    def train(self, batch: Tensor, z: Tensor, shared: bool = False) -> Tensor:
        """Take the half-step and return the loss, 0-d, without gradient.

        Parameters
        ----------
        batch : Tensor, shape (batch, *shape)
            Real images in [-1, 1].
        z : Tensor, shape (batch, latent)
            Latents as drawn.
        shared : bool
            Leave the images, with their gradients, to G's update of the same number.
        """
        pair = self.parts.pair
        view, condition = views(pair, batch)
        z = self.transform_latent(z)
        with self.parts.autocast():
            with torch.set_grad_enabled(shared):
                made = self.generate(z, condition)
            if self.checked:
                expect_shape("generator", made, tuple(view.shape))
            if shared:
                self.parts.handed[self.repeat] = z, made
                made = made.detach()
            real = self.transform_images(view, True)
            fake = self.transform_images(made, False)
            real_logits, fake_logits = self.judge_both(
                lambda x: self.judge(x, condition), real, fake
            )
            adversarial = self.parts.objective.discriminator_loss(
                real_logits,
                fake_logits,
                self.targets(1.0, view, True, "discriminator"),
                self.targets(0.0, made, False, "discriminator"),
            )
            loss = adversarial
            if self._penalties:
                step = StepOfD(
                    self, z, condition, (view, made), (real, fake), (real_logits, fake_logits)
                )
                for penalty, buffers in self._penalties:
                    loss = loss + penalty(step, buffers)
        self.descend(loss, adversarial)
        return loss.detach()


class GeneratorUpdate(Update):
    """G's half: fake images, G's loss or a trick's, the penalties, the descent."""

    def __init__(self, parts: Parts, repeat: int = 0) -> None:
        super().__init__(parts, "generator", repeat)

    def train(self, batch: Tensor, z: Tensor, shared: bool = False) -> Tensor:
        """Take the half-step and return the loss, 0-d, without gradient.

        Parameters
        ----------
        batch : Tensor, shape (batch, *shape)
            Real images in [-1, 1].
        z : Tensor, shape (batch, latent)
            Latents as drawn.
        shared : bool
            Take the latents and images of D's update of the same number instead.
        """
        real, condition = views(self.parts.pair, batch)
        handed = self.parts.handed.pop(self.repeat, None) if shared else None
        z = self.transform_latent(z) if handed is None else handed[0]
        with self.parts.autocast():
            fake = self.generate(z, condition) if handed is None else handed[1]
            if self.checked:
                expect_shape("generator", fake, tuple(real.shape))
            if not self._generator_objective and not self._penalties:
                loss = own = self.adversarial_loss(fake, real, condition)
            else:
                loss, own = self._special_loss(fake, real, condition, z)
        self.descend(loss, own)
        return loss.detach()

    def _special_loss(
        self, fake: Tensor, real: Tensor, condition: Tensor | None, z: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return G's loss with what tricks make of it, and without their penalties."""
        step = StepOfG(self, z, condition, fake, real)
        own: Tensor
        if self._generator_objective:
            ((objective, buffers),) = self._generator_objective
            own = objective(step, buffers)
        else:
            own = step.adversarial_loss()
        loss = own
        for penalty, buffers in self._penalties:
            loss = loss + penalty(step, buffers)
        return loss, own

    def adversarial_loss(
        self,
        fake: Tensor,
        real: Tensor,
        condition: Tensor | None,
        part: Part = "own",
        parameters: Functional | None = None,
    ) -> Tensor:
        """Return the objective's loss of G; with ``parameters`` against a D that has those."""
        objective, judge = self.parts.objective, self.judge
        if parameters is not None:
            judge = partial(self.judge_plainly, parameters=parameters)
        real_logits = None
        if objective.generator_needs_real:
            real_logits = judge(self.transform_images(real, True, part), condition)
        logits = judge(self.transform_images(fake, False, part), condition)
        targets = self.targets(objective.generator_target, fake, False, "generator", part)
        return objective.generator_loss(logits, targets, real_logits)

    def discriminator_loss(
        self,
        fake: Tensor,
        real: Tensor,
        condition: Tensor | None,
        parameters: Functional | None = None,
    ) -> Tensor:
        """Return the objective's loss of D; with ``parameters`` that of a D that has those."""
        real_input = self.transform_images(real, True, "extra")
        fake_input = self.transform_images(fake, False, "extra")
        judge = partial(self.judge_plainly, condition=condition, parameters=parameters)
        real_logits, fake_logits = self.judge_both(judge, real_input, fake_input, "extra")
        return self.parts.objective.discriminator_loss(
            real_logits,
            fake_logits,
            self.targets(1.0, real, True, "discriminator", "extra"),
            self.targets(0.0, fake, False, "discriminator", "extra"),
        )


class AskedOfD:
    """What tricks may ask of D in a half-step: as it sees that one, with its condition.

    Nothing of it can be set, since other tricks see it too.
    """

    _update: Update
    condition: Tensor | None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} of a step cannot be set: other tricks see it too")

    def judge(self, x: Tensor) -> Tensor:
        """Return logits: see ``Judge``."""
        return self._update.judge_plainly(x, self.condition)

    def discriminate(
        self, images: Tensor, is_real: bool, parameters: Functional | None = None
    ) -> tuple[Tensor, Features]:
        """Return logits and features: see ``Discriminate``."""
        return self._update.discriminate(images, is_real, self.condition, parameters)


class StepOfD(AskedOfD, DiscriminatorStep):
    """D's half as tricks see it: one object, since some are made for every step."""

    def __init__(
        self,
        update: Update,
        latent: Tensor,
        condition: Tensor | None,
        images: tuple[Tensor, Tensor],
        inputs: tuple[Tensor, Tensor],
        logits: tuple[Tensor, Tensor],
    ) -> None:
        pair, own = update.parts.built.pair, vars(self)
        own["_update"] = update
        own["generator"], own["discriminator"] = pair.generator, pair.discriminator
        own["latent"], own["condition"] = latent, condition
        own["real_images"], own["fake_images"] = images
        own["real"], own["fake"] = inputs
        own["real_logits"], own["fake_logits"] = logits


class StepOfG(AskedOfD, GeneratorStep):
    """G's half as tricks see it."""

    _update: GeneratorUpdate
    _part: Part

    def __init__(
        self,
        update: GeneratorUpdate,
        latent: Tensor,
        condition: Tensor | None,
        fake: Tensor,
        real: Tensor,
    ) -> None:
        pair, own = update.parts.built.pair, vars(self)
        own["_update"], own["optimizers"] = update, update.parts.optimizers
        own["generator"], own["discriminator"] = pair.generator, pair.discriminator
        own["latent"], own["condition"] = latent, condition
        own["fake"], own["real"] = fake, real
        own["_part"] = "own"

    def adversarial_loss(self, parameters: Functional | None = None) -> Tensor:
        """Return G's loss: see ``GeneratorStep``."""
        part: Part = "extra"
        if parameters is None:
            # Whoever asks first gets the step's own draws; whoever asks again must move nobody's.
            part, vars(self)["_part"] = self._part, part
        return self._update.adversarial_loss(self.fake, self.real, self.condition, part, parameters)

    def discriminator_loss(self, parameters: Functional | None = None) -> Tensor:
        """Return D's loss: see ``GeneratorStep``."""
        return self._update.discriminator_loss(self.fake, self.real, self.condition, parameters)
