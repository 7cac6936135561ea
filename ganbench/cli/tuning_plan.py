"""What a dry run says of searches: how many trials they come to, and how long those take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganbench.report.words import count
from ganbench.study.calibration import Pace
from ganbench.study.prepare import Prepared
from ganbench.study.records import Record, complete_identities
from ganbench.study.run_plan import RunPlan, cells_of
from ganbench.study.search import places, tried


@dataclass(frozen=True)
class TuningPlan:
    """What searches have in store.

    Attributes
    ----------
    lines : tuple of str
        To be printed; none without a search.
    seconds : float
        Of all their trials together, and of those of the arms that come out of them; nothing is
        known of what will be pruned.
    """

    lines: tuple[str, ...] = ()
    seconds: float = 0.0


def tuning_plan(
    plan: RunPlan, prepared: Prepared, records: Sequence[Record], paces: Mapping[str, Pace]
) -> TuningPlan:
    """Return what the searches of a study have in store."""
    searches = prepared.searches(plan)
    if not searches.searches:
        return TuningPlan()
    whole = left = 0
    seconds = 0.0
    for search in searches.searches:
        rules = search.rules
        here = rules.budget * len(rules.seeds)
        known = tried(rules, records)
        total = places(rules, known)
        found = [one for index, one in known.items() if index < total and one.state != "failed"]
        failed = sum(one.state == "failed" for index, one in known.items() if index < total)
        done = sum(len(rules.seeds) if one.state != "open" else one.done for one in found)
        missing = (total - failed) * len(rules.seeds) - done
        whole, left = whole + here, left + missing
        pace = paces.get(search.base.key())
        seconds += missing * pace.trial(search.base) if pace is not None else 0.0
    arms, fingerprints = searches.settled(searches.arms, records)
    complete = complete_identities(records)
    settled = [arm for arm in arms if arm.config is not None]
    again = sum(arm.skipped is None for arm in arms) * len(plan.study.all_seeds)
    more = again - sum(
        cell.identity in complete for cell in cells_of(plan.study, settled, fingerprints)
    )
    typical = [pace.trial(plan.arms[0].config) for pace in paces.values() if plan.arms[0].config]
    seconds += more * (sum(typical) / len(typical) if typical else 0.0)
    one = searches.searches[0].rules
    number = len(searches.searches)
    amount = f"{count(one.budget, 'configuration')} × {count(len(one.seeds), 'tuning seed')}"
    each = "" if number == 1 else f"{number} searches × "
    then = "every arm once more, retuned" if plan.study.tuning is not None else "the best found"
    return TuningPlan(
        (
            f"tuning: {each}{amount}: at most {count(whole, 'trial')}, {left} to run; then "
            f"{then}: {count(again, 'trial')}, {more} to run",
        ),
        seconds,
    )
