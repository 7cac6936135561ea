"""What a study file says, once it is read: the validated models."""

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Strict(BaseModel):
    """Frozen, unknown keys forbidden, no coercion (an int passes for a float)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def _as_component(value: Any) -> Any:
    """Let ``dcgan`` stand for ``{name: dcgan}`` and gather the plugin's parameters."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and "parameters" not in value:
        rest = {key: item for key, item in value.items() if key != "name"}
        return {**({"name": value["name"]} if "name" in value else {}), "parameters": rest}
    return value


class Component(Strict):
    """A plugin by name, with its parameters: ``mlp``, or ``{name: mlp, hidden: 128}``."""

    name: str
    """The plugin's registered name."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Its parameters; in the file they stand beside ``name``."""


ComponentField = Annotated[Component, BeforeValidator(_as_component)]


def _as_seeds(value: Any) -> Any:
    """Let ``10`` stand for the seeds 0 to 9."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_SEEDS:
        return tuple(range(value))
    return value


MAX_SEEDS = 10_000
"""More repetitions than any study could pay for: a slip of the keyboard."""
MAX_SEED = 2**32 - 1
AA_OFFSET = 1_000_000
"""Between a seed and the one that an A/A arm is trained with in its place."""


def shifted_seed(seed: int, offset: int) -> int:
    """Return the seed that an arm with an offset is trained with: still one of 32 bits."""
    return (seed + offset) % (MAX_SEED + 1)


class Latent(Strict):
    """The generator's input."""

    dimension: int = Field(default=64, ge=1, le=4096)
    """Width of the latent vector."""
    distribution: Literal["normal", "uniform"] = "normal"
    """N(0, 1) or U(-1, 1) in each coordinate."""
    reuse: bool = False
    """G's half takes the latents and images of D's half, instead of others."""

    def key_content(self) -> dict[str, Any]:
        """Return what enters a configuration's key."""
        return _key_content(self, younger=("reuse",))


_ALL_USE = frozenset({"lr", "weight_decay", "decay", "decay_law"})
OPTIMIZER_KEYS: dict[str, frozenset[str]] = {
    "adam": _ALL_USE | {"beta1", "beta2", "eps"},
    "adamw": _ALL_USE | {"beta1", "beta2", "eps"},
    "sgd": _ALL_USE | {"momentum"},
    "rmsprop": _ALL_USE | {"momentum", "alpha", "eps"},
}
"""Which keys each kind of optimizer uses, ``name`` aside."""


class Optimizer(Strict):
    """An optimizer; keys that its kind does not have are refused."""

    name: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    """One of torch.optim's."""
    lr: float = Field(default=2e-4, gt=0, le=10)
    """Learning rate."""
    beta1: float = Field(default=0.5, ge=0, lt=1)
    """Decay of the first moment (adam, adamw)."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the second moment (adam, adamw)."""
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """Momentum (sgd, rmsprop)."""
    alpha: float = Field(default=0.99, ge=0, lt=1)
    """Decay of the mean square (rmsprop)."""
    eps: float = Field(default=1e-8, gt=0, le=1)
    """Added to the root of the second moment (adam, adamw, rmsprop)."""
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    """Weight decay."""
    decay: float = Field(default=0.0, ge=0, le=1)
    """Decay of the learning rate, an update."""
    decay_law: Literal["inverse-time", "exponential"] = "inverse-time"
    """At update t from 0: lr / (1 + decay t), or lr / (1 + decay)^t."""

    def key_content(self) -> dict[str, Any]:
        """Return what enters a configuration's key."""
        return _key_content(self, younger=("alpha", "eps", "decay", "decay_law"))


class Optimizers(Strict):
    """One optimizer a role."""

    generator: Optimizer = Optimizer()
    """Trains G."""
    discriminator: Optimizer = Optimizer()
    """Trains D."""


class Execution(Strict):
    """How steps are computed; part of the protocol, since each choice changes numerics."""

    amp: Literal["off", "bf16"] = "off"
    """Autocast forward passes to bfloat16."""
    backend: Literal["auto", "eager", "compiled", "graphed"] = "auto"
    """Compile whole steps (needs a compiler), or record them as CUDA graphs; auto is \
eager on a CPU, and measured on CUDA."""
    channels_last: bool = False
    """Keep images and convolutions' weights with their channels innermost."""
    merge_upsampling: bool = False
    """Compute nearest-neighbour doubling and the 3×3 convolution behind it as one."""
    join_batches: bool = False
    """Have D judge real and fake images as one batch, where it judges each by itself."""
    onednn_linear: bool = False
    """On a CPU: have oneDNN compute large products of dense layers, instead of PyTorch's BLAS."""
    tf32: bool = True
    """On CUDA: products of float32 numbers in TensorFloat-32."""
    together: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] = "auto"
    """How many seeds of an arm a worker trains at once, as one model whose weights are stacked."""

    def company(self, auto: int = 1) -> int:
        """Return how many trials are trained at once, with what is measured for ``auto``.

        That goes with the back end that was measured, and is 1 beside another.
        """
        if self.together == "auto":
            return auto if self.backend == "auto" else 1
        return self.together

    def key_content(self) -> dict[str, Any]:
        """Return what enters a configuration's key."""
        arranged = ("channels_last", "merge_upsampling", "join_batches", "onednn_linear")
        return _key_content(self, younger=(*arranged, "tf32", "together"))


def way(backend: str, together: int) -> str:
    """Return how steps are taken, as a report says it."""
    return backend if together == 1 else f"{backend}, {together} trials at once"


def _key_content(model: Strict, younger: Iterable[str]) -> dict[str, Any]:
    """Return a model's values; the younger ones only where they differ from their defaults.

    So results that were filed before there were such keys are found again.
    """
    content = model.model_dump(mode="json")
    for name in younger:
        if content[name] == type(model).model_fields[name].default:
            del content[name]
    return content


TrickSetting = dict[str, Any] | bool | None
"""Parameters of a trick; ``true`` for its defaults; ``false`` or null for off."""


class Baseline(Strict):
    """What every arm starts from."""

    architecture: ComponentField
    """Generator and discriminator."""
    objective: ComponentField = Component(name="non-saturating")
    """What they minimise."""
    latent: Latent = Latent()
    """The generator's input."""
    optimizers: Optimizers = Optimizers()
    """How they minimise it."""
    batch_size: int = Field(default=64, ge=2, le=65536)
    """Real images, and fake images, in each step."""
    steps: int = Field(default=1000, ge=1, le=10_000_000)
    """Steps of each trial."""
    tricks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Tricks that are on in every arm, each with its parameters."""
    execution: Execution = Execution()
    """Precision and compilation."""


class ArmSpec(Strict):
    """One arm of an explicit list."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+=()-]{0,79}$")
    """letters, digits, spaces and ._+=()-, at most 80; what the report calls the arm."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Trick names or dotted baseline paths, each with the value that it has here."""


Objective = Literal["primary", "collapse", "seconds_per_step"]
"""``collapse``: the share of a trial's evaluations at which it had collapsed."""


class Searching(Strict):
    """How configurations are drawn, trained on tuning seeds and given up early."""

    space: dict[str, Any] = Field(default_factory=dict)
    """What is varied: names as in `factors`, each with a list of choices, or {low, high, log}, \
or `auto` for a plugin's own ranges."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, le=MAX_SEED)], ...], Field(strict=False)] = ()
    """Tuning seeds: a list, none of them among the study's own."""
    sampler: Literal["tpe", "random", "nsga2"] = "tpe"
    """Optuna's that draws: by what is known of good ones, by chance, or by evolution."""
    pruner: Literal["none", "median", "asha", "hyperband"] = "none"
    """Optuna's that gives a trial up early, by the primary figure so far."""
    parallel: int = Field(default=4, ge=1, le=1000)
    """Configurations under way at a time: each is drawn from all results but the last ones."""


class Tuning(Searching):
    """The same number of trials for every arm, over the same shared hyperparameters."""

    budget: int = Field(ge=1, le=10_000)
    """Configurations that each arm may try."""
    sampler: Literal["tpe", "random"] = "tpe"
    """Optuna's that draws: by what is known of good ones, or by chance."""


class Design(Searching):
    """Which cells of the factors become arms.

    ``one-at-a-time``: the baseline, then each other level of each factor alone.
    ``leave-one-out``: every factor at its second level, then each one back at its first.
    ``pairs``: one at a time, and every two levels of different factors together.
    ``factorial``: every combination. ``fractional``: a part of the combinations of factors
    with two levels, chosen so that main effects can still be told. ``arms``: a list.
    ``search``: the best configuration that a search of a space finds.
    """

    kind: Literal[
        "one-at-a-time", "leave-one-out", "pairs", "factorial", "fractional", "arms", "search"
    ] = "one-at-a-time"
    """Which combinations of the factors' levels become arms."""
    resolution: Literal["III", "IV", "V"] | None = None
    """What ``kind: fractional`` must keep apart: III main effects from one another, IV also \
from interactions of two, V also those from one another."""
    arms: tuple[ArmSpec, ...] = Field(default=(), strict=False)
    """The arms of ``kind: arms``, besides the baseline."""
    aa: bool = False
    """One arm more: what the others are compared with, again, at other seeds."""
    trials: int | None = Field(default=None, ge=1, le=10_000)
    """Configurations that ``kind: search`` tries."""
    objectives: Annotated[tuple[Objective, ...], Field(strict=False)] = ("primary",)
    """What ``kind: search`` minimises: the primary figure, and perhaps one thing besides."""


class Judgement(Strict):
    """How a difference becomes a verdict; changing it needs no new training."""

    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Family-wise error rate."""
    margin: float = Field(default=0.05, gt=0, lt=1)
    """Equivalence margin: a relative change of the primary metric that does not matter."""


AUTO_METRICS = (Component(name="fid"), Component(name="modes"), Component(name="diversity"))
"""What ``metrics: auto`` stands for, where they apply to the data."""


class Evaluation(Strict):
    """How a trial is measured; part of the protocol."""

    primary: str = "fid"
    """The figure that verdicts are about: one that its metric declares as lower is better."""
    metrics: (
        Literal["auto"] | Annotated[tuple[ComponentField, ...], Field(min_length=1, strict=False)]
    ) = "auto"
    """What is computed at each evaluation; ``auto``: those of `AUTO_METRICS` that apply."""
    extractor: ComponentField = Component(name="classifier")
    """The features of the Fréchet distance; never exchanged silently."""
    samples: int = Field(default=2000, ge=2, le=1_000_000)
    """Generated images an evaluation."""
    every: int = Field(default=100, ge=1)
    """Steps between evaluations; the last step is always evaluated."""
    batch_size: int = Field(default=500, ge=1, le=65536)
    """Images sampled at once: fixed, so that a result does not depend on memory."""
    batch_norm: Literal["running", "batch"] = "running"
    """BatchNorm's statistics while sampling."""
    inspections: Literal["auto"] | Annotated[tuple[ComponentField, ...], Field(strict=False)] = (
        "auto"
    )
    """What is drawn of each trial's networks when it ends; ``auto``: all that apply."""
    judgement: Judgement = Judgement()
    """Error rate and equivalence margin."""

    @property
    def candidates(self) -> tuple[Component, ...]:
        """The metrics listed; for ``auto`` those that are left out where they do not apply."""
        return AUTO_METRICS if self.metrics == "auto" else self.metrics


class SeedRange(Strict):
    """Seeds that are added as long as a verdict is open: from ``min`` to at most ``max``."""

    min: int = Field(ge=2, le=MAX_SEEDS)
    """Seeds before the first look at the results."""
    max: int = Field(ge=2, le=MAX_SEEDS)
    """Seeds at the last look."""
    step: int | None = Field(default=None, ge=1, le=MAX_SEEDS)
    """Seeds from one look to the next; without it there are four looks at most."""


class Study(Strict):
    """A study file: a question, a baseline, factors, a design, seeds, an evaluation."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    """lower-case letters, digits, - and _, at most 64; names the report's folder."""
    question: str = Field(min_length=1)
    """What the study is to answer; the report opens with it."""
    dataset: ComponentField
    """What the generator learns."""
    baseline: Baseline
    """What every arm starts from."""
    factors: dict[str, Annotated[tuple[Any, ...], Field(strict=False)]] = Field(
        default_factory=dict
    )
    """A trick's name, or a dotted path into the baseline, and its levels, baseline's first."""
    design: Design = Design()
    """Which combinations become arms."""
    tuning: Tuning | None = None
    """An equal budget for every arm to tune shared hyperparameters with, on seeds of its own."""
    seeds: (
        SeedRange
        | Annotated[
            tuple[Annotated[int, Field(ge=0, le=MAX_SEED)], ...],
            Field(min_length=1, max_length=MAX_SEEDS, strict=False),
            BeforeValidator(_as_seeds),
        ]
    ) = (0, 1, 2, 3, 4)
    """The repetitions: a count, a list of seeds, or ``{min, max}``. A seed pairs the arms."""
    evaluation: Evaluation = Evaluation()
    """How trials are measured."""

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds; of a range all that it may come to."""
        if isinstance(self.seeds, SeedRange):
            return tuple(range(self.seeds.max))
        return self.seeds


class TrialConfig(Strict):
    """All that determines a trial but its seed: an arm of the design, resolved."""

    dataset: ComponentField
    architecture: ComponentField
    objective: ComponentField
    latent: Latent
    optimizers: Optimizers
    batch_size: int
    steps: int
    tricks: dict[str, dict[str, Any]]
    execution: Execution
    evaluation: Evaluation

    def key(self) -> str:
        """Return a hash of the configuration, less what changes no number of the trial's."""
        content = self.model_dump(mode="json")
        # So that another meaning of `auto` is another key; which of them apply, the data say.
        metrics = [metric.model_dump(mode="json") for metric in self.evaluation.candidates]
        content["evaluation"]["metrics"] = metrics
        content["optimizers"] = {
            role: getattr(self.optimizers, role).key_content() for role in content["optimizers"]
        }
        content["execution"] = self.execution.key_content()
        content["latent"] = self.latent.key_content()
        for name in ("judgement", "primary", "inspections"):
            del content["evaluation"][name]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
