"""The contract of an inspection."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch

from ganbench.config.model import Component, Evaluation
from ganbench.evaluation.evaluator import Evaluator
from ganbench.evaluation.inspecting import Inspector, Seen
from ganbench.plugin import Data, Inspection
from ganbench.testing.case import PluginCase, variant
from ganbench.testing.differences import some
from ganbench.testing.result import Check, ContractError, NothingToCheckError, hold
from ganbench.testing.shared_checks import is_described
from ganbench.testing.tiny import STEPS, differing, small_sizes, tiny_config, tiny_data, weights
from ganbench.training import Trial

ITEMS = 60
"""Of the data: enough for an inspection to search, and for a classifier of two classes."""


class InspectionCase(PluginCase):
    """An inspection, and the tiny trial that it looks into."""

    inspection: ClassVar[type[Inspection]]
    """The class under test."""
    parameters: ClassVar[Mapping[str, Any]] = {}
    """Its parameters."""
    plugins: ClassVar[Sequence[type[Any]]] = ()
    """Other plugin classes that are not installed."""
    architecture: ClassVar[str] = "dcgan-upsample"
    shape: ClassVar[tuple[int, ...]] = (1, 8, 8)

    @property
    def cls(self) -> type[Any]:
        """The class under test."""
        return self.inspection

    def make(self, parameters: Mapping[str, Any] | None, seed: int = 3) -> Trial:
        """Build a tiny trial; ``parameters`` are the inspection's, and change nothing of it."""
        host = self.make_host()
        sizes = small_sizes(host.find("architecture", self.architecture).cls.Parameters)
        config = tiny_config({}, self.architecture, sizes)
        return Trial(config, seed, _data(self.shape), host, torch.device("cpu"))

    def look(self, trial: Trial) -> Seen:
        """Draw the inspection's pictures of a trial, as at the end of one.

        Raises
        ------
        NothingToCheckError
            If it does not apply to the data.
        """
        host, data = self.make_host(), _data(self.shape)
        made: Inspection = host.create("inspection", self.inspection.name, self.parameters)
        fits, reason = made.applies(data)
        if not fits:
            raise NothingToCheckError(f"n/a for data of shape {self.shape}: {reason}")
        chosen = Component(name=self.inspection.name, parameters=dict(self.parameters))
        settings = Evaluation(
            metrics=(Component(name="fid"),),
            extractor=Component(name="pixels" if data.is_image else "coordinates"),
            samples=16,
            batch_size=8,
            inspections=(chosen,),
        )
        with tempfile.TemporaryDirectory() as cache:
            evaluator = Evaluator(settings, data, host, torch.device("cpu"), Path(cache))
            return Inspector(settings, data, host, evaluator).look(trial)


def has_words(case: InspectionCase) -> None:
    """Look for the heading, and the text that says how to read it."""
    for name in ("title", "note"):
        text = getattr(case.inspection, name, None)
        if not isinstance(text, str) or not text.strip():
            raise ContractError(
                f"{name} is {text!r}, expected text",
                "The report has the title as a heading, and under it the note: what is to be "
                "seen, for somebody who never saw such a picture.",
            )


def draws(case: InspectionCase) -> None:
    """Draw pictures of a tiny trial."""
    _drawn(case, _trained(case))


def draws_the_same_again(case: InspectionCase) -> None:
    """Draw the pictures of one trial twice."""
    trial = _trained(case)
    one, other = _drawn(case, trial), _drawn(case, trial)
    found = sorted(one.pictures.keys() ^ other.pictures.keys())
    for name in one.pictures.keys() & other.pictures.keys():
        first, second = one.pictures[name], other.pictures[name]
        alike = torch.equal(first.images, second.images)
        if not alike or first.caption != second.caption:
            found.append(name)
    if found:
        raise ContractError(
            f"drawn twice of one trial, pictures differ: {some(found)}",
            "Keep nothing from one look to the next, and draw random numbers, if any, from a "
            "torch.Generator with a fixed seed.",
        )


def leaves_the_trial_alone(case: InspectionCase) -> None:
    """Train on after a look, and compare with a trial that nobody looked at."""
    looked, other = _trained(case), _trained(case)
    _drawn(case, looked)
    for trial in (looked, other):
        trial.advance(2 * case.steps)
    streams = (looked.streams.state_dict(), other.streams.state_dict())
    found = differing(weights(looked), weights(other)) + differing(*streams)
    if found:
        raise ContractError(
            f"the trial goes on otherwise once it was looked at: {some(found)}",
            "Change nothing of the generators and the discriminator: work on copies.",
        )


def copes_with_colour(case: InspectionCase) -> None:
    """Draw of colour images of another size."""
    _elsewhere(case, shape=(3, 16, 16))


def copes_with_points(case: InspectionCase) -> None:
    """Draw of points, which have no feature maps and make no picture by themselves."""
    _elsewhere(case, shape=(2,), architecture="mlp")


def _elsewhere(case: InspectionCase, **changes: Any) -> None:
    there = variant(case, **changes)
    _drawn(there, _trained(there))


def _trained(case: InspectionCase) -> Trial:
    trial = case.make(None)
    trial.advance(case.steps)
    return trial


def _drawn(case: InspectionCase, trial: Trial) -> Seen:
    """Return pictures.

    Raises
    ------
    ContractError
        If drawing went wrong.
    NothingToCheckError
        If the inspection says that it has none, and why.
    """
    seen = case.look(trial)
    shape = "×".join(map(str, case.shape))
    for text in seen.wrong.values():
        raise ContractError(
            f"on data of shape {shape}, with {case.architecture}: {text}",
            "`draw` returns pictures by name; what it cannot show, it tells by raising "
            "NothingToShowError, and data that it is not for by `applies`.",
        )
    for reason in seen.nothing.values():
        raise NothingToCheckError(f"nothing to show on data of shape {shape}: {reason}")
    if not seen.pictures:
        raise ContractError(
            f"on data of shape {shape}, `draw` returned no picture",
            "Raise NothingToShowError with the reason, which the report gives.",
        )
    return seen


def _data(shape: tuple[int, ...]) -> Data:
    items = tiny_data(shape, ITEMS).items
    if len(shape) == 1:
        return Data("tiny", items)
    return Data("tiny", items, torch.arange(ITEMS) % 2, ("even", "odd"))


INSPECTION_CHECKS: tuple[Check[InspectionCase], ...] = (
    Check("described", "there is a method card, and a text for each parameter", is_described),
    Check("words", "there are a title, and a note on how to read it", has_words),
    Check("draws", f"pictures after {STEPS} steps, each as a Picture must be", draws, True),
    Check("repeats", "drawn again, the same pictures", draws_the_same_again),
    Check("harmless", "the trial trains on, bit for bit as without it", leaves_the_trial_alone),
    Check("colour", "colour images are drawn, or it says why not", copes_with_colour),
    Check("points", "points are drawn, or it says why not", copes_with_points),
)


class InspectionContract(InspectionCase):
    """Subclass it in a test module, and set ``inspection``."""

    def test_card_and_parameters_are_documented(self) -> None:
        """The module has a docstring, and every parameter a description."""
        hold(is_described, self)

    def test_there_is_a_title_and_a_note(self) -> None:
        """The report has a heading for it, and says how to read it."""
        hold(has_words, self)

    def test_draws_pictures(self) -> None:
        """After a few steps it returns pictures, or says why there are none."""
        hold(draws, self)

    def test_draws_the_same_again(self) -> None:
        """Two looks at one trial give the same pictures."""
        hold(draws_the_same_again, self)

    def test_leaves_the_trial_alone(self) -> None:
        """A trial that was looked at trains on with the same bits."""
        hold(leaves_the_trial_alone, self)

    def test_copes_with_colour(self) -> None:
        """It draws of colour images of another size, or says why not."""
        hold(copes_with_colour, self)

    def test_copes_with_points(self) -> None:
        """It draws of points, or says why not."""
        hold(copes_with_points, self)
