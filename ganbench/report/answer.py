"""The study's answer in one paragraph, made from the verdicts."""

from collections import Counter
from collections.abc import Sequence
from math import isinf

from ganbench.report.words import count, interval, listing, mean_and_deviation, p_value, percent
from ganbench.study.comparison import Comparison, Effect
from ganbench.study.planning import plan
from ganbench.study.results import StudyResults, label

PLURAL = {"helps": "help", "hurts": "hurt", "no effect": "have no effect"}
SINGULAR = {"no effect": "has no effect"}


def progress(results: StudyResults) -> str:
    """Say how far the study is; empty if every trial has ended."""
    applying = [arm for arm in results.arms if arm.skipped is None]
    whole = len(applying) * len(results.seeds)
    ended = sum(
        trial.outcome != "pending"
        for arm in applying
        for trial in results.of_arm(arm.name).values()
    )
    if ended >= whole:
        return ""
    return f"{ended} of {whole} trials have ended so far: every verdict here may still change."


def answer(results: StudyResults, comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Return the answer (tally, clearest arms, baseline), and what so many seeds can show.

    The second is empty in a quick run.
    """
    primary = label(results.primary)
    baseline, *arms = comparisons
    sentences = [_tally(arms, len(results.seeds))] if arms else ["There is only a baseline."]
    sentences += _clearest(arms, "helps", primary) + _clearest(arms, "hurts", primary)
    if baseline.mean is not None:
        ends = mean_and_deviation(baseline.mean, baseline.deviation)
        spread = " (mean and standard deviation over seeds)" if baseline.deviation else ""
        if baseline.reason:
            spread = f"{spread} where it has one, and {baseline.reason}"
        sentences.append(f"The baseline ends with {primary} {ends}{spread}; lower is better.")
    elif baseline.reason:
        sentences.append(f"The baseline {baseline.reason}.")
    if results.quick:  # few seeds by design: what they could show is no news of the study
        return " ".join(sentences), ""
    judged = [arm for arm, item in zip(results.arms[1:], arms, strict=True) if not arm.skipped]
    strength = plan(len(results.seeds), len(judged), results.alpha).text
    return " ".join(sentences), strength


def _tally(arms: Sequence[Comparison], seeds: int) -> str:
    found = Counter(item.verdict for item in arms)
    applying = len(arms) - found["n/a"]
    parts = []
    for verdict in ("helps", "hurts", "no effect", "inconclusive"):
        amount = found[verdict]
        if not amount:
            continue
        one = SINGULAR.get(verdict, verdict)
        if verdict == "inconclusive":
            parts.append(f"{amount} {'is' if amount == 1 else 'are'} inconclusive")
        else:
            parts.append(f"{amount} {one if amount == 1 else PLURAL[verdict]}")
    without = ""
    if found["n/a"]:
        without = f" No verdict is possible on {count(found['n/a'], 'other')}."
    if not applying:
        return f"No verdict is possible on any of the {count(len(arms), 'change')}."
    changes = f"Of {count(applying, 'change')} to the baseline"
    return f"{changes}, {listing(parts)}, with {count(seeds, 'seed')}.{without}"


def _clearest(arms: Sequence[Comparison], verdict: str, primary: str) -> list[str]:
    """Return a sentence on the arm with the largest effect of those with a verdict."""
    found = [(item, item.effect) for item in arms if item.verdict == verdict and item.effect]
    if not found:
        return []
    item, effect = max(found, key=lambda pair: abs(pair[1].estimate))
    most = "" if len(found) == 1 else " most"
    if isinf(effect.estimate):
        ranked = f"{_ranked(item, effect, primary)} (p after Holm {p_value(item.p_holm)})"
        return [f"{item.arm} {verdict}{most}: {ranked}."]
    return [
        f"{item.arm} {verdict}{most}: {primary} {percent(effect.estimate)} "
        f"(interval {interval(effect)}, p after Holm {p_value(item.p_holm)})."
    ]


def _ranked(item: Comparison, effect: Effect, primary: str) -> str:
    """Say at how many seeds an arm ranks last or first, and why: ranks have no size."""
    amount = sum(value == effect.estimate for value in effect.differences.values())
    total = len(effect.differences)
    seeds = f"all {count(total, 'seed')}" if amount == total else f"{amount} of {total} seeds"
    if effect.estimate < 0:
        why = f"only the baseline diverged or has no finite {primary}, or the arm's own is 0"
        return f"it ranks first at {seeds}, where {why}"
    why = "it diverged" if item.diverged.count >= amount else f"it has no finite {primary}"
    if 0 < item.diverged.count < amount:
        why = f"it diverged or has no finite {primary}"
    return f"it ranks last at {seeds}, where {why}"
