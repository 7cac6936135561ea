"""What each factor does, and two of them together: contrasts of a design that combines factors.

A main effect is the change of the log primary figure from a factor's first level to another,
averaged over the combinations of the other factors' levels. An interaction of two is the
change of one's effect when the other is switched: what both do together, less what each does
alone, averaged likewise. Both are computed at every seed, from that seed's trials alone, so
that their values over the seeds are a sample like an arm's paired differences, and are judged
by the same rules. Main effects are a family of their own, corrected by Holm's method;
interactions are exploratory.

*Arms that do not apply.* In a factorial design an effect is averaged over those combinations of
the other factors in which all that it compares applies, and says over how many. A fraction has
no such combinations to choose from: if one of its arms does not apply, it has no effects.

*Trials that rank last* are never dropped from a main effect: each counts as the worst other
trial at its seed. That is the least that it can be said to be, so *no effect* is never said of
such an effect; nor that the side is better on which more of them stand, unless it is so by ranks
as well, those seeds being its worst. A difference of ranks alone would say too much: a
single arm that always diverges would then outweigh all others, in every factor that is on in it.
An interaction is not so bounded: a seed at which a trial ranks last has none.

*Pairs.* A design of pairs has interactions, at the first levels of the other factors; its main
effects would be those of its arms.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import copysign, inf, isinf
from statistics import fmean
from typing import Any

from ganbench.study.aliases import alias_groups, signs
from ganbench.study.comparison import Effect, Verdict
from ganbench.study.paired import holm
from ganbench.study.reasons import why_inconclusive
from ganbench.study.results import StudyResults, level_words
from ganbench.study.verdicts import decide, effect_of, log_standing

Cell = tuple[int, ...]
Level = tuple[int, int]
"""A factor's place among the factors, and its level's among its levels."""
Logs = Mapping[Cell, Mapping[int, float | None]]
"""Cell to seed to log figure."""


@dataclass(frozen=True)
class Contrast:
    """Cells against cells, in sets that are averaged.

    Attributes
    ----------
    sets : tuple of (cells, cells)
        The mean of the first less the mean of the second.
    scale : float
        2 of an interaction, whose sets are of two cells against two.
    wanted : int
        How many sets there were, if every arm applied.
    """

    sets: tuple[tuple[tuple[Cell, ...], tuple[Cell, ...]], ...]
    scale: float
    wanted: int


@dataclass(frozen=True)
class FactorEffect:
    """A main effect, or an interaction of two factors.

    Attributes
    ----------
    name : str
        ``ema``, ``batch_size 128``, ``ema × batch_size 128``.
    levels : mapping of str to int
        One factor or two, each with the place of the level that is compared with the first.
    effect : Effect or None
        Of the log primary figure, a value a seed; None without any.
    p_holm : float or None
        Of a main effect, corrected for all main effects.
    verdict : str or None
        Of a main effect; an interaction has none.
    reason : str
        Why that verdict, or why there is no effect.
    aliases : tuple of (str, float)
        In a fraction: the interactions of two that cannot be told from it, each with the
        share of it that is in the estimate, 1 or 1/2, negative where it is taken off.
    sets, wanted : int
        Combinations of the other factors that it is averaged over, of how many; 1 of 1 in
        a fraction and in a design of pairs.
    left_out : int
        Seeds without a value.
    bounded : int
        Seeds of a main effect at which a trial that ranks last counts as the worst other one.
    ranked : Effect or None
        Of a main effect with such seeds: the effect if those are infinite at which more trials
        rank last on one side than on the other.
    """

    name: str
    levels: Mapping[str, int]
    effect: Effect | None
    p_holm: float | None
    verdict: Verdict | None
    reason: str
    aliases: tuple[tuple[str, float], ...]
    sets: int
    wanted: int
    left_out: int
    bounded: int
    ranked: Effect | None = None


@dataclass(frozen=True)
class Effects:
    """All effects of a study.

    Attributes
    ----------
    mains, interactions : tuple of FactorEffect
    arms, combinations : int
        Of the design, and of a full factorial one.
    """

    mains: tuple[FactorEffect, ...]
    interactions: tuple[FactorEffect, ...]
    arms: int
    combinations: int


def effects_of(results: StudyResults) -> Effects | None:
    """Return a study's effects; None if its design has none."""
    kind = (results.study.get("design") or {}).get("kind")
    if kind not in ("pairs", "factorial", "fractional"):
        return None
    factors: Mapping[str, Sequence[Any]] = results.study["factors"]
    arms = {tuple(arm.cell[key] for key in factors): arm for arm in results.arms if arm.cell}
    applying = {cell for cell, arm in arms.items() if arm.skipped is None}
    counts = [len(levels) for levels in factors.values()]
    if kind == "fractional":
        contrasts = _of_a_fraction(list(arms), len(arms) - len(applying))
        aliases = alias_groups(list(arms))
    else:
        contrasts, aliases = _matched(counts, applying, kind), {}
    logs = {
        cell: {
            seed: log_standing(trial, lambda trial: trial.final(results.primary))
            for seed, trial in results.of_arm(arms[cell].name).items()
        }
        for cell in applying
    }
    names = [
        [term_name(key, levels, place) for place in range(len(levels))]
        for key, levels in factors.items()
    ]
    keys = list(factors)
    found = []
    for term, contrast in contrasts.items():
        mixed = aliases.get(tuple(factor for factor, _ in term), ())
        share = 0.5 if len(term) == 1 else 1.0
        told = FactorEffect(
            name=" × ".join(names[factor][place] for factor, place in term),
            levels={keys[factor]: place for factor, place in term},
            effect=None,
            p_holm=None,
            verdict=None,
            reason="",
            aliases=tuple(
                (" × ".join(names[factor][1] for factor in alias.term), alias.sign * share)
                for alias in mixed
            ),
            sets=len(contrast.sets),
            wanted=contrast.wanted,
            left_out=len(results.seeds),
            bounded=0,
        )
        found.append(_estimated(told, contrast, logs, results))
    mains = [item for item in found if len(item.levels) == 1]
    combined = 1
    for amount in counts:
        combined *= amount
    return Effects(
        mains=tuple(_judged(mains, results)),
        interactions=tuple(item for item in found if len(item.levels) == 2),
        arms=len(arms),
        combinations=combined,
    )


def term_name(factor: str, levels: Sequence[Any], place: int) -> str:
    """Return what a level is called in the name of an effect: what tells it from the others."""
    level = levels[place]
    if len(levels) == 2 and levels[0] == "off" and place:
        return factor
    if not isinstance(level, Mapping):
        return f"{factor} {level_words(level)}"
    others = [other for index, other in enumerate(levels) if index != place]
    alike = [other for other in others if isinstance(other, Mapping)]
    own = {
        key: value
        for key, value in level.items()
        if not alike or any(key not in other or other[key] != value for other in alike)
    }
    if "name" in own and all(other.get("name") != own["name"] for other in alike):
        own = {"name": own["name"]}
    words = level_words(own).removeprefix("name ")
    return f"{factor} {words}"


def _matched(
    counts: Sequence[int], cells: set[Cell], kind: str
) -> dict[tuple[Level, ...], Contrast]:
    """Return contrasts whose sets differ in nothing but the factors that they are about."""
    levels = [
        (factor, place) for factor in range(len(counts)) for place in range(1, counts[factor])
    ]
    pairs = [pair for pair in combinations(levels, 2) if pair[0][0] != pair[1][0]]
    found: dict[tuple[Level, ...], Contrast] = {}
    for term in [*((level,) for level in levels if kind != "pairs"), *pairs]:
        own = {factor for factor, _ in term}
        rests = product(
            *(
                (0,) if factor in own or kind == "pairs" else range(count)
                for factor, count in enumerate(counts)
            )
        )
        sets, wanted = [], 0
        for rest in rests:
            wanted += 1
            at = {
                chosen: tuple(
                    dict(level for level, on in zip(term, chosen, strict=True) if on).get(f, place)
                    for f, place in enumerate(rest)
                )
                for chosen in product((0, 1), repeat=len(term))
            }
            if all(cell in cells for cell in at.values()):
                even = len(term) % 2
                plus = tuple(cell for chosen, cell in at.items() if sum(chosen) % 2 == even)
                minus = tuple(cell for chosen, cell in at.items() if sum(chosen) % 2 != even)
                sets.append((plus, minus))
        found[term] = Contrast(tuple(sets), float(len(term)), wanted)
    return found


def _of_a_fraction(cells: Sequence[Cell], absent: int) -> dict[tuple[Level, ...], Contrast]:
    """Return the contrasts that a fraction can tell from one another: half against half."""
    found = {}
    for term in alias_groups(cells):
        column = signs(term, cells)
        plus, minus = (
            tuple(cell for cell, sign in zip(cells, column, strict=True) if sign == side)
            for side in (1, -1)
        )
        sets = ((plus, minus),) if not absent else ()
        found[tuple((factor, 1) for factor in term)] = Contrast(sets, float(len(term)), 1)
    return found


def _estimated(
    told: FactorEffect, contrast: Contrast, logs: Logs, results: StudyResults
) -> FactorEffect:
    if not contrast.sets:
        return replace(told, reason="an arm that it needs does not apply")
    is_main = len(told.levels) == 1
    values, ranked, bounded = {}, {}, 0
    for seed in sorted(results.seeds):
        given = {cell: by_seed[seed] for cell, by_seed in logs.items() if seed in by_seed}
        bounds = _bounds(given.values())
        value = _value(contrast, given, bounds if is_main else None)
        if value is not None:
            values[seed] = value
            bounded += any(_rank(given[cell]) for cell in _cells_of(contrast))
            excess = _excess(contrast, given)
            ranked[seed] = copysign(inf, excess) if excess else value
    effect = effect_of(values, results.alpha)
    left_out = len(results.seeds) - len(values)
    reason = "" if len(values) > 1 else "fewer than two seeds have all the trials that it needs"
    told = replace(told, effect=effect, left_out=left_out, bounded=bounded, reason=reason)
    return replace(told, ranked=effect_of(ranked, results.alpha)) if is_main and bounded else told


def _bounds(given: Iterable[float | None]) -> tuple[float, float] | None:
    """Return the least and the greatest finite value; None without any."""
    finite = [value for value in given if value is not None and not isinf(value)]
    return (min(finite), max(finite)) if finite else None


def _value(
    contrast: Contrast, given: Mapping[Cell, float | None], bounds: tuple[float, float] | None
) -> float | None:
    """Return a contrast's value at a seed, within bounds if there are any; None if it has none."""
    values: dict[Cell, float] = {}
    for cell in _cells_of(contrast):
        value = given.get(cell)
        if value is None or (isinf(value) and bounds is None):
            return None
        values[cell] = value if bounds is None else min(max(value, bounds[0]), bounds[1])
    return fmean(
        contrast.scale
        * (fmean(values[cell] for cell in plus) - fmean(values[cell] for cell in minus))
        for plus, minus in contrast.sets
    )


def _cells_of(contrast: Contrast) -> set[Cell]:
    return {cell for sides in contrast.sets for side in sides for cell in side}


def _excess(contrast: Contrast, given: Mapping[Cell, float | None]) -> int:
    """Return how many more trials rank last among the first cells of the sets than the second."""
    lasts = {cell: _rank(given[cell]) for cell in _cells_of(contrast)}
    return sum(
        sum(lasts[cell] for cell in plus) - sum(lasts[cell] for cell in minus)
        for plus, minus in contrast.sets
    )


def _rank(value: float | None) -> int:
    """Return 1 of a trial that ranks last, -1 of one that ranks first, 0 of any other."""
    return 0 if value is None or not isinf(value) else 1 if value > 0 else -1


def _judged(mains: Sequence[FactorEffect], results: StudyResults) -> list[FactorEffect]:
    """Return the main effects with their verdicts; those that cannot be estimated are no family."""
    alpha, margin = results.alpha, results.margin
    family = [item for item in mains if item.sets]
    corrected = holm([_p(item) for item in family])
    adjusted = dict(zip((item.name for item in family), corrected, strict=True))
    judged = []
    for item in mains:
        if item.effect is None or len(item.effect.differences) < 2:
            judged.append(replace(item, verdict="n/a"))
            continue
        p_holm = adjusted[item.name]
        verdict = decide(item.effect, p_holm, alpha, margin)
        reason = ""
        by_ranks = item.ranked if _is_opposed(item) else None
        if (verdict == "no effect" and item.bounded) or (
            by_ranks is not None and decide(by_ranks, p_holm, alpha, margin) != verdict
        ):
            verdict = "inconclusive"
            reason = "a trial that ranks last is worse than what it counts as"
        elif verdict == "inconclusive":
            reason = why_inconclusive(item.effect, p_holm, alpha)
        judged.append(replace(item, p_holm=p_holm, verdict=verdict, reason=reason))
    return judged


def _p(item: FactorEffect) -> float:
    """Return the p that is to be corrected: of two readings that oppose each other, the larger."""
    readings = (item.effect, item.ranked if _is_opposed(item) else None)
    return max((reading.p for reading in readings if reading is not None), default=1.0)


def _is_opposed(item: FactorEffect) -> bool:
    """Say whether, at some seed, more trials rank last on the side that is found to be better."""
    if item.effect is None or item.ranked is None:
        return False
    ranked = item.ranked.differences.values()
    return any(isinf(value) and value * item.effect.estimate < 0 for value in ranked)
