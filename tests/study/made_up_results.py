"""Results of studies whose figures a test has chosen."""

from math import exp

from ganbench.study.results import ArmResult, EvaluationPoint, StudyResults, TrialResult


def trial(arm, seed, fid=None, outcome="complete", health="healthy", seconds=10.0, curve=None):
    values = curve or ((fid,) if fid is not None else ())
    points = tuple(
        EvaluationPoint((i + 1) * 100, (i + 1) * 1.0, {"fid": value}, health, {})
        for i, value in enumerate(values)
    )
    return TrialResult(arm, seed, "k", outcome, points, seconds, 1.0, 100)


def study_of(arms, seeds, skipped=(), alpha=0.05, margin=0.05):
    """Make results from arm -> list of trials; the first is the baseline."""
    return StudyResults(
        study={
            "evaluation": {"primary": "fid", "judgement": {"alpha": alpha, "margin": margin}},
            "seeds": list(seeds),
        },
        origins={},
        arms=tuple(
            ArmResult(name, {}, "k", "no target" if name in skipped else None) for name in arms
        ),
        trials=tuple(item for trials in arms.values() for item in trials),
        protocol={},
        environment={},
        command="",
    )


def from_finals(**arms):
    """Make results of complete trials from arm=[final figures by seed]."""
    seeds = range(len(next(iter(arms.values()))))
    trials = {
        name: [trial(name, seed, fid) for seed, fid in enumerate(finals)]
        for name, finals in arms.items()
    }
    return study_of(trials, seeds)


BASE = [20.0, 22.0, 19.0, 25.0, 21.0, 23.0, 18.0, 24.0, 20.5, 22.5]
NOISE = [0.02, -0.03, 0.01, 0.04, -0.02, 0.03, -0.01, -0.04, 0.02, -0.02]


def scaled(factor, noise=1.0):
    return [base * factor * exp(noise * e) for base, e in zip(BASE, NOISE, strict=True)]
