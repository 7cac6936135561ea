"""The extractors pixels and dinov2.

Meta's weights are not at hand: random ones of the same names and shapes test the code, against
the network written out from the paper and the published code's conventions.
"""

import hashlib
import math
import urllib.error

import numpy as np
import pytest
import torch
from ganbench_plugins import _library
from ganbench_plugins.extractors import _weights, dinov2
from PIL import Image
from sklearn.datasets import load_sample_image
from torch.nn import functional

from ganbench.config.model import Component, Evaluation
from ganbench.evaluation.evaluator import EvaluationError, Evaluator
from ganbench.plugin import Data, DataError

CPU = torch.device("cpu")
FILE = "dinov2_vits14_pretrain.pth"
DEPTH, HEADS, WIDTH = 12, 6, 384


def evaluator(name, data, host, cache, samples=4, **parameters):
    settings = Evaluation(
        metrics=(Component(name="fid"),),
        extractor=Component(name=name, parameters=parameters),
        samples=samples,
    )
    return Evaluator(settings, data, host, CPU, cache)


def test_small_images_are_their_own_features(digits, host, tmp_path):
    measure = evaluator("pixels", digits, host, tmp_path, samples=500)
    assert measure.protocol["extractor"]["resize"] == "none"
    assert measure.protocol["feature_width"] == 64
    found = measure._extractor.features(digits.items[:5])
    assert torch.equal(found, digits.items[:5].flatten(1) / 255)
    # Grey levels moved by 10 alike move the mean by 10/255 in each of 64 pixels.
    darker = (digits.items.float() * 0.9).round()
    lighter = (darker + 10).to(torch.uint8)
    both = evaluator("pixels", Data("dark", darker.to(torch.uint8)), host, tmp_path, samples=500)
    assert both.evaluate(lighter)["fid"] == pytest.approx(64 * (10 / 255) ** 2, rel=1e-4)


def test_large_images_are_made_small_as_pillow_would(host, tmp_path):
    photograph = np.asarray(load_sample_image("china.jpg"))[:400, :600]
    images = torch.tensor(photograph).permute(2, 0, 1)[None].repeat(4, 1, 1, 1)
    measure = evaluator("pixels", Data("china", images), host, tmp_path, size=30)
    assert measure.protocol["extractor"]["resize"] == "20×30 pixels, bilinear, with antialiasing"
    small = Image.fromarray(photograph).resize((30, 20), Image.Resampling.BILINEAR)
    expected = torch.tensor(np.asarray(small)).permute(2, 0, 1).flatten()
    found = measure._extractor.features(images[:1])[0] * 255
    assert (found - expected).abs().max() <= 1


def test_points_have_no_pixels(host, tmp_path):
    with pytest.raises(
        EvaluationError, match=r"'pixels' does not apply.*those that do: coordinates"
    ):
        evaluator("pixels", Data("cloud", torch.randn(9, 2)), host, tmp_path)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Random weights under the names and in the shapes of Meta's file of the small model."""
    draws = torch.Generator().manual_seed(0)

    def normal(*shape, scale=0.02):
        return scale * torch.randn(*shape, generator=draws)

    state = {
        "cls_token": normal(1, 1, WIDTH),
        "pos_embed": normal(1, 1 + 37 * 37, WIDTH, scale=0.5),
        "mask_token": normal(1, WIDTH),
        "patch_embed.proj.weight": normal(WIDTH, 3, 14, 14),
        "patch_embed.proj.bias": normal(WIDTH),
        "norm.weight": 1 + normal(WIDTH),
        "norm.bias": normal(WIDTH),
    }
    for block in range(DEPTH):
        at = f"blocks.{block}."
        for layer, (out, given) in {
            "attn.qkv": (3 * WIDTH, WIDTH),
            "attn.proj": (WIDTH, WIDTH),
            "mlp.fc1": (4 * WIDTH, WIDTH),
            "mlp.fc2": (WIDTH, 4 * WIDTH),
        }.items():
            state[f"{at}{layer}.weight"] = normal(out, given, scale=given**-0.5)
            state[f"{at}{layer}.bias"] = normal(out)
        for index in (1, 2):
            state[f"{at}norm{index}.weight"] = 1 + normal(WIDTH)
            state[f"{at}norm{index}.bias"] = normal(WIDTH)
            state[f"{at}ls{index}.gamma"] = 0.3 + normal(WIDTH)
    path = tmp_path_factory.mktemp("dinov2") / FILE
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def digest(published):
    return hashlib.sha256(published.read_bytes()).hexdigest()


def written_out(state, images):
    """Vision transformer with layer scale; positions resized by a factor of (16 + 0.1) / 37."""

    def linear(values, layer):
        return functional.linear(values, state[f"{layer}.weight"], state[f"{layer}.bias"])

    def norm(values, layer):
        centred = values - values.mean(dim=-1, keepdim=True)
        spread = (centred.square().mean(dim=-1, keepdim=True) + 1e-6).sqrt()
        return centred / spread * state[f"{layer}.weight"] + state[f"{layer}.bias"]

    parts = images.unfold(2, 14, 14).unfold(3, 14, 14)
    parts = parts.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
    weight = state["patch_embed.proj.weight"].flatten(1)
    patches = parts @ weight.T + state["patch_embed.proj.bias"]
    square = state["pos_embed"][:, 1:].reshape(1, 37, 37, WIDTH).permute(0, 3, 1, 2)
    factor = 16.1 / 37
    square = functional.interpolate(square, scale_factor=(factor, factor), mode="bicubic")
    patches = patches + square.flatten(2).transpose(1, 2)
    first = (state["cls_token"] + state["pos_embed"][:, :1]).expand(len(images), 1, WIDTH)
    values = torch.cat([first, patches], dim=1)
    for block in range(DEPTH):
        at = f"blocks.{block}."
        given = linear(norm(values, f"{at}norm1"), f"{at}attn.qkv")
        query, key, value = given.reshape(len(images), 257, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        shares = (query @ key.transpose(-1, -2) / math.sqrt(WIDTH / HEADS)).softmax(dim=-1)
        seen = (shares @ value).transpose(1, 2).flatten(2)
        values = values + state[f"{at}ls1.gamma"] * linear(seen, f"{at}attn.proj")
        hidden = linear(norm(values, f"{at}norm2"), f"{at}mlp.fc1")
        hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
        values = values + state[f"{at}ls2.gamma"] * linear(hidden, f"{at}mlp.fc2")
    return norm(values, "norm")[:, 0]


@pytest.fixture(scope="module")
def photographs():
    whole = torch.tensor(np.asarray(load_sample_image("flower.jpg"))).permute(2, 0, 1)
    corners = ((0, 0), (100, 200), (200, 40), (250, 400))
    return torch.stack([whole[:, row : row + 96, at : at + 96] for row, at in corners])


@pytest.fixture(scope="module")
def small(published, digest, photographs, host, tmp_path_factory):
    chosen = {"model": "small", "weights": str(published), "expected_hash": digest}
    data = Data("flower", photographs)
    return evaluator("dinov2", data, host, tmp_path_factory.mktemp("cache"), **chosen)


def test_features_are_those_of_the_network_written_out(small, published, photographs):
    with torch.no_grad():
        found = small._extractor.features(photographs[:2])
        expected = written_out(torch.load(published), dinov2.prepared(photographs[:2]))
    assert found.shape == (2, WIDTH)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_images_are_resized_as_pillow_would_and_normalised(photographs):
    picture = Image.fromarray(photographs[1].permute(1, 2, 0).numpy())
    large = np.asarray(picture.resize((224, 224), Image.Resampling.BICUBIC)) / 255
    expected = (large - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    found = dinov2.prepared(photographs[1:2])[0].permute(1, 2, 0).numpy()
    assert abs(found - expected).max() < 1.01 / 255 / 0.224


def test_the_protocol_names_model_weights_and_channels(small, digest, published, host, tmp_path):
    stated = small.protocol["extractor"]
    assert stated["network"] == "DINOv2, small, patches of 14"
    assert (stated["weights"], stated["weights_sha256"]) == ("not those of Meta", digest)
    assert stated["channels"] == "three"
    assert small.protocol["feature_width"] == WIDTH


def test_greyscale_is_repeated(small, photographs):
    grey = photographs[:1, :1]
    expected = dinov2.prepared(grey.repeat(1, 3, 1, 1))
    assert torch.equal(dinov2.prepared(grey), expected)


@pytest.fixture
def empty_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return tmp_path / "hub" / "checkpoints"


def test_without_a_network_the_file_folder_and_address_are_named(
    host, photographs, empty_hub, tmp_path, monkeypatch
):
    def offline(url, timeout):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(_weights.urllib.request, "urlopen", offline)
    with pytest.raises(DataError) as caught:
        evaluator("dinov2", Data("flower", photographs), host, tmp_path)
    message = str(caught.value)
    address = "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth"
    assert all(part in message for part in ("extractor dinov2", str(empty_hub), address))
    assert "weights dinov2_vitl14_pretrain.pth are not in" in message


def test_other_weights_in_the_cache_are_refused(host, photographs, empty_hub, published, tmp_path):
    empty_hub.mkdir(parents=True)
    (empty_hub / FILE).symlink_to(published)
    with pytest.raises(DataError, match=r"dinov2: the weights .*starts with b938bf1b"):
        evaluator("dinov2", Data("flower", photographs), host, tmp_path, model="small")


def test_weights_of_another_model_are_refused(host, photographs, published, digest, tmp_path):
    chosen = {"model": "base", "weights": str(published), "expected_hash": digest}
    with pytest.raises(DataError, match="holds not weights of the base model"):
        evaluator("dinov2", Data("flower", photographs), host, tmp_path, **chosen)


def test_without_timm_the_extra_is_named(host, photographs, tmp_path, monkeypatch):
    monkeypatch.setattr(_library, "find_spec", lambda _: None)
    with pytest.raises(EvaluationError, match=r"timm, which is not installed.*ganbench\[dinov2\]"):
        evaluator("dinov2", Data("flower", photographs), host, tmp_path)
