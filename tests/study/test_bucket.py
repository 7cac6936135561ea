"""Trials' files on an object store: whole or not at all, waited for, and told in one line."""

import sys
import threading
from contextlib import chdir, closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from ganbench.cli.main import cli
from ganbench.plugin import GanbenchError
from ganbench.study import bucket as bucket_module
from ganbench.study.archive import Archive
from ganbench.study.bucket import Bucket, FilesError
from ganbench.study.places import BucketPlace, place_of

STUDY = """
name: tiny
question: Does it run?
dataset: {name: ring, samples: 1000}
baseline: {architecture: {name: mlp, hidden: 8}, batch_size: 8, steps: 8}
factors: {instance_noise: ["off", {start: 0.1}]}
seeds: 1
evaluation: {extractor: coordinates, samples: 64, every: 8, batch_size: 64}
"""


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("/shared/files", Path("/shared/files")),
        ("files", Path.cwd() / "files"),
        ("s3://bucket", BucketPlace("bucket")),
        ("s3://bucket/a/b/", BucketPlace("bucket", "a/b")),
    ],
)
def test_a_place_is_a_folder_or_a_bucket(text, place):
    assert place_of(text) == place
    assert place_of(str(place)) == place


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gs://bucket/a", "gs://… is not supported"),
        ("s3:///a", "names no bucket"),
        ("s3:/bucket/a", "names no bucket"),
    ],
)
def test_other_places_are_refused_with_what_is_expected(text, told):
    with pytest.raises(GanbenchError, match="s3://BUCKET/PREFIX") as caught:
        place_of(text)
    assert told in str(caught.value)


@pytest.fixture
def opened(object_store):
    """Open a bucket's place, with a log of what the user is told; close it in the end."""
    buckets = []

    def opened(place, **options):
        buckets.append(Bucket(place, **options))
        return buckets[-1]

    yield opened
    for bucket in buckets:
        bucket.close()


@pytest.fixture
def place(object_store):
    return BucketPlace(object_store.bucket(), "some/study")


def test_what_was_written_is_read_listed_and_deleted_below_its_prefix_alone(opened, place):
    ours, whole = opened(place), opened(BucketPlace(place.bucket))
    ours.check()
    assert whole.sizes("some") == {}
    assert ours.read("samples/a.png") is None
    whole.write("samples/b.png", b"another study's")
    ours.write("samples/a.png", b"first")
    ours.write("samples/a.png", b"picture")
    assert ours.read("samples/a.png") == b"picture"
    assert ours.sizes("samples") == {"a.png": 7}
    assert whole.sizes("some/study") == {"samples/a.png": 7}
    ours.delete("samples/a.png")
    ours.delete("samples/a.png")
    assert ours.sizes("samples") == {}


def test_of_two_that_make_the_same_file_the_first_one_s_stands(place, object_store, tmp_path):
    here, there = (Archive(tmp_path / name, place) for name in ("here", "there"))
    for archive, made in ((here, b"here"), (there, b"there")):
        archive.evaluation.mkdir(parents=True)
        (archive.evaluation / "classifier.pt").write_bytes(made)
    with closing(here.open_files()) as ours, closing(there.open_files()) as theirs:
        assert ours.copy_here(here.evaluation) == set()
        assert ours.offer(here.evaluation, set())
        assert not theirs.offer(there.evaluation, set())
        brought = theirs.copy_here(there.evaluation)
        assert brought == {"classifier.pt"}
        assert (there.evaluation / "classifier.pt").read_bytes() == b"here"
        assert theirs.offer(there.evaluation, brought)


def test_a_report_s_pictures_are_brought_once_and_no_other_study_s(place, object_store, tmp_path):
    archive = Archive(tmp_path, place)
    sheet = archive.samples("key", 0, "f")
    own = archive.picture("key", 0, "f", "a/b.painter.one")
    other = archive.samples("key", 1, "f")
    with closing(archive.open_files()) as files:
        for path in (sheet, own, other):
            files.write(path, path.name.encode())
        assert not archive.album.exists()
        assert files.copy_here(archive.album, {sheet.stem}) == {sheet.name, own.name}
        assert archive.pictures() == {sheet.stem: {"": sheet, "a/b.painter.one": own}}
        assert sheet.read_bytes() == sheet.name.encode()
        assert files.copy_here(archive.album, {sheet.stem}) == set()


def test_a_store_that_is_away_is_waited_for_by_who_reads_and_told_to_who_writes(
    opened, place, object_store, monkeypatch
):
    monkeypatch.setattr(bucket_module, "TRIES", 1)
    told = []
    bucket = opened(place, notice=told.append)
    bucket.write("trial.pt", b"state")
    object_store.stop()
    try:
        with pytest.raises(OSError, match="Could not connect"):
            bucket.write("trial.pt", b"later state")
        with pytest.raises(FilesError, match="Could not connect"):
            opened(place, hurry=lambda: True).read("trial.pt")
        monkeypatch.setattr(bucket_module, "PATIENCE", 0.0)
        with pytest.raises(FilesError, match="Could not connect"):
            bucket.sizes("samples")
        monkeypatch.undo()
    finally:
        object_store.start_later(seconds=1)
    assert bucket.read("trial.pt") == b"state"
    assert len(told) == 1
    assert told[0].startswith(f"{place} is away, and is waited for: ")


class Script:
    """A server on this machine whose answers are written down beforehand."""

    def __init__(self, monkeypatch, *answers):
        left = list(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, length, content = left.pop(0)
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(content)
                self.close_connection = True

            def log_message(self, *arguments):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{self.server.server_port}")
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()


def test_what_arrives_torn_is_read_again(opened, place, monkeypatch):
    whole = b"state" * 100
    told = []
    with Script(monkeypatch, (200, len(whole), whole[:77]), (200, len(whole), whole)):
        assert opened(place, notice=told.append).read("trial.pt") == whole
    assert len(told) == 1


def test_a_refusal_is_told_at_once_with_the_store_s_own_words(opened, place, monkeypatch):
    text = b"<Error><Code>AccessDenied</Code><Message>Not for you</Message></Error>"
    with Script(monkeypatch, (403, len(text), text)):
        bucket = opened(place)
        with pytest.raises(FilesError) as caught:
            bucket.read("trial.pt")
    assert str(caught.value) == f"{place}: Not for you (AccessDenied)"


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ("no bucket", "s3://nowhere/files: there is no bucket 'nowhere'"),
        ("no credentials", "expected AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("nobody there", 'Could not connect to the endpoint URL: "http://127.0.0.1:1/nowhere'),
        ("no address", "Invalid endpoint: here"),
        ("no package", "pip install 'ganbench[s3]'"),
        ("no storage", "--files is for a study on many machines, with --storage"),
    ],
)
def test_a_mistake_is_told_in_one_line_before_anything_is_done(
    trouble, told, object_store, monkeypatch, tmp_path
):
    monkeypatch.setattr(bucket_module, "TRIES", 1)
    storage = ["--storage", f"sqlite:///{tmp_path}/ledger.db"]
    match trouble:
        case "no credentials":
            monkeypatch.delenv("AWS_ACCESS_KEY_ID")
            monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        case "nobody there":
            monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        case "no address":
            monkeypatch.setenv("AWS_ENDPOINT_URL", "here")
        case "no package":
            monkeypatch.setitem(sys.modules, "boto3", None)
        case "no storage":
            storage = []
    (tmp_path / "tiny.yaml").write_text(STUDY)
    options = ["--device", "cpu", "--workers", "1", "--files", "s3://nowhere/files", *storage]
    with chdir(tmp_path), pytest.raises(GanbenchError) as caught:
        CliRunner(env={"GANBENCH_STORAGE": None}, catch_exceptions=False).invoke(
            cli, ["run", "tiny.yaml", *options]
        )
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("evaluation"))
