"""The Optuna studies that a study stands in: one for its arms, and one for each search."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from optuna import Study
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from ganbench.study.definition import Definition
from ganbench.study.duplicates import cell_of
from ganbench.study.records import ANSWERS, STUDY, Record


@dataclass(frozen=True)
class Standing:
    """A trial among those of its cell.

    Attributes
    ----------
    study : int
        Its Optuna study, by its number in the storage.
    own : FrozenTrial
    trials : sequence of FrozenTrial
        All of its cell, itself among them, the first ones first.
    """

    study: int
    own: FrozenTrial
    trials: Sequence[FrozenTrial]

    @property
    def is_answered(self) -> bool:
        """Whether one of them has a result."""
        return any(trial.state in ANSWERS for trial in self.trials)

    @property
    def has_failed(self) -> bool:
        """Whether the trial itself ended without a result, and no other is to stand for it."""
        return Record("", self.own).has_failed


def descriptions(storage: BaseStorage, name: str) -> list[Mapping[str, Any]]:
    """Return what is noted of each Optuna study of a study, by its name."""
    return [
        study.user_attrs
        for study in storage.get_all_studies()
        if study.user_attrs.get(STUDY) == name
    ]


class OwnStudies:
    """Finds and makes them.

    Parameters
    ----------
    storage : BaseStorage
    definition : Definition
    """

    def __init__(self, storage: BaseStorage, definition: Definition) -> None:
        self._storage, self._definition = storage, definition
        self.names = frozenset((definition.study_name, *definition.searches))
        self._known: dict[str, int] = {}

    def find(self, name: str) -> int | None:
        """Return the number of an Optuna study in the storage, None if there is none yet."""
        try:
            if name not in self._known:
                self._known[name] = self._storage.get_study_id_from_name(name)
        except KeyError:
            return None
        return self._known[name]

    def open(self, name: str, objectives: int = 1) -> int:
        """Return the number of an Optuna study, which is made if there is none."""
        if name in self._known:
            return self._known[name]
        if self.find(name) is None:
            with suppress(DuplicatedStudyError):  # somebody was faster
                self._storage.create_new_study([StudyDirection.MINIMIZE] * objectives, name)
        study = self._storage.get_study_id_from_name(name)
        if STUDY not in self._storage.get_study_user_attrs(study):
            self._storage.set_study_user_attr(study, STUDY, self._definition.name)
        self._name_values(name, objectives)
        self._known[name] = study
        return study

    def _name_values(self, name: str, objectives: int) -> None:
        """Let Optuna's tools say what a trial's values are."""
        names = list(self._definition.figures[:objectives])
        study = Study(name, self._storage)
        if len(names) == objectives and study.metric_names != names:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                study.set_metric_names(names)

    def all(self) -> list[int]:
        """Return the numbers of those that there are."""
        studies = [self.find(name) for name in sorted(self.names)]
        return [study for study in studies if study is not None]

    def standing(self, number: int) -> Standing:
        """Return a trial, by its number in the storage, among those of its cell.

        Raises
        ------
        KeyError
            If it is no trial of this study.
        """
        for study in self.all():
            trials = self._storage.get_all_trials(study, deepcopy=False)
            own = next((trial for trial in trials if trial._trial_id == number), None)
            if own is not None:
                cell = cell_of(own.user_attrs)
                return Standing(study, own, [t for t in trials if cell_of(t.user_attrs) == cell])
        raise KeyError(number)
