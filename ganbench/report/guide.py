"""How to read a report: how each of its numbers was made."""

from ganbench.study.paired import DRAWS, ENUMERATED
from ganbench.study.results import StudyResults
from ganbench.study.sequential import schedule_of

BANNER = (
    "This is a quick run: few steps and few seeds. It proves that the study runs, and no more; "
    "its numbers say nothing about the question."
)
SAMPLES_NOTE = (
    "64 samples each, or fewer where the images are large. Within a seed every arm draws from "
    "the same latents. The first seed shown is the one at which {reference} ends at its median; "
    "the second is the arm's worst."
)
POINTS_NOTE = (
    "Dots are 2,500 samples over the density of the data, in blue, in the first two coordinates; "
    "samples outside the picture are not seen. Of a mixture, a ring is around each mode that has "
    "one of these samples within its radius, and a cross through each that has none. Within a seed "
    "every arm draws from the same latents. The first seed shown is the one at which {reference} "
    "ends at its median; the second is the arm's worst."
)
OWN_NOTE = (
    "Pictures and figures that tricks and architectures give of themselves, at the last step; "
    "pictures at the seed at which {reference} ends at its median. Figures under `trained.` are "
    "of the weights as they were trained, in an arm that is scored with others. Figures and "
    "pictures of one pair of networks among several bear its name. No verdict rests on any of "
    "them."
)
INSIDE_NOTE = (
    "What the networks have learned, at the last step of seed {seed}, at which {reference} ends at "
    "its median. Every arm starts from the same latents and is asked the same. Pictures show; no "
    "verdict rests on them."
)
MORE_NOTE = (
    "Exploratory: not corrected for the number of arms, and no verdict rests on them. Intervals "
    "have the level 1 − alpha. BCa is a bootstrap interval of the same change, too short "
    "with few seeds. Chance of improvement: how often the arm ends better than {reference} at "
    "the same seed. IQM: the mean of the middle half of the seeds. Seed correlation: how alike "
    "the arm and {reference} move over the seeds; the gain is how many times the seeds it would "
    "have taken without pairs. A trial that ranks last does so here too."
)
SIGNS_NOTE = (
    "What the collapses were seen by: in how many seeds at any evaluation, and in how many at the "
    "last. The step is the median over the seeds that showed the sign."
)
EARLY_NOTE = (
    "What training itself told, looked at with each evaluation, and counted as signs of collapse "
    "are: no verdict and no state rests on it."
)
PRECEDENCE_NOTE = (
    "Exploratory: of the trials that were healthy before their end, over all arms, how many ended "
    "collapsed or diverged, with the warning while they were healthy and without it; p by "
    "Fisher's exact test, not corrected. An arm that tends to both makes them go together: no "
    "cause is shown."
)
CURVES_NOTE = (
    "Lines are medians over seeds, bands quartiles; the dashed line is {reference}. A point "
    "needs half of the arm's seeds. Logarithmic axis, the same in every panel."
)
EXPLORATORY_NOTE = (
    "Exploratory: other readings of the same curves, against {reference}. Not corrected, and no "
    "verdict rests on them."
)


def samples_note(results: StudyResults) -> str:
    """Say what the pictures of samples show."""
    note = SAMPLES_NOTE if results.are_images else POINTS_NOTE
    return note.format(reference=results.reference)


def glossary(results: StudyResults, primary: str) -> tuple[tuple[str, str], ...]:
    """Return terms and what they mean in this study."""
    alpha, margin = results.alpha, results.margin
    reference = results.reference
    bare = reference.removeprefix("the ")
    return (
        *_arms(results),
        *_looks(results),
        (
            "Pair",
            f"One seed in an arm and in {reference}. Both start from the same weights, where "
            "they have the same layers, and see the same images and latents in the same order; an "
            "arm with another batch size or another latent draws other ones. A trial that failed "
            "or has not ended leaves its pair out.",
        ),
        (
            f"Δ {primary}",
            f"The arm's {primary} at the last step against {reference}'s, as a relative change: "
            "the mean over pairs of the difference of logarithms, turned back into per cent. "
            f"Lower {primary} is better, so a minus sign is good.",
        ),
        (
            "Interval",
            f"{_level(results)} interval of that change, by Student's t, for this arm alone (not "
            "widened for the number of arms).",
        ),
        (
            "p",
            "Exact paired sign-flip permutation test, two-sided: of all ways to swap arm and "
            f"{bare} within the pairs, the share that lies at least as far from no change. "
            f"Beyond {ENUMERATED} pairs, {DRAWS:,} random ways.",
        ),
        (
            "p Holm",
            "The same, corrected by Holm's method for the whole family declared beforehand: "
            "every arm that applies, on this one figure at the last step."
            + (
                " The A/A arm's is corrected as if it were one more; the others' are not for it."
                if any(arm.is_again for arm in results.arms)
                else ""
            ),
        ),
        (
            "Diverged, undefined",
            f"A trial that met NaN or infinity has diverged. That is an outcome; it ranks last, "
            f"and so does a trial that ends without a finite {primary}. An arm with such a pair "
            "is judged by signed ranks instead of means: the test is the exact signed-rank test, "
            "the change the Hodges-Lehmann estimate, and the interval may have no end. Where most "
            "pairs are so, the change is “ranks last” or “ranks first”, without a size. "
            f"A seed at which both the arm and {reference} rank last gives no pair.",
        ),
        (
            "Helps, hurts",
            f"The interval lies wholly on one side of zero and p Holm is below {alpha:g}. Both "
            "must agree.",
        ),
        (
            "No effect",
            f"The whole interval lies within ±{margin:.0%} of {reference}, and an exact test of "
            f"equivalence (two one-sided sign-flip tests) is below {alpha:g}: whatever change "
            "there is, it is too small to matter, even where it is surely there.",
        ),
        (
            "Inconclusive",
            "Neither. "
            + (
                "A quick run cannot tell how many seeds would settle it."
                if results.quick
                else "The note says how many seeds in all would probably settle it, if what was "
                "observed is the truth: so many to show an effect of the size seen (80% power), "
                "and, if it was seen within the margin, so many to show that it lies there (an "
                "interval that fits)."
            ),
        ),
        (
            "Collapsed",
            "Trials whose last evaluation was a partial or total collapse, by the rules printed "
            "above the timelines; those that diverged are counted apart.",
        ),
        (
            "Cost",
            f"Training time of a step against {reference}'s at the same seed; median over seeds, "
            "evaluations excluded, and so is what preparing the steps took. An asterisk: the two "
            "were not taken in the same way, though the arm asks for no other, and the ratio "
            "counts that too.",
        ),
        (
            "Best, mean (exploratory)",
            f"The lowest {primary} of a run's evaluations, and its mean level over the run (area "
            "under the curve by steps). Choosing the best step peeks at the test; neither is "
            "corrected for the number of comparisons, and no verdict rests on them.",
        ),
    )


def _arms(results: StudyResults) -> tuple[tuple[str, str], ...]:
    """Return what is to be known of arms that are not the baseline with something changed."""
    told = []
    if results.leaves_out:
        told.append(
            (
                "Full arm, without",
                "The full arm has every factor on, and is what the other arms are compared with. "
                "An arm “without x” is the full arm with x back at the baseline's level. If it "
                "hurts to be without x, then x helps, in the company of all the others.",
            )
        )
    if any(arm.is_again for arm in results.arms):
        told.append(
            (
                "A/A",
                f"{results.reference.capitalize()} again, at other seeds, judged like any other "
                "arm: nothing differs, so a verdict of helps or hurts is a false alarm, as "
                f"{results.alpha:.0%} of studies at most have one. It shares no weights and no "
                "latents with what it is paired with, and spreads more for it.",
            )
        )
    return tuple(told)


def _level(results: StudyResults) -> str:
    alpha = results.alpha
    if schedule_of(results.study) is None:
        return f"A {100 * (1 - alpha):.3g}%"
    return f"At the level 1 − {alpha:g} × the share of the look at which the arm stands, an"


def _looks(results: StudyResults) -> tuple[tuple[str, str], ...]:
    """Return what looks are, where the study adds seeds."""
    if schedule_of(results.study) is None:
        return ()
    return (
        (
            "Look",
            "This study adds seeds to the arms whose verdict is open. At each look, fixed "
            "beforehand, an arm is judged over as many seeds as the look has; once it is settled "
            "it gets no more. Each look spends a share of the error rate: p is of the last look "
            "at that arm, p Holm is corrected for all looks as well, and an arm's intervals of "
            "all looks together hold the truth as often as one of a study of fixed seeds.",
        ),
    )
