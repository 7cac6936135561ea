"""A small world of plugins, so that the tests of study files need no built-in."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import model_validator

from ganbench.plugin import (
    Architecture,
    ArchitectureParameters,
    Dataset,
    DatasetParameters,
    Extractor,
    Field,
    Metric,
    Objective,
    Search,
    Trick,
    TrickParameters,
)


def _never(self, *arguments):
    raise AssertionError("these plugins are named in study files and never run")


class Squares(Dataset):
    """Squares."""

    name = "squares"
    load = _never

    class Parameters(DatasetParameters):
        size: Annotated[int, Field(ge=8, le=64)] = 8
        root: Path | None = None


class Photos(Dataset):
    """Photos in a folder."""

    name = "photos"
    load = _never

    class Parameters(DatasetParameters):
        folder: str
        size: Annotated[int, Field(ge=8, le=64)] = 32


class Conv(Architecture):
    """Convolutions."""

    name = "conv"
    build_pairs = _never

    class Parameters(ArchitectureParameters):
        width: Annotated[int, Field(ge=1, le=512)] = 64


class Dense(Architecture):
    """Layers."""

    name = "dense"
    build_pairs = _never

    class Parameters(ArchitectureParameters):
        hidden: Annotated[int, Field(ge=1, le=512), Search(16, 512, log=True)] = 128
        layers: tuple[int, ...] = (64, 64)


class Plain(Objective):
    """With targets."""

    name = "non-saturating"
    discriminator_loss = _never
    generator_loss = _never


class Critic(Objective):
    """Without targets."""

    name = "critic"
    discriminator_loss = _never
    generator_loss = _never
    uses_targets = False


class Smoothing(Trick):
    """Smooth."""

    name = "smoothing"
    needs_targets = True

    class Parameters(TrickParameters):
        real: Annotated[float, Field(gt=0.5, le=1), Search(0.7, 1.0)] = 0.9
        """Target of real images."""

    neutral = Parameters(real=1.0)


class Noise(Trick):
    """Noise."""

    name = "noise"

    class Parameters(TrickParameters):
        start: Annotated[float, Field(ge=0)] = 0.1
        end: Annotated[float, Field(ge=0)] = 0.0
        anneal: Literal["linear", "constant"] = "linear"

        @model_validator(mode="after")
        def _declines(self):
            if self.end > self.start:
                raise ValueError("end must not be above start")
            return self

    neutral = Parameters(start=0)


class Matching(Trick):
    """Match."""

    name = "matching"

    class Parameters(TrickParameters):
        weight: Annotated[float, Field(ge=0, le=1)] = 1.0
        layer: str | None = None

    neutral = Parameters(weight=0)


class Norm(Trick):
    """Normalise."""

    name = "norm"

    class Parameters(TrickParameters):
        placement: Literal["both", "generator", "none"] = "both"
        momentum: Annotated[float, Field(gt=0, lt=1)] = 0.1
        output_layer: bool = False

    neutral = Parameters()


class Penalty(Trick):
    """Penalise; not with `norm`."""

    name = "penalty"
    conflicts = {"norm": "a gradient of one image must not depend on the others"}
    neutral = TrickParameters()


class Booster(Trick):
    """Only on top of `matching`."""

    name = "booster"
    requires = {"matching": "it boosts the features that matching compares"}
    neutral = TrickParameters()


class Network(Extractor):
    """Features."""

    name = "classifier"
    features = _never
    protocol = _never


class Distance(Metric):
    """Distance."""

    name = "fid"
    compute = _never
    figures = {"fid": "distance"}
    lower_is_better = ("fid",)


class Modes(Metric):
    """Modes."""

    name = "modes"
    compute = _never
    figures = {"modes": "count", "kl": "nats"}
    lower_is_better = ("kl",)


class Diversity(Metric):
    """Diversity."""

    name = "diversity"
    compute = _never
    figures = {"diversity": "ratio"}


class Modes2(Metric):
    """Modes, counted again."""

    name = "modes2"
    compute = _never
    figures = {"kl": "nats"}
    lower_is_better = ("kl",)
