"""What the live view and the plain lines say alike."""

import re
import textwrap

from ganbench.report.words import count, duration, number
from ganbench.study.messages import Ended
from ganbench.study.monitor import Overview, State
from ganbench.study.outcome import Outcome
from ganbench.study.planning import plan
from ganbench.study.results import StudyResults
from ganbench.study.sequential import Schedule, looks_in_words

QUICK_NOTE = "--quick: shows that the study runs; its numbers mean nothing"


def title(overview: Overview) -> str:
    """Return the study in one line."""
    trials = f"{count(overview.arms, 'arm')} × {seeds_in_words(overview.seeds, overview.schedule)}"
    line = f"{overview.name}: {trials}, {count(overview.steps, 'step')} each; {overview.device}"
    return f"{line}, {count(overview.workers, 'worker')}" if overview.workers else line


def seeds_in_words(seeds: int, schedule: Schedule | None) -> str:
    """Return how many seeds a study has: ``10 seeds``, ``5 to 20 seeds``."""
    return count(seeds, "seed") if schedule is None else f"{schedule.fewest} to {seeds} seeds"


def strength(seeds: int, schedule: Schedule | None, family: int, alpha: float) -> str:
    """Return what a study's seeds can show of a family of arms."""
    if schedule is None or not family:
        return plan(seeds, family, alpha).text
    return looks_in_words(schedule, family, alpha)


def preamble(overview: Overview) -> list[str]:
    """Return what is to be known before the first trial."""
    lines = [overview.question.strip()]
    if overview.quick:
        lines.append(QUICK_NOTE)
    else:
        lines.append(strength(overview.seeds, overview.schedule, overview.family, overview.alpha))
    lines += [f"n/a: {arm}: {reason}" for arm, reason in overview.skipped]
    if overview.done:
        lines.append(f"{overview.done} of {count(overview.total, 'trial')} were done before")
    return lines


def tally(state: State) -> str:
    """Return the trials done, and what went wrong: ``34 of 90 trials, 1 diverged``."""
    parts = [f"{state.done} of {count(state.total, 'trial')}"]
    if state.diverged:
        parts.append(f"{state.diverged} diverged")
    if state.failed:
        parts.append(f"{state.failed} failed")
    if state.elsewhere:
        parts.append(f"{state.elsewhere} on other machines")
    return ", ".join(parts)


RETUNED_NOTE = "the second reading, every arm with the hyperparameters that its search chose:"


def time_left(state: State) -> str:
    """Return how long the rest will take; empty while that is unknown, or at the end."""
    if state.stopping:
        return "stopping"
    if state.remaining is None or state.share >= 1:
        return ""
    return f"about {duration(max(1.0, round(state.remaining)))} left"


def ended_line(ended: Ended, primary: str) -> str:
    """Return how a trial ended, in one line."""
    trial = f"{ended.arm}, seed {ended.seed}"
    if ended.outcome == "complete":
        return f"{trial}: {primary} {number(ended.figure)} in {duration(ended.seconds)}"
    if ended.outcome == "pruned":
        return f"{trial}: pruned {ended.error}: {primary} {number(ended.figure)}"
    return f"{trial}: {ended.outcome}: {ended.error}"


def trouble_lines(results: StudyResults) -> list[str]:
    """Return why arms do not apply and why trials failed, one line a reason.

    ``failed: arm, seeds 0, 1: ValueError: …``: the trials of an arm that failed alike share
    a line.
    """
    arms = (*results.arms, *results.tuned)
    lines = [f"n/a: {arm.name}: {arm.skipped}" for arm in arms if arm.skipped is not None]
    failed: dict[tuple[str, str], list[int]] = {}
    for trial in results.trials:
        if trial.outcome == "failed":
            failed.setdefault((trial.arm, trial.error or "for no known reason"), []).append(
                trial.seed
            )
    for (arm, error), seeds in failed.items():
        noun = "seed" if len(seeds) == 1 else "seeds"
        lines.append(f"failed: {arm}, {noun} {', '.join(map(str, sorted(seeds)))}: {error}")
    return lines


def eager_line(results: StudyResults) -> str | None:
    """Return which arms were not computed as ``execution`` asks; None if all were.

    An arm is one of them if a trial of it is, be it in some of its steps only.
    """
    told = {
        arm.name: [
            trial.details["execution"]
            for trial in results.of_arm(arm.name).values()
            if trial.details is not None and "execution" in trial.details
        ]
        for arm in results.arms
    }
    trained = {name: executions for name, executions in told.items() if executions}
    unmet = {
        name: executions
        for name, executions in trained.items()
        if any("reason" in execution for execution in executions)
    }
    if not unmet:
        return None
    whole = all(one["backend"] == "eager" for executions in unmet.values() for one in executions)
    verb = "was" if len(unmet) == 1 else "were"
    return (
        f"{len(unmet)} of {count(len(trained), 'arm')} {verb} trained eagerly"
        f"{'' if whole else ', at least in part'}, not as execution asks: {', '.join(unmet)} "
        "(see Steps in the report)"
    )


def rest_line(results: StudyResults, command: str) -> str:
    """Return how much is done of a study that is not, and what does the rest.

    Where trials failed the same command alone is no help: they fail again until their cause is
    mended.
    """
    outcomes = [trial.outcome for trial in results.trials]
    done = sum(outcome in ("complete", "diverged") for outcome in outcomes)
    line = f"{done} of {count(len(outcomes), 'trial')} {'is' if len(outcomes) == 1 else 'are'} done"
    if "failed" in outcomes:
        return f"{line}; once the cause of the failures is mended, the same command does the rest"
    return f"{line}; go on with: {command}"


def worker_line(outcome: Outcome) -> str:
    """Return what a worker did, and where the study is."""
    parts = [f"trained {count(outcome.trained, 'trial')} here"]
    if outcome.failed:
        parts.append(f"{len(outcome.failed)} failed")
    line = ", ".join(parts)
    return line if outcome.last is None else f"{line}; the study: {tally(outcome.last)}"


def folded(name: str, room: int) -> str:
    """Return a name over as many lines as it takes, broken between words where possible.

    Inside a word, as in ``architecture=dcgan-transpose``, it is broken behind a mark: ``=``,
    ``_``, ``-``, ``.`` or a comma.
    """
    lines: list[str] = []
    for line in textwrap.wrap(name, room, break_long_words=False, break_on_hyphens=False):
        lines.append("")
        for piece in re.findall(r"[^=_\-.,]+[=_\-.,]*|[=_\-.,]+", line):
            if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > room:
                lines.append("")
            lines[-1] += piece
    return "\n".join(lines)


def stopping_line() -> str:
    """Return what happens after Ctrl-C."""
    return "stopping: saving checkpoints and putting trials back; once more ends at once"
