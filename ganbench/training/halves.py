"""D's half and G's half of a step."""

import torch
from torch import Tensor

from ganbench.plugin import DiscriminatorStep, GeneratorStep
from ganbench.training.networks import views
from ganbench.training.update import Functional, Parts, Update


class DiscriminatorUpdate(Update):
    """D's half: real and fake images, D's loss, its penalties, the descent."""

    def __init__(self, parts: Parts, repeat: int = 0) -> None:
        super().__init__(parts, "discriminator", repeat)

    def train(self, batch: Tensor, z: Tensor) -> Tensor:
        """Take the half-step and return the loss, 0-d, without gradient.

        Parameters
        ----------
        batch : Tensor, shape (batch, *shape)
            Real images in [-1, 1].
        z : Tensor, shape (batch, latent)
            Latents as drawn.
        """
        pair = self.parts.pair
        view, condition = views(pair, batch)
        z = self.transform_latent(z)
        with self.parts.autocast():
            with torch.no_grad():
                made = self.generate(z, condition)
            real = self.transform_images(view, True)
            fake = self.transform_images(made, False)
            real_logits, fake_logits = self.judge_both(
                lambda x: self.judge(x, condition), real, fake
            )
            loss = self.parts.objective.discriminator_loss(
                real_logits,
                fake_logits,
                self.targets(1.0, view, True, "discriminator"),
                self.targets(0.0, made, False, "discriminator"),
            )
            if self._penalties:
                step = DiscriminatorStep(
                    generator=pair.generator,
                    discriminator=pair.discriminator,
                    latent=z,
                    condition=condition,
                    real=real,
                    fake=fake,
                    real_logits=real_logits,
                    fake_logits=fake_logits,
                    discriminate=self.discriminate(condition),
                    judge=self.judge_plainly(condition),
                )
                for penalty, buffers in self._penalties:
                    loss = loss + penalty(step, buffers)
        self.descend(loss)
        return loss.detach()


class GeneratorUpdate(Update):
    """G's half: fake images, G's loss or a trick's, the penalties, the descent."""

    def __init__(self, parts: Parts, repeat: int = 0) -> None:
        super().__init__(parts, "generator", repeat)

    def train(self, batch: Tensor, z: Tensor) -> Tensor:
        """Take the half-step and return the loss, 0-d, without gradient.

        Parameters
        ----------
        batch : Tensor, shape (batch, *shape)
            Real images in [-1, 1].
        z : Tensor, shape (batch, latent)
            Latents as drawn.
        """
        real, condition = views(self.parts.pair, batch)
        z = self.transform_latent(z)
        with self.parts.autocast():
            fake = self.generate(z, condition)
            if not self._generator_objective and not self._penalties:
                loss = self._adversarial_loss(fake, real, condition)
            else:
                loss = self._special_loss(fake, real, condition, z)
        self.descend(loss)
        return loss.detach()

    def _special_loss(
        self, fake: Tensor, real: Tensor, condition: Tensor | None, z: Tensor
    ) -> Tensor:
        pair = self.parts.pair

        def adversarial_loss(parameters: Functional | None = None) -> Tensor:
            if parameters is None:
                return self._adversarial_loss(fake, real, condition)
            return self._functional_adversarial_loss(fake, real, condition, parameters)

        def discriminator_loss(parameters: Functional | None = None) -> Tensor:
            return self._discriminator_loss(fake, real, condition, parameters)

        step = GeneratorStep(
            generator=pair.generator,
            discriminator=pair.discriminator,
            latent=z,
            condition=condition,
            fake=fake,
            real=real,
            discriminate=self.discriminate(condition),
            adversarial_loss=adversarial_loss,
            discriminator_loss=discriminator_loss,
            optimizers=self.parts.optimizers,
        )
        loss: Tensor
        if self._generator_objective:
            ((objective, buffers),) = self._generator_objective
            loss = objective(step, buffers)
        else:
            loss = step.adversarial_loss()
        for penalty, buffers in self._penalties:
            loss = loss + penalty(step, buffers)
        return loss

    def _adversarial_loss(self, fake: Tensor, real: Tensor, condition: Tensor | None) -> Tensor:
        objective = self.parts.objective
        real_logits = None
        if objective.generator_needs_real:
            real_logits = self.judge(self.transform_images(real, True), condition)
        logits = self.judge(self.transform_images(fake, False), condition)
        targets = self.targets(objective.generator_target, fake, False, "generator")
        return objective.generator_loss(logits, targets, real_logits)

    def _functional_adversarial_loss(
        self, fake: Tensor, real: Tensor, condition: Tensor | None, parameters: Functional
    ) -> Tensor:
        objective, discriminate = self.parts.objective, self.discriminate(condition)
        real_logits = None
        if objective.generator_needs_real:
            real_logits, _ = discriminate(real, True, parameters)
        logits, _ = discriminate(fake, False, parameters)
        targets = self.targets(objective.generator_target, fake, False, "generator", "extra")
        return objective.generator_loss(logits, targets, real_logits)

    def _discriminator_loss(
        self,
        fake: Tensor,
        real: Tensor,
        condition: Tensor | None,
        parameters: Functional | None,
    ) -> Tensor:
        real_input = self.transform_images(real, True, "extra")
        fake_input = self.transform_images(fake, False, "extra")
        judge = self.judge_plainly(condition, parameters)
        real_logits, fake_logits = self.judge_both(judge, real_input, fake_input, "extra")
        return self.parts.objective.discriminator_loss(
            real_logits,
            fake_logits,
            self.targets(1.0, real, True, "discriminator", "extra"),
            self.targets(0.0, fake, False, "discriminator", "extra"),
        )
