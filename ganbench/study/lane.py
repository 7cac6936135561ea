"""A claimed trial's way through a worker: built, trained, measured, ended, and told of."""

import time
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ganbench.config.model import TrialConfig
from ganbench.plugin import TrainedDiscriminator
from ganbench.study.album import Album
from ganbench.study.attempt import Checkpoint, PrunedError, Wish, attempt, failure
from ganbench.study.bucket import FilesError
from ganbench.study.claim import Claim
from ganbench.study.journal import LedgerError
from ganbench.study.link import Link, OrphanedError
from ganbench.study.messages import Ended, NotApplicable, Overtaken, Pulse, PutBack, Started
from ganbench.study.records import Ending
from ganbench.study.results import EvaluationPoint
from ganbench.study.run_plan import AUTO
from ganbench.study.search import prune, second_value
from ganbench.study.workplace import Workplace
from ganbench.training import NotApplicableError, Trial

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.evaluation.collapse import Finding, Measurement, Seen
    from ganbench.evaluation.evaluator import Evaluator

PULSE_SECONDS = 0.25
TRACEBACK_LINES = 12

Course = Generator[Wish, float, None]
"""A claimed trial from its building to its end: see ``Lane.course``."""


class _OvertakenError(Exception):
    """The worker had been taken for lost, and another has ended the trial since."""


class Lane:
    """One of the trials that a worker is at.

    Parameters
    ----------
    place : Workplace
    claim : Claim
    config : TrialConfig
    """

    def __init__(self, place: Workplace, claim: Claim, config: TrialConfig) -> None:
        self.place, self.claim, self.config = place, claim, config

    def course(self) -> Course:
        """Lead the trial to its end, the steps being taken by somebody else.

        Gives the trial and how many of its steps are wanted next; is sent how many seconds they
        took, or thrown what they raised. Whatever the end, the ledger and the supervisor know it.

        Raises
        ------
        LedgerError, OrphanedError
            And FilesError, if files cannot be read or written; the trial is then put back.
        """
        claim, place = self.claim, self.place
        began = time.monotonic()
        try:
            ending = yield from self._attempt()
        except (LedgerError, OrphanedError):
            raise
        except FilesError:
            place.ledger.put_back(claim.number)
            if not place.link.stopped():
                raise
            place.link.send(PutBack(claim.number))
            return
        except _OvertakenError:
            self._kept.discard()
            place.link.send(Overtaken(claim.number))
            return
        except NotApplicableError as error:
            place.ledger.fail(claim.number, "not applicable", str(error))
            told = NotApplicable(claim.number, claim.key, str(error), claim.fingerprint)
            place.link.send(told)
            return
        except Exception as error:
            self._fail(error, began)
            return
        if ending is None:
            place.ledger.put_back(claim.number)
            place.link.send(PutBack(claim.number))
            return
        if claim.search is not None:
            objectives = place.job.searches[claim.search].objectives
            ending = replace(ending, second=second_value(objectives, ending))
        place.ledger.finish(claim.number, ending)
        self._kept.discard()
        primary = self.config.evaluation.primary
        figure = ending.evaluations[-1].figures.get(primary) if ending.evaluations else None
        if ending.outcome == "diverged":
            figure = None
        reason = f"at step {ending.steps}" if ending.outcome == "pruned" else ending.error
        self._ended(ending.outcome, ending.steps, figure, began, reason)

    def _attempt(self) -> Generator[Wish, float, Ending | None]:
        claim, place, config = self.claim, self.place, self.config

        def build() -> Trial:
            auto = place.job.instrument.get(AUTO, "eager")
            return Trial(config, claim.seed, place.data, place.host, place.device, auto)

        trial, measured = self._kept.restore(build)
        if trial.step > 0:
            place.ledger.resume(claim.number, trial.step)
        place.link.send(
            Started(claim.number, claim.title, claim.seed, claim.key, trial.step, trial.steps)
        )
        place.observers.notify(
            "on_trial_start",
            arm=claim.title,
            seed=claim.seed,
            config=config.model_dump(mode="json"),
        )
        watcher = _Watcher(self, measured.points)
        watcher.catch_up()
        measure = _Measure(place.evaluator, place.link)
        settings = config.evaluation
        ending = yield from attempt(trial, measured, measure, settings, self._kept, watcher)
        place.link.check()
        # One that diverged stopped at a step that depends on how its training was sliced.
        shown = claim.search is None
        if shown and ending is not None and ending.outcome == "complete":
            album = Album(place.archive, place.files, claim, place.link.notice)
            lacking = album.keep(trial, place.data, place.inspector)
            if lacking:
                ending = replace(ending, details={**ending.details, "not_shown": lacking})
        return ending

    def prune(self, curve: Mapping[int, float], step: int) -> None:
        """Give a search's trial up if its pruner says so.

        Raises
        ------
        PrunedError
            If so.
        """
        claim, place = self.claim, self.place
        rules = place.job.searches[str(claim.search)]
        if rules.pruner == "none" or step >= rules.steps or step not in curve:
            return
        records = place.ledger.records(claim.search)
        given_up, notes = prune(rules, claim.index, claim.seed, curve, records)
        place.ledger.remember(claim.number, notes)
        if given_up:
            raise PrunedError

    @property
    def _kept(self) -> Checkpoint:
        claim, place = self.claim, self.place
        path = place.archive.checkpoint(claim.place, claim.seed)
        return Checkpoint(path, place.files, claim.fingerprint, place.link.notice)

    def _fail(self, error: Exception, began: float) -> None:
        claim, place = self.claim, self.place
        place.link.check()
        text = failure(error)
        lines = "".join(traceback.format_exception(first_cause(error), chain=False)).splitlines()
        details = {"traceback": "\n".join(lines[-TRACEBACK_LINES:])}
        if not place.ledger.fail(claim.number, "failed", text, details):
            place.link.send(Overtaken(claim.number))  # it is another worker's by now
            return
        self._ended("failed", 0, None, began, text, kind_of(error))

    def _ended(
        self,
        outcome: Literal["complete", "diverged", "pruned", "failed"],
        steps: int,
        figure: float | None,
        began: float,
        error: str | None,
        kind: str | None = None,
    ) -> None:
        claim, place = self.claim, self.place
        place.observers.notify("on_trial_end", arm=claim.title, seed=claim.seed, outcome=outcome)
        place.link.send(
            Ended(
                number=claim.number,
                arm=claim.title,
                seed=claim.seed,
                key=claim.key,
                outcome=outcome,
                steps=steps,
                figure=figure,
                seconds=time.monotonic() - began,
                error=error,
                kind=kind,
            )
        )


class _Measure:
    """The evaluator, with a sign of life from each batch of an evaluation."""

    def __init__(self, evaluator: "Evaluator", link: Link) -> None:
        self._evaluator, self._link = evaluator, link

    def measure(
        self,
        samples: "Tensor",
        final: bool = False,
        discriminator: Callable[[], TrainedDiscriminator] | None = None,
    ) -> "Measurement":
        return self._evaluator.measure(samples, final, discriminator, self._link.progress)

    def judge(self, history: Sequence["Seen"]) -> "Finding":
        return self._evaluator.judge(history)


class _Watcher:
    """Passes on what a trial does: to the supervisor, the ledger and the plugins' observers."""

    def __init__(self, lane: Lane, points: list[EvaluationPoint]) -> None:
        self._lane, self._points = lane, points
        self._claim, self._place = lane.claim, lane.place
        self._primary = lane.place.job.evaluation.primary
        self._sent = 0.0

    def catch_up(self) -> None:
        """Record what was measured before the checkpoint, which stands with another trial."""
        for point in self._points:
            self._note(point)

    def training(self, trial: Trial, steps_per_second: float) -> bool:
        if time.monotonic() - self._sent >= PULSE_SECONDS:
            self._send(trial.step, steps_per_second, "training")
        return not self._place.link.stopped()

    def evaluating(self, trial: Trial) -> None:
        self._send(trial.step, 0.0, "evaluating")

    def evaluated(self, point: EvaluationPoint) -> None:
        claim = self._claim
        self._place.link.check()
        self._note(point)
        self._place.observers.notify(
            "on_evaluation",
            arm=claim.title,
            seed=claim.seed,
            step=point.step,
            figures=point.figures,
        )
        if claim.search is not None:
            curve = {one.step: one.figures.get(self._primary) for one in self._points}
            known = {step: value for step, value in curve.items() if value is not None}
            self._lane.prune(known, point.step)

    def _note(self, point: EvaluationPoint) -> None:
        figure = point.figures.get(self._primary)
        if not self._place.ledger.note(self._claim.number, point.step, figure):
            raise _OvertakenError

    def _send(self, step: int, steps_per_second: float, state: Any) -> None:
        self._sent = time.monotonic()
        latest = self._points[-1] if self._points else None
        figure = latest.figures.get(self._primary) if latest else None
        number = self._claim.number
        health, warned = (latest.health, bool(latest.warnings)) if latest else (None, False)
        self._place.link.send(Pulse(number, step, steps_per_second, state, figure, health, warned))


def first_cause(error: BaseException) -> BaseException:
    """Return the exception that others were raised from."""
    seen = {id(error)}
    while error.__cause__ is not None and id(error.__cause__) not in seen:
        error = error.__cause__
        seen.add(id(error))
    return error


def kind_of(error: BaseException) -> str:
    """Name where an exception comes from: its first cause's type, and the line that raised."""
    cause = first_cause(error)
    frames = traceback.extract_tb(cause.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(cause).__name__} at {where}"
