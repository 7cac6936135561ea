"""How a run of a study went, and a trial that it gave up."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ganbench.study.losses import lost_for_good
from ganbench.study.messages import Ended
from ganbench.study.monitor import RunningTrial, State


@dataclass(frozen=True)
class Outcome:
    """How a run of a study went.

    Attributes
    ----------
    interrupted : bool
        By Ctrl-C or SIGTERM.
    stopped : str or None
        Why the study was given up before its end.
    failed : tuple of Ended
        Trials that failed in this run.
    trained : int
        Trials that ended in this run and did not fail.
    last : State or None
        Where the study is.
    """

    interrupted: bool = False
    stopped: str | None = None
    failed: tuple[Ended, ...] = ()
    trained: int = field(default=0, compare=False)
    last: State | None = field(default=None, compare=False)


def rescued(
    worker: int, cause: str, waiting: Sequence[RunningTrial], ended: Sequence[RunningTrial]
) -> str:
    """Return what the user is told of a worker that was lost over some trials.

    Parameters
    ----------
    worker : int
    cause : str
    waiting, ended : sequence of RunningTrial
        Those that another worker goes on with, and those that had ended.
    """
    told = []
    if waiting:
        own = "goes on from its last checkpoint"
        told.append(
            f"{_named(waiting)} {own if len(waiting) == 1 else 'go on from their last checkpoints'}"
        )
    if ended:
        told.append(f"{_named(ended)} had ended")
    return f"worker {worker} was lost ({cause}); {'; '.join(told)}"


def _named(trials: Sequence[RunningTrial]) -> str:
    arms = dict.fromkeys(trial.arm for trial in trials)
    seeds = {arm: [str(trial.seed) for trial in trials if trial.arm == arm] for arm in arms}
    return ", ".join(
        f"{arm}, seed{'s' if len(own) > 1 else ''} {', '.join(own)}" for arm, own in seeds.items()
    )


def given_up(trial: RunningTrial, cause: str) -> Ended:
    """Return the end of a trial over which too many workers were lost."""
    return Ended(
        number=trial.number,
        arm=trial.arm,
        seed=trial.seed,
        key=trial.key,
        outcome="failed",
        steps=trial.step,
        figure=None,
        seconds=0.0,
        error=lost_for_good(cause),
        kind=cause,
    )
