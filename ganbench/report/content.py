"""What a report says, before it is a page or a Markdown file."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ganbench.report.answer import answer, progress
from ganbench.report.baseline import baseline_line
from ganbench.report.curves import Axis, curve_panels
from ganbench.report.detail import in_detail, limited, what_is_left_out
from ganbench.report.effects import EffectsSection, effects_section, effects_words
from ganbench.report.exploration import exploration_head, exploration_rows
from ganbench.report.forest import ForestRow, axis_note, forest_plot
from ganbench.report.guide import glossary, samples_note
from ganbench.report.inside import Inside, inside_sections
from ganbench.report.listing import flattened, scalar, study_lines
from ganbench.report.own import (
    OWN_HEAD,
    OwnPicture,
    is_own,
    own_figures,
    own_notes,
    own_pictures,
)
from ganbench.report.sheets import SheetRow, sheet_rows, typical_seed
from ganbench.report.signs import EarlySection, Seen, early_section, signs_seen
from ganbench.report.svg import Figure
from ganbench.report.table import Table
from ganbench.report.timeline import timeline_panels
from ganbench.report.tuning import TuningSection, tuning_section
from ganbench.report.ways import cost_notes, how_steps_were_taken, mixed_costs
from ganbench.report.words import (
    NOTHING,
    VerdictRow,
    cost_interval_words,
    cost_words,
    count,
    duration,
    interval,
    interval_head,
    number,
    p_value,
    size,
    verdict_rows,
)
from ganbench.study.comparison import Comparison, Effect
from ganbench.study.effects import Effects
from ganbench.study.exploratory import Exploration
from ganbench.study.results import StudyResults, label
from ganbench.study.sequential import schedule_of

Section = tuple[str, str]
"""Title and Markdown text of a section that a plugin adds."""


@dataclass(frozen=True)
class Content:
    """The parts of a report, in reading order; empty ones are left out of it."""

    reference: str
    question: str
    setting: str
    answer: str
    strength: str
    progress: str
    quick: bool
    primary: str
    measured: str
    baseline: str
    warnings: tuple[str, ...]
    rows: tuple[VerdictRow, ...]
    interval: str
    left_out: str
    more: Table | None
    forest: Figure | None
    forest_narrow: Figure | None
    forest_note: str
    effects: EffectsSection | None
    tuning: TuningSection | None
    over_steps: tuple[Figure, ...]
    over_seconds: tuple[Figure, ...]
    exploratory: Table | None
    sheets: tuple[SheetRow, ...]
    sheets_note: str
    timelines: tuple[Figure, ...]
    collapse_rules: tuple[str, ...]
    signs: Seen | None
    early: EarlySection | None
    figures: Table | None
    figure_notes: tuple[tuple[str, str], ...]
    own_figures: Table | None
    own_notes: tuple[tuple[str, str], ...]
    own_pictures: tuple[OwnPicture, ...]
    inside: tuple[Inside, ...]
    inside_seed: str
    cost: Table
    cost_notes: tuple[str, ...]
    wall: str
    troubles: Table | None
    sections: tuple[Section, ...]
    glossary: tuple[tuple[str, str], ...]
    protocol: tuple[tuple[str, str], ...]
    makeup: Table | None
    environment: tuple[tuple[str, str], ...]
    study: tuple[tuple[str, str], ...]
    command: str

    @property
    def grids(self) -> tuple[OwnPicture, ...]:
        """All grids of pictures, in whichever section."""
        inside = (picture for part in self.inside for picture in part.pictures)
        return (*self.own_pictures, *inside)


def content_of(
    results: StudyResults,
    comparisons: Sequence[Comparison],
    explorations: Sequence[Exploration],
    effects: Effects | None,
    retuned: Sequence[Comparison],
    sections: Sequence[Section],
) -> Content:
    """Gather a report's parts."""
    primary = label(results.primary)
    found, strength = answer(results, comparisons)
    combined = effects_section(results, effects)
    if combined is not None and combined.answer:
        found = f"{found} {combined.answer}"
    tuning = tuning_section(results, comparisons, retuned)
    if tuning is not None and tuning.answer and not results.quick:
        found = f"{found} {tuning.answer}"
    detail = in_detail(results, comparisons)
    part, names = limited(results, detail), {item.arm for item in detail}
    arms, own = detail[1:], own_figures(part)
    more = exploration_rows([item for item in explorations if item.arm in names], detail)
    forest = [ForestRow(item.arm, item.verdict, item.effect) for item in arms]
    title = f"Change of the final {primary} against {results.reference}"

    def panels(axis: Axis) -> tuple[Figure, ...]:
        return tuple(curve_panels(results, detail, primary, axis))

    return Content(
        reference=results.reference,
        question=str(results.study["question"]),
        setting=_setting(results),
        answer=found,
        strength=strength,
        progress=progress(results),
        quick=results.quick,
        primary=primary,
        measured=_measured(results, primary),
        baseline=baseline_line(results),
        warnings=tuple(str(warning) for warning in results.protocol.get("warnings") or ()),
        rows=verdict_rows(results, comparisons),
        interval=interval_head(results),
        left_out=what_is_left_out(results, detail),
        more=Table(exploration_head(primary), more) if more else None,
        forest=forest_plot(forest, title, results.margin, 1064, stacked=False),
        forest_narrow=forest_plot(forest, title, results.margin, 340, stacked=True),
        forest_note=axis_note(results.margin, results.reference),
        effects=combined,
        tuning=tuning,
        over_steps=panels("steps"),
        over_seconds=panels("seconds"),
        exploratory=_exploratory(arms, primary),
        sheets=sheet_rows(part, primary),
        sheets_note=samples_note(results),
        timelines=tuple(timeline_panels(results, detail)),
        collapse_rules=tuple(results.collapse_rule.splitlines()),
        signs=signs_seen(part),
        early=early_section(part),
        figures=_figures(part),
        figure_notes=_figure_notes(results),
        own_figures=Table(OWN_HEAD, own, 2) if own else None,
        own_notes=own_notes(results, (row[0] for row in own)),
        own_pictures=own_pictures(part),
        inside=inside_sections(part),
        inside_seed=str(typical_seed(part)),
        cost=_cost(results, detail),
        cost_notes=cost_notes(results),
        wall=duration(results.wall_seconds),
        troubles=_troubles(results),
        sections=tuple(sections),
        glossary=glossary(results, primary) + (effects_words(effects) if effects else ()),
        protocol=tuple(flattened(results.protocol)),
        makeup=_makeup(part),
        environment=tuple(flattened(results.environment)),
        study=tuple(study_lines(results.study, results.origins)),
        command=results.command,
    )


def _setting(results: StudyResults) -> str:
    """Return one line on what was run."""
    study = results.study
    dataset = study.get("dataset") or {}
    parts = [str(study.get("name", "")), str(dataset.get("name", ""))]
    first = results.reference.removeprefix("the ")
    parts.append(f"{first} and {count(len(results.arms) - 1, 'arm')}")
    most = count(len(results.seeds), "seed")
    parts.append(most if schedule_of(study) is None else f"up to {most}")
    steps = (study.get("baseline") or {}).get("steps")
    if steps:
        parts.append(count(steps, "step"))
    return " · ".join(part for part in parts if part)


def _measured(results: StudyResults, primary: str) -> str:
    """Say what the verdicts compare, and with how many samples."""
    text = f"Final {primary} against {results.reference}, paired by seed; lower is better."
    if results.leaves_out:
        text = (
            f"The full arm has every factor on: {results.changes(results.arms[0])}. Each other "
            f"arm leaves one out. {text} An arm that hurts is without something that helps."
        )
    extractor = (results.protocol.get("extractor") or {}).get("name")
    samples = results.protocol.get("samples")
    if samples:
        text += f" N = {samples:,} samples an evaluation"
        text += f", features of the extractor “{extractor}”." if extractor else "."
    left_out = results.protocol.get("metrics_left_out") or {}
    if left_out:
        names = "; ".join(f"{name} ({reason})" for name, reason in left_out.items())
        text += f" Metrics left out: {names}."
    return text


def _exploratory(arms: Sequence[Comparison], primary: str) -> Table | None:
    rows = tuple(
        (item.arm, *_reading(item.best), *_reading(item.area))
        for item in arms
        if item.best is not None or item.area is not None
    )
    head = ("Arm", f"Best {primary}", "Interval", "p", f"Mean {primary}", "Interval", "p")
    return Table(head, rows) if rows else None


def _reading(effect: Effect | None) -> tuple[str, str, str]:
    if effect is None:
        return NOTHING, NOTHING, NOTHING
    return size(effect), interval(effect), p_value(effect.p)


def _figures(results: StudyResults) -> Table | None:
    """Return the median of every figure at the end, an arm a row."""
    names = sorted(
        {
            key
            for trial in results.trials
            if trial.outcome == "complete"
            for key in trial.evaluations[-1].figures
            if not is_own(key)
        }
        - {results.primary}
    )
    rows = []
    for arm in results.arms:
        trials = results.of_arm(arm.name).values()
        finals = {name: [v for t in trials if (v := t.final(name)) is not None] for name in names}
        if any(finals.values()):
            middle = (number(median(finals[name])) if finals[name] else NOTHING for name in names)
            rows.append((arm.name, *middle))
    return Table(("Arm", *(label(name) for name in names)), tuple(rows)) if rows else None


def _figure_notes(results: StudyResults) -> tuple[tuple[str, str], ...]:
    """Return the meaning of each figure that metrics gave."""
    found = {key for t in results.trials for point in t.evaluations for key in point.figures}
    notes = (results.metric_notes or {}).items()
    return tuple((key, note) for key, note in notes if key in found and not is_own(key))


def _cost(results: StudyResults, comparisons: Sequence[Comparison]) -> Table:
    rows, mixed = [], mixed_costs(results)
    for item in comparisons:
        complete = [t for t in results.of_arm(item.arm).values() if t.outcome == "complete"]
        if not complete or item.seconds_per_step is None:
            continue
        rows.append(
            (
                item.arm,
                duration(item.seconds_per_step),
                cost_words(item.cost, item.arm in mixed),
                cost_interval_words(item.cost_interval),
                duration(median(trial.training_seconds for trial in complete)),
                duration(median(trial.evaluation_seconds for trial in complete)),
            )
        )
    against = f"Against {results.reference.removeprefix('the ')}"
    level = f"{100 * (1 - results.alpha):.3g}% interval"
    head = ("Arm", "Time a step", against, level, "Training a trial", "Evaluating a trial")
    return Table(head, tuple(rows))


def _makeup(results: StudyResults) -> Table | None:
    """Return, for each arm, its hooks with the tricks in the order they ran, and its sizes."""
    rows = []
    for arm in results.arms:
        found = [t.details for t in results.of_arm(arm.name).values() if t.details]
        if not found:
            continue
        hooks = dict(found[0].get("order") or {})
        sizes = dict(found[0].get("parameters") or {})
        order = "; ".join(f"{hook}: {' → '.join(names)}" for hook, names in hooks.items())
        counts = ", ".join(f"{role} {size:,}" for role, size in sizes.items())
        weights = str(found[0].get("weights", NOTHING))
        steps = how_steps_were_taken([details.get("execution") for details in found])
        prepared = sum(details.get("preparing_seconds") or 0 for details in found)
        if prepared >= 1:
            steps += f"; prepared in {duration(prepared)} in all"
        rows.append((arm.name, order or "none", counts or NOTHING, weights, steps))
    hooks_head = "Hooks in use, tricks in the order they ran"
    head = ("Arm", hooks_head, "Trained parameters", "Weights scored", "Steps")
    return Table(head, tuple(rows), len(head)) if rows else None


def _troubles(results: StudyResults) -> Table | None:
    rows = []
    for arm in (*results.arms, *results.tuned):
        if arm.skipped is not None:
            rows.append((arm.name, "all", "n/a", arm.skipped))
        for seed, trial in sorted(results.of_arm(arm.name).items()):
            if trial.outcome in ("failed", "diverged"):
                rows.append((arm.name, str(seed), trial.outcome, scalar(trial.error or "")))
    for search in results.searches:
        for one in search.trials:
            if one.state in ("failed", "diverged"):
                name = f"{search.arm}, tuning {one.index + 1}"
                rows.append((name, "tuning", one.state, scalar(one.reason or "")))
    return Table(("Arm", "Seed", "Outcome", "Reason"), tuple(rows), 4) if rows else None
