"""The contract of inspections finds what would spoil a report, or the trial that is looked at."""

import itertools

import pytest
import torch

from ganbench.plugin import Inspection, NothingToShowError, Picture
from ganbench.testing.kinds import check_plugin


def outcomes(cls):
    return {
        result.check.name: (result.outcome, result.seen)
        for result in check_plugin("inspection", cls, {})
    }


class Ends(Inspection):
    """Two samples, side by side."""

    name = "ends"
    title = "Two samples"
    note = "Each is a sample."

    def draw(self, ctx):
        images = ctx.sampler.images(ctx.sampler.latents(2)).detach().clone()
        return {"two": Picture(images[None], "Two samples.")}


def broken(change):
    """Make an inspection that does something to what it was shown before it draws."""

    class Broken(Ends):
        name = "broken"

        def draw(self, ctx):
            drawn = super().draw(ctx)
            found = change(ctx, drawn)
            return drawn if found is None else found

    return Broken


COUNT = itertools.count()


def remember(ctx, drawn):
    return {"two": Picture(torch.full((1, 1, 1, 8, 8), next(COUNT) / 100), "One more.")}


def meddle(ctx, drawn):
    for parameter in ctx.sampler.generators["main"].parameters():
        parameter.data.add_(0.1)


def grey_only(ctx, drawn):
    drawn["two"].images.reshape(1, 2, 1, 8, 8)


def never(ctx, drawn):
    raise NothingToShowError("the sun shines")


def test_one_that_does_no_harm_passes():
    found = outcomes(Ends)
    outcome, reason = found.pop("points")
    assert outcome == "n/a"
    assert "these are points, and it shows images" in reason
    assert {outcome for outcome, _ in found.values()} == {"passed"}


@pytest.mark.parametrize(
    ("change", "clause", "seen"),
    [
        (lambda ctx, drawn: drawn["two"].images, "draws", "draw gave a Tensor, expected pictures"),
        (lambda ctx, drawn: {"Two": drawn["two"]}, "draws", "a picture named 'Two'"),
        (lambda ctx, drawn: {}, "draws", "returned no picture"),
        (remember, "repeats", "pictures differ: broken.two"),
        (meddle, "harmless", "goes on otherwise once it was looked at"),
        (grey_only, "colour", "on data of shape 3×16×16"),
    ],
)
def test_what_would_spoil_a_report_is_found(change, clause, seen):
    outcome, found = outcomes(broken(change))[clause]
    assert outcome == "failed"
    assert seen in found


def test_what_it_cannot_show_is_no_failure_and_told():
    outcome, reason = outcomes(broken(never))["draws"]
    assert (outcome, reason) == ("n/a", "nothing to show on data of shape 1×8×8: the sun shines")


def test_a_heading_and_a_note_are_needed():
    class Wordless(Ends):
        name = "wordless"
        note = " "

    assert outcomes(Wordless)["words"] == ("failed", "note is ' ', expected text")
