"""Early warnings: what in training says that something goes wrong, for code and reader."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Literal, Protocol

EarlyWarning = Literal["D always right", "vanishing gradients", "D overfits", "losses drift apart"]
WARNINGS: Mapping[EarlyWarning, str] = {
    "D always right": "D tells data from G's samples almost without fail, so that its verdicts say "
    "little about how to do better.",
    "vanishing gradients": "Of what G is to learn from, hardly anything reaches its weights.",
    "D overfits": "D knows the training items by heart: held-out ones look more like G's samples "
    "to it than like data.",
    "losses drift apart": "D's loss falls and G's climbs, evaluation after evaluation: D runs away "
    "from G.",
}
"""What each warning means, for whoever meets it for the first time."""

ROW = 2
"""Evaluations in a row at which a figure has to be beyond its limit."""
RIGHT = 0.99
"""Accuracy from which on D is always right."""
VANISHED, TINY = 0.01, 1e-8
"""A gradient has vanished at this part of the first evaluation's, or at this root mean square:
Adam adds as much to it, so that its steps shrink too."""
OVERFITTED = 0.5
"""Share of the way from training items to fakes from which on held-out ones are nearer to fakes."""
TREND, AGAINST = 5, 1
"""Evaluations that show a trend of losses, and how many of their pairs may go against it."""
FAR = 0.5
"""Share of its range so far by which a loss has to change in a trend."""


class Watched(Protocol):
    """An evaluation, as far as the warnings look at it."""

    @property
    def watched(self) -> Mapping[str, float]:
        """The figures of ``ganbench.training.watching``, as far as there are any."""

    @property
    def losses(self) -> Mapping[str, float]:
        """Mean losses since the last evaluation: ``discriminator``, ``pair.generator``."""


def warnings_of(history: Sequence[Watched]) -> tuple[EarlyWarning, ...]:
    """Return the warnings that stand at the last of a trial's evaluations.

    Parameters
    ----------
    history : sequence of Watched
        By step. Nothing else is looked at, so that a resumed trial has the same warnings.
    """
    first = next((p.watched["gradient"] for p in history if "gradient" in p.watched), 0.0)
    vanished = max(TINY, VANISHED * first)
    holds: dict[EarlyWarning, bool] = {
        "D always right": _in_a_row(history, "accuracy", lambda value: value >= RIGHT),
        "vanishing gradients": _in_a_row(history, "gradient", lambda value: value <= vanished),
        "D overfits": _in_a_row(history, "overfitting", lambda value: value >= OVERFITTED),
        "losses drift apart": any(
            _drift_apart(history, key.removesuffix("discriminator"))
            for key in history[-1].losses
            if key.endswith("discriminator")
        ),
    }
    return tuple(warning for warning, held in holds.items() if held)


def rules() -> tuple[str, ...]:
    """Return the rules in words, one for each warning."""
    return (
        f"D always right: an accuracy of {RIGHT:.0%} or more, at the best threshold, at {ROW} "
        "evaluations in a row.",
        "Vanishing gradients: the root mean square of G's gradient is at most "
        f"{VANISHED:.0%} of the first evaluation's, or {TINY:g}, at {ROW} in a row.",
        f"D overfits: D's mean logit of held-out items lies {OVERFITTED:.0%} or more of the way "
        f"from that of training items to that of G's samples, at {ROW} in a row.",
        f"Losses drift apart: over {TREND} evaluations D's mean loss falls and G's climbs, each by "
        f"{FAR:.0%} or more of its range so far.",
    )


def _in_a_row(history: Sequence[Watched], key: str, beyond: Callable[[float], bool]) -> bool:
    latest = [point.watched[key] for point in history[-ROW:] if key in point.watched]
    return len(latest) == ROW and all(beyond(value) for value in latest)


def _drift_apart(history: Sequence[Watched], pair: str) -> bool:
    falling = _heads(history, f"{pair}discriminator", -1.0)
    return falling and _heads(history, f"{pair}generator", 1.0)


def _heads(history: Sequence[Watched], key: str, sign: float) -> bool:
    """Say whether a loss goes up (1) or down (-1), far and nearly without a step back."""
    values = [sign * point.losses[key] for point in history if key in point.losses]
    recent = values[-TREND:]
    if len(recent) < TREND or not all(math.isfinite(value) for value in values):
        return False
    against = sum(later <= earlier for earlier, later in combinations(recent, 2))
    return against <= AGAINST and recent[-1] - recent[0] >= FAR * (max(values) - min(values))
