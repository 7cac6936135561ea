"""What a report says of searches: the second reading, the budgets, what mattered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from ganbench.report.budgets import budget_panels, history_panels
from ganbench.report.forest import ForestRow, forest_plot
from ganbench.report.svg import Figure, tiled
from ganbench.report.table import Table
from ganbench.report.words import (
    NOTHING,
    VerdictRow,
    count,
    listing,
    number,
    verdict_rows,
)
from ganbench.study.comparison import Comparison
from ganbench.study.results import StudyResults, label
from ganbench.study.search import STARTUP
from ganbench.study.search_result import SearchResult

SAMPLERS = {
    "tpe": f"Optuna's TPE, the first {STARTUP} by chance",
    "random": "chance",
    "nsga2": "NSGA-II, in generations of 10",
}
PRUNERS = {
    "none": "none was given up early",
    "median": "one worse than the median of those before it was given up (Optuna's median pruner)",
    "asha": "Optuna's successive halving went on with one in three",
    "hyperband": "Optuna's Hyperband gave the worse ones up",
}
SECONDS = {"collapse": "share of evaluations collapsed", "seconds_per_step": "seconds a step"}
BUDGET_NOTE = (
    "The lowest figure to be expected of so many configurations drawn from those tried (Dodge et "
    "al., 2019){dashed}. One that diverged counts with the worst figure that any came "
    "to, one that was pruned with its last. It supposes independent draws{sampler}. All of it is "
    "on tuning seeds, whose winners look better than they are."
)
HISTORY_NOTE = (
    "A mark is a configuration: filled if it came to its end, hollow where it was pruned, a cross "
    "at the top if it diverged or failed; the large one was chosen. The line is the best so far."
)

IMPORTANCES_NOTE = (
    "Each parameter's share in what told the best configurations from the others (PED-ANOVA, "
    "Watanabe et al., 2023, by Optuna), on tuning seeds."
)


@dataclass(frozen=True)
class TuningSection:
    """The parts of the section, in reading order; empty ones are left out."""

    title: str
    answer: str
    notes: tuple[str, ...]
    readings: Table | None
    reasons: tuple[tuple[str, str, str], ...]
    forest: Figure | None
    forest_narrow: Figure | None
    searches: Table
    chosen: Table | None
    front: Table | None
    front_note: str
    history: tuple[Figure, ...]
    budget: tuple[Figure, ...]
    budget_note: str
    importances: Table | None
    unimportant: tuple[str, ...]

    def pictures(self) -> dict[str, Figure]:
        """Return the figures that a Markdown report shows, by what they show."""
        found: dict[str, Figure] = {}
        if self.forest is not None:
            found["forest"] = self.forest
        if self.history:
            found["history"] = tiled("searches", "Configurations tried", self.history, 3, 24)
        if self.budget:
            found["budget"] = tiled("budgets", "Expected best by budget", self.budget, 3, 24)
        return found


def tuning_section(
    results: StudyResults, comparisons: Sequence[Comparison], retuned: Sequence[Comparison]
) -> TuningSection | None:
    """Return the section; None for a study that searches nothing."""
    searches = results.searches
    if not searches:
        return None
    primary = label(results.primary)
    forest = [ForestRow(item.arm, item.verdict, item.effect) for item in retuned[1:]]
    name = f"Change of the final {primary} against the retuned reference"
    narrow, broad = (
        forest_plot(forest, name, results.margin, width, stacked, f"forest-retuned-{width}")
        if forest
        else None
        for width, stacked in ((340, True), (1064, False))
    )
    after = verdict_rows(results, retuned) if retuned else ()
    one = searches[0]
    by_chance = one.sampler == "random" or (one.sampler == "tpe" and one.budget <= STARTUP)
    told = "" if by_chance else ", which these were not, but for the first"
    dashed = f"; the dashed line is the {searches[0].arm}'s" if len(searches) > 1 else ""
    return TuningSection(
        title="As published and retuned" if retuned else "The search",
        answer=_answer(results, comparisons, retuned),
        notes=_notes(results, searches, bool(retuned)),
        readings=_readings(results, comparisons, retuned) if retuned else None,
        reasons=tuple((row.arm, row.verdict, row.note) for row in after if row.note),
        forest=broad,
        forest_narrow=narrow,
        searches=_searches(searches, primary),
        chosen=_chosen(searches),
        front=_front(searches, primary),
        front_note=_front_note(results),
        history=tuple(history_panels(searches, primary)),
        budget=tuple(budget_panels(searches, primary)),
        budget_note=BUDGET_NOTE.format(sampler=told, dashed=dashed),
        importances=_importances(searches),
        unimportant=_unimportant(searches),
    )


def _answer(
    results: StudyResults, comparisons: Sequence[Comparison], retuned: Sequence[Comparison]
) -> str:
    if len(retuned) < 2:
        return ""
    changed = [
        f"{before.arm} ({before.verdict} → {after.verdict})"
        for before, after in zip(comparisons[1:], retuned[1:], strict=True)
        if before.verdict != after.verdict
    ]
    budget = count(results.searches[0].budget, "configuration")
    start = f"Once every arm, {results.reference} too, is tuned with {budget}"
    if not changed:
        return f"{start}, every verdict is the same."
    return f"{start}, {count(len(changed), 'verdict')} of {len(retuned) - 1} " + (
        f"{'is' if len(changed) == 1 else 'are'} another: {listing(changed)}."
    )


def _notes(results: StudyResults, searches: Sequence[SearchResult], two: bool) -> tuple[str, ...]:
    one = searches[0]
    seeds = listing([str(seed) for seed in one.seeds])
    many = (
        f"the tuning seed {seeds}" if len(one.seeds) == 1 else f"the tuning seeds {seeds} in turn"
    )
    space = "; ".join(f"{key}: {text}" for key, text in one.space.items())
    notes = [
        f"{count(one.budget, 'configuration')} "
        + (f"for each of {count(len(searches), 'arm')}" if two else "")
        + f", drawn by {SAMPLERS[one.sampler]}, each trained at {many}; "
        f"{PRUNERS[one.pruner]}. What was varied: {space}.",
        "A configuration's figure is the geometric mean over the tuning seeds of "
        f"{label(results.primary)} at the last step; one that diverged is worse than any other. "
        "Nothing of the tuning seeds enters a verdict: the winner was trained again, on the "
        "study's seeds.",
    ]
    if 1 < one.ahead < one.budget:
        unseen = "one" if one.ahead == 2 else str(one.ahead - 1)
        notes.append(
            f"Each configuration was drawn from the results of all but the last {unseen} before "
            "it, so that what was tried does not depend on how many workers there were."
        )
    notes += _failed(searches)
    if two:
        notes.append(
            "Two readings, each with its own family for Holm's method, declared beforehand: as "
            "published answers what the change does to the settings as they stand, retuned what "
            "is left of it once both have had the same budget. Neither is corrected for the other."
        )
    return tuple(" ".join(note.split()).replace(" ,", ",") for note in notes)


def _failed(searches: Sequence[SearchResult]) -> list[str]:
    """Say what came of the configurations that failed, if any did."""
    if not any(search.count("failed") for search in searches):
        return []
    short = [
        f"{search.arm}: {count(search.unreplaced, 'configuration')} fewer"
        for search in searches
        if search.unreplaced
    ]
    text = "In the place of a configuration that failed another one was tried"
    if not short:
        return [f"{text}: it is no part of the budget."]
    return [
        f"{text}, up to as many as the budget. Where more failed, the budget was smaller than "
        f"that of the others ({'; '.join(short)})."
    ]


def _readings(
    results: StudyResults, comparisons: Sequence[Comparison], retuned: Sequence[Comparison]
) -> Table:
    rows = []
    pairs = zip(verdict_rows(results, comparisons), verdict_rows(results, retuned), strict=True)
    for before, after in pairs:
        rows.append(_reading(before, before.arm, "as published"))
        rows.append(_reading(after, "", "retuned"))
    primary = label(results.primary)
    head = ("Arm", "Reading", "Verdict", f"Δ {primary}", "Interval", "p", "p Holm", "Final")
    return Table(head, tuple(rows), 3)


def _reading(row: VerdictRow, arm: str, reading: str) -> tuple[str, ...]:
    verdict = f"{row.symbol} {row.verdict}"
    return arm, reading, verdict, row.change, row.interval, row.p, row.p_holm, row.final


def _searches(searches: Sequence[SearchResult], primary: str) -> Table:
    rows = []
    for search in searches:
        best = next((t for t in search.trials if t.index == search.winner), None)
        steps = sum(trial.steps for trial in search.trials)
        whole = search.budget * len(search.seeds) * search.steps
        rows.append(
            (
                search.arm,
                f"{search.done} of {search.budget}",
                *(str(search.count(state)) for state in ("pruned", "diverged", "failed")),
                NOTHING if best is None else number(best.value),
                f"{steps:,} of {whole:,}",
            )
        )
    head = ("Search", "Tried", "Pruned", "Diverged", "Failed", f"Chosen: {primary}", "Steps")
    return Table(head, tuple(rows))


def _chosen(searches: Sequence[SearchResult]) -> Table | None:
    """Return the parameters of each search's winner."""
    keys = list(dict.fromkeys(key for search in searches for key in search.space))
    rows = []
    for search in searches:
        for trial in search.trials:
            if trial.index == search.winner:
                shown = (_value(trial.parameters.get(key)) for key in keys)
                rows.append((search.arm, str(trial.index + 1), *shown))
    return Table(("Chosen for", "Configuration", *keys), tuple(rows)) if rows else None


def _front(searches: Sequence[SearchResult], primary: str) -> Table | None:
    rows = []
    for search in searches:
        trials = {trial.index: trial for trial in search.trials}
        for index in search.front:
            trial = trials[index]
            chosen = "chosen" if index == search.winner else ""
            text = ", ".join(f"{k} {_value(v)}" for k, v in trial.parameters.items())
            rows.append((str(index + 1), text, chosen, number(trial.value), number(trial.second)))
    if not rows:
        return None
    second = SECONDS[searches[0].objectives[1]]
    return Table(("Configuration", "Parameters", "", primary, second.capitalize()), tuple(rows), 3)


def _front_note(results: StudyResults) -> str:
    return (
        "The configurations that no other beats in both objectives. Chosen is, of those whose "
        f"{label(results.primary)} is within {results.margin:.0%} of the lowest (the study's "
        "margin), the one with the lowest second figure."
    )


def _importances(searches: Sequence[SearchResult]) -> Table | None:
    found: list[tuple[str, Mapping[str, float]]] = [
        (search.arm, search.importances) for search in searches if search.importances is not None
    ]
    if not found:
        return None
    keys = list(dict.fromkeys(key for _, shares in found for key in shares))
    rows = tuple(
        (arm, *(f"{shares[key]:.0%}" if key in shares else NOTHING for key in keys))
        for arm, shares in found
    )
    return Table(("Search", *keys), rows)


def _unimportant(searches: Sequence[SearchResult]) -> tuple[str, ...]:
    reasons: dict[str, list[str]] = {}
    for search in searches:
        if search.importances is None:
            reasons.setdefault(search.unimportant, []).append(search.arm)
    return tuple(f"No importances for {listing(arms)}: {why}." for why, arms in reasons.items())


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if isfinite(value) else str(value)
    return NOTHING if value is None else str(value)
