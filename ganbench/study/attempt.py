"""Training one trial to its end: in slices, measured on the way, its checkpoint kept."""

import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from ganbench.config.model import Evaluation
from ganbench.evaluation.collapse import Finding, Measurement, Seen
from ganbench.evaluation.early import warnings_of
from ganbench.plugin import TrainedDiscriminator
from ganbench.study.files import Files
from ganbench.study.provenance import provenance
from ganbench.study.records import Ending
from ganbench.study.results import EvaluationPoint
from ganbench.training import NonFiniteError, Trial, checkpoint, trained_discriminator, watch

SLICE_SECONDS = 0.2
"""How long training goes on before the worker looks up: progress, a request to stop."""
CHECKPOINT_SECONDS = 30.0
"""What a killed worker may lose at most, evaluations aside."""
READS, READ_SECONDS = 5, 1.0
"""So often, so far apart, a checkpoint on a folder is asked for: a shared disk may stumble."""
TRAINED = "trained"
"""Before the figures of a generator as it was trained, where other weights are sampled from."""


class PrunedError(Exception):
    """What an observer raises to give a trial up: others of its search did better."""


class Measure(Protocol):
    """The evaluator, as far as a trial needs it."""

    def measure(
        self,
        samples: Tensor,
        final: bool = False,
        discriminator: Callable[[], TrainedDiscriminator] | None = None,
    ) -> Measurement:
        """Return figures and modes of samples; at the last evaluation also figures of it alone."""

    def judge(self, history: Sequence[Seen]) -> Finding:
        """Judge a trial's evaluations by the rules of collapse."""


class Observer(Protocol):
    """Whom an attempt keeps informed."""

    def training(self, trial: Trial, steps_per_second: float) -> bool:
        """Hear of progress; return whether to go on."""

    def evaluating(self, trial: Trial) -> None:
        """Hear that an evaluation begins."""

    def evaluated(self, point: EvaluationPoint) -> None:
        """Hear what an evaluation gave.

        Raises
        ------
        PrunedError
            To end the trial here.
        """


@dataclass
class Measured:
    """What has been measured of a trial so far."""

    points: list[EvaluationPoint]
    seconds: float = 0.0


class Checkpoint:
    """The state of a trial where its files are, and what has been measured of it.

    Parameters
    ----------
    path : Path
    files : Files
        What reads and writes it.
    fingerprint : str
        A checkpoint made under another one is not used.
    warn : callable
    """

    def __init__(
        self, path: Path, files: Files, fingerprint: str, warn: Callable[[str], None]
    ) -> None:
        self._path, self._files = path, files
        self._fingerprint, self._warn = fingerprint, warn

    def restore(self, build: Callable[[], Trial]) -> tuple[Trial, Measured]:
        """Return the trial where its checkpoint left it, or new if there is none.

        Raises
        ------
        GanbenchError
            If a store stays away: the checkpoint may be worth hours.
        """
        trial = build()
        content = self._read()
        if content is None:
            return trial, Measured([])
        try:
            extra = checkpoint.load(trial, content)
            if extra["fingerprint"] == self._fingerprint:
                points = [EvaluationPoint.read(point) for point in extra["points"]]
                return trial, Measured(points, extra["seconds"])
        except Exception as error:
            # Whatever is wrong with it, it saved time and no more: start over.
            self._warn(f"{self._shown}: not usable, the trial starts over: {error}")
        self.discard()
        return build(), Measured([])

    def _read(self) -> bytes | None:
        """Return what stands there, None for nothing; a disk may be away for a moment."""
        for left in reversed(range(READS)):
            try:
                return self._files.read(self._path)
            except OSError as error:
                if left:
                    time.sleep(READ_SECONDS)
                else:
                    why = error.strerror or error
                    self._warn(f"{self._shown}: cannot be read, the trial starts over: {why}")
        return None

    def save(self, trial: Trial, measured: Measured) -> None:
        """Write the state; if that fails, the previous one stays and training goes on."""
        extra = {
            "fingerprint": self._fingerprint,
            "points": [asdict(point) for point in measured.points],
            "seconds": measured.seconds,
        }
        try:
            self._files.write(self._path, checkpoint.dump(trial, extra))
        except OSError as error:
            self._warn(
                f"{self._shown}: no checkpoint could be written, the previous one stays: "
                f"{error.strerror or error}"
            )

    def discard(self) -> None:
        """Delete it: the trial has ended. One that stays is in nobody's way."""
        try:
            self._files.delete(self._path)
        except OSError as error:
            self._warn(f"{self._shown}: cannot be deleted: {error.strerror or error}")

    @property
    def _shown(self) -> str:
        return self._files.shown(self._path)


def failure(error: BaseException) -> str:
    """Return what the ledger says of an exception: its type and its text."""
    return f"{type(error).__name__}: {error}"


def evaluation_steps(steps: int, every: int) -> list[int]:
    """Return the steps after which a trial is evaluated: each ``every``, and the last."""
    return [*range(every, steps, every), steps]


Wish = tuple[Trial, int]
"""A trial, and how many of its steps are to be taken next."""


def attempt(
    trial: Trial,
    measured: Measured,
    measure: Measure,
    settings: Evaluation,
    kept: Checkpoint,
    observer: Observer,
) -> Generator[Wish, float, Ending | None]:
    """Measure a trial whose steps somebody takes, until it ends or the observer says stop.

    How training is cut into slices changes no number: a trial may be stopped and resumed
    anywhere.

    Yields
    ------
    Wish
        To be sent how many seconds the steps took; fewer may have been taken.

    Returns
    -------
    Ending or None
        None if it was stopped; its checkpoint is then written.
    """
    pace = _Pace()
    saved = time.monotonic()
    for goal in evaluation_steps(trial.steps, settings.every):
        if any(point.step == goal for point in measured.points):
            continue
        since = measured.points[-1].step if measured.points else 0
        while trial.step < goal and trial.diverged_at is None:
            before = trial.step
            seconds = yield trial, min(pace.steps, goal - trial.step)
            pace.count(trial.step - before, seconds)
            if not observer.training(trial, pace.steps_per_second):
                kept.save(trial, measured)
                return None
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                kept.save(trial, measured)
                saved = time.monotonic()
        if trial.diverged_at is not None:
            break
        observer.evaluating(trial)
        point = _evaluate(trial, since, measured, measure, settings)
        if point is None:
            trial.diverged_at = trial.step
            break
        measured.points.append(point)
        try:
            observer.evaluated(point)
        except PrunedError:
            return replace(_ending(trial, measured, settings.primary), outcome="pruned")
        if goal < trial.steps:
            kept.save(trial, measured)
            saved = time.monotonic()
    return _ending(trial, measured, settings.primary)


class _Pace:
    """Chooses slices of about ``SLICE_SECONDS`` from how fast the last one was."""

    def __init__(self) -> None:
        self.steps_per_second = 0.0

    @property
    def steps(self) -> int:
        return max(1, int(self.steps_per_second * SLICE_SECONDS))

    def count(self, steps: int, seconds: float) -> None:
        latest = steps / max(seconds, 1e-6)
        # The first step also allocates and warms up; it says little about the next.
        smooth = self.steps_per_second > 0
        self.steps_per_second = (self.steps_per_second + latest) / 2 if smooth else latest


def _evaluate(
    trial: Trial, since: int, measured: Measured, measure: Measure, settings: Evaluation
) -> EvaluationPoint | None:
    """Measure a trial; None if what it makes is not finite."""
    began, final = time.monotonic(), trial.step == trial.steps
    try:
        seen = measure.measure(
            trial.sample(settings.samples), final, partial(trained_discriminator, trial)
        )
        figures = dict(seen.figures)
        if trial.has_other_weights:
            beside = measure.measure(trial.sample(settings.samples, "trained"), final).figures
            figures |= {f"{TRAINED}.{key}": value for key, value in beside.items()}
    except NonFiniteError:
        return None
    figures |= trial.extra_figures()
    finding = measure.judge([*measured.points, seen])
    watched = {key: value for key, value in watch(trial).items() if math.isfinite(value)}
    point = EvaluationPoint(
        step=trial.step,
        seconds=trial.seconds,
        figures={key: float(value) for key, value in figures.items() if math.isfinite(value)},
        health=finding.health,
        losses={key: float(value) for key, value in trial.losses(since).items()},
        signs=finding.signs,
        histogram=seen.histogram,
        watched=watched,
    )
    point = replace(point, warnings=warnings_of([*measured.points, point]))
    measured.seconds += time.monotonic() - began
    return point


def _ending(trial: Trial, measured: Measured, primary: str) -> Ending:
    diverged = trial.diverged_at is not None
    details: dict[str, Any] = {
        "order": {hook: list(names) for hook, names in trial.order.items()},
        **provenance(str(trial.device)),
        "parameters": trial.parameter_counts(),
        "weights": trial.scored_weights,
        "execution": trial.execution,
        "preparing_seconds": trial.preparing_seconds,
    }
    last = measured.points[-1].figures.get(primary) if measured.points else None
    return Ending(
        outcome="diverged" if diverged else "complete",
        value=math.inf if diverged or last is None else last,
        evaluations=tuple(measured.points),
        training_seconds=trial.seconds,
        evaluation_seconds=measured.seconds,
        steps=trial.step,
        error=f"not finite at step {trial.diverged_at}" if diverged else None,
        details=details,
    )
