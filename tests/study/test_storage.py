"""Storages at an address: which are taken, what is said of those that cannot be used."""

import gc
import sys
import time
from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState

from ganbench.plugin import GanbenchError
from ganbench.study import server as server_module
from ganbench.study.journal import LedgerError
from ganbench.study.server import address_of
from ganbench.study.storage import close_storage, open_storage


@pytest.fixture
def opened(tmp_path):
    """Open a storage; close it in the end."""
    storages = []

    def opened(url, *arguments, patience=60.0, **options):
        address = replace(address_of(url, 1), patience=patience)
        storages.append(open_storage(tmp_path / "journal", address, *arguments, **options))
        return storages[-1]

    yield opened
    for storage in storages:
        close_storage(storage)


NOWHERE = "postgresql+psycopg://me:secret@127.0.0.1:1/studies"


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("postgresql+psycopg://me@host:5433/db", "postgresql+psycopg://me@host:5433/db"),
        ("postgresql://me:secret@host/db", "postgresql+psycopg://me@host/db"),
        ("postgresql://host/db?password=secret&a=b", "postgresql+psycopg://host/db?a=b"),
        ("postgresql://host/db?sslpassword=secret", "postgresql+psycopg://host/db"),
    ],
)
def test_addresses_of_postgresql_are_taken_and_shown_without_their_password(url, taken):
    address = address_of(url, workers=64)
    assert address.shown == taken
    assert ("secret" in address.url) == ("secret" in url)
    assert "secret" not in repr(address)


def test_a_password_with_an_at_sign_is_not_taken_for_a_host_s_name():
    with pytest.raises(GanbenchError, match="written %40") as caught:
        address_of("postgresql://me:se@cret@host/db")
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["mysql://host/db", "postgresql+psycopg2://host/db", "redis://host", "sqlite://", "here"]
)
def test_other_storages_are_refused_with_those_that_are_supported(url):
    with pytest.raises(GanbenchError, match=r"supported are postgresql\+psycopg://"):
        address_of(url, workers=1)


def test_sqlite_is_refused_to_more_than_one_worker_with_the_reason():
    with pytest.raises(GanbenchError, match="115 of 300 trials twice"):
        address_of("sqlite:///study.db", workers=2)
    assert address_of("sqlite:///study.db", workers=1).url == "sqlite:///study.db"


def test_a_server_that_is_not_there_is_told_in_one_line_without_the_password(opened):
    with pytest.raises(LedgerError) as caught:
        opened(NOWHERE)
    assert "127.0.0.1" in str(caught.value)
    assert "Connection refused" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_driver_is_told_with_the_extra_that_brings_it(opened, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LedgerError, match=r"pip install 'ganbench\[postgresql\]'"):
        opened(NOWHERE)


def test_a_wrong_password_and_a_missing_database_are_told(opened, postgres):
    postgres.execute("DROP ROLE IF EXISTS locked")
    postgres.execute("CREATE ROLE locked LOGIN PASSWORD 'right'")
    with postgres.rule("local all locked scram-sha-256"):
        wrong = postgres.address("postgres", "locked:wrong")
        with pytest.raises(LedgerError, match="password authentication failed"):
            opened(wrong)
    with pytest.raises(LedgerError, match='database "missing" does not exist'):
        opened(postgres.address("missing"))


# Optuna gives up its engine with the connection in it, as the process does next.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tables_of_another_optuna_are_told(opened, database, postgres):
    opened(database)
    postgres.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'", of=database)
    with pytest.raises(LedgerError, match="no longer compatible with the table schema"):
        opened(database)
    gc.collect()


def test_a_server_that_restarts_is_waited_for_and_the_user_told_once(opened, database, postgres):
    told = []
    storage = opened(database, told.append)
    study = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "study")
    postgres.stop()
    postgres.start_later(seconds=1)
    assert storage.get_all_trials(study) == []
    trial = storage.create_new_trial(study)
    storage.set_trial_state_values(trial, TrialState.COMPLETE, [1.0])
    assert len(storage.get_all_trials(study)) == 1
    assert len(told) == 1
    assert told[0].startswith("the storage is away, and is waited for: ")


@pytest.mark.parametrize("impatience", ["no more patience", "the user wants to end"])
def test_a_server_that_stays_away_ends_in_one_line(
    opened, database, postgres, monkeypatch, impatience
):
    monkeypatch.setattr(server_module, "FIRST_WAIT", 0.05)
    patience = 0.2 if impatience == "no more patience" else 600
    began = time.monotonic()
    storage = opened(
        database,
        patience=patience,
        hurry=lambda: patience == 600 and time.monotonic() - began > 1,
    )
    postgres.stop()
    try:
        with pytest.raises(LedgerError, match="What is finished is safe, and the same command"):
            storage.get_all_studies()
    finally:
        postgres.start()


def test_a_study_that_is_deleted_meanwhile_is_told(opened, database):
    storage = opened(database)
    study = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "study")
    storage.delete_study(study)
    with pytest.raises(LedgerError, match="was deleted from it while it was in use"):
        storage.create_new_trial(study)
    with pytest.raises(KeyError):  # an answer to a question
        storage.get_study_id_from_name("study")
