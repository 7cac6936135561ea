"""How a run of a study went, and a trial that it gave up."""

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


def rescued(worker: int, cause: str, trial: RunningTrial, waits: bool) -> str:
    """Return what the user is told of a worker that was lost over a trial."""
    goes_on = "goes on from its last checkpoint" if waits else "had ended"
    return f"worker {worker} was lost ({cause}); {trial.arm}, seed {trial.seed} {goes_on}"


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
