"""What the ledger holds of a study, as statistics and reports read it: no torch here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from ganbench.config.model import shifted_seed
from ganbench.evaluation.collapse import Health, Sign
from ganbench.evaluation.early import EarlyWarning
from ganbench.study.search_result import SearchResult

Outcome = Literal["complete", "diverged", "failed", "pending"]


def seeds_of(study: Mapping[str, Any]) -> tuple[int, ...]:
    """Return a resolved study's seeds; of a range all that it may come to."""
    seeds = study["seeds"]
    if isinstance(seeds, Mapping):
        seeds = seeds["max"]
    return tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)


@dataclass(frozen=True)
class EvaluationPoint:
    """One evaluation of a trial.

    Attributes
    ----------
    step : int
        Steps done.
    seconds : float
        Training time so far, evaluations excluded.
    figures : mapping of str to float
        What the metrics gave; NaN and infinity are left out, as what is undefined is.
    health : str
        By the rule of ``ganbench.evaluation.collapse``.
    losses : mapping of str to float
        Mean losses of D and G since the last evaluation.
    signs : tuple of str
        Of collapse, that the state was seen by; none in results of before there were signs.
    histogram : tuple of int
        Samples of each mode; empty without modes.
    watched : mapping of str to float
        What early warnings look at; empty where D judges no single items.
    warnings : tuple of str
        The early warnings that stand here.
    """

    step: int
    seconds: float
    figures: Mapping[str, float]
    health: Health
    losses: Mapping[str, float]
    signs: tuple[Sign, ...] = ()
    histogram: tuple[int, ...] = ()
    watched: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[EarlyWarning, ...] = ()

    @classmethod
    def read(cls, recorded: Mapping[str, Any]) -> "EvaluationPoint":
        """Return a point as a ledger or a checkpoint holds it: with lists for tuples.

        What a later version recorded besides is left out.
        """
        names = ("signs", "histogram", "warnings")
        known = {each.name: recorded[each.name] for each in fields(cls) if each.name in recorded}
        return cls(**{**known, **{name: tuple(recorded.get(name, ())) for name in names}})


@dataclass(frozen=True)
class TrialResult:
    """One arm at one seed.

    Attributes
    ----------
    arm : str
    seed : int
        That pairs it with the other arms' trials; ``ArmResult.trained_with`` tells the one
        that it is trained with.
    key : str
        Hash of the resolved configuration.
    outcome : str
        A diverged trial is an outcome, not an error; ``pending`` has not ended.
    evaluations : tuple of EvaluationPoint, by step
    training_seconds, evaluation_seconds : float
    steps : int
        Steps done: fewer than asked for in a trial that diverged.
    error : str or None
        Why the trial failed, or at which step it diverged.
    samples : Path or None
        PNG of 64 samples (8 by 8 tiles, no gaps, native resolution), the same latents in
        every arm of a seed; for points a PNG of a scatter plot.
    pictures : mapping of str to Path
        PNGs of plugins' own, by ``plugin.picture``, with caption and labels inside.
    inspected : mapping of str to Path
        PNGs of what the networks have learned, by ``inspection.picture``, likewise.
    details : mapping
        ``order``: each hook in use with its tricks as they ran. ``preparing_seconds``: for
        capturing, compiling and comparing steps. ``parameters``: trained
        numbers of each role. ``weights``: whose generator weights are scored. ``device``,
        ``torch``, ``ganbench``: what it was made with. ``not_shown``: by inspection, why it has
        no picture. Of a failed trial instead the
        ``traceback``, where there is one.
    """

    arm: str
    seed: int
    key: str
    outcome: Outcome
    evaluations: tuple[EvaluationPoint, ...] = ()
    training_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    steps: int = 0
    error: str | None = None
    samples: Path | None = None
    details: Mapping[str, Any] | None = None
    pictures: Mapping[str, Path] = field(default_factory=dict)
    inspected: Mapping[str, Path] = field(default_factory=dict)

    def final(self, figure: str) -> float | None:
        """Return a figure at the last evaluation, None if the trial has no such end."""
        if self.outcome != "complete" or not self.evaluations:
            return None
        return self.evaluations[-1].figures.get(figure)

    def best(self, figure: str) -> float | None:
        """Return a figure's lowest value over the evaluations, None where ``final`` is."""
        if self.final(figure) is None:
            return None
        return min(p.figures[figure] for p in self.evaluations if figure in p.figures)

    def area(self, figure: str) -> float | None:
        """Return the area under a figure's curve over the steps, divided by their range.

        That is the figure's mean level from the first evaluation to the last, by the
        trapezoid rule; None where ``final`` is.
        """
        if self.final(figure) is None:
            return None
        curve = [(p.step, p.figures[figure]) for p in self.evaluations if figure in p.figures]
        if len(curve) == 1:
            return curve[0][1]
        area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(curve))
        return area / (curve[-1][0] - curve[0][0])

    @property
    def seconds_per_step(self) -> float | None:
        """Training time of a step, evaluations excluded; None before the first."""
        if not self.steps or not self.training_seconds:
            return None
        return self.training_seconds / self.steps


@dataclass(frozen=True)
class ArmResult:
    """One arm of the design.

    Attributes
    ----------
    name : str
        ``baseline`` for the first.
    levels : mapping of str to Any
        What differs from the baseline: factor to level.
    key : str or None
        Hash of the configuration; None where the arm does not apply.
    skipped : str or None
        Why the arm is n/a.
    cell : mapping of str to int
        In a design that combines factors: the place of each one's level in its list.
    seed_offset : int
        Added to a pair's seed to give the one that the arm is trained with.
    leaves_out : str or None
        In ``leave-one-out``: what the arm has back at the baseline's level.
    retuned : bool
        Whether this is another arm with its hyperparameters tuned.
    """

    name: str
    levels: Mapping[str, Any]
    key: str | None
    skipped: str | None = None
    cell: Mapping[str, int] = field(default_factory=dict)
    seed_offset: int = 0
    leaves_out: str | None = None
    retuned: bool = False

    @property
    def is_again(self) -> bool:
        """Whether this is the A/A arm: what the others are compared with, at other seeds."""
        return self.seed_offset != 0

    def trained_with(self, seed: int) -> int:
        """Return the seed that the arm's trial of a pair is trained with."""
        return shifted_seed(seed, self.seed_offset)


def label(figure: str) -> str:
    """Return a figure's key as a reader knows it: short acronyms in capitals."""
    acronyms = ("fid", "kid", "kl", "mmd")
    return " ".join(word.upper() if word in acronyms else word for word in figure.split("_"))


def level_words(value: Any, within: bool = False) -> str:
    """Return a factor's level, or a parameter within one, as a reader would say it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        # A trick that is null is off; a parameter that is null is just that.
        return "none" if within else "off"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {level_words(item, True)}" for key, item in value.items()) or "on"
    if isinstance(value, list | tuple):
        return ", ".join(level_words(item, True) for item in value)
    return str(value)


@dataclass(frozen=True)
class StudyResults:
    """A study as far as it has run.

    Attributes
    ----------
    study : mapping
        The resolved study file, plain values.
    origins : mapping of str to str
        Dotted key to ``file:line`` or ``--set``, as ``ganbench show`` prints.
    arms : tuple of ArmResult, the baseline first
    trials : tuple of TrialResult
    protocol : mapping
        All that defines the numbers: extractor, hashes, counts, reference set.
    environment : mapping
        Versions, hardware, threads, workers.
    command : str
        What reruns the study.
    quick : bool
        Made with ``--quick``: proves that the study runs, and no more.
    wall_seconds : float
        Wall time spent on the study, all sessions of it together.
    data_samples : Path or None
        PNG of items of the data, as ``TrialResult.samples``.
    metric_notes : mapping of str to str
        Each figure's meaning.
    collapse_rule : str
        The rule behind ``health``, in words.
    tuned : tuple of ArmResult
        The arms once more, each with the hyperparameters that its search chose.
    searches : tuple of SearchResult
    inspections : mapping of str to mapping
        Each inspection's ``title`` and ``note``, and why it was ``left_out``, if it was.
    """

    study: Mapping[str, Any]
    origins: Mapping[str, str]
    arms: tuple[ArmResult, ...]
    trials: tuple[TrialResult, ...]
    protocol: Mapping[str, Any]
    environment: Mapping[str, Any]
    command: str
    quick: bool = False
    wall_seconds: float = 0.0
    data_samples: Path | None = None
    metric_notes: Mapping[str, str] | None = None
    collapse_rule: str = ""
    tuned: tuple[ArmResult, ...] = ()
    searches: tuple[SearchResult, ...] = ()
    inspections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def retuned(self) -> "StudyResults | None":
        """Return the second reading: tuned arms against the tuned baseline; None without."""
        return replace(self, arms=self.tuned, tuned=()) if self.tuned else None

    @property
    def primary(self) -> str:
        """The figure that verdicts are about."""
        return str(self.study["evaluation"]["primary"])

    @property
    def alpha(self) -> float:
        """Family-wise error rate of the verdicts; intervals have level 1 - alpha."""
        return float(self.study["evaluation"]["judgement"]["alpha"])

    @property
    def margin(self) -> float:
        """Relative change of the primary figure that does not matter."""
        return float(self.study["evaluation"]["judgement"]["margin"])

    @property
    def reference(self) -> str:
        """What the other arms are compared with, as a text calls it."""
        kind = (self.study.get("design") or {}).get("kind")
        return "the full arm" if kind == "leave-one-out" else "the baseline"

    @property
    def leaves_out(self) -> bool:
        """Whether an arm is the reference less something, so that verdicts read the other way."""
        return any(arm.leaves_out is not None for arm in self.arms)

    @property
    def family(self) -> tuple[ArmResult, ...]:
        """The arms that verdicts are about, and that Holm's method corrects for.

        Every one that applies but the reference, whether or not it has run, and but the A/A
        arm: of that it is known that nothing differs.
        """
        return tuple(arm for arm in self.arms[1:] if arm.skipped is None and not arm.is_again)

    @property
    def are_images(self) -> bool:
        """Whether sample sheets are tiles of images, rather than one plot of points."""
        shape = (self.protocol.get("reference") or {}).get("shape")
        return shape is None or len(shape) == 3

    @property
    def seeds(self) -> tuple[int, ...]:
        """The study's repetitions, whether or not they have run.

        Of one that adds seeds, all that it may come to.
        """
        return seeds_of(self.study)

    def of_first(self, amount: int) -> "StudyResults":
        """Return these results as if the study had its first ``amount`` seeds and no others."""
        if amount not in self._firsts:
            seeds = self.seeds[:amount]
            chosen = frozenset(seeds)
            self._firsts[amount] = replace(
                self,
                study={**self.study, "seeds": list(seeds)},
                trials=tuple(trial for trial in self.trials if trial.seed in chosen),
            )
        return self._firsts[amount]

    def changes(self, arm: ArmResult) -> str:
        """Return what differs in an arm from the reference, on one line: ``dropout: rate 0.2``.

        Of a trick that the baseline has too, only the parameters that differ.
        """
        if arm.is_again:
            return f"{self.reference} again, at other seeds"
        tricks = (self.study.get("baseline") or {}).get("tricks") or {}
        parts = []
        levels = dict(arm.levels)
        if arm.leaves_out is not None:
            factors = self.study["factors"]
            taken = [factor for factor, place in arm.cell.items() if not place]
            levels = {factor: factors[factor][0] for factor in taken}
        for factor, value in levels.items():
            known = tricks.get(factor)
            if isinstance(value, Mapping) and isinstance(known, Mapping):
                own = {k: v for k, v in value.items() if k not in known or known[k] != v}
                parts.append(f"{factor}: {level_words(own)}")
            else:
                parts.append(f"{factor}: {level_words(value)}")
        return "; ".join(parts)

    def of_arm(self, name: str) -> dict[int, TrialResult]:
        """Return an arm's trials by seed."""
        return dict(self._by_arm.get(name, {}))

    @cached_property
    def _by_arm(self) -> dict[str, dict[int, TrialResult]]:
        found: dict[str, dict[int, TrialResult]] = {}
        for trial in self.trials:
            found.setdefault(trial.arm, {})[trial.seed] = trial
        return found

    @cached_property
    def _firsts(self) -> dict[int, "StudyResults"]:
        return {}
