"""InfoGAN: codes in the latent that D's features must tell again (Chen et al., 2016).

How to use
    ``infogan: on``, or ``{categorical: 10, continuous: 2}``; ``{continuous: 0}`` for classes
    alone.
Suggested hyperparameters
    The source's, for MNIST: latent U(-1, 1) of 62, both weights 1, batch 128, Adam with β1 0.5
    and learning rate 2e-4 for D and Q, 1e-3 for G. A generator that is quicker than D lets
    the categories settle; as many of them as the data have classes.
Technical details and trade-offs
    Behind the noise stand one category out of K, and coordinates from U(-1, 1). A head Q on
    D's last features says which codes made an image: a softmax, and the mean of a Gaussian
    whose deviation is 1 (as in the authors' code) or learned. Both networks' losses lose
    λ·L_I, where L_I = E[log Q(c|x)] + H(c) is a lower bound of the mutual information of codes
    and images (equations 5 and 6). As in the code, Q and the features that it shares with D
    learn it in D's half, on D's fakes, and G in its own; Q is an optimizer role of its own,
    ``infogan.q``, which is like D's unless ``q_learning_rate`` says otherwise. Q is
    fully connected: ``hidden``, BatchNorm, LeakyReLU(0.1), and one more layer, with weights
    from N(0, 0.02²). Asking for D's features once more costs a forward pass in each half, and
    moves the running statistics of D's BatchNorm towards fakes.
    *Figures.* ``code_error``: the category that Q finds likeliest for each real image, each
    category taken for the class that is most frequent in it, and the share of images of other
    classes. ``code_error_one_to_one`` allows each class one category at most (the best such
    matching). Beside each stands its chance level: the same for categories shuffled among the
    images, which is a little under one minus the share of the largest class.
    Of larger data sets 10,000 images are looked at, spread evenly; data without labels have
    no such figures. ``categorical_information`` and ``continuous_information``: L_I in nats over
    2,000 fakes of the current G. The first can reach ``categorical_ceiling``, ln K; the second,
    summed over the coordinates, has no ceiling, and is taken with the deviation that Q's
    residuals have. Nothing makes a category a digit: another way to tell ten kinds of images
    apart gets the same loss, so the error varies with the seed.
    In a pyramid of GANs the codes belong to the coarsest.
Attribution
    X. Chen et al., *InfoGAN: Interpretable Representation Learning by Information Maximizing
    Generative Adversarial Nets*, NeurIPS 2016, sections 4, 5 and 7, appendix C.1; and the
    authors' code, ``infogan/algos/infogan_trainer.py``, ``launchers/run_mnist_exp.py``.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, cast

import torch
from pydantic import model_validator
from torch import Tensor, nn

from ganbench.plugin import (
    Annotated,
    Buffers,
    BuildContext,
    Categorical,
    Discriminator,
    DiscriminatorStep,
    Features,
    Field,
    GeneratorStep,
    LatentSpec,
    Picture,
    Sampler,
    Search,
    TrainingSpec,
    Trick,
    TrickModule,
    TrickParameters,
    Uniform,
)

from ._codes import (
    RecognitionHead,
    categorical_bound,
    continuous_bound,
    draw_latents,
    matching_errors,
)

ROLE = "infogan.q"
LABELLED, FAKES, BATCH = 10_000, 2_000, 500
"""Real images and fakes that an evaluation looks at, and how many at once."""
ROWS, CATEGORIES, VALUES = 8, 10, 9
"""Of a traversal: samples, or at most so many categories, in its rows; values in its columns."""
LIMIT = 2.0
"""A continuous code is shown from minus this to this, twice as far as it is drawn."""


class InfoGAN(Trick):
    """Give G codes besides its noise, and make images tell them."""

    name = "infogan"
    conflicts: ClassVar[Mapping[str, str]] = {
        "packing": "a pack of images has as many codes, and Q tells one image's",
        "experience_replay": "the codes of old fakes are not kept with them",
    }
    figures: ClassVar[Mapping[str, str]] = {
        "code_error": "share of the labelled training images that Q puts into a category of "
        "another class, each category taken for its most frequent class; 0 is best",
        "code_error_one_to_one": "the same, with at most one category for each class",
        "code_error_chance": "`code_error` of the same categories shuffled among the images: "
        "what a code gets that says nothing of the classes",
        "code_error_one_to_one_chance": "`code_error_one_to_one` of the same shuffled categories",
        "categorical_information": "lower bound on the mutual information of the categorical code "
        "and generated images, in nats; at most `categorical_ceiling`, the code's entropy",
        "categorical_ceiling": "entropy of the categorical code, in nats",
        "continuous_information": "lower bound on the mutual information of the continuous codes "
        "and generated images, in nats, summed over them",
    }

    class Parameters(TrickParameters):
        categorical: Annotated[int, Field(ge=0, le=1000)] = 10
        """Classes of the categorical code; 0 for none."""
        continuous: Annotated[int, Field(ge=0, le=100)] = 2
        """Coordinates of the continuous code."""
        categorical_weight: Annotated[float, Field(ge=0, le=100), Search(0.1, 3.0, log=True)] = 1.0
        """λ of the categorical code."""
        continuous_weight: Annotated[float, Field(ge=0, le=100), Search(0.03, 3.0, log=True)] = 1.0
        """λ of the continuous code."""
        learned_deviation: bool = False
        """Let Q tell the deviation of its Gaussians; they are 1 otherwise."""
        hidden: Annotated[int, Field(ge=1, le=8192), Search(16, 256, log=True)] = 128
        """Width of Q's own hidden layer."""
        q_learning_rate: (
            Annotated[float, Field(gt=0, le=1), Search(1e-4, 1e-2, log=True)] | None
        ) = None
        """Learning rate of Q, D's if not given."""

        @model_validator(mode="after")
        def _one_class_says_nothing(self) -> "InfoGAN.Parameters":
            if self.categorical == 1:
                raise ValueError("categorical=1, expected 0 for none, or 2 classes or more")
            return self

    neutral = Parameters(categorical=0, continuous=0)

    def skip(self, ctx: BuildContext) -> tuple[bool, str]:
        if not ctx.spec.latent.codes:
            return False, ""
        net = ctx.discriminator
        if not isinstance(net, Discriminator):
            return True, f"the discriminator of {ctx.architecture} does not show its features"
        if not isinstance(net.head, nn.Linear):
            return True, f"D's head is a {type(net.head).__name__}, and does not say what comes in"
        return False, ""

    # -- build -------------------------------------------------------------------------
    def configure(self, spec: TrainingSpec) -> TrainingSpec:
        rate: float | None = self.parameters.q_learning_rate
        if rate is None or not self._codes():
            return spec
        like = spec.optimizers["discriminator"]
        own = replace(like, arguments={**like.arguments, "lr": rate})
        return spec.with_changes(optimizers={**spec.optimizers, ROLE: own})

    def make_latent(self, ctx: BuildContext) -> LatentSpec:
        return replace(ctx.spec.latent, codes=self._codes())

    def make_modules(self, ctx: BuildContext) -> Mapping[str, TrickModule]:
        if not ctx.spec.latent.codes:
            return {}
        settings = self.parameters
        told = settings.categorical + settings.continuous * (1 + settings.learned_deviation)
        head: Any = cast(Discriminator, ctx.discriminator).head
        q = RecognitionHead(head.in_features, settings.hidden, told)
        return {"q": TrickModule(q, ROLE, "discriminator")}

    # -- step --------------------------------------------------------------------------
    def discriminator_penalty(self, step: DiscriminatorStep, buf: Buffers) -> Tensor:
        if not buf.modules:
            return step.fake.new_zeros(())
        features = _features_of(step.discriminator, step.fake, step.condition)
        return -self._weighted_bound(step.latent, buf.modules["q"](features))

    def generator_penalty(self, step: GeneratorStep, buf: Buffers) -> Tensor:
        if not buf.modules:
            return step.fake.new_zeros(())
        _, features = step.discriminate(step.fake, False)
        return -self._weighted_bound(step.latent, buf.modules["q"](_last(features)))

    # -- host --------------------------------------------------------------------------
    def on_evaluate(self, ctx: BuildContext, buf: Buffers) -> Mapping[str, float]:
        if not buf.modules:
            return {}
        with _evaluating(buf.modules["q"]):
            # In this order the shuffle of the errors draws last.
            information = self._information(ctx, buf)
            return {**self._errors(ctx, buf), **information}

    def draw_pictures(
        self, ctx: BuildContext, sampler: Sampler, buf: Buffers
    ) -> Mapping[str, Picture]:
        if not buf.modules or not ctx.spec.is_image:
            return {}
        pictures = {}
        classes: int = self.parameters.categorical
        if classes:
            z = sampler.latents(ROWS)
            columns = [self._with_category(z[ctx.pair], category) for category in range(classes)]
            pictures["categories"] = Picture(
                _grid(ctx.pair, z, columns, sampler),
                "Each column is a category of the code; each row has the same noise and the "
                "same continuous codes throughout.",
                row_labels=tuple(f"noise {row + 1}" for row in range(ROWS)),
                column_labels=tuple(str(category) for category in range(classes)),
            )
        for coordinate in range(self.parameters.continuous):
            pictures[f"continuous-{coordinate + 1}"] = self._traversal(ctx, sampler, coordinate)
        return pictures

    # -- parts -------------------------------------------------------------------------
    def _codes(self) -> tuple[Categorical | Uniform, ...]:
        classes, continuous = self.parameters.categorical, self.parameters.continuous
        category = (Categorical(classes),) if classes else ()
        return (*category, Uniform(continuous)) if continuous else category

    def _split(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the categorical and the continuous codes of latents, perhaps without columns."""
        classes, continuous = self.parameters.categorical, self.parameters.continuous
        start = z.shape[1] - continuous
        return z[:, start - classes : start], z[:, start:]

    def _told(self, told: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits, the means and the log variances that Q tells, in float32."""
        classes, continuous = self.parameters.categorical, self.parameters.continuous
        widths = [classes, continuous, told.shape[1] - classes - continuous]
        logits, mean, log_variance = torch.split(told.float(), widths, 1)
        return logits, mean, log_variance if log_variance.shape[1] else torch.zeros_like(mean)

    def _weighted_bound(self, z: Tensor, told: Tensor) -> Tensor:
        (category, continuous), (logits, mean, log_variance) = self._split(z), self._told(told)
        bound = told.new_zeros((), dtype=torch.float32)
        if category.shape[1]:
            weight: float = self.parameters.categorical_weight
            bound = bound + weight * categorical_bound(category, logits)
        if continuous.shape[1]:
            weight = self.parameters.continuous_weight
            bound = bound + weight * continuous_bound(continuous, mean, log_variance)
        return bound

    def _errors(self, ctx: BuildContext, buf: Buffers) -> dict[str, float]:
        classes, labels = self.parameters.categorical, ctx.real_labels
        if not classes or labels is None:
            return {}
        count = min(len(labels), LABELLED)
        chosen = torch.linspace(0, len(labels) - 1, count, dtype=torch.float64).long()
        chosen = chosen.to(labels.device)
        found = []
        for indices in torch.split(chosen, BATCH):
            images, condition = ctx.real_batch(indices)
            features = _features_of(ctx.discriminator, images, condition)
            found.append(self._told(buf.modules["q"](features))[0].argmax(1))
        told, known = torch.cat(found), labels[chosen]
        stream = buf.generator
        order = torch.randperm(count, generator=stream, device=stream.device).to(told.device)
        majority, one_to_one = matching_errors(told, known, classes)
        chance, one_to_one_chance = matching_errors(told[order], known, classes)
        return {
            "code_error": majority,
            "code_error_chance": chance,
            "code_error_one_to_one": one_to_one,
            "code_error_one_to_one_chance": one_to_one_chance,
        }

    def _information(self, ctx: BuildContext, buf: Buffers) -> dict[str, float]:
        generator = cast(nn.Module, ctx.generator)
        z = draw_latents(ctx.spec.latent, FAKES, buf.generator)
        found = []
        for part in torch.split(z, BATCH):
            features = _features_of(ctx.discriminator, generator(part), None)
            found.append(buf.modules["q"](features))
        told = torch.cat(found)
        (category, continuous), (logits, mean, _) = self._split(z), self._told(told)
        figures: dict[str, float] = {}
        if category.shape[1]:
            figures["categorical_information"] = categorical_bound(category, logits).item()
            figures["categorical_ceiling"] = math.log(category.shape[1])
        if continuous.shape[1]:
            residuals = (continuous - mean).square().mean(0, keepdim=True)
            bound = continuous_bound(continuous, mean, residuals.clamp(min=1e-12).log())
            figures["continuous_information"] = bound.item()
        return figures

    def _with_category(self, z: Tensor, category: int) -> Tensor:
        """Return latents of which all have one category."""
        changed = z.clone()
        columns, _ = self._split(changed)
        columns.zero_()[:, category] = 1
        return changed

    def _traversal(self, ctx: BuildContext, sampler: Sampler, coordinate: int) -> Picture:
        """Return a picture in which one continuous code goes from -2 to 2."""
        z, classes = sampler.latents(ROWS), min(CATEGORIES, self.parameters.categorical)
        own = z[ctx.pair]
        if classes:
            own = torch.cat([self._with_category(own[:1], each) for each in range(classes)])
            z = {pair: latents[:1].repeat(classes, 1) for pair, latents in z.items()}
        values = torch.linspace(-LIMIT, LIMIT, VALUES)
        columns = []
        for value in values.tolist():
            changed = own.clone()
            self._split(changed)[1][:, coordinate] = value
            columns.append(changed)
        each = "a category, all with the same noise" if classes else "a sample"
        return Picture(
            _grid(ctx.pair, z, columns, sampler),
            f"From left to right continuous code {coordinate + 1} goes from -2 to 2; it was "
            f"trained between -1 and 1. Each row is {each}.",
            row_labels=tuple(f"category {row}" for row in range(len(own))) if classes else (),
            column_labels=tuple(f"{value:g}" for value in values.tolist()),
        )


def _features_of(net: nn.Module | None, x: Tensor, condition: Tensor | None) -> Tensor:
    """Return the output of D's last block, for D's inputs."""
    shown: Any = net
    inputs = (x,) if condition is None else (x, condition)
    return _last(shown.forward_with_features(*inputs)[1])


def _last(features: Features) -> Tensor:
    return list(features.values())[-1]


def _grid(pair: str, z: Mapping[str, Tensor], columns: list[Tensor], sampler: Sampler) -> Tensor:
    """Return samples, (rows, columns, *shape): a column for each of a pair's latents.

    The other pairs' latents are the same in every column.
    """
    repeated = {name: latents.repeat(len(columns), 1) for name, latents in z.items()}
    made = sampler.images({**repeated, pair: torch.cat(columns)})
    return made.reshape(len(columns), -1, *made.shape[1:]).transpose(0, 1).clamp(-1, 1)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode inside."""
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)
