"""A number that everybody's evaluator must give: CIFAR-10's training against its test set."""

from pathlib import Path

import torch

from ganbench.config.model import Component, Evaluation
from ganbench.data.load import load_data
from ganbench.evaluation.evaluator import Evaluator
from ganbench.evaluation.testbench import Check, Outcome
from ganbench.plugin import Host, Progress

DATA, EXTRACTOR = "cifar10", "inception"
KNOWN, TOLERANCE = 3.15, 0.05
"""pytorch-fid's FID of the 10,000 test images against the 50,000 training images."""
GROUP = "CIFAR-10, test set against training set"


def check_known_distance(
    host: Host,
    root: Path,
    device: torch.device,
    cache: Path,
    progress: Progress,
    download: bool,
    patient: bool,
) -> Check:
    """Measure CIFAR-10's test images against its training images, if all is there.

    Parameters
    ----------
    host : Host
    root : Path
        The data root.
    device : torch.device
    cache : Path
    progress : callable
    download : bool
        Fetch what is missing.
    patient : bool
        Do it on a CPU too, where it takes more than an hour.
    """
    missing = [
        asset
        for asset in (
            *host.create("dataset", DATA).assets(root),
            *host.create("extractor", EXTRACTOR).assets(),
        )
        if asset.problem or not asset.found
    ]
    if missing and not download:
        names = " and ".join(str(asset.place) for asset in missing)
        return Check(
            GROUP, "fid", "skipped", text=f"needs {names}; --download fetches what is missing"
        )
    if device.type == "cpu" and not patient:
        text = "60,000 images through Inception take more than an hour on a CPU; --full does it"
        return Check(GROUP, "fid", "skipped", text=text)
    training, test = (
        load_data(DATA, {"split": split}, host, root, progress) for split in ("train", "test")
    )
    settings = Evaluation(
        metrics=(Component(name="fid"),),
        extractor=Component(name=EXTRACTOR),
        samples=len(test.items),
    )
    evaluator = Evaluator(settings, training, host, device, cache, progress)
    found = evaluator.evaluate(test.items)["fid"]
    outcome: Outcome = "ok" if abs(found - KNOWN) <= TOLERANCE else "wrong"
    return Check(GROUP, "fid", outcome, (found,), f"{KNOWN:g} to within {TOLERANCE:g}")
