from dataclasses import replace
from types import SimpleNamespace

from ganbench.study.definition import Definition
from ganbench.study.design import Arm
from ganbench.study.ledger import Ledger
from ganbench.study.provenance import notice_of_others, notice_of_strangers, provenance
from ganbench.study.records import Cell, Ending

HERE = {"device": "cpu", "torch": "2.15.0", "ganbench": "0.1.0"}
DEFINITION = Definition("tiny", ("baseline",), {}, (0, 1, 2))


def cells(fingerprint):
    return [Cell("baseline", seed, "key", fingerprint) for seed in (0, 1, 2)]


def arm(key):
    return Arm("baseline", {}, SimpleNamespace(key=lambda: key))


def ledger_with(folder, *details):
    """Return a ledger that has results of seeds 0, 1, ... made under the fingerprint old."""
    ledger = Ledger(folder, DEFINITION)
    ledger.queue(cells("old"))
    for own in details:
        ending = Ending("complete", 1.0, (), 1.0, 1.0, 8, None, own)
        ledger.finish(ledger.claim().number, ending)
    return ledger


def test_every_gpu_is_of_one_kind_and_the_cpu_of_another():
    assert provenance("cuda:0") == provenance("cuda:1")
    assert provenance("cuda:0") != provenance("cpu")
    assert set(provenance("cpu")) == set(HERE)


def test_results_of_another_device_or_version_are_named_with_what_differs(tmp_path):
    ledger = ledger_with(
        tmp_path, {**HERE, "device": "cuda"}, {**HERE, "device": "cuda", "torch": "2.14.0"}
    )
    said = notice_of_others(ledger.records(), ledger.queue(cells("new")), HERE)
    assert "2 earlier results are not used" in said
    assert "1 with device cuda instead of cpu;" in said
    assert "1 with device cuda instead of cpu, torch 2.14.0 instead of 2.15.0)" in said


def test_results_of_other_data_are_told_as_such(tmp_path):
    ledger = ledger_with(tmp_path, HERE)
    said = notice_of_others(ledger.records(), ledger.queue(cells("new")), HERE)
    assert "1 earlier result is not used" in said
    assert "with other data, another extractor, back end or plugin file" in said


def test_results_that_are_used_are_no_news(tmp_path):
    ledger = ledger_with(tmp_path, HERE)
    assert notice_of_others(ledger.records(), ledger.queue(cells("old")), HERE) is None


def test_results_of_none_of_the_arms_are_told(tmp_path):
    ledger = ledger_with(tmp_path, HERE, HERE)
    said = notice_of_strangers(ledger.records(), [arm("another key")])
    assert said.startswith("2 earlier results are not used, being of other settings than this run")


def test_results_of_the_arms_are_no_news_whatever_they_were_made_with(tmp_path):
    ledger = ledger_with(tmp_path, {**HERE, "device": "cuda"})
    assert notice_of_strangers(ledger.records(), [arm("another key"), arm("key")]) is None


def test_results_are_nobodys_only_once_every_arm_is_known(tmp_path):
    ledger = ledger_with(tmp_path, HERE)
    sought = Arm("best found", {}, None)
    assert notice_of_strangers(ledger.records(), [arm("another key"), sought]) is None
    assert notice_of_strangers(
        ledger.records(), [arm("another key"), replace(sought, skipped="no")]
    )
