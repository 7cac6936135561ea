"""FID and its kin beside the packages that people use, in one run.

``python benchmarks/fid.py`` measures three things, ``--part`` one of them: the Fréchet distance of
2,048 features against ``scipy.linalg.sqrtm`` as pytorch-fid calls it; the whole FID of a folder of
pictures, from the start of a process to the number, against pytorch-fid's command line, both
with cached reference statistics; and the figures of nearest neighbours, with the memory
that they take. Weights are random: they decide what comes out, not how long it takes.
"""

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
from page import add_options, expect_place, table, write
from PIL import Image
from torch import Tensor

from ganbench.evaluation.frechet import Moments, frechet_distance, moments
from ganbench.plugin import Data, Extractor, Host

WIDTH = 2048
PARTS = ("frechet", "whole", "neighbours")


def made_up_features(count: int, width: int, seed: int) -> Tensor:
    """Return features that are correlated and never negative, as a ReLU leaves them: float32."""
    draws = torch.Generator().manual_seed(seed)
    mix = torch.randn(width, width, generator=torch.Generator().manual_seed(99)) / width**0.5
    features: Tensor = torch.randn(count, width, generator=draws) @ mix + 0.3
    return features.clamp(min=0)


def seconds_of(function: Callable[[], Any]) -> tuple[float, Any]:
    """Call a function, and return how long it took, and its result."""
    began = time.perf_counter()
    result = function()
    return time.perf_counter() - began, result


def frechet(options: argparse.Namespace) -> str:
    """Compare the distance between Gaussians with the textbook's, in turns."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    first, second = (moments(made_up_features(options.items, WIDTH, seed)) for seed in (1, 2))
    arrays = [each.numpy() for one in (first, second) for each in (one.mean, one.covariance)]
    factor, _ = seconds_of(lambda: second.triangle)
    turns = []
    with warnings.catch_warnings():
        # That the argument `disp` goes away in a later scipy.
        warnings.simplefilter("ignore", DeprecationWarning)
        for _ in range(options.turns):
            textbook = seconds_of(lambda: calculate_frechet_distance(*arrays))
            ours = [seconds_of(lambda: frechet_distance(first, second)) for _ in range(3)]
            turns.append((textbook, statistics.median_low(ours)))
    times = [statistics.median(turn[who][0] for turn in turns) for who in (0, 1)]
    ratio = statistics.median(textbook[0] / ours[0] for textbook, ours in turns)
    (_, expected), (_, found) = turns[0]
    rows = [
        ("pytorch-fid, `scipy.linalg.sqrtm`", f"{times[0]:.2f}", "1.0×", f"{expected:.8f}"),
        (
            "ganbench, the reference's factor cached",
            f"{times[1]:.2f}",
            f"{ratio:.1f}×",
            f"{found:.8f}",
        ),
    ]
    note = (
        f"Means and covariances of {options.items:,} items with {WIDTH:,} features, "
        f"medians of {options.turns} turns. The factor takes {factor:.1f} s, once a process."
    )
    return f"{note}\n\n{table(('', 'seconds', 'as fast', 'distance'), rows)}"


def pictures(count: int, size: int = 32) -> Tensor:
    """Return parts of scikit-learn's two photographs: (count, 3, size, size), uint8."""
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    draws, parts = np.random.default_rng(0), []
    for index in range(count):
        whole = photographs[index % len(photographs)]
        row, column = (int(draws.integers(side - size)) for side in whole.shape[:2])
        parts.append(whole[row : row + size, column : column + size])
    return torch.tensor(np.stack(parts)).permute(0, 3, 1, 2).contiguous()


def random_weights() -> dict[str, Tensor]:
    """Return random weights under the names and in the shapes of pytorch-fid's network."""
    from pytorch_fid import inception

    with (
        mock.patch.object(inception, "load_state_dict_from_url"),
        mock.patch.object(torch.nn.Module, "load_state_dict"),
    ):
        network = inception.fid_inception_v3()
    draws = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                scale = (2 / parameter[0].numel()) ** 0.5
                parameter.copy_(scale * torch.randn(parameter.shape, generator=draws))
    return dict(network.state_dict())


def inception_extractor(weights: Path, data: Data) -> Extractor:
    """Return our extractor, ready, with weights that need not be the published ones."""
    parameters = {
        "weights": str(weights),
        "expected_hash": hashlib.sha256(weights.read_bytes()).hexdigest(),
    }
    extractor: Extractor = Host().create("extractor", "inception", parameters)
    context: Any = SimpleNamespace(data=data, device=torch.device("cpu"), progress=lambda *_: None)
    extractor.prepare(context)
    return extractor


def score_folder(folder: Path, weights: Path, reference: Path) -> None:
    """Print the FID of a folder of pictures: what a process of ours does, from its start."""
    images = torch.stack(
        [
            torch.tensor(np.asarray(Image.open(path).convert("RGB"))).permute(2, 0, 1)
            for path in sorted(folder.glob("*.png"))
        ]
    )
    with np.load(reference) as kept:
        known = Moments(torch.tensor(kept["mu"]), torch.tensor(kept["sigma"]), WIDTH + 1)
    extractor = inception_extractor(weights, Data("pictures", images))
    with torch.no_grad():
        features = extractor.features(images)
    print("FID: ", frechet_distance(moments(features), known))


def features_apart(images: Tensor, weights: Path, hub: Path) -> tuple[Tensor, float]:
    """Return our features, and their largest difference from pytorch-fid's, over its largest."""
    from pytorch_fid import inception

    with (
        torch.no_grad(),
        mock.patch.dict(os.environ, TORCH_HOME=str(hub)),
        mock.patch.object(torch.hub, "_hub_dir", None),
    ):
        ours = inception_extractor(weights, Data("pictures", images)).features(images)
        theirs = inception.InceptionV3([3]).eval()(images / 255)[0].flatten(1)
    return ours, float((ours - theirs).abs().max() / theirs.max())


def whole(options: argparse.Namespace) -> str:
    """Score a folder by pytorch-fid's command line and by ours, each a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        folder, reference = home / "pictures", home / "reference.npz"
        weights = home / "hub" / "checkpoints" / "pt_inception-2015-12-05-6726825d.pth"
        for path in (folder, weights.parent):
            path.mkdir(parents=True)
        torch.save(random_weights(), weights)
        images = pictures(options.images)
        for index, image in enumerate(images):
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{index:06d}.png")
        features, apart = features_apart(images[:: max(1, len(images) // 100)], weights, home)
        few = moments(features + 0.1 * features.std())
        # Of a hundred pictures, made regular as that of many would be.
        regular = few.covariance + 0.01 * few.covariance.diagonal().mean() * torch.eye(WIDTH)
        np.savez(reference, mu=few.mean.numpy(), sigma=regular.numpy())
        environment = {**os.environ, "TORCH_HOME": name}
        environment.pop("OMP_NUM_THREADS", None)
        commands = {
            "pytorch-fid's command line": [
                "-m",
                "pytorch_fid",
                folder,
                reference,
                "--device",
                "cpu",
            ],
            "ganbench": [__file__, "--folder", folder, weights, reference],
        }
        found = {
            who: seconds_of(partial(_number, command, environment))
            for who, command in commands.items()
        }
    slow = found["pytorch-fid's command line"][0]
    rows = [
        (who, f"{took:.1f}", f"{slow / took:.1f}×", f"{value:.6f}")
        for who, (took, value) in found.items()
    ]
    note = (
        f"{len(images):,} pictures of 32×32, a process from its start to the number, with "
        "PyTorch's own choice of threads; random weights, cached reference statistics. Features "
        f"differ by {apart:.1e} of the largest."
    )
    return f"{note}\n\n{table(('', 'seconds', 'as fast', 'FID'), rows)}"


def _number(command: list[Any], environment: dict[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    return float(done.stdout.rpartition("FID:")[2])


def neighbours(options: argparse.Namespace) -> str:
    """Measure time and memory of precision, recall, density and coverage."""
    rows = []
    for who, count in (
        ("prdc", options.few),
        ("ganbench", options.few),
        ("ganbench", options.many),
    ):
        command = [sys.executable, __file__, "--near", who, str(count), str(options.width)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        took, peak, figures = json.loads(done.stdout.splitlines()[-1])
        matrix = count**2 * 8 / 1e6
        shown = " / ".join(f"{figures[key]:.4f}" for key in sorted(figures))
        rows.append((f"{who}, {count:,}", f"{took:.1f}", f"{peak:,.0f}", f"{matrix:,.0f}", shown))
    note = (
        f"As many samples as data, {options.width} features. Peak memory over what stood before; "
        "`a matrix` is what one of all pairs takes in float64."
    )
    head = ("", "seconds", "peak, MB", "a matrix, MB", "coverage / density / precision / recall")
    return f"{note}\n\n{table(head, rows)}"


def find_neighbours(who: str, count: int, width: int) -> None:
    """Print seconds, peak memory in MB, and the figures, of one of the two."""
    from prdc import compute_prdc

    samples, data = (made_up_features(count, width, seed).double() for seed in (1, 2))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if who == "prdc":
        arrays = data.numpy(), samples.numpy()
        took, figures = seconds_of(lambda: compute_prdc(*arrays, nearest_k=5))
    else:
        metric = Host().create("metric", "prdc", {"neighbours": 5, "density_neighbours": 5})
        context: Any = SimpleNamespace(features=samples, reference_features=lambda: data)
        took, figures = seconds_of(lambda: metric.compute(context))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        json.dumps([took, peak * 1024 / 1e6, {key: float(each) for key, each in figures.items()}])
    )


def main() -> None:
    """Measure the parts that are asked for, and print a table for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--part", action="append", choices=PARTS, help="only this; all if not given"
    )
    parser.add_argument("--turns", type=int, default=3, help="of the Fréchet distance")
    parser.add_argument("--items", type=int, default=5000, help="behind each covariance")
    parser.add_argument("--images", type=int, default=2000, help="in the folder")
    parser.add_argument("--many", type=int, default=50_000, help="samples, and data, of neighbours")
    parser.add_argument("--few", type=int, default=8000, help="as many as prdc has memory for")
    parser.add_argument("--width", type=int, default=64, help="features of neighbours")
    parser.add_argument("--folder", nargs=3, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--near", nargs=3, help=argparse.SUPPRESS)
    add_options(parser)
    options = parser.parse_args()
    if options.folder:
        return score_folder(*options.folder)
    if options.near:
        who, *numbers = options.near
        return find_neighbours(who, *map(int, numbers))
    measures = {"frechet": frechet, "whole": whole, "neighbours": neighbours}
    parts = options.part or list(PARTS)
    if options.write:
        for part in parts:
            expect_place(f"fid {part}")
    for part in parts:
        body = measures[part](options)
        print(f"{body}\n", flush=True)
        if options.write:
            write(f"fid {part}", body)
    return None


if __name__ == "__main__":
    main()
