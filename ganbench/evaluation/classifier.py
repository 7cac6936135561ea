"""The study's own classifier: a small network that gives features and counts modes.

For digits and the like an ImageNet network's features say little; both the authors of
pytorch-fid and of TTUR advise against them there. This one is trained on the study's
labelled data, by a fixed recipe, and is the same for every trial of the study.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import Tensor
from torch.nn import functional as F

from ganbench.evaluation.cache import cache_key, load_if_sound, save_atomically
from ganbench.evaluation.modes import shares
from ganbench.evaluation.network import WIDTH, ClassifierNetwork
from ganbench.plugin import Data, DataError, Progress, can_classify

RECIPE = 1
"""Raised with every change that alters the trained weights: it is part of the cache's key."""
SEED = 0
BATCH = 128
LEARNING_RATE = 1e-2
EPOCHS, FEWEST_STEPS, MOST_STEPS = 25, 300, 600
HELD_OUT = 0.2
PART = 200
"""Images classified at once: on a core, measured twice as fast as 500."""


@dataclass(frozen=True)
class Classifier:
    """A trained classifier and what is known of it.

    Attributes
    ----------
    network : ClassifierNetwork
        In evaluation mode, its weights without gradients.
    accuracy : float
        Share of the held-out images that it labels rightly.
    predicted : Tensor, shape (classes,), float64
        Share of the held-out images that it labels so: what real images look like to it.
    trained_on, held_out : int
        Images of the two parts.
    steps : int
    sha256 : str
        Of the weights.
    """

    network: ClassifierNetwork
    accuracy: float
    predicted: Tensor
    trained_on: int
    held_out: int
    steps: int
    sha256: str

    def features(self, images: Tensor) -> Tensor:
        """Return the network's features of uint8 images, by parts that stay in the cache."""
        parts = torch.split(images, PART)
        return torch.cat([self.network.features(part) for part in parts])

    def protocol(self) -> dict[str, Any]:
        """Return what defines the features, as plain values."""
        return {
            "network": f"convolutional, ReLU, batch norm in evaluation mode, {WIDTH} features",
            "layer": "inputs of the last linear layer",
            "recipe": RECIPE,
            "seed": SEED,
            "steps": self.steps,
            "split": "stratified by class, one in five held out; kept as trained on the rest",
            "trained_on": self.trained_on,
            "held_out": self.held_out,
            "accuracy": round(self.accuracy, 6),
            "weights_sha256": self.sha256,
        }


def obtain_classifier(data: Data, data_sha256: str, cache: Path, progress: Progress) -> Classifier:
    """Load the data's classifier from the cache, or train it and leave it there.

    Processes that ask at the same time train it once: the others wait, then load.

    Parameters
    ----------
    data : Data
        Labelled images.
    data_sha256 : str
        Hash of the data, part of the cache's key.
    cache : Path
        A folder; made if need be.
    progress : callable

    Raises
    ------
    DataError
        If the data are not labelled images.
    """
    fits, reason = can_classify(data)
    if not fits:
        raise DataError(f"{data.name}: {reason}")
    key = cache_key({"data": data_sha256, "recipe": RECIPE})
    path = cache / f"classifier-{key}.pt"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        found = _load(path, data)
        if found is None:
            found = train_classifier(data, progress)
            _save(path, found)
    return found


def train_classifier(data: Data, progress: Progress) -> Classifier:
    """Train on four fifths of the data, measure on the rest.

    On the CPU with one thread, so that the weights are the same bit for bit wherever the
    arithmetic is. Torch's random state and thread count are left as they were.

    Parameters
    ----------
    data : Data
        Labelled images.
    progress : callable
        Called now and then with the label ``classifier``, the steps done and all steps.
    """
    if data.labels is None:
        raise DataError(f"{data.name}: a classifier is trained on labels, and there are none")
    images, labels = data.items.cpu(), data.labels.cpu()
    draws = torch.Generator().manual_seed(SEED)
    training, held_out = stratified_split(labels, draws)
    steps = math.ceil(EPOCHS * len(training) / BATCH)
    steps = min(max(steps, FEWEST_STEPS), MOST_STEPS)
    with _one_thread(), torch.inference_mode(False), torch.enable_grad():
        some = training[:: math.ceil(len(training) / 5000)]
        network = _initial_network(data, images[some])
        _fit(network, images, labels, training, steps, draws, progress)
    network.eval().requires_grad_(False)
    with _one_thread(), torch.no_grad():
        guesses = torch.cat(
            [network(images[part]).argmax(1) for part in torch.split(held_out, PART)]
        )
    return Classifier(
        network=network,
        accuracy=float((guesses == labels[held_out]).double().mean()),
        predicted=shares(guesses, len(data.classes)),
        trained_on=len(training),
        held_out=len(held_out),
        steps=steps,
        sha256=weights_sha256(network.state_dict()),
    )


def stratified_split(labels: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the indices of a training and a held-out part, each with all classes.

    One in five of each class is held out, rounded, and at least one; but a class of a
    single image is not.

    Parameters
    ----------
    labels : Tensor, shape (items,), int64
    draws : torch.Generator
    """
    training, held_out = [], []
    for label in torch.unique(labels).tolist():
        members = (labels == label).nonzero().flatten()
        members = members[torch.randperm(len(members), generator=draws)]
        aside = min(max(1, round(HELD_OUT * len(members))), len(members) - 1)
        held_out.append(members[:aside])
        training.append(members[aside:])
    return torch.cat(training), torch.cat(held_out)


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """Return a hash of names, shapes and values, whatever file they came from."""
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _initial_network(data: Data, images: Tensor) -> ClassifierNetwork:
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would reseed accelerators too.
        torch.default_generator.manual_seed(SEED)
        network = ClassifierNetwork(data.shape, len(data.classes))
    values = images.transpose(0, 1).flatten(1).double()
    scale = values.std(dim=1).clamp(min=1.0)
    network.load_state_dict(
        {"mean": values.mean(dim=1)[:, None, None], "scale": scale[:, None, None]}, strict=False
    )
    return network


def _fit(
    network: ClassifierNetwork,
    images: Tensor,
    labels: Tensor,
    training: Tensor,
    steps: int,
    draws: torch.Generator,
    progress: Progress,
) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    network.train()
    for step in range(steps):
        batch = training[torch.randint(len(training), (BATCH,), generator=draws)]
        loss = F.cross_entropy(network(images[batch]), labels[batch])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if (step + 1) % 20 == 0 or step + 1 == steps:
            progress("classifier", step + 1, steps)


def _save(path: Path, classifier: Classifier) -> None:
    content = {field: getattr(classifier, field) for field in _SAVED}
    save_atomically(path, {**content, "weights": classifier.network.state_dict()})


_SAVED = ("accuracy", "predicted", "trained_on", "held_out", "steps", "sha256")


def _load(path: Path, data: Data) -> Classifier | None:
    content = load_if_sound(path)
    if content is None or not {*_SAVED, "weights"} <= content.keys():
        return None
    if weights_sha256(content["weights"]) != content["sha256"]:
        return None
    with torch.random.fork_rng(devices=[]):
        network = ClassifierNetwork(data.shape, len(data.classes))
    network.load_state_dict(content["weights"])
    network.eval().requires_grad_(False)
    return Classifier(network=network, **{field: content[field] for field in _SAVED})


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
