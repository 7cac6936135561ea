"""D's half and G's half of a step."""

from functools import partial

import torch
from torch import Tensor

from ganbench.plugin import DiscriminatorStep, GeneratorStep
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
        view, self.condition = views(pair, batch)
        z = self.transform_latent(z)
        with self.parts.autocast():
            with torch.set_grad_enabled(shared):
                made = self.generate(z)
            if self.checked:
                expect_shape("generator", made, tuple(view.shape))
            if shared:
                self.parts.handed[self.repeat] = z, made
                made = made.detach()
            real = self.transform_images(view, True)
            fake = self.transform_images(made, False)
            real_logits, fake_logits = self.judge_both(self.judge, real, fake)
            adversarial = self.parts.objective.discriminator_loss(
                real_logits,
                fake_logits,
                self.targets(1.0, view, True, "discriminator"),
                self.targets(0.0, made, False, "discriminator"),
            )
            loss = adversarial
            if self._penalties:
                step = DiscriminatorStep(
                    generator=pair.generator,
                    discriminator=pair.discriminator,
                    latent=z,
                    condition=self.condition,
                    real_images=view,
                    fake_images=made,
                    real=real,
                    fake=fake,
                    real_logits=real_logits,
                    fake_logits=fake_logits,
                    discriminate=self.discriminate,
                    judge=self.judge_plainly,
                )
                for penalty, buffers in self._penalties:
                    loss = loss + penalty(step, buffers)
        self.descend(loss, adversarial)
        return loss.detach()


class GeneratorUpdate(Update):
    """G's half: fake images, G's loss or a trick's, the penalties, the descent."""

    def __init__(self, parts: Parts, repeat: int = 0) -> None:
        super().__init__(parts, "generator", repeat)
        self._images: tuple[Tensor, Tensor] | None = None
        self._own_draws = False

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
        real, self.condition = views(self.parts.pair, batch)
        handed = self.parts.handed.pop(self.repeat, None) if shared else None
        z = self.transform_latent(z) if handed is None else handed[0]
        with self.parts.autocast():
            fake = self.generate(z) if handed is None else handed[1]
            if self.checked:
                expect_shape("generator", fake, tuple(real.shape))
            self._images = fake, real
            if self._generator_objective or self._penalties:
                loss, own = self._special_loss(z)
            else:
                loss = own = self._adversarial_loss("own")
            self._images = None  # nor what it took to make them
        self.descend(loss, own)
        return loss.detach()

    def _special_loss(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return G's loss with what tricks make of it, and without their penalties."""
        pair, (fake, real) = self.parts.pair, self._under_way()
        self._own_draws = True
        step = GeneratorStep(
            generator=pair.generator,
            discriminator=pair.discriminator,
            latent=z,
            condition=self.condition,
            fake=fake,
            real=real,
            discriminate=self.discriminate,
            adversarial_loss=self.adversarial_loss,
            discriminator_loss=self.discriminator_loss,
            judge=self.judge_plainly,
            optimizers=self.parts.optimizers,
        )
        own: Tensor
        if self._generator_objective:
            ((objective, buffers),) = self._generator_objective
            own = objective(step, buffers)
        else:
            own = self.adversarial_loss()
        loss = own
        for penalty, buffers in self._penalties:
            loss = loss + penalty(step, buffers)
        return loss, own

    def adversarial_loss(self, parameters: Functional | None = None) -> Tensor:
        """Return the objective's loss of G, for tricks; with ``parameters`` against another D.

        Whoever asks first gets the step's own draws; whoever asks again must move nobody's.
        """
        if parameters is not None:
            return self._adversarial_loss("extra", parameters)
        part: Part = "own" if self._own_draws else "extra"
        self._own_draws = False
        return self._adversarial_loss(part)

    def discriminator_loss(self, parameters: Functional | None = None) -> Tensor:
        """Return D's loss, for tricks; with ``parameters`` that of another D."""
        fake, real = self._under_way()
        real_input = self.transform_images(real, True, "extra")
        fake_input = self.transform_images(fake, False, "extra")
        judge = partial(self.judge_plainly, parameters=parameters)
        real_logits, fake_logits = self.judge_both(judge, real_input, fake_input, "extra")
        return self.parts.objective.discriminator_loss(
            real_logits,
            fake_logits,
            self.targets(1.0, real, True, "discriminator", "extra"),
            self.targets(0.0, fake, False, "discriminator", "extra"),
        )

    def _adversarial_loss(self, part: Part, parameters: Functional | None = None) -> Tensor:
        fake, real = self._under_way()
        objective, judge = self.parts.objective, self.judge
        if parameters is not None:
            judge = partial(self.judge_plainly, parameters=parameters)
        real_logits = None
        if objective.generator_needs_real:
            real_logits = judge(self.transform_images(real, True, part))
        logits = judge(self.transform_images(fake, False, part))
        targets = self.targets(objective.generator_target, fake, False, "generator", part)
        return objective.generator_loss(logits, targets, real_logits)

    def _under_way(self) -> tuple[Tensor, Tensor]:
        """Return the fake and the real images of the step under way."""
        if self._images is None:
            raise RuntimeError("asked for a loss after the step that it belongs to")
        return self._images
