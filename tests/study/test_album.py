"""A trial's pictures: what cannot be drawn is told, and costs no result."""

import errno
import os
from types import SimpleNamespace

import pytest
import torch

from ganbench.evaluation.inspecting import Seen
from ganbench.plugin import Data, Picture
from ganbench.study import album
from ganbench.study.album import Album
from ganbench.study.archive import Archive
from ganbench.study.claim import Claim
from ganbench.training import HookError, NonFiniteError

DATA = Data("noise", torch.zeros(64, 1, 8, 8, dtype=torch.uint8))
CLAIM = Claim(7, "batch_norm", 3, "key", "print")


class Config:
    """A configuration that is not looked at."""

    def model_dump_json(self):
        return "{}"


class Built:
    """A pair, as far as its generator goes."""

    def __init__(self, generator):
        self.pair = SimpleNamespace(generator=generator)
        self.modules, self.buffers = {}, {}


class Shown:
    """A trial, as far as its pictures go, and with a generator of its own."""

    seed, step, tricks, config = 3, 10, (), Config()

    def __init__(self, pictures=None, sample=None, width=2):
        self._pictures, self._sample = pictures, sample
        self.pairs = (Built(torch.nn.Linear(2, width)),)

    def sample(self, count):
        if self._sample is not None:
            raise self._sample
        return DATA.items[:count]

    def pictures(self):
        if isinstance(self._pictures, Exception):
            raise self._pictures
        return self._pictures or {}


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path)


class Looking:
    """The study's inspections, as far as an album goes."""

    def __init__(self, seen=None):
        self.seen = seen or Seen()

    def look(self, trial):
        return self.seen


def keep(archive, shown, seen=None):
    notices = []
    files = archive.open_files()
    Album(archive, files, CLAIM, notices.append).keep(shown, DATA, Looking(seen))
    return notices


def own(archive):
    """Return the names of the plugins' own pictures of the one trial."""
    (found,) = archive.pictures().values()
    return set(found) - {""}


def picture():
    return Picture(torch.zeros(1, 1, 1, 8, 8), "one")


def test_samples_and_the_plugins_own_pictures_are_kept(archive):
    shown = Shown({"painter.one": picture(), "4x4.painter.one": picture()})
    assert keep(archive, shown) == []
    assert archive.samples("key", 3, "print").exists()
    assert own(archive) == {"painter.one", "4x4.painter.one"}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            HookError("painter", "draw_pictures", ValueError("no paint")),
            "painter.draw_pictures raised ValueError: no paint",
        ),
        (AttributeError("no items"), "AttributeError: no items"),
    ],
)
def test_a_plugin_that_cannot_draw_is_told_and_the_samples_are_kept(archive, error, told):
    (notice,) = keep(archive, Shown(error))
    assert notice == f"seed 3 of batch_norm: no pictures of the plugins' own: {told}"
    assert archive.samples("key", 3, "print").exists()


def test_one_picture_that_cannot_be_drawn_does_not_cost_the_others(archive):
    bad = picture()
    object.__setattr__(bad, "images", torch.zeros(3))
    (notice,) = keep(archive, Shown({"painter.bad": bad, "painter.good": picture()}))
    assert "painter.draw_pictures gave 'bad', which cannot be drawn: " in notice
    assert own(archive) == {"painter.good"}


def test_samples_beyond_those_measured_that_are_not_finite_are_told(archive):
    (notice,) = keep(archive, Shown({"painter.one": picture()}, NonFiniteError("nan")))
    assert notice == "seed 3 of batch_norm: there is no picture of samples: nan"
    assert own(archive) == {"painter.one"}


def test_a_full_disk_is_told(archive, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    notices = keep(archive, Shown({"painter.one": picture()}))
    assert len(notices) == 3
    assert all("could not be written: No space left" in notice for notice in notices)


def test_what_inspections_show_is_kept_apart_and_what_they_do_not_is_handed_back(archive):
    seen = Seen(
        {"walks.one": picture()}, {"features": "no convolutions"}, {"mine": "ValueError: no"}
    )
    notices = []
    album = Album(archive, archive.open_files(), CLAIM, notices.append)
    lacking = album.keep(Shown({"painter.one": picture()}), DATA, Looking(seen))
    assert own(archive) == {"painter.one", "inspection/walks.one"}
    assert lacking == {"features": "no convolutions", "mine": "ValueError: no"}
    assert notices == ["seed 3 of batch_norm: no pictures of the inspection mine: ValueError: no"]


def test_the_generator_is_kept_unless_it_is_too_large(archive, monkeypatch):
    assert keep(archive, Shown()) == []
    assert archive.generator("key", 3, "print").exists()
    archive.generator("key", 3, "print").unlink()
    monkeypatch.setattr(album, "MOST_BYTES", 2**20)
    (notice,) = keep(archive, Shown(width=2**17))
    assert (
        "seed 3 of batch_norm: the generator's weights are not kept, for they take 2 MiB" in notice
    )
    assert "--retrain" in notice
    assert not archive.generator("key", 3, "print").exists()


def test_a_generator_that_cannot_be_saved_costs_no_result(archive):
    class Odd:
        name = "odd"

        def state_dict(self):
            raise ZeroDivisionError("of its own")

    shown = Shown()
    shown.tricks = (Odd(),)
    (notice,) = keep(archive, shown)
    assert "ZeroDivisionError: of its own" in notice
