"""Two folders of images measured against each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganbench.config.model import Component, Evaluation
from ganbench.data.load import LARGEST, SMALLEST, load_data
from ganbench.evaluation.evaluator import Evaluator
from ganbench.plugin import DataError, Host, Progress

FOLDER = "folder"
"""The data set that reads folders of images."""
ALWAYS = "fid"
OF_A_GENERATOR = (
    "generator_weights",
    "batch_norm_statistics",
    "sampling_batch",
    "quantisation",
    "collapse_rule",
)
"""Keys of a protocol that say how samples are made and judged; folders hold images as they are."""


@dataclass(frozen=True)
class FolderScore:
    """What a folder of images came to against another.

    Attributes
    ----------
    samples, reference : int
        Images of the folders.
    figures : dict of str to float
    notes : dict of str to str
        Each figure's meaning.
    protocol : dict
    warnings : tuple of str
    """

    samples: int
    reference: int
    figures: dict[str, float]
    notes: dict[str, str]
    protocol: dict[str, Any]
    warnings: tuple[str, ...]


def score_folder(
    samples: Path,
    reference: Path,
    size: int | None,
    extractor: Component,
    metrics: Sequence[str],
    host: Host,
    root: Path,
    device: torch.device,
    cache: Path,
    progress: Progress,
) -> FolderScore:
    """Measure the images of one folder, as samples, against another's.

    Parameters
    ----------
    samples, reference : Path
    size : int or None
        To which both are resized; None if all are squares of one size already.
    extractor : Component
    metrics : sequence of str
        Besides ``fid``.
    host : Host
    root : Path
        The data root, where decoded images are kept.
    device : torch.device
    cache : Path
    progress : callable

    Raises
    ------
    GanbenchError
        If a folder's images cannot be used, or a metric or the extractor cannot be used on
        them.
    """
    side = common_size(samples, reference) if size is None else size
    made, real = (
        load_data(FOLDER, {"path": str(path), "size": side}, host, root, progress)
        for path in (samples, reference)
    )
    names = dict.fromkeys([ALWAYS, *metrics])
    settings = Evaluation(
        metrics=tuple(Component(name=name) for name in names),
        extractor=extractor,
        samples=len(made.items),
    )
    evaluator = Evaluator(settings, real, host, device, cache, progress)
    both = ((samples, made), (reference, real))
    notes = [f"{path}: {note}" for path, data in both for note in data.notes]
    grey = [path for path, data in both if _is_grey(data.items)]
    if len(grey) == 1:
        notes.append(
            f"all images of {grey[0]} are grey, and those of the other folder are not: figures "
            "tell of the colour too"
        )
    figures = evaluator.evaluate(made.items, final=True)
    notes += [
        f"{name} gives nothing here: undefined on these images, or it looks at a trial's networks"
        for name in names
        if not figures.keys() & host.find("metric", name).cls.figures.keys()
    ]
    protocol = {k: v for k, v in evaluator.protocol.items() if k not in OF_A_GENERATOR}
    protocol["reference"] = {**protocol["reference"], "name": str(reference)}
    return FolderScore(
        samples=len(made.items),
        reference=len(real.items),
        figures=figures,
        notes=evaluator.metric_notes,
        protocol=protocol,
        warnings=(*notes, *protocol["warnings"]),
    )


def _is_grey(images: torch.Tensor) -> bool:
    return bool((images == images[:, :1]).all())


def common_size(*folders: Path) -> int:
    """Return the side that all images of some folders have.

    Raises
    ------
    DataError
        If they have several, are no squares, or are too small or too large to be taken as they
        are.
    """
    from PIL import Image

    known = Image.registered_extensions()
    seen: dict[tuple[int, int], Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in known and path.is_file():
                try:
                    with Image.open(path) as image:
                        seen.setdefault(image.size, path)
                except OSError:
                    continue  # told when it is decoded
    if not seen:
        # An empty folder is told where it is read.
        return LARGEST
    (width, height), path = next(iter(seen.items()))
    if len(seen) > 1:
        told = "; ".join(f"{w}×{h} ({path})" for (w, h), path in list(seen.items())[:3])
        problem = f"the images are of {len(seen)} sizes: {told}"
    elif width != height or not SMALLEST <= width <= LARGEST:
        problem = f"the images are {width}×{height} ({path})"
    else:
        return width
    raise DataError(
        f"{problem}; taken as they are, all must be squares of one size, {SMALLEST} to {LARGEST} "
        "pixels: --size N crops and resizes both folders to N"
    )
