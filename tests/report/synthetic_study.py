"""A made-up study with every kind of arm, on real digits of different quality."""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from ganbench.study.results import ArmResult, EvaluationPoint, StudyResults, TrialResult

STEPS = (0, 100, 200, 300, 400, 600, 800)
ARMS = {
    # name: (levels, final level against the baseline, spread, seconds a step)
    "baseline": ({}, 1.0, 0.10, 0.0150),
    "label_smoothing": ({"label_smoothing": {"real": 0.9}}, 0.80, 0.07, 0.0151),
    "instance_noise": ({"instance_noise": {"sigma": 0.1, "anneal": True}}, 0.93, 0.20, 0.0158),
    "feature_matching": ({"feature_matching": True}, 1.55, 0.12, 0.0204),
    "batch_norm: generator": ({"batch_norm": {"placement": "generator"}}, 1.005, 0.02, 0.0139),
    "batch_norm: none": ({"batch_norm": {"placement": "none"}}, 9.0, 0.30, 0.0102),
    "saturating loss": ({"objective": "saturating"}, 1.25, 0.25, 0.0149),
}
SKIPPED = "label_smoothing with wgan"


@cache
def digits_in_grey():
    return load_digits().images * (255 / 16)


def sheet(path, quality, collapsed, seed):
    """Write 64 digits, 8 by 8 tiles: blurred towards their mean as ``quality`` falls."""
    digits = digits_in_grey()
    rng = np.random.default_rng(seed)
    chosen = digits[rng.integers(0, len(digits), 64)]
    if collapsed:
        chosen = digits[[3, 17]][rng.integers(0, 2, 64)]
    tiles = chosen * quality + digits.mean(0) * (1 - quality) + rng.normal(0, 30 * (1 - quality))
    tiles = tiles + rng.normal(0, 60 * (1 - quality), tiles.shape)
    rows = tiles.clip(0, 255).astype(np.uint8).reshape(8, 8, 8, 8).swapaxes(1, 2).reshape(64, 64)
    Image.fromarray(rows, "L").save(path)
    return path


def build_study(
    folder: Path,
    seeds: int = 10,
    arms: int = 7,
    quick: bool = False,
    pending: int = 0,
    modes: bool = True,
    points: bool = False,
) -> StudyResults:
    """Build results with a diverged, a failed and a collapsed trial and an n/a arm."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(ARMS)[:arms]
    trials = []
    for number, name in enumerate(names):
        levels, level, spread, pace = ARMS[name]
        for seed in range(seeds):
            # A stream a seed, shared by the arms: what pairs them.
            common = np.random.default_rng(seed).normal(0, 0.12)
            rng = np.random.default_rng([number, seed])
            final = 21.0 * level * np.exp(common + rng.normal(0, spread))
            failed = name == "feature_matching" and seed == 4
            diverged = name == "saturating loss" and seed in (2, 7)
            collapse_at = 300 if name == "batch_norm: none" and seed % 3 else None
            points_made = []
            for index, step in enumerate(STEPS[:4] if diverged else STEPS):
                fraction = step / STEPS[-1]
                fid = final * (1 + 14 * np.exp(-7 * fraction)) * np.exp(rng.normal(0, 0.05))
                if step == STEPS[-1]:
                    fid = final
                health = "total collapse" if step == 0 else "healthy"
                if step == 100 or (name == "feature_matching" and rng.random() < 0.35 and step):
                    health = "partial collapse"
                if collapse_at and step >= collapse_at:
                    health = "total collapse" if seed % 2 else "partial collapse"
                if diverged and index == 3:
                    health = "diverged"
                figures = {"fid": float(fid), "diversity": float(min(1, 0.4 + fraction))}
                if modes:
                    figures |= {"modes": 2.0 if collapse_at else 10.0, "mode_kl": 0.04}
                signs = {"partial collapse": ("missing modes", "oscillation")}.get(health, ())
                if health == "total collapse":
                    signs = ("missing modes", "low diversity")
                points_made.append(
                    EvaluationPoint(
                        step,
                        step * pace * float(np.exp(rng.normal(0, 0.01))),
                        {} if health == "diverged" else figures,
                        health,
                        {"discriminator": 1.2, "generator": 0.9},
                        signs,
                    )
                )
            if quick:
                points_made = points_made[:2]
            waiting = number * seeds + seed >= len(names) * seeds - pending
            outcome, error = "complete", None
            if waiting:
                outcome, points_made = "pending", []
            elif failed:
                outcome, points_made = "failed", points_made[:2]
                error = "RuntimeError: <script>alert('out of memory')</script> | at step 150"
            elif diverged:
                outcome, error = "diverged", "the generator's loss was NaN at step 300"
            samples = None
            if outcome == "complete":
                samples = sheet(
                    folder / f"{number}-{seed}.png",
                    quality=float(np.clip(1.25 - final / 60, 0.15, 0.9)),
                    collapsed=bool(collapse_at),
                    seed=seed,
                )
            steps = points_made[-1].step if points_made else 0
            trials.append(
                TrialResult(
                    name,
                    seed,
                    f"{number:016x}",
                    outcome,
                    tuple(points_made),
                    steps * pace * float(np.exp(rng.normal(0, 0.02))),
                    2.5,
                    steps,
                    error,
                    samples,
                    {"tricks": list(levels), "worker": seed % 2},
                )
            )
    skipped = ArmResult(
        SKIPPED,
        {"label_smoothing": {"real": 0.9}, "objective": "wgan"},
        None,
        "objective wgan has no targets in [0, 1] to smooth",
    )
    listed = tuple(ArmResult(name, ARMS[name][0], f"{i:016x}") for i, name in enumerate(names))
    return StudyResults(
        study={
            "name": "tricks",
            "question": "Which of the classic GAN tricks help a small DCGAN on handwritten digits?",
            "dataset": {"name": "digits"},
            "baseline": {
                "architecture": {"name": "dcgan-upsample", "width": 16},
                "objective": {"name": "non-saturating"},
                "optimizers": {"generator": {"name": "adam", "lr": 2e-4}},
                "batch_size": 64,
                "steps": STEPS[-1],
                "tricks": {"batch_norm": {"placement": "both"}},
            },
            "factors": {"label_smoothing": [False, {"real": 0.9}]},
            "design": {"kind": "one-at-a-time", "arms": []},
            "seeds": list(range(seeds)),
            "evaluation": {
                "primary": "fid",
                "metrics": [{"name": "fid"}, {"name": "modes"}],
                "extractor": {"name": "classifier"},
                "samples": 1797,
                "judgement": {"alpha": 0.05, "margin": 0.05},
            },
        },
        origins={
            "name": "tricks.yaml:2",
            "question": "tricks.yaml:3",
            "baseline.steps": "--set",
            "baseline.architecture.width": "tricks.yaml:9",
        },
        arms=(*listed, skipped) if arms > 1 else listed,
        trials=tuple(trials),
        protocol={
            "extractor": {"name": "classifier", "accuracy": 0.982, "sha256": "ab12" * 16},
            "samples": 1797,
            "reference": {
                "count": 1797,
                "shape": [2] if points else [1, 8, 8],
                "sha256": "cd34" * 16,
            },
            "warnings": [],
            "quantisation": "clamp, round, uint8",
            "generator weights": "final",
        },
        environment={
            "ganbench": "0.1.0",
            "torch": "2.11.0",
            "python": "3.11.9",
            "hardware": {"cpu": "x86_64, 2 cores", "device": "cpu"},
            "workers": 2,
        },
        command="ganbench run studies/tricks.yaml",
        quick=quick,
        wall_seconds=412.0,
        data_samples=sheet(folder / "data.png", 1.0, False, 99),
        metric_notes={
            "fid": "Fréchet distance of classifier features; lower is better",
            "modes": "classes with at least one sample, of 10",
            "mode_kl": "KL divergence of the class histogram to the data's, in nats",
            "diversity": "mean pairwise feature distance as a ratio to the data's",
        }
        if modes
        else None,
        collapse_rule=(
            "Total collapse: at most one mode, or diversity below 0.2 of the data's.\n"
            "Partial collapse: otherwise, fewer than 80% of the modes, or diversity below 0.5.\n"
            "Healthy: anything else."
        ),
    )
