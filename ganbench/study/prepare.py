"""What is done once, before any worker starts: data, evaluator, which arms apply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ganbench.data.load import load_data
from ganbench.evaluation.evaluator import Evaluator
from ganbench.evaluation.inspecting import Inspector
from ganbench.evaluation.pictures import sample_sheet, shown
from ganbench.plugin import Data, GanbenchError, Host, Progress
from ganbench.study.choice import Choice
from ganbench.study.compute import set_up_torch
from ganbench.study.design import FULL, Arm
from ganbench.study.files import Files
from ganbench.study.importing import import_quickly
from ganbench.study.provenance import provenance
from ganbench.study.run_plan import RunPlan, fingerprint
from ganbench.study.searches import Searches, searches_of
from ganbench.training import Trial


@dataclass(frozen=True)
class Prepared:
    """What the preparation found.

    Attributes
    ----------
    data : Data
    evaluator : Evaluator
        With its classifier and reference statistics in the cache, for the workers.
    inspector : Inspector
    arms : tuple of Arm
        Those that turned out not to apply carry the reason.
    fingerprints : mapping of str to str
        Each applicable arm's.
    instrument : mapping
        What trials are made and measured with, as far as their settings do not say.
    auto : Choice or None
        What ``backend: auto`` stands for, where that was measured.
    """

    data: Data
    evaluator: Evaluator
    inspector: Inspector
    arms: tuple[Arm, ...]
    fingerprints: Mapping[str, str]
    instrument: Mapping[str, Any]
    auto: Choice | None = None

    def searches(self, plan: RunPlan) -> Searches:
        """Return the study's searches: trials are to be told apart as those of arms are."""
        study, host = plan.study, plan.host
        return searches_of(
            study, self.arms, host, lambda config: fingerprint(config, self.instrument, host)
        )

    def data_sheet(self) -> bytes:
        """Return a PNG of items spread evenly over the data."""
        items = self.data.items
        chosen = torch.linspace(0, len(items) - 1, min(shown(self.data), len(items))).long()
        return sample_sheet(items[chosen], self.data)


def prepare(plan: RunPlan, progress: Progress) -> Prepared:
    """Load the data, train or load what the evaluation needs, and try each arm.

    Raises
    ------
    GanbenchError
        If the data cannot be had, the evaluation is not defined on them, or no arm applies.
    """
    study, device = plan.study, plan.devices[0]
    set_up_torch(device)
    progress(f"loading {study.dataset.name}", 0, None)
    import_quickly("torch._dynamo")  # the first of PyTorch's optimizers would ask for it
    data = load_data(
        study.dataset.name, study.dataset.parameters, plan.host, plan.data_root, progress
    )
    evaluator = Evaluator(
        study.evaluation, data, plan.host, torch.device(device), plan.cache, progress
    )
    inspector = Inspector(study.evaluation, data, plan.host, evaluator)
    inspector.prepare()
    arms = check_arms(plan.arms, study.all_seeds[0], data, plan.host, progress)
    instrument = _instrument(evaluator.protocol, device)
    fingerprints = {
        arm.name: fingerprint(arm.config, instrument, plan.host)
        for arm in arms
        if arm.config is not None and arm.skipped is None
    }
    return Prepared(data, evaluator, inspector, arms, fingerprints, instrument)


def prepare_together(plan: RunPlan, files: Files, progress: Progress) -> Prepared:
    """Do so with the classifier and the reference that the study's machines have in common.

    Parameters
    ----------
    plan : RunPlan
    files : Files
        What is not among them yet, others are given.
    progress : callable

    Raises
    ------
    GanbenchError
        As ``prepare`` does, or if the files cannot be had.
    """
    while True:
        brought = files.copy_here(plan.cache)
        prepared = prepare(plan, progress)
        if files.offer(plan.cache, brought):
            return prepared


def check_arms(
    arms: Sequence[Arm], seed: int, data: Data, host: Host, progress: Progress
) -> tuple[Arm, ...]:
    """Build each arm's trial once, to learn which do not apply, and why.

    An arm does not apply if a plugin says so, or if the data do not allow one of its
    settings. A plugin that fails is another matter: the workers record its trials as failed.

    Raises
    ------
    GanbenchError
        If the first, which all others are compared with, does not apply.
    """
    checked: list[Arm] = []
    for done, arm in enumerate(arms):
        progress("checking the arms", done, len(arms))
        checked.append(replace(arm, skipped=_reason(arm, seed, data, host)))
    progress("checking the arms", len(arms), len(arms))
    if checked[0].skipped is not None:
        name = "full arm" if checked[0].name == FULL else "baseline"
        raise GanbenchError(f"the {name} cannot be trained: {checked[0].skipped}")
    return tuple(checked)


def _reason(arm: Arm, seed: int, data: Data, host: Host) -> str | None:
    if arm.config is None or arm.skipped is not None:
        return arm.skipped or "does not apply"
    try:
        Trial(arm.config, seed, data, host, torch.device("cpu"))
    except GanbenchError as error:
        return str(error)
    except Exception:
        return None  # an error, not an answer: the worker meets it again and records it
    return None


def _instrument(protocol: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Return what a trial is made and measured with, as far as its settings do not say."""
    return {
        **provenance(device),
        "extractor": protocol["extractor"],
        "classifier": protocol.get("classifier"),
        "reference": protocol["reference"]["sha256"],
    }
