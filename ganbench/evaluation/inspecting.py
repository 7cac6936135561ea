"""Looks into a trial that has ended: the inspections of a study, and what they are shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from ganbench.config.model import Component, Evaluation
from ganbench.data.images import quantise
from ganbench.evaluation.choosing import EvaluationError, create, create_fitting
from ganbench.evaluation.evaluator import Evaluator
from ganbench.plugin import (
    Data,
    Host,
    Inspection,
    InspectionContext,
    LatentSpec,
    NothingToShowError,
    Picture,
    Sampler,
    TrainedDiscriminator,
)
from ganbench.training import Trial, trained_discriminator

_PICTURE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class Seen:
    """What the inspections have to show of a trial.

    Attributes
    ----------
    pictures : dict of str to Picture
        By ``inspection.picture``.
    nothing : dict of str to str
        By inspection, why it has no picture.
    wrong : dict of str to str
        By inspection, what went wrong in one that should have had.
    """

    pictures: dict[str, Picture] = field(default_factory=dict)
    nothing: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


class Inspector:
    """The inspections of a study.

    Parameters
    ----------
    settings : Evaluation
        The study's ``evaluation``.
    data : Data
    host : Host
        Where inspections come from.
    evaluator : Evaluator
        Lends its extractor and classifier.

    Attributes
    ----------
    notes : dict of str to dict
        Each inspection's ``title`` and ``note``; of those of ``auto`` that do not apply to the
        data also the reason, as ``left_out``.

    Raises
    ------
    EvaluationError
        If one that the study lists does not apply to the data, or takes other parameters.
    """

    def __init__(self, settings: Evaluation, data: Data, host: Host, evaluator: Evaluator) -> None:
        self._data, self._evaluator = data, evaluator
        self._inspections: list[Inspection] = []
        self.notes: dict[str, dict[str, str]] = {}
        for inspection, reason in _chosen(settings, data, host):
            if not reason:
                self._inspections.append(inspection)
            told = {"left_out": reason} if reason else {}
            words = {"title": inspection.title, "note": inspection.note}
            self.notes[inspection.name] = {**words, **told}

    def prepare(self) -> None:
        """Compute what the inspections of all trials share, so that no worker has to."""
        if any(inspection.compares_with_data for inspection in self._inspections):
            self._evaluator.data_features()

    def look(self, trial: Trial) -> Seen:
        """Draw all pictures of a trial; it is left as it was."""
        seen = Seen()
        for inspection in self._inspections:
            try:
                with trial.sampler() as sampler:
                    context = _TrialContext(self._data, self._evaluator, trial, sampler)
                    drawn = _checked(inspection.draw(context))
            except NothingToShowError as reason:
                seen.nothing[inspection.name] = str(reason)
            except Exception as error:
                # Whatever a plugin does wrong: the trial has been measured by now.
                seen.wrong[inspection.name] = f"{type(error).__name__}: {error}"
            else:
                for name, picture in drawn.items():
                    seen.pictures[f"{inspection.name}.{name}"] = picture
        return seen


class _TrialContext(InspectionContext):
    """A trial and the evaluator, as inspections see them."""

    def __init__(self, data: Data, evaluator: Evaluator, trial: Trial, sampler: Sampler) -> None:
        self.data, self.sampler = data, sampler
        self.latents: Mapping[str, LatentSpec] = {
            built.pair.name: built.context.spec.latent for built in trial.pairs
        }
        self._evaluator, self._trial = evaluator, trial

    @cached_property
    def _discriminator(self) -> TrainedDiscriminator:
        return trained_discriminator(self._trial)

    def discriminator(self) -> TrainedDiscriminator:
        """Return copies of the discriminator."""
        return self._discriminator

    def classify(self, images: Tensor) -> Tensor | None:
        """Return the classifier's labels."""
        return self._evaluator.labels_of(_as_saved(images))

    def features(self, images: Tensor) -> Tensor:
        """Return the extractor's features."""
        return self._evaluator.features_of(_as_saved(images))

    def data_features(self) -> tuple[Tensor, Tensor]:
        """Return data items' features."""
        return self._evaluator.data_features()


def _as_saved(images: Tensor) -> Tensor:
    if not torch.isfinite(images).all():
        raise NothingToShowError("what the generator makes is not finite everywhere")
    return quantise(images)


def _chosen(settings: Evaluation, data: Data, host: Host) -> list[tuple[Inspection, str]]:
    """Return the study's inspections, those of ``auto`` that do not apply with the reason."""
    if settings.inspections != "auto":
        return [
            (create_fitting("inspection", component, data, host), "")
            for component in settings.inspections
        ]
    found = []
    for registered in sorted(host.all("inspection"), key=lambda each: each.cls.order):
        inspection = create("inspection", Component(name=registered.name), host)
        fits, reason = inspection.applies(data)
        found.append((inspection, "" if fits else reason))
    return found


def _checked(drawn: object) -> dict[str, Picture]:
    """Return an inspection's pictures.

    Raises
    ------
    EvaluationError
        If they are none.
    """
    if not isinstance(drawn, Mapping):
        raise EvaluationError(f"draw gave a {type(drawn).__name__}, expected pictures by name")
    for name, picture in drawn.items():
        if not isinstance(picture, Picture):
            kind = type(picture).__name__
            raise EvaluationError(f"draw gave a {kind} as {name!r}, expected a Picture")
        if not _PICTURE_NAME.fullmatch(str(name)):
            raise EvaluationError(
                f"draw gave a picture named {name!r}, expected lower-case letters, digits and -"
            )
    return dict(drawn)
