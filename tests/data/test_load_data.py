"""load_data: names, parameters, the data root, and what a stranger's plugin may not give."""

import dataclasses
import hashlib
import re
import struct
from pathlib import Path

import platformdirs
import pytest
import torch

from ganbench.data.load import data_hash, data_root, find_problem, load_data
from ganbench.plugin import Centres, Data, DataError, Host, UnknownPluginError

PLUGIN = '''
import torch
from ganbench.plugin import Data, Dataset, DatasetParameters

class Noise(Dataset):
    """Noise."""

    name = "noise"

    class Parameters(DatasetParameters):
        channels: int = 1

    def load(self, root, progress):
        progress("noise", 1, 1)
        return Data("noise", torch.full((4, self.parameters.channels, 8, 8), 9, dtype=torch.uint8),
                    notes=(str(root),))
'''


@pytest.fixture
def host(tmp_path):
    file = tmp_path / "noise.py"
    file.write_text(PLUGIN)
    return Host([file], entry_points=False)


def images(count=4, channels=1, size=8):
    return torch.full((count, channels, size, size), 200, dtype=torch.uint8)


def test_a_data_set_of_a_plugin_file_is_loaded_from_the_root_given(host, tmp_path):
    heard = []
    data = load_data("noise", {"channels": 3}, host, tmp_path, lambda *told: heard.append(told))
    assert data.shape == (3, 8, 8)
    assert data.notes == (str(tmp_path),)
    assert heard == [("noise", 1, 1)]


def test_an_unknown_name_names_the_nearest(host):
    with pytest.raises(UnknownPluginError, match="did you mean 'noise'"):
        load_data("nose", {}, host)


def test_a_wrong_parameter_is_named_with_its_value(host):
    with pytest.raises(DataError, match=r"'noise'.*channels.*'three'"):
        load_data("noise", {"channels": "three"}, host)
    with pytest.raises(DataError, match=r"'noise'.*colour"):
        load_data("noise", {"colour": 1}, host)


def test_unusable_data_name_the_plugin_and_where_it_came_from(host, tmp_path):
    with pytest.raises(DataError, match=r"'noise' of .*noise\.py.*2 channels.*expected 1 or 3"):
        load_data("noise", {"channels": 2}, host, tmp_path)


def test_the_root_is_the_environment_variable_or_else_the_users_cache(monkeypatch, tmp_path, host):
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path / "chosen"))
    assert data_root() == tmp_path / "chosen"
    assert load_data("noise", {}, host).notes == (str(tmp_path / "chosen"),)
    monkeypatch.setenv("GANBENCH_DATA", "~/chosen")
    assert data_root() == Path.home() / "chosen"
    monkeypatch.delenv("GANBENCH_DATA")
    assert data_root().is_relative_to(platformdirs.user_cache_dir("ganbench"))


def test_a_root_that_is_a_file_is_refused(host, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file, not a folder; set GANBENCH_DATA"):
        load_data("noise", {}, host, tmp_path / "file")


LABELS = torch.tensor([0, 1, 1, 0])
CLASSES = ("cat", "dog")
POINTS = torch.zeros((4, 2))
CENTRES = Centres(torch.zeros((2, 2)), 0.1)


@pytest.mark.parametrize(
    "data",
    [
        Data("x", images()),
        Data("x", images(2, 3, 64)),
        Data("x", images(), LABELS, CLASSES),
        Data("x", POINTS),
        Data("x", POINTS, LABELS, CLASSES, CENTRES),
        Data("x", images(), held_out=images(7)),
    ],
)
def test_sound_data_have_no_problem(data):
    assert find_problem(data) is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (images(), "returned a Tensor, expected a ganbench.plugin.Data"),
        (Data("x", images().numpy()), "items are a ndarray, expected a tensor"),
        (Data("x", images().float()), "float32, expected torch.uint8"),
        (Data("x", images()[:, 0]), r"shape \(4, 8, 8\), expected"),
        (Data("x", images(1)), "1 items, expected at least 2"),
        (Data("x", images(4, 4)), "4 channels"),
        (Data("x", images(4, 1, 7)), "7×7, expected square ones of 8 to 64"),
        (Data("x", images(4, 1, 65)), "65×65, expected square ones of 8 to 64"),
        (Data("x", images()[..., :7]), "8×7, expected square"),
        (Data("x", POINTS.double()), "float64, expected torch.float32"),
        (Data("x", POINTS / 0), "4 points are not finite"),
        (Data("x", POINTS[:, :0]), "no coordinate"),
        (Data("x", images(), classes=CLASSES), "2 classes but no labels"),
        (Data("x", images(), LABELS.int(), CLASSES), "int32, expected torch.int64"),
        (Data("x", images(), LABELS.tolist(), CLASSES), "labels are list, expected torch.int64"),
        (Data("x", images(), LABELS[:3], CLASSES), r"shape \(3,\), expected \(4,\)"),
        (Data("x", images(), LABELS, CLASSES[:1]), "run from 0 to 1, expected 0 to 0"),
        (Data("x", images(), LABELS - 1, CLASSES), "run from -1 to 0"),
        (Data("x", images(), LABELS, ("cat", "cat")), "same name"),
        (Data("x", images(), LABELS, CLASSES, CENTRES), "only for points"),
        (Data("x", images(), held_out=images().float()), "held-out items are torch.float32"),
        (Data("x", images(), held_out=images(4, 3)), r"held-out items have shape \(4, 3"),
        (Data("x", POINTS, held_out=[1.0]), "held-out items are list"),
        (Data("x", POINTS, LABELS, ("a", "b", "c"), CENTRES), r"expected \(3, 2\)"),
        (
            Data("x", POINTS, LABELS, CLASSES, dataclasses.replace(CENTRES, deviation=0.0)),
            "deviation is 0.0, expected above 0",
        ),
    ],
)
def test_each_kind_of_unusable_data_is_told(data, problem):
    assert re.search(problem, find_problem(data) or "")


def test_the_hash_is_a_sha256_of_type_shape_and_bytes():
    data = Data("x", torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0, 1]), ("a", "b"))
    content = (
        b"torch.float32(2, 2);"
        + struct.pack("<4f", 1, 2, 3, 4)
        + b"torch.int64(2,);"
        + struct.pack("<2q", 0, 1)
    )
    assert data_hash(data) == hashlib.sha256(content).hexdigest()[:16]


def test_held_out_items_are_no_part_of_the_hash():
    plain = Data("x", images())
    assert data_hash(Data("x", plain.items, held_out=images(7))) == data_hash(plain)


def test_the_hash_sees_items_shape_and_labels_but_no_names_or_strides():
    items = torch.arange(2 * 3 * 8 * 8).to(torch.uint8).view(2, 3, 8, 8)
    labels = torch.tensor([0, 1])
    base = data_hash(Data("a", items, labels, ("x", "y")))
    transposed = items.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert data_hash(Data("b", transposed, labels, ("u", "v"), notes=("n",))) == base
    others = [
        Data("a", items.flip(0), labels, ("x", "y")),
        Data("a", items.view(6, 1, 8, 8), labels, ("x", "y")),
        Data("a", items, 1 - labels, ("x", "y")),
        Data("a", items),
    ]
    assert len({base, *map(data_hash, others)}) == 5
