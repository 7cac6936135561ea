"""What a metric says of the data, computed at the first evaluation and kept for all others."""

from collections.abc import Callable
from typing import Generic, TypeVar

from ganbench.plugin import Data, MetricContext

Statistic = TypeVar("Statistic")


class OfData(Generic[Statistic]):
    """A statistic of the data alone, whatever the samples are.

    Parameters
    ----------
    measure : callable (MetricContext) -> statistic
        Looks at the data's side of an evaluation.
    """

    def __init__(self, measure: Callable[[MetricContext], Statistic]) -> None:
        self._measure = measure
        self._known: tuple[Data, Statistic] | None = None

    def __call__(self, ctx: MetricContext) -> Statistic:
        """Return the statistic of an evaluation's data."""
        if self._known is None or self._known[0] is not ctx.data:
            self._known = ctx.data, self._measure(ctx)
        return self._known[1]
