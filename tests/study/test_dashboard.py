"""Optuna's dashboard opens a ledger, and shows what a reader looks for."""

import json
import threading
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import optuna
import optuna_dashboard
import pytest
from machine import plan_of
from test_ledger import LEVELS, TWO_ARMS, cells, ending
from test_supervisor import STUDY, Log

from ganbench.study.archive import Archive, read_results
from ganbench.study.ledger import Ledger
from ganbench.study.records import Cell, Draw
from ganbench.study.server import address_of
from ganbench.study.supervisor import run_study

NAMED = replace(TWO_ARMS, searches=("study/baseline",), figures=("fid", "collapse"))


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


@contextmanager
def dashboard(storage):
    """Serve a storage; give a function that asks for a path."""
    server = make_server("127.0.0.1", 0, optuna_dashboard.wsgi(storage), handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(path):
        with opener.open(f"http://127.0.0.1:{server.server_port}/{path}") as answer:
            text = answer.read().decode()
        return json.loads(text) if path.startswith("api/") else text

    try:
        yield ask
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def opened_by_optuna(where):
    """Open a journal's file or a database as its users would, without ganbench."""
    if isinstance(where, Path):
        yield optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(where)))
        return
    storage = optuna.storages.RDBStorage(where)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def studies(ask):
    """Return every study by its name, with its trials."""
    found = ask("api/studies")["study_summaries"]
    return {one["study_name"]: ask(f"api/studies/{one['study_id']}?after=0") for one in found}


def pairs(items):
    return {item["key"]: item["value"] for item in items}


def parameters(trial):
    return {one["name"]: one["param_external_value"] for one in trial["params"]}


def test_a_finished_study_s_trials_are_there_with_what_is_known_of_them(tmp_path, own_torch):
    report = tmp_path / "report"
    run_study(plan_of(STUDY, report, tmp_path / "cache"), Log())
    measured = {
        (trial.arm, str(trial.seed)): trial.evaluations[-1] for trial in read_results(report).trials
    }
    with opened_by_optuna(Archive(report).journal) as storage, dashboard(storage) as ask:
        assert "<title>Optuna Dashboard</title>" in ask("dashboard")
        (study,) = studies(ask).values()
    assert study["directions"] == ["minimize"]
    assert study["objective_names"] == ["fid"]
    assert study["has_intermediate_values"]
    assert pairs(study["user_attrs"]) == {
        "study": "tiny",
        "question": "Does it run?",
        "primary": "fid",
    }
    assert len(study["trials"]) == len(measured) == 4
    for trial in study["trials"]:
        own, attributes = parameters(trial), pairs(trial["user_attrs"])
        point = measured[own["arm"], own["seed"]]
        assert trial["state"] == "Complete"
        assert trial["values"] == [point.figures["fid"]]
        assert trial["intermediate_values"] == [{"step": 8, "value": point.figures["fid"]}]
        assert own["instance_noise"].startswith("off" if own["arm"] == "baseline" else "{start")
        assert (attributes["arm"], attributes["outcome"]) == (own["arm"], "complete")
        assert attributes["health"] == point.health
        assert json.loads(attributes["figures"]) == point.figures
        # What a reader wants stands before what is long.
        assert list(attributes)[-2:] == ["details", "evaluations"]
        short = [value for name, value in attributes.items() if name not in list(attributes)[-2:]]
        assert max(map(len, short)) < 300


@pytest.mark.parametrize("where", ["journal", "postgresql"])
def test_searches_and_trials_without_a_figure_are_shown(where, tmp_path, request):
    place, address = tmp_path / "journal.log", None
    if where == "postgresql":
        place = request.getfixturevalue("database")
        address = address_of(place, 1)
    ledger = Ledger(tmp_path, NAMED, address)
    lr = {"optimizers.generator.lr": optuna.distributions.FloatDistribution(1e-5, 0.1, log=True)}
    draw = Draw("study/baseline", 0, {"optimizers.generator.lr": 0.001}, lr, (100,), 2)
    tuned = Cell("baseline", 100, "key of a draw", "f", {"trick": "off"}, draw)
    ledger.queue([*cells(NAMED, seeds=(0,)), tuned])
    first = ledger.claim()
    ledger.finish(first.number, replace(ending(2.5), second=0.25))
    diverged, failed = ledger.claim(), ledger.claim()
    ledger.note(diverged.number, 10, 3.0)
    ledger.finish(diverged.number, ending(float("inf"), "diverged"))
    ledger.fail(failed.number, "failed", "ValueError: no")
    ledger.close()

    with opened_by_optuna(place) as storage, dashboard(storage) as ask:
        found = studies(ask)
    search, arms = found["study/baseline"], found[NAMED.study_name]
    assert search["directions"] == ["minimize", "minimize"]
    assert search["objective_names"] == ["fid", "collapse"]
    (trial,) = search["trials"]
    assert trial["values"] == [2.5, 0.25]
    assert parameters(trial) == {"optimizers.generator.lr": "0.001", "seed": "100"}
    assert arms["objective_names"] == ["fid"]
    diverged, failed = arms["trials"]
    assert (diverged["state"], diverged["values"]) == ("Complete", ["inf"])
    assert diverged["intermediate_values"] == [{"step": 10, "value": 3.0}]
    assert failed["state"] == "Fail"
    assert "ValueError: no" in json.dumps(failed["user_attrs"])
    assert parameters(failed)["trick"] == LEVELS["other"]
