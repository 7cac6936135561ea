"""A worker process: claims trials, trains them, and tells the supervisor."""

import json
import os
import signal
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from ganbench.config.model import TrialConfig
from ganbench.plugin import Data, GanbenchError, Host, TrainedDiscriminator
from ganbench.study.album import Album
from ganbench.study.archive import Archive
from ganbench.study.attempt import Checkpoint, PrunedError, attempt, failure
from ganbench.study.bucket import FilesError
from ganbench.study.claim import Claim
from ganbench.study.compute import set_up_torch
from ganbench.study.journal import LedgerError
from ganbench.study.ledger import Ledger
from ganbench.study.link import Link, OrphanedError, end_with_the_supervisor
from ganbench.study.messages import (
    Broken,
    Claimed,
    Ended,
    Job,
    NotApplicable,
    Overtaken,
    Pulse,
    PutBack,
    Started,
)
from ganbench.study.observers import Observers
from ganbench.study.records import Ending
from ganbench.study.results import EvaluationPoint
from ganbench.study.run_plan import AUTO, fingerprint
from ganbench.study.search import prune, second_value
from ganbench.training import NotApplicableError, Trial

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.evaluation.collapse import Finding, Measurement, Seen
    from ganbench.evaluation.evaluator import Evaluator

PULSE_SECONDS = 0.25
TRACEBACK_LINES = 12


class _OvertakenError(Exception):
    """The worker had been taken for lost, and another has ended the trial since."""


def main(job: Job, connection: Connection) -> None:
    """Work until the supervisor says stop, or is gone.

    Parameters
    ----------
    job : Job
    connection : Connection
        To the supervisor, and to nobody else: a queue shared with other workers would be
        left locked by one that is killed.
    """
    end_with_the_supervisor()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    link = Link(connection)
    signal.signal(signal.SIGTERM, link.on_signal)
    try:
        _Worker(job, link).run()
    except OrphanedError:
        os._exit(1)
    except GanbenchError as error:
        link.last_words(Broken(str(error)))
    except Exception:
        # Outside a trial: the next worker would meet it too.
        link.last_words(Broken(f"a worker failed:\n{traceback.format_exc()}"))


class _Worker:
    """What lasts from one trial to the next: the data, the evaluator, the ledger."""

    def __init__(self, job: Job, link: Link) -> None:
        import torch

        from ganbench.data.load import load_data
        from ganbench.evaluation.evaluator import Evaluator
        from ganbench.evaluation.inspecting import Inspector

        set_up_torch(job.device)
        self.job, self.link = job, link
        self.archive = Archive(job.report, job.files)
        self.files = self.archive.open_files(link.notice, link.stopped_waiting)
        self.host = Host(job.plugins)
        check_plugins(job, self.host)
        self.observers = Observers(self.host, link.notice)
        self.device = torch.device(job.device)
        self.data: Data = load_data(
            job.dataset.name, job.dataset.parameters, self.host, job.data_root, link.progress
        )
        self.evaluator = Evaluator(
            job.evaluation, self.data, self.host, self.device, job.cache, link.progress
        )
        self.inspector = Inspector(job.evaluation, self.data, self.host, self.evaluator)
        self.ledger = Ledger(
            self.archive.folder,
            job.definition,
            job.storage,
            link.notice,
            hurry=link.stopped_waiting,
            patient=True,
        )

    def run(self) -> None:
        while not self.link.stopped():
            claim = self.ledger.claim(self._can_train)
            if claim is not None:
                steps = self._config(claim).steps
                self.link.send(Claimed(claim.number, claim.title, claim.seed, claim.key, steps))
                with self.ledger.alive(claim):
                    self._train(claim)
            elif not self.link.wait():
                return

    def _can_train(self, attributes: Mapping[str, Any]) -> bool:
        if not self.ledger.shared:
            return True
        config = self._config_of(attributes["key"], attributes.get("config"))
        if config is None:
            return False
        made_here = fingerprint(config, self.job.instrument, self.host)
        return bool(attributes["fingerprint"] == made_here)

    def _config_of(self, key: str, stated: Mapping[str, Any] | None) -> TrialConfig | None:
        if stated is None:
            return self.job.configs.get(key)
        try:
            return TrialConfig.model_validate_json(json.dumps(stated))
        except ValidationError:  # of another ganbench, which knows other keys
            return None

    def _config(self, claim: Claim) -> TrialConfig:
        config = self._config_of(claim.key, claim.config)
        if config is None:
            raise GanbenchError(f"{claim.arm}: not an arm of this study")
        return config

    def _train(self, claim: Claim) -> None:
        config = self._config(claim)
        began = time.monotonic()
        try:
            ending = self._attempt(claim)
        except (LedgerError, OrphanedError):
            raise
        except FilesError:
            self.ledger.put_back(claim.number)
            if not self.link.stopped():
                raise
            self.link.send(PutBack(claim.number))
            return
        except _OvertakenError:
            self._checkpoint(claim).discard()
            self.link.send(Overtaken(claim.number))
            return
        except NotApplicableError as error:
            self.ledger.fail(claim.number, "not applicable", str(error))
            self.link.send(NotApplicable(claim.key, str(error), claim.fingerprint))
            return
        except Exception as error:
            self._fail(claim, error, began)
            return
        if ending is None:
            self.ledger.put_back(claim.number)
            self.link.send(PutBack(claim.number))
            return
        if claim.search is not None:
            objectives = self.job.searches[claim.search].objectives
            ending = replace(ending, second=second_value(objectives, ending))
        self.ledger.finish(claim.number, ending)
        self._checkpoint(claim).discard()
        primary = config.evaluation.primary
        figure = ending.evaluations[-1].figures.get(primary) if ending.evaluations else None
        if ending.outcome == "diverged":
            figure = None
        reason = f"at step {ending.steps}" if ending.outcome == "pruned" else ending.error
        self._ended(claim, ending.outcome, ending.steps, figure, began, reason)

    def _attempt(self, claim: Claim) -> Ending | None:
        config = self._config(claim)

        def build() -> Trial:
            auto = self.job.instrument.get(AUTO, "eager")
            return Trial(config, claim.seed, self.data, self.host, self.device, auto)

        kept = self._checkpoint(claim)
        trial, measured = kept.restore(build)
        if trial.step > 0:
            self.ledger.resume(claim.number, trial.step)
        self.link.send(
            Started(claim.number, claim.title, claim.seed, claim.key, trial.step, trial.steps)
        )
        self.observers.notify(
            "on_trial_start",
            arm=claim.title,
            seed=claim.seed,
            config=config.model_dump(mode="json"),
        )
        watcher = _Watcher(self, claim, measured.points)
        watcher.catch_up()
        measure = _Measure(self.evaluator, self.link)
        ending = attempt(trial, measured, measure, config.evaluation, kept, watcher)
        self.link.check()
        # One that diverged stopped at a step that depends on how its training was sliced.
        shown = claim.search is None
        if shown and ending is not None and ending.outcome == "complete":
            album = Album(self.archive, self.files, claim, self.link.notice)
            lacking = album.keep(trial, self.data, self.inspector)
            if lacking:
                ending = replace(ending, details={**ending.details, "not_shown": lacking})
        return ending

    def prune(self, claim: Claim, curve: Mapping[int, float], step: int) -> None:
        """Give a search's trial up if its pruner says so.

        Raises
        ------
        PrunedError
            If so.
        """
        rules = self.job.searches[str(claim.search)]
        if rules.pruner == "none" or step >= rules.steps or step not in curve:
            return
        records = self.ledger.records(claim.search)
        given_up, notes = prune(rules, claim.index, claim.seed, curve, records)
        self.ledger.remember(claim.number, notes)
        if given_up:
            raise PrunedError

    def _checkpoint(self, claim: Claim) -> Checkpoint:
        path = self.archive.checkpoint(claim.place, claim.seed)
        return Checkpoint(path, self.files, claim.fingerprint, self.link.notice)

    def _fail(self, claim: Claim, error: Exception, began: float) -> None:
        self.link.check()
        text = failure(error)
        lines = "".join(traceback.format_exception(first_cause(error), chain=False)).splitlines()
        details = {"traceback": "\n".join(lines[-TRACEBACK_LINES:])}
        if not self.ledger.fail(claim.number, "failed", text, details):
            self.link.send(Overtaken(claim.number))  # it is another worker's by now
            return
        self._ended(claim, "failed", 0, None, began, text, kind_of(error))

    def _ended(
        self,
        claim: Claim,
        outcome: Literal["complete", "diverged", "pruned", "failed"],
        steps: int,
        figure: float | None,
        began: float,
        error: str | None,
        kind: str | None = None,
    ) -> None:
        self.observers.notify("on_trial_end", arm=claim.title, seed=claim.seed, outcome=outcome)
        self.link.send(
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

    def __init__(self, worker: _Worker, claim: Claim, points: list[EvaluationPoint]) -> None:
        self._worker, self._claim, self._points = worker, claim, points
        self._primary = worker.job.evaluation.primary
        self._sent = 0.0

    def catch_up(self) -> None:
        """Record what was measured before the checkpoint, which stands with another trial."""
        for point in self._points:
            self._note(point)

    def training(self, trial: Trial, steps_per_second: float) -> bool:
        if time.monotonic() - self._sent >= PULSE_SECONDS:
            self._send(trial.step, steps_per_second, "training")
        return not self._worker.link.stopped()

    def evaluating(self, trial: Trial) -> None:
        self._send(trial.step, 0.0, "evaluating")

    def evaluated(self, point: EvaluationPoint) -> None:
        claim = self._claim
        self._worker.link.check()
        self._note(point)
        self._worker.observers.notify(
            "on_evaluation",
            arm=claim.title,
            seed=claim.seed,
            step=point.step,
            figures=point.figures,
        )
        if claim.search is not None:
            curve = {one.step: one.figures.get(self._primary) for one in self._points}
            known = {step: value for step, value in curve.items() if value is not None}
            self._worker.prune(claim, known, point.step)

    def _note(self, point: EvaluationPoint) -> None:
        figure = point.figures.get(self._primary)
        if not self._worker.ledger.note(self._claim.number, point.step, figure):
            raise _OvertakenError

    def _send(self, step: int, steps_per_second: float, state: Any) -> None:
        self._sent = time.monotonic()
        latest = self._points[-1] if self._points else None
        figure = latest.figures.get(self._primary) if latest else None
        health, warned = (latest.health, bool(latest.warnings)) if latest else (None, False)
        self._worker.link.send(Pulse(step, steps_per_second, state, figure, health, warned))


def check_plugins(job: Job, host: Host) -> None:
    """Make sure that plugin files are what they were when the study began.

    Raises
    ------
    GanbenchError
        If one was edited since: its results would stand under another one's fingerprint.
    """
    for key, began_with in job.fingerprints.items():
        if fingerprint(job.configs[key], job.instrument, host) != began_with:
            files = ", ".join(str(file) for file in job.plugins)
            raise GanbenchError(
                f"a plugin file was edited after the study began ({files}); the same command "
                "goes on with it as it is now"
            )


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
