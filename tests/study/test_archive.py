"""A report folder's ledger: one run at a time, and results of one kind."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from ganbench.plugin import GanbenchError
from ganbench.study.archive import Archive, Header, read_header, results_of, write_atomically
from ganbench.study.definition import Definition
from ganbench.study.ledger import Ledger
from ganbench.study.records import Cell, Ending
from ganbench.study.results import ArmResult

HOLD = """
import sys, time
from pathlib import Path
from ganbench.study.archive import Archive
with Archive(Path(sys.argv[1])).locked():
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "report")


def header(fingerprint):
    return Header(
        study={"seeds": [0]},
        origins={},
        arms=(ArmResult("baseline", {}, "key"),),
        fingerprints={"baseline": fingerprint},
        protocol={},
        environment={},
        command="ganbench run tiny",
        quick=False,
        metric_notes={},
        collapse_rule="",
    )


def record(archive, fingerprint, value):
    definition = Definition("tiny", ("baseline",), {}, (0,))
    ledger = Ledger(archive.folder, definition)
    ledger.queue([Cell("baseline", 0, "key", fingerprint)])
    ending = Ending("complete", value, (), 1.0, 1.0, 8, None, {"value": value})
    ledger.finish(ledger.claim().number, ending)
    write_atomically(archive.samples("key", 0, fingerprint), str(value).encode())
    return ledger


@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
def test_of_two_supervisors_the_second_is_refused_until_the_first_is_dead(archive):
    command = [sys.executable, "-c", HOLD, str(archive.report)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(GanbenchError, match=f"process {holder.pid}"), archive.locked():
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    with archive.locked():
        assert (archive.folder / "run.pid").read_text() == str(os.getpid())
    assert not (archive.folder / "run.pid").exists()


def test_a_folder_that_cannot_be_made_is_told_with_the_option_for_another(tmp_path):
    (tmp_path / "report").write_text("a file")
    with pytest.raises(GanbenchError, match="--out"), Archive(tmp_path / "report").locked():
        pass


def test_results_made_with_something_else_stay_and_are_not_shown(archive):
    record(archive, "cpu", 1.0)
    ledger = record(archive, "cuda", 2.0)
    for fingerprint, value in (("cpu", 1.0), ("cuda", 2.0)):
        (trial,) = results_of(archive, header(fingerprint), ledger.records()).trials
        assert (trial.outcome, trial.details) == ("complete", {"value": value})
        assert trial.samples.read_text() == str(value)
    (trial,) = results_of(archive, header("mps"), ledger.records()).trials
    assert (trial.outcome, trial.samples) == ("pending", None)


def test_a_header_is_read_as_it_was_written(archive):
    assert read_header(archive) is None
    header("cpu").write(archive)
    assert read_header(archive) == header("cpu")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"arms": [{"nom": "x"}]}'])
def test_a_header_that_is_none_is_an_error_of_one_message(archive, text):
    write_atomically(archive.header, text.encode())
    with pytest.raises(GanbenchError, match="not a study's header"):
        read_header(archive)


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"before")

    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_atomically(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_kill_left_half_written_is_swept_and_nothing_else(archive):
    keep = [archive.journal, archive.checkpoint("key", 0), archive.samples("key", 0, "f")]
    for path in keep:
        write_atomically(path, b"whole")
        path.with_name(f"{path.name}.123.tmp").write_bytes(b"ha")
    archive.sweep()
    assert sorted(path for path in archive.folder.rglob("*") if path.is_file()) == sorted(keep)


def test_pictures_of_plugins_are_found_by_their_names_and_no_other_trial_s(archive):
    names = ["infogan.categories", "4x4.infogan.categories", "a/b+c.lapgan.levels"]
    for seed in (0, 10):
        for name in names:
            write_atomically(archive.picture("key", seed, "f", name), f"{name} {seed}".encode())
    write_atomically(archive.samples("key", 0, "f"), b"sheet")
    write_atomically(archive.picture("key", 0, "other", "infogan.categories"), b"other")
    found = archive.pictures()[archive.samples("key", 0, "f").stem]
    assert {name: path.read_text() for name, path in found.items()} == {
        "": "sheet",
        **{name: f"{name} 0" for name in names},
    }
    assert archive.samples("key", 1, "f").stem not in archive.pictures()
