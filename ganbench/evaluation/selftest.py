"""The metrics put to the test on real data: that they see what they should, and nothing else.

Half of the data is the reference, the other half stands for a perfect generator; damage of
known kinds and strengths (`ganbench.evaluation.corruptions`) for worse and worse ones.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from ganbench.config.model import Component
from ganbench.evaluation.arithmetic import exact
from ganbench.evaluation.context import StudyContext
from ganbench.evaluation.corruptions import (
    AT_THE_END,
    CORRUPTIONS,
    KNOWN,
    NEAR_ZERO,
    NOISE,
    RISES,
    Corruption,
    Worse,
)
from ganbench.evaluation.testbench import BATCH, Bench, Check, Outcome, SelfTest, set_up
from ganbench.plugin import Data, Extractor, Host, Progress

DRAWS = 8
"""Random parts of the held-out half, which show how far a figure of real data scatters."""
NEAR = 0.1
"""A figure of real data is near zero if it is no more than this share of that of strong noise."""
SAMPLES_A_MODE = 10
"""KL by chance alone is about modes / (2 samples)."""
SCATTER = 0.5
"""Draws of real data differ by no more than this share of what strong noise adds to a figure."""
ITSELF = 0.01
"""The data against themselves: no more than this share of the FID of a draw of real data."""
SAME = 1e-4
"""Relative difference of figures, and of features, over batch sizes that rounding explains."""
COUNTS = (8, 4, 2, 1)
"""The held-out half is cut into so many parts, for FID at as many sample counts."""
BATCHES = (BATCH, 37)


def run_selftest(
    data: Data,
    extractor: Component,
    host: Host,
    device: torch.device,
    cache: Path,
    progress: Progress,
) -> SelfTest:
    """Test every metric that applies to some data, through the evaluator that studies use.

    Parameters
    ----------
    data : Data
        Labelled, for all checks to be possible.
    extractor : Component
    host : Host
    device : torch.device
    cache : Path
        Where classifiers and reference statistics are kept.
    progress : callable

    Raises
    ------
    GanbenchError
        If there are too few data, or the extractor cannot be used with them.
    """
    bench = set_up(data, extractor, host, device, cache, progress)
    real, strong = _corrupt(bench, progress)
    _compare_real_with_real(bench, real, strong)
    _vary_batches(bench, extractor, host, device, cache, progress)
    _vary_counts(bench, real, progress)
    seen = {check.figure for check in bench.checks}
    untested = tuple(key for key in real if key not in seen)
    return SelfTest(
        data=data.name,
        extractor=extractor.name,
        reference=len(bench.reference.items),
        held_out=len(bench.held_out.items),
        samples=bench.samples,
        metrics=tuple(metric.name for metric in bench.metrics),
        checks=tuple(bench.checks),
        untested=untested,
    )


def _corrupt(bench: Bench, progress: Progress) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Check all corruptions; return the figures of real draws, and those of strong noise."""
    steps = DRAWS + sum(len(corruption.strengths) for corruption in CORRUPTIONS)
    done = 0

    def measure(samples: Tensor) -> dict[str, float]:
        nonlocal done
        done += 1
        progress("testing the metrics", done, steps)
        return bench.evaluator.evaluate(samples)

    real: dict[str, list[float]] = {}
    for seed in range(DRAWS):
        for key, value in measure(bench.draw(seed, bench.samples)).items():
            real.setdefault(key, []).append(value)
    undamaged = bench.evaluator.evaluate(bench.held_out.items[: bench.samples])
    strong: dict[str, float] = {}
    for corruption in CORRUPTIONS:
        reason = corruption.applies(bench.reference)
        if reason is not None:
            bench.checks.append(Check(corruption.name, "", "skipped", text=reason))
            continue
        measured = [
            measure(corruption.apply(bench.held_out, bench.samples, strength, bench.reference))
            for strength in corruption.strengths
        ]
        if corruption.name == NOISE:
            strong = measured[-1]
        for figure, worse in _expected(corruption, bench).items():
            if figure in real:
                path = [figures.get(figure) for figures in (undamaged, *measured)]
                bench.checks.append(judge(corruption.name, figure, real[figure], path, worse))
    return real, strong


def _expected(corruption: Corruption, bench: Bench) -> Mapping[str, Worse]:
    if corruption.name != NOISE:
        return corruption.worsens
    return {**dict.fromkeys(sorted(bench.lower_is_better - KNOWN), RISES), **corruption.worsens}


def judge(
    group: str, figure: str, real: Sequence[float], path: Sequence[float | None], worse: Worse
) -> Check:
    """Say whether a figure gets worse with each strength, and in the end beyond real data's.

    A step back is forgiven if it is within the scatter of real data, and to some figures (the
    corruptions' ``AT_THE_END``) any.

    Parameters
    ----------
    group, figure : str
    real : sequence of float
        The figure of several draws of real data.
    path : sequence of float or None
        The figure undamaged, then from the weakest strength to the strongest; None where it is
        undefined.
    worse : {"rises", "falls"}
    """
    values = tuple(value for value in path if value is not None)
    low, high = min(real), max(real)
    how = "in the end" if figure in AT_THE_END else "with each strength"
    expected = f"it {worse} {how}, and leaves {low:.3g} to {high:.3g} of real data"
    if len(values) < len(path):
        return Check(group, figure, "wrong", values, f"{expected}; undefined at a strength", worse)
    sign = 1 if worse == RISES else -1
    slack = high - low
    steady = all(sign * (b - a) >= -slack for a, b in pairwise(values)) or figure in AT_THE_END
    left = sign * (values[-1] - (high if worse == RISES else low)) > 0
    return Check(group, figure, "ok" if steady and left else "wrong", values, expected, worse)


def _compare_real_with_real(
    bench: Bench, real: Mapping[str, Sequence[float]], strong: Mapping[str, float]
) -> None:
    itself = bench.evaluator.evaluate(bench.reference.items)["fid"]
    most = ITSELF * mean(real["fid"])
    bench.checks.append(
        Check(
            "the data against themselves",
            "fid",
            "ok" if itself <= most else "wrong",
            (itself,),
            f"at most {ITSELF:.0%} of what a draw of real data has",
        )
    )
    for figure in sorted((NEAR_ZERO | (bench.lower_is_better - KNOWN)) & real.keys()):
        if figure == "kl" and bench.samples < SAMPLES_A_MODE * len(bench.reference.classes):
            text = f"so few samples of {len(bench.reference.classes):,} modes never come near zero"
            bench.checks.append(Check("real against real", figure, "skipped", text=text))
        elif figure in strong:
            bench.checks.append(_near(figure, real[figure], strong[figure]))


def _near(figure: str, found: Sequence[float], strong: float) -> Check:
    low, high, middle = min(found), max(found), mean(found)
    if figure in NEAR_ZERO:
        near = abs(middle) <= NEAR * strong
        text = f"near zero: at most {NEAR:.0%} of what strong noise has"
    else:
        # What a stranger's figure comes to at best, nobody has said.
        near = high - low < SCATTER * (strong - middle)
        text = f"draws differ by less than {SCATTER:.0%} of what strong noise adds"
    outcome: Outcome = "ok" if near else "wrong"
    return Check("real against real", figure, outcome, (middle, low, high), text)


def _vary_batches(
    bench: Bench,
    component: Component,
    host: Host,
    device: torch.device,
    cache: Path,
    progress: Progress,
) -> None:
    samples = bench.held_out.items[: bench.samples]
    extractor: Extractor = host.create("extractor", component.name, component.parameters)
    study = StudyContext(bench.reference, device, cache, progress)
    found = []
    with exact(device):
        extractor.prepare(study)
        for size in BATCHES:
            parts = [extractor.features(part) for part in torch.split(samples, size)]
            found.append(torch.cat(parts).double().cpu())
            study.forget()
    scale = float(found[0].abs().max()) or 1.0
    bench.checks.append(_same("features", float((found[0] - found[1]).abs().max()) / scale))
    other = bench.build([metric.name for metric in bench.metrics], BATCHES[1])
    whole, split = bench.evaluator.evaluate(samples), other.evaluate(samples)
    apart = {
        key: abs(whole[key] - split.get(key, float("inf"))) / max(abs(whole[key]), 1e-6)
        for key in whole
    }
    worst = max(apart, key=lambda key: apart[key])
    bench.checks.append(_same("figures", apart[worst], f"; most apart is {worst}"))


def _same(what: str, difference: float, more: str = "") -> Check:
    outcome: Outcome = "ok" if difference <= SAME else "wrong"
    text = f"relative difference in batches of {BATCHES[0]} and of {BATCHES[1]}: up to {SAME:g}"
    return Check("batch size", what, outcome, (difference,), text + more * (outcome == "wrong"))


def _vary_counts(bench: Bench, real: Mapping[str, Sequence[float]], progress: Progress) -> None:
    """Check that FID falls with N, towards where it ends at endless N."""
    whole = len(bench.held_out.items)
    only = bench.build(["fid"], BATCH)
    points = []
    for index, parts in enumerate(COUNTS):
        progress("FID at several sample counts", index, len(COUNTS))
        count = whole // parts
        found = [only.evaluate(bench.draw(seed, count))["fid"] for seed in range(4)]
        points.append((count, mean(found)))
    progress("FID at several sample counts", len(COUNTS), len(COUNTS))
    values = [value for _, value in points]
    end = _intercept([1 / count for count, _ in points], values)
    counts = ", ".join(f"{count:,}" for count, _ in points)
    text = f"falls with the sample count ({counts}); along a line in 1/N it ends at {end:.3g}"
    if "fid_infinity" in real:
        text += f", and fid_infinity of real draws is {mean(real['fid_infinity']):.3g}"
    bench.checks.append(
        Check(
            "sample count",
            "fid",
            "ok" if end < values[0] > values[-1] else "wrong",
            (*values,),
            text,
        )
    )


def _intercept(x: Sequence[float], y: Sequence[float]) -> float:
    across, up = mean(x), mean(y)
    slope = sum((a - across) * (b - up) for a, b in zip(x, y, strict=True))
    slope /= sum((a - across) ** 2 for a in x)
    return up - slope * across
