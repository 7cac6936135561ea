"""The study's answer in one paragraph, made from the verdicts."""

from collections import Counter
from collections.abc import Sequence
from math import isinf

from ganbench.report.words import count, interval, listing, mean_and_deviation, p_value, percent
from ganbench.study.comparison import Comparison, Effect
from ganbench.study.planning import plan
from ganbench.study.results import StudyResults, label
from ganbench.study.sequential import Progress, looks_in_words, progress_of, schedule_of

PLURAL = {
    "helps": "help",
    "hurts": "hurt",
    "no effect": "have no effect that matters",
    "inconclusive": "are inconclusive",
}
SINGULAR = {"no effect": "has no effect that matters", "inconclusive": "is inconclusive"}
TURNED = {"helps": "hurts", "hurts": "helps"}
"""What an arm's verdict says of what it leaves out."""
MISSED = {"helps": "worse without", "hurts": "better without"}


def progress(results: StudyResults) -> str:
    """Say how far the study is; empty if every trial has ended."""
    applying = [arm for arm in (*results.arms, *results.tuned) if arm.skipped is None]
    adding = progress_of(results)
    if adding is not None:
        return _progress(results, adding)
    whole = len(applying) * len(results.seeds)
    ended = sum(
        trial.outcome != "pending"
        for arm in applying
        for trial in results.of_arm(arm.name).values()
    )
    if ended >= whole:
        return ""
    return f"{ended} of {whole} trials have ended so far: every verdict here may still change."


def _progress(results: StudyResults, adding: Progress) -> str:
    """Say how far a study that adds seeds is."""
    wanted = {(arm, seed) for arm, seeds in adding.wanted.items() for seed in seeds}
    ended = {(trial.arm, trial.seed) for trial in results.trials if trial.outcome != "pending"}
    if wanted <= ended:
        return ""
    return (
        f"{len(wanted & ended)} of the {len(wanted)} trials up to look {adding.taken + 1} of "
        f"{len(adding.looks)} have ended so far: the verdicts of arms that are open may change."
    )


def answer(results: StudyResults, comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Return the answer (tally, clearest arms, baseline), and what so many seeds can show.

    The second is empty in a quick run.
    """
    primary = label(results.primary)
    reference = results.reference.replace("the", "The", 1)
    baseline = comparisons[0]
    again = {arm.name for arm in results.arms if arm.is_again}
    arms = [item for item in comparisons[1:] if item.arm not in again]
    sentences = [_tally(baseline, arms, results)] if arms else ["There is only a baseline."]
    sentences += _clearest(arms, "helps", results) + _clearest(arms, "hurts", results)
    if baseline.mean is not None:
        ends = mean_and_deviation(baseline.mean, baseline.deviation)
        spread = " (mean and standard deviation over seeds)" if baseline.deviation else ""
        if baseline.reason:
            spread = f"{spread} where it has one, and {baseline.reason}"
        sentences.append(f"{reference} ends with {primary} {ends}{spread}; lower is better.")
    elif baseline.reason:
        sentences.append(f"{reference} {baseline.reason}.")
    sentences.append(_collapsed(comparisons, reference))
    sentences += [_false_alarm(item, results) for item in comparisons if item.arm in again]
    if results.quick:  # few seeds by design: what they could show is no news of the study
        return " ".join(filter(None, sentences)), ""
    family, schedule = len(results.family), schedule_of(results.study)
    if schedule is None:
        strength = plan(len(results.seeds), family, results.alpha).text
    else:
        strength = looks_in_words(schedule, family, results.alpha)
    return " ".join(filter(None, sentences)), strength


def _collapsed(comparisons: Sequence[Comparison], reference: str) -> str:
    """Say if no trial of the baseline, or none at all, ended with a generator that works."""
    seen = [item for item in comparisons if item.collapsed.total]
    lost = [item.collapsed.count + item.diverged.count == item.collapsed.total for item in seen]
    if not lost or not lost[0] or seen[0] is not comparisons[0]:
        return ""
    if all(lost):
        return (
            "Every trial ended collapsed or diverged: this says little about generators that work."
        )
    return f"{reference} ended collapsed or diverged at every seed."


def _false_alarm(item: Comparison, results: StudyResults) -> str:
    """Say whether the A/A arm came out as it should; empty if it has not yet."""
    which = f"The A/A arm, {results.reference} again at other seeds,"
    if item.verdict in ("helps", "hurts"):
        return (
            f"{which} comes out as “{item.verdict}”: a false alarm, since nothing differs, as "
            f"{results.alpha:.0%} of studies at most have one."
        )
    return "" if item.verdict == "n/a" else f"{which} is not told from it, as it should be."


def _tally(baseline: Comparison, arms: Sequence[Comparison], results: StudyResults) -> str:
    """Count the verdicts; where arms leave things out, what they say of these."""
    turned = TURNED if results.leaves_out else {}
    found = Counter(turned.get(item.verdict, item.verdict) for item in arms)
    most = baseline.looks.seeds if baseline.looks else len(results.seeds)
    fewest = min((item.looks.seeds for item in arms if item.looks), default=most)
    seeds = count(most, "seed") if fewest == most else f"{fewest} to {count(most, 'seed')}"
    applying = len(arms) - found["n/a"]
    parts = []
    for verdict in ("helps", "hurts", "no effect", "inconclusive"):
        amount = found[verdict]
        if not amount:
            continue
        told = (SINGULAR if amount == 1 else PLURAL).get(verdict, verdict)
        if turned and verdict in MISSED:
            told = f"{told} ({MISSED[verdict]})"
        parts.append(told if applying == 1 else f"{amount} {told}")
    without = ""
    waiting = sum(item.verdict == "n/a" and item.outcomes["pending"] > 0 for item in arms)
    if found["n/a"] > waiting:
        without = f" No verdict is possible on {count(found['n/a'] - waiting, 'other')}."
    if not applying:
        of = "the one change" if len(arms) == 1 else f"any of the {len(arms)} changes"
        return (
            f"There is no verdict on {of} yet." if waiting else f"No verdict is possible on {of}."
        )
    if waiting:
        without += f" There is none yet on {count(waiting, 'other')}."
    if applying == 1:
        one = "The one change to the baseline"
        if turned:
            one = "The one factor, left out of the full arm,"
        return f"{one} {parts[0]}, with {seeds}.{without}"
    changes = f"Of {applying} changes to the baseline"
    if turned:
        changes = f"Of {applying} factors, each left out of the full arm alone"
    return f"{changes}, {listing(parts)}, with {seeds}.{without}"


def _clearest(arms: Sequence[Comparison], verdict: str, results: StudyResults) -> list[str]:
    """Return a sentence on the arm with the largest effect of those with a verdict."""
    found = [(item, item.effect) for item in arms if item.verdict == verdict and item.effect]
    if not found:
        return []
    item, effect = max(found, key=lambda pair: abs(pair[1].estimate))
    primary = label(results.primary)
    name = f"To be {item.arm}" if item.reading else item.arm
    so = f", {item.reading}" if item.reading else ""
    most = "" if len(found) == 1 else " most"
    if isinf(effect.estimate):
        ranked = _ranked(item, effect, primary, results.reference)
        corrected = f"(p after Holm {p_value(item.p_holm)})"
        return [f"{name} {verdict}{most}: {ranked} {corrected}{so}."]
    return [
        f"{name} {verdict}{most}: {primary} {percent(effect.estimate)} "
        f"(interval {interval(effect)}, p after Holm {p_value(item.p_holm)}){so}."
    ]


def _ranked(item: Comparison, effect: Effect, primary: str, reference: str) -> str:
    """Say at how many seeds an arm ranks last or first, and why: ranks have no size."""
    amount = sum(value == effect.estimate for value in effect.differences.values())
    total = len(effect.differences)
    seeds = f"all {count(total, 'seed')}" if amount == total else f"{amount} of {total} seeds"
    if effect.estimate < 0:
        why = f"only {reference} diverged or has no finite {primary}, or the arm's own is 0"
        return f"it ranks first at {seeds}, where {why}"
    why = "it diverged" if item.diverged.count >= amount else f"it has no finite {primary}"
    if 0 < item.diverged.count < amount:
        why = f"it diverged or has no finite {primary}"
    return f"it ranks last at {seeds}, where {why}"
