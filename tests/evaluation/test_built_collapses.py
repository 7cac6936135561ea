"""Generators that are built to collapse are found, each by its own sign, and real data never."""

import pytest
import torch
from test_modes import ring

from ganbench.config.model import Component, Evaluation
from ganbench.evaluation.collapse import Measurement
from ganbench.evaluation.evaluator import Evaluator
from ganbench.plugin import Data

CPU = torch.device("cpu")
N = 1000
SEEDS = range(5)


@pytest.fixture(scope="module")
def measure(digits, host, cache):
    return Evaluator(Evaluation(samples=N), digits, host, CPU, cache)


class Sampler:
    """Draws from the data as broken generators would: by a little noise no two alike."""

    def __init__(self, data, seed):
        self.data = data
        self.draws = torch.Generator().manual_seed(seed)

    def of(self, pool, noise=2.0):
        chosen = pool[torch.randint(len(pool), (N,), generator=self.draws)]
        items = self.data.items[chosen].float()
        items = items + noise * torch.randn(items.shape, generator=self.draws)
        return items.round().clamp(0, 255).to(torch.uint8) if self.data.is_image else items

    def some(self, count, *classes):
        """Return the indices of a few items, of these classes or of any."""
        labels = self.data.labels
        wanted = torch.isin(labels, torch.tensor(classes)) if classes else labels >= 0
        pool = wanted.nonzero().flatten()
        return pool[torch.randperm(len(pool), generator=self.draws)[:count]]

    def whole(self):
        return torch.arange(len(self.data.items))


def one_point(sampler):
    return [sampler.of(sampler.some(1), noise=0)]


def three_of_ten_classes(sampler):
    kinds = torch.randperm(10, generator=sampler.draws)[:3].tolist()
    return [sampler.of(sampler.some(10**6, *kinds))]


def one_style_a_class(sampler):
    return [sampler.of(torch.cat([sampler.some(1, kind) for kind in range(10)]), noise=8)]


def slow_drift(sampler):
    """Draw every class, and pull it to an item of its own, more at each evaluation."""
    centres = torch.cat([sampler.some(1, kind) for kind in range(10)])
    made = []
    for pull in torch.linspace(0, 0.55, 8).tolist():
        chosen = torch.randint(len(sampler.data.items), (N,), generator=sampler.draws)
        own = sampler.data.items[centres[sampler.data.labels[chosen]]].float()
        mixed = (1 - pull) * sampler.data.items[chosen].float() + pull * own
        made.append(mixed.round().to(torch.uint8))
    return made


def oscillation(sampler):
    groups = [(0, 1, 2, 3), (4, 5, 6), (7, 8, 9)]
    return [sampler.of(sampler.some(10**6, *groups[turn % 3])) for turn in range(4)]


def memorised_images(sampler):
    return [sampler.of(sampler.some(200))]


BUILT = {
    one_point: ("total collapse", "low diversity"),
    three_of_ten_classes: ("partial collapse", "missing modes"),
    one_style_a_class: ("partial collapse", "low diversity within modes"),
    slow_drift: ("partial collapse", "shrinking diversity"),
    oscillation: ("partial collapse", "oscillation"),
    memorised_images: ("partial collapse", "near copies"),
}


@pytest.mark.parametrize("generator", BUILT, ids=lambda generator: generator.__name__)
def test_a_generator_built_to_collapse_is_found_by_its_sign(generator, measure, digits):
    health, sign = BUILT[generator]
    for seed in SEEDS:
        history = [measure.measure(samples) for samples in generator(Sampler(digits, seed))]
        finding = measure.judge(history)
        assert finding.health == health
        assert sign in finding.signs


def test_copies_and_drift_are_found_where_nothing_else_sees_them(measure, digits):
    for generator in (memorised_images, slow_drift):
        history = [measure.measure(samples) for samples in generator(Sampler(digits, 9))]
        assert len(measure.judge(history).signs) == 1
        assert measure.judge(history[:-1] or [measure.measure(digits.items)]).health == (
            "healthy" if generator is memorised_images else "partial collapse"
        )


def test_exact_copies_are_near_copies_where_the_data_have_twins(host, tmp_path):
    draws = torch.Generator().manual_seed(0)
    items = torch.randint(256, (350, 1, 8, 8), generator=draws, dtype=torch.uint8)
    twins = Data("twins", items[:300].repeat(2, 1, 1, 1))
    settings = Evaluation(extractor=Component(name="pixels"), samples=500)
    measure = Evaluator(settings, twins, host, CPU, tmp_path)
    assert measure.evaluate(items[300:].repeat(10, 1, 1, 1))["near_copies"] == 1
    # Of 300 drawn of 600 items each has its twin among the other 299 with a chance of 299 / 599.
    assert "near copies 0.50" in measure.collapse_rule


def test_a_state_depends_on_what_was_recorded_and_on_no_more(measure, digits):
    history = [measure.measure(samples) for samples in oscillation(Sampler(digits, 3))]
    recorded = [
        Measurement({k: v for k, v in seen.figures.items() if k != "fid"}, seen.histogram)
        for seen in history
    ]
    assert measure.judge(recorded) == measure.judge(history)


def test_held_out_digits_are_never_flagged(digits, host, cache):
    """A thousand draws, each judged with the nine before it, as evaluations of one trial."""
    order = torch.randperm(len(digits.items), generator=torch.Generator().manual_seed(7))
    half = len(order) // 2
    known = Data(
        "half of digits", digits.items[order[:half]], digits.labels[order[:half]], digits.classes
    )
    evaluator = Evaluator(Evaluation(samples=N // 2), known, host, CPU, cache)
    others = digits.items[order[half:]]
    with torch.no_grad():
        features = evaluator._features([others]).double()
        modes = evaluator._study.modes_of([others])
    evaluator._study.forget()
    share = torch.bincount(known.labels, minlength=10) / half
    assert_never_flagged(evaluator, features, modes, N // 2, lambda h: (h >= 0.1 * share).sum())


def test_fresh_points_of_a_ring_are_never_flagged(host, cache):
    settings = Evaluation(extractor=Component(name="coordinates"), samples=N)
    evaluator = Evaluator(settings, ring(4000), host, CPU, cache)
    fresh = ring(2000, seed=5).items
    modes = evaluator._study.modes_of([fresh])
    assert_never_flagged(evaluator, fresh.double(), modes, N, lambda h: (h > 0).sum())


def assert_never_flagged(evaluator, features, modes, size, covered):
    """Draw a thousand times from held-out items; their distances are computed once, here."""
    reference = evaluator._reference
    pairs, kinds = len(reference.features), len(reference.shares)
    distances = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    same = ((modes[:, None] == modes[None]) & (modes >= 0)).double().fill_diagonal_(0)
    near = (distances <= reference.closeness).double().fill_diagonal_(0)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack(
        [torch.randperm(len(features), generator=generator)[:size] for _ in range(1000)]
    )
    # Sums over the pairs of each draw: its indicator on both sides of a matrix.
    taken = torch.zeros(1000, len(features), dtype=torch.float64)
    taken.scatter_(1, drawn[:, :pairs], 1)
    spread = (taken @ distances * taken).sum(1) / (pairs * (pairs - 1))
    within = (taken @ (distances * same) * taken).sum(1) / (taken @ same * taken).sum(1)
    copies = ((taken @ near > 0) * taken).sum(1) / pairs
    history, found = [], set()
    for draw in range(1000):
        its = modes[drawn[draw]]
        counts = its[its >= 0].bincount(minlength=kinds)
        figures = {
            "modes": float(covered(counts / counts.sum())),
            "diversity": float(spread[draw]) / reference.spread,
            "diversity_within": float(within[draw]) / reference.spread_within,
            "near_copies": float(copies[draw]),
        }
        history = [*history[-9:], Measurement(figures, tuple(counts.tolist()))]
        finding = evaluator.judge(history)
        found.add((finding.health, finding.signs))
    assert found == {("healthy", ())}
