"""What a long study must not cost: counted, for no clock is steady enough."""

import hashlib
from collections import Counter
from dataclasses import replace

from test_ledger import TWO_ARMS, cells, ending

from ganbench.config.model import Study, TrialConfig
from ganbench.plugin import Host
from ganbench.study.definition import MOST_CHOICES, Definition
from ganbench.study.design import expand
from ganbench.study.duplicates import Duplicates
from ganbench.study.journal import JOURNAL
from ganbench.study.ledger import Ledger
from ganbench.study.records import Cell
from ganbench.study.run_plan import cells_of


class Counted:
    """A trial that counts how often it is looked into."""

    def __init__(self, trial, reads):
        self._trial, self._reads = trial, reads

    def __getattr__(self, name):
        self._reads[name] += 1
        return getattr(self._trial, name)


def test_a_trial_that_has_ended_is_looked_into_once_however_many_claims_there_are(tmp_path):
    ledger = Ledger(tmp_path, replace(TWO_ARMS, seeds=tuple(range(6))))
    ledger.queue(cells(TWO_ARMS, seeds=range(6)))
    for _ in range(9):
        ledger.finish(ledger.claim().number, ending())
    reads = Counter()
    trials = [Counted(record.trial, reads) for record in ledger.records()]
    duplicates = Duplicates()
    assert not duplicates.gives_way(trials[9], trials)
    first = reads.pop("user_attrs")
    assert first >= 9
    assert not duplicates.gives_way(trials[10], trials)
    assert reads["user_attrs"] <= 3


def test_a_study_s_name_is_made_once_however_many_records_a_look_takes_in(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path, TWO_ARMS)
    wanted = cells(TWO_ARMS)
    ledger.queue(wanted)
    hashes = Counter()
    sha256 = hashlib.sha256
    monkeypatch.setattr(hashlib, "sha256", lambda text: hashes.update("x") or sha256(text))
    ledger.queue(wanted)
    assert len(ledger.records()) == 6
    assert hashes["x"] == 0


def test_a_configuration_s_key_is_made_once_however_many_seeds_it_is_trained_with(monkeypatch):
    study = Study.model_validate(
        {
            "name": "tiny",
            "question": "Which?",
            "dataset": "digits",
            "baseline": {"architecture": "mlp"},
            "factors": {"label_smoothing": ["off", {"real": 0.9}]},
            "seeds": 50,
        }
    )
    arms = expand(study, Host())
    keys = Counter()
    key = TrialConfig.key
    monkeypatch.setattr(TrialConfig, "key", lambda self: keys.update("x") or key(self))
    found = cells_of(study, arms, dict.fromkeys((arm.name for arm in arms), "f"))
    assert len(found) == 100
    assert keys["x"] == 2


def test_a_trial_takes_no_more_room_in_a_study_of_many_arms(tmp_path):
    sizes = []
    for count in (MOST_CHOICES + 1, 4 * MOST_CHOICES):
        arms = tuple(f"arm {number:03}" for number in range(count))
        ledger = Ledger(tmp_path / str(count), Definition("study", arms, {"on": "yn"}, (0,)))
        file = tmp_path / str(count) / JOURNAL
        before = file.stat().st_size
        ledger.queue([Cell(arms[7], 0, "key", "f", {"on": "y"})])
        sizes.append(file.stat().st_size - before)
        record = ledger.records()[0]
        assert record.attributes["arm"] == "arm 007"
        assert record.trial.params == {"on": "y", "seed": 0}
    assert sizes[0] == sizes[1] < 1_000


def test_processes_that_lose_the_first_trial_do_not_all_try_for_the_second(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path, replace(TWO_ARMS, seeds=tuple(range(9))))
    ledger.queue(cells(TWO_ARMS, seeds=range(9))[:17])
    tries = []
    monkeypatch.setattr(Ledger, "shared", True)
    monkeypatch.setattr(ledger, "_take", tries.append)
    orders = []
    for process in range(4_000, 4_016):
        monkeypatch.setattr("os.getpid", lambda process=process: process)
        tries.clear()
        assert ledger.claim() is None
        orders.append(list(tries))
    assert all(sorted(order) == list(range(17)) for order in orders)
    assert {order[0] for order in orders} == {0}
    assert len({order[1] for order in orders}) == 16
