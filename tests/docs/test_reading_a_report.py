"""docs/reading-a-report.md: the numbers in its text are those of the code that it describes."""

import re
from math import comb

import pytest
from docs_page import DOCS
from ganbench_plugins.metrics.modes import THRESHOLD

from ganbench.config.model import Judgement
from ganbench.evaluation import classifier, collapse, early, evaluator, modes, spread, yardstick
from ganbench.study import exploratory, paired, planning, search_records
from ganbench.training import watching

PAGE = " ".join((DOCS / "reading-a-report.md").read_text().split())
FACTS = [
    f"fewer complete configurations than {search_records.ENOUGH} and than "
    f"{('', '', '', '', 'four')[search_records.A_PARAMETER]} a parameter",
    f"Beyond {paired.ENUMERATED} pairs, {paired.DRAWS:,} random ways",
    f"{exploratory.RESAMPLES:,} resamples from a fixed seed",
    f"reaches to {paired.wilson_interval(0, 10, 0.05)[1]:.0%}",
    f"Beyond {planning.MOST_SEEDS} seeds no number is named",
    f"finds the effect {planning.POWER * 10:g} times in 10",
    f"({1 - Judgement().alpha:.0%} unless the study says otherwise)",
    f"(±{Judgement().margin:.0%} unless the study says otherwise)",
    f"at most {collapse.TOTAL_MODES:.0%} of the attainable modes, or diversity below "
    f"{collapse.TOTAL_DIVERSITY:g};",
    f"fewer than {collapse.PARTIAL_MODES:.0%} of the attainable modes |",
    f"| low diversity | diversity below {collapse.PARTIAL_DIVERSITY:g} |",
    f"diversity within modes below {collapse.PARTIAL_DIVERSITY:g} |",
    f"{collapse.COPIES:.0%} of the samples or more have a near copy |",
    f"fell over {collapse.TREND} evaluations (of their {comb(collapse.TREND, 2)} pairs at most "
    f"{collapse.RISES} rises), and is below {collapse.SHRUNK:.0%} of the best so far",
    f"{collapse.SWINGS} times within {collapse.WINDOW} evaluations {collapse.MOVED:.0%} of the "
    "samples or more left modes",
    f"{yardstick.DRAWS} draws of the data themselves",
    f"keeps {collapse.CHANCE:g} standard deviations away",
    f"as near as {collapse.NEAR:.0%} of the data have a neighbour",
    f"within {modes.mode_radius(2):g} standard deviations",
    f"within the radius that holds as much of a mode, {modes.HIGH_QUALITY:.1%}",
    f"{watching.ITEMS} training items, {watching.ITEMS} samples",
    f"tells {early.RIGHT:.0%} of training items and samples right or more, at {early.ROW} ",
    f"at most {early.VANISHED:.0%} of the first evaluation's, or {early.TINY:g} (which Adam",
    f"lies {early.OVERFITTED:.0%} or more of the way",
    f"over {early.TREND} evaluations D's mean loss falls and G's climbs, each by {early.FAR:.0%}",
    f"at most {evaluator.SUBSET} items",
    f"fewer than {spread.MIN_PAIRS} pairs",
    f"the {classifier.WIDTH} inputs of its last layer",
]


@pytest.mark.parametrize("fact", FACTS)
def test_a_number_in_the_text_is_the_codes(fact):
    assert fact in PAGE


def test_the_table_of_smallest_p_is_right():
    rows = re.findall(r"\| (\d+) \| (0\.\d+) \|", PAGE)
    assert [int(pairs) for pairs, _ in rows] == [5, 6, 8, 10]
    for pairs, p in rows:
        assert float(p) == paired.smallest_p(int(pairs)) == 2 / 2 ** int(pairs)


def test_four_pairs_cannot_show_no_effect_and_five_can():
    four, five = (paired.equivalence_test([0.0] * n, -0.05, 0.05) for n in (4, 5))
    assert (four, five) == (1 / 2**4, 1 / 2**5)
    assert five < 0.05 < four
    assert "4 pairs can never show *no effect* at 0.05, and 5 can" in PAGE


def test_a_class_is_covered_at_the_share_that_is_told():
    assert THRESHOLD == 0.1
    assert "at least a tenth of its share of the data" in PAGE


def test_one_fifth_is_held_out():
    assert classifier.HELD_OUT == 0.2
    assert "on four fifths of them" in PAGE


def test_every_sign_of_collapse_is_explained():
    assert all(f"| {sign} |" in PAGE for sign in collapse.SIGNS)


def test_every_early_warning_is_explained():
    assert all(f"| {warning} |" in PAGE for warning in early.WARNINGS)
