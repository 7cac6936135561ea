"""The section on effects and interactions: of a design that combines factors."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from ganbench.report.forest import ForestRow, forest_plot
from ganbench.report.svg import Figure, element, shorten, text
from ganbench.report.table import Table
from ganbench.report.words import (
    NOTHING,
    SYMBOLS,
    interval,
    listing,
    p_value,
    percent,
    size,
)
from ganbench.study.comparison import Effect
from ganbench.study.effects import Effects, FactorEffect
from ganbench.study.results import StudyResults, label

MAIN_NOTE = (
    "A main effect is the change from a factor's first level, averaged over the combinations of "
    "the other factors' levels, at each seed. Main effects are a family of their own: their p "
    "is corrected for one another, and not for the arms above."
)
INTERACTION_NOTE = (
    "An interaction is what switching one factor adds to the other's effect: 0% where each works "
    "as it does without the other, a minus sign where both together end lower than their single "
    "changes let expect. Exploratory: not corrected, and no verdict rests on them."
)
PAIRS_NOTE = (
    "Seen with every other factor at its first level; each factor's own effect is its arm's, above."
)
RANKED_NOTE = (
    "A trial that ranks last counts here as the worst other trial at its seed: the least that it "
    "can be said to be. An effect in which one stands is never called no effect; and the side on "
    "which more of them stand is called the better one only if it is so by ranks as well."
)
ALIAS_NOTE = (
    "A fraction cannot tell an effect from its aliases: the estimate is of all of them together, "
    "each with the sign and share shown. Interactions of three factors and more are not listed."
)
ROOMY = 9
"""Columns of the map that have room for names."""


@dataclass(frozen=True)
class EffectsSection:
    """What the section holds, in reading order.

    Attributes
    ----------
    answer : str
        For the answer at the top of the report; empty if there are no main effects.
    design : str
        How many of how many combinations.
    notes : tuple of str
        On the main effects.
    forest, forest_narrow : Figure or None
    mains : Table or None
    interaction_notes : tuple of str
    map : Figure or None
    interactions : Table or None
    """

    answer: str
    design: str
    notes: tuple[str, ...]
    forest: Figure | None
    forest_narrow: Figure | None
    mains: Table | None
    interaction_notes: tuple[str, ...]
    map: Figure | None
    interactions: Table | None


def effects_section(results: StudyResults, effects: Effects | None) -> EffectsSection | None:
    """Gather the section's parts; None for a design that has no effects."""
    if effects is None:
        return None
    primary = label(results.primary)
    kind = results.study["design"]["kind"]
    level = f"{100 * (1 - results.alpha):.3g}"
    rows = [
        ForestRow(item.name, item.verdict, item.effect)
        for item in effects.mains
        if item.verdict is not None
    ]
    title = f"Main effects on the final {primary}"

    def forest(width: float, stacked: bool) -> Figure | None:
        return forest_plot(rows, title, results.margin, width, stacked, "main-effects")

    ranked = any(item.bounded for item in effects.mains)
    aliased = any(item.aliases for item in effects.mains + effects.interactions)
    return EffectsSection(
        answer=_answer(effects.mains, primary),
        design=_design(effects, kind),
        notes=(MAIN_NOTE, *[RANKED_NOTE] * ranked, *[ALIAS_NOTE] * aliased) if rows else (),
        forest=forest(1064, False),
        forest_narrow=forest(340, True),
        mains=_mains(effects.mains, primary, level, kind),
        interaction_notes=(INTERACTION_NOTE, *[PAIRS_NOTE] * (kind == "pairs")),
        map=interaction_map(effects.interactions, primary),
        interactions=_interactions(effects.interactions, primary, level, kind),
    )


def _design(effects: Effects, kind: str) -> str:
    if kind == "fractional":
        return (
            f"The arms are a fraction: {effects.arms} of the {effects.combinations:,} combinations."
        )
    if kind == "factorial":
        return f"The arms are all {effects.arms:,} combinations of the factors' levels."
    return (
        f"The arms are {effects.arms} of {effects.combinations:,} combinations: no more than two."
    )


def _answer(mains: Sequence[FactorEffect], primary: str) -> str:
    """Return a sentence on the main effects that have a clear verdict."""
    told = [
        f"{item.name}{' (or its aliases)' * bool(item.aliases)} {item.verdict} "
        f"({primary} {size(item.effect)}, p after Holm {p_value(item.p_holm)})"
        for item in mains
        if item.effect is not None and item.verdict in ("helps", "hurts")
    ]
    if not mains:
        return ""
    if not told:
        return "Averaged over the other factors, none can be said to help or to hurt."
    return f"Averaged over the other factors, {listing(told)}."


def _mains(mains: Sequence[FactorEffect], primary: str, level: str, kind: str) -> Table | None:
    rows = tuple(
        (
            item.name,
            _verdict(item),
            *_numbers(item.effect),
            p_value(item.p_holm),
            *_basis(item, kind),
        )
        for item in mains
    )
    head = ("Factor", "Verdict", f"Δ {primary}", f"{level}% interval", "p", "p Holm")
    return Table((*head, *_basis_head(kind)), rows, 2) if rows else None


def _interactions(
    items: Sequence[FactorEffect], primary: str, level: str, kind: str
) -> Table | None:
    rows = tuple((item.name, *_numbers(item.effect), *_basis(item, kind)) for item in items)
    head = ("Interaction", f"Δ {primary}", f"{level}% interval", "p", *_basis_head(kind))
    return Table(head, rows) if rows else None


def _verdict(item: FactorEffect) -> str:
    told = f"{SYMBOLS[item.verdict]} {item.verdict}" if item.verdict else ""
    return f"{told}: {item.reason}" if item.verdict == "n/a" else told


def _numbers(effect: Effect | None) -> tuple[str, str, str]:
    if effect is None:
        return NOTHING, NOTHING, NOTHING
    return size(effect), interval(effect), p_value(effect.p)


def _basis_head(kind: str) -> tuple[str, ...]:
    return ("Seeds", *{"fractional": ["Aliases"], "factorial": ["Combinations"]}.get(kind, []))


def _basis(item: FactorEffect, kind: str) -> tuple[str, ...]:
    seeds = str(len(item.effect.differences)) if item.effect else "0"
    if kind == "fractional":
        return seeds, alias_text(item.aliases) or "no interaction of two"
    return (seeds, f"{item.sets} of {item.wanted}") if kind == "factorial" else (seeds,)


def alias_text(aliases: Sequence[tuple[str, float]]) -> str:
    """Return aliases with their signs and shares: ``+ a × b, − ½ c × d``."""
    return ", ".join(
        f"{'−' if share < 0 else '+'} {'' if abs(share) == 1 else '½ '}{name}"
        for name, share in aliases
    )


def interaction_map(items: Sequence[FactorEffect], primary: str) -> Figure | None:
    """Return a triangle of cells, one for every two levels; None without any interaction."""
    shown = {_ends(item): item for item in items if item.effect is not None}
    if not shown:
        return None
    terms = list(dict.fromkeys(end for item in items for pair in _pairs_of(item) for end in pair))
    columns, rows = terms[:-1], terms[1:]
    named = len(columns) <= ROOMY
    left, wide, tall, top = 250.0, 90.0 if named else 56.0, 34.0, 30.0
    sizes = [abs(i.effect.estimate) for i in shown.values() if i.effect]
    largest = max((value for value in sizes if isfinite(value)), default=0.0) or 1.0
    aliases = {name: item.name for item in items for name, _ in item.aliases}
    body = []
    for x, column in enumerate(columns):
        head = f"{x + 1} {shorten(column, 10)}" if named else str(x + 1)
        body.append(text(left + (x + 0.5) * wide, top - 10, head, "soft mid"))
    for y, row in enumerate(rows):
        at = top + y * tall
        body.append(text(0, at + tall / 2 + 4, f"{y + 2} {shorten(row, 31)}", "strong"))
        for x, column in enumerate(columns[: y + 1]):
            item = shown.get(frozenset((column, row)))
            body.append(
                _cell(left + x * wide, at, wide, tall, item, largest, (column, row), aliases)
            )
    described = "; ".join(
        f"{item.name}: {size(item.effect)}, interval {interval(item.effect)}"
        for item in shown.values()
        if item.effect
    )
    return Figure(
        "interactions",
        f"Interactions of two factors, of the final {primary}",
        described,
        left + len(columns) * wide + 4,
        top + len(rows) * tall + 6,
        "".join(body),
    )


def _cell(
    x: float,
    y: float,
    wide: float,
    tall: float,
    item: FactorEffect | None,
    largest: float,
    names: tuple[str, str],
    aliases: dict[str, str],
) -> str:
    """Return a cell: its colour says better or worse, its strength how much."""
    box = {"x": x + 1, "y": y + 1, "width": wide - 2, "height": tall - 2}
    middle, base = x + wide / 2, y + tall / 2 + 4
    if item is None or item.effect is None:
        known = aliases.get(" × ".join(names)) is not None
        return element("rect", class_="cell", **box) + text(
            middle, base, "alias" if known else NOTHING, "soft mid"
        )
    effect = item.effect
    tone = "helps" if effect.estimate < 0 else "hurts"
    strength = min(abs(effect.estimate) / largest, 1.0) * 0.4
    sure = not effect.low <= 0 <= effect.high
    note = element("title", f"{item.name}: {size(effect)}, interval {interval(effect)}")
    patch = element("rect", note, class_="tone", fill_opacity=round(strength, 3), **box)
    return element("g", element("rect", class_="cell", **box), patch, class_=tone) + text(
        middle, base, percent(effect.estimate), "strong mid" if sure else "mid"
    )


def _ends(item: FactorEffect) -> frozenset[str]:
    return frozenset(item.name.split(" × "))


def _pairs_of(item: FactorEffect) -> list[tuple[str, ...]]:
    """Return the names that an interaction, and each of its aliases, is made of."""
    return [tuple(name.split(" × ")) for name in (item.name, *(name for name, _ in item.aliases))]


def effects_words(effects: Effects) -> tuple[tuple[str, str], ...]:
    """Return what the section's terms mean, for the report's guide."""
    told = [
        ("Main effect", MAIN_NOTE),
        ("Interaction", INTERACTION_NOTE),
    ]
    if any(item.aliases for item in effects.mains + effects.interactions):
        told.append(("Alias", ALIAS_NOTE))
    return tuple(told if effects.mains else told[1:])
