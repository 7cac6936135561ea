"""What ``backend: auto`` is: nothing new on a CPU; elsewhere measured once, kept and told.

There is no GPU here: the CPU stands in for a device on which it is measured.
"""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from machine import plan_of

from ganbench.config.model import Execution
from ganbench.study import auto
from ganbench.study.archive import Archive, read_results
from ganbench.study.auto import as_chosen, measure_backends, settle_auto
from ganbench.study.choice import Choice
from ganbench.study.ledger import Ledger
from ganbench.study.prepare import prepare
from ganbench.study.run_plan import definition_of
from ganbench.study.supervisor import run_study
from ganbench.training import Trial

STUDY = {
    "name": "tiny",
    "question": "What is auto?",
    "dataset": {"name": "ring", "samples": 100},
    "baseline": {
        "architecture": {"name": "mlp", "hidden": 8},
        "latent": {"dimension": 2},
        "batch_size": 8,
        "steps": 4,
    },
    "factors": {"execution.backend": ["auto", "eager"]},
    "seeds": [0],
    "evaluation": {"extractor": "coordinates", "samples": 64, "every": 4, "batch_size": 64},
}
GRAPHED = Choice("graphed", {"eager": 1.0, "graphed": 0.25}, "baseline", "a GPU")
EAGER = Choice("eager", {"eager": 1.0, "graphed": 2.0}, "baseline", "a GPU")


class Log:
    """A monitor that keeps notices."""

    def __init__(self):
        self.notices = []

    def notice(self, text):
        self.notices.append(text)

    def __getattr__(self, name):
        return lambda *arguments: None


class Measures:
    """Stands in for the measurement, and counts."""

    def __init__(self, choice):
        self.choice, self.count = choice, 0

    def __call__(self, plan, prepared, arm, config, progress):
        self.count += 1
        assert (arm, config.execution.backend) == ("baseline", "auto")
        return self.choice


@pytest.fixture(autouse=True)
def _own_torch():
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)


@pytest.fixture
def measured_here(monkeypatch):
    monkeypatch.setattr(auto, "MEASURED_ON", ("cpu",))


@pytest.fixture
def plan(tmp_path):
    return plan_of(STUDY, tmp_path / "report", tmp_path / "cache")


@pytest.fixture
def prepared(plan):
    return prepare(plan, lambda *progress: None)


def settled(plan, prepared, measure):
    return settle_auto(plan, prepared, Archive(plan.report, plan.files), Log(), measure)


def test_on_a_cpu_nothing_is_measured_and_nothing_changes(plan, prepared):
    measure = Measures(GRAPHED)
    assert settled(plan, prepared, measure) is prepared
    assert measure.count == 0
    assert not Archive(plan.report).journal.exists()


@pytest.mark.usefixtures("measured_here")
def test_it_is_measured_once_and_enters_the_fingerprints_of_trials_it_concerns(plan, prepared):
    measure = Measures(GRAPHED)
    first = settled(plan, prepared, measure)
    again = settled(plan, prepared, Measures(EAGER))
    assert measure.count == 1
    assert first.auto == again.auto == GRAPHED
    assert first.instrument["auto"] == again.instrument["auto"] == "graphed"
    assert first.fingerprints == again.fingerprints
    # The other arm says itself what computes it.
    changed = {arm for arm, own in prepared.fingerprints.items() if first.fingerprints[arm] != own}
    assert changed == {"baseline"}


@pytest.mark.usefixtures("measured_here")
def test_other_arms_of_a_study_are_computed_as_the_first_ones(plan, prepared):
    settled(plan, prepared, Measures(GRAPHED))
    arm = replace(prepared.arms[1], name="another")
    # Another set of arms is another Optuna study in the same ledger.
    wider = replace(prepared, arms=(*prepared.arms, arm))
    measure = Measures(EAGER)
    assert settled(plan, wider, measure).auto == GRAPHED
    assert measure.count == 0


@pytest.mark.usefixtures("measured_here")
def test_results_of_eager_steps_stay_valid_where_auto_turns_out_to_be_eager(plan, prepared):
    found = settled(plan, prepared, Measures(EAGER))
    assert found.fingerprints == prepared.fingerprints
    assert found.instrument == prepared.instrument
    assert found.auto == EAGER


@pytest.mark.usefixtures("measured_here")
def test_a_machine_that_joins_takes_what_was_chosen(tmp_path, prepared, database):
    plans = [
        plan_of(STUDY, tmp_path / name, tmp_path / "cache", database) for name in ("one", "other")
    ]
    first = settled(plans[0], prepared, Measures(GRAPHED))
    measure = Measures(EAGER)
    second = settled(plans[1], prepared, measure)
    assert measure.count == 0
    assert second.auto == GRAPHED
    assert second.fingerprints == first.fingerprints


@pytest.mark.usefixtures("measured_here")
def test_of_two_that_measure_at_once_the_first_to_be_done_decides(tmp_path, prepared, database):
    one, other = (
        plan_of(STUDY, tmp_path / name, tmp_path / "cache", database) for name in ("one", "other")
    )

    def slowly(*arguments):
        settled(other, prepared, Measures(GRAPHED))
        return EAGER

    assert settled(one, prepared, slowly).auto == GRAPHED


@pytest.mark.usefixtures("measured_here")
def test_a_dry_run_tells_trials_apart_as_the_run_did(plan, prepared):
    found = settled(plan, prepared, Measures(GRAPHED))
    definition = definition_of(plan.study, prepared.arms)
    ledger = Ledger(Archive(plan.report).folder, definition)
    assert as_chosen(plan, prepared, ledger.descriptions()).fingerprints == found.fingerprints
    assert as_chosen(plan, prepared, []) is prepared


@pytest.mark.usefixtures("measured_here")
def test_workers_the_protocol_and_the_report_follow_the_choice(plan, monkeypatch):
    measure = Measures(GRAPHED)
    monkeypatch.setattr("ganbench.study.opening.measure_backends", measure)
    log = Log()
    run_study(plan, log)
    results = read_results(plan.report)
    told = "graphed (a step of baseline: eager 1 ms, graphed 0.25 ms; a GPU)"
    assert f"execution.backend auto is {told}" in log.notices
    assert results.protocol["execution"]["backend"] == "auto"
    assert results.protocol["execution"]["auto"] == "graphed"
    assert results.environment["backend auto"] == told
    taken = {trial.arm: trial.details["execution"] for trial in results.trials}
    # Here there are no CUDA graphs: that the worker tried shows in the reason.
    assert "need a cuda device" in taken["baseline"]["reason"]
    assert taken["execution backend=eager"] == {"backend": "eager"}
    log = Log()
    run_study(plan, log)
    assert measure.count == 1
    assert not any("trained again" in text for text in log.notices)


@pytest.fixture
def made_up_times(monkeypatch):
    """Let steps take what a table says, by the back end that a trial asked for."""
    milliseconds = {None: 4.0, "compiled": 3.0}

    def step(company, device, steps):
        company.advance(steps)
        backends = [steps.backend.name for steps in company.trials[0].captured]
        return milliseconds[backends[0] if backends else None]

    monkeypatch.setattr(auto, "milliseconds_a_step", step)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    return milliseconds


def measured(plan, prepared, **execution):
    config = prepared.arms[0].config.model_copy(update={"execution": Execution(**execution)})
    return measure_backends(plan, prepared, "baseline", config, lambda *progress: None)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize(("compiled", "chosen"), [(3.0, "compiled"), (5.0, "eager")])
def test_the_faster_one_is_chosen(plan, prepared, made_up_times, monkeypatch, compiled, chosen):
    monkeypatch.setattr(torch._inductor, "compile", lambda graph, arguments: graph)
    monkeypatch.setattr("ganbench.training.compiled.cpp_compiler", lambda: "none is called")
    monkeypatch.setattr(auto, "CANDIDATES", ("eager", "compiled"))
    made_up_times["compiled"] = compiled
    found = measured(plan, prepared)
    assert found == Choice(chosen, {"eager": 4.0, "compiled": compiled}, "baseline", "a GPU")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize(("at_once", "together"), [(6.0, 2), (7.0, 1)])
def test_several_trials_at_once_are_chosen_where_each_is_faster(
    plan, prepared, made_up_times, monkeypatch, at_once, together
):
    monkeypatch.setattr(torch._inductor, "compile", lambda graph, arguments: graph)
    monkeypatch.setattr("ganbench.training.compiled.cpp_compiler", lambda: "none is called")
    monkeypatch.setattr(auto, "CANDIDATES", ("eager", "compiled"))
    made_up_times["compiled"] = 3.25
    alone = auto.milliseconds_a_step

    def step(company, device, steps):
        spent = alone(company, device, steps)
        return at_once if len(company.trials) > 1 else spent

    monkeypatch.setattr(auto, "milliseconds_a_step", step)
    study = plan.study.model_copy(update={"seeds": (0, 1)})
    found = measured(replace(plan, study=study), prepared)
    assert (found.backend, found.together) == ("compiled", together)
    assert found.milliseconds["compiled, 2 trials at once"] == at_once / 2
    chosen = auto.with_choice(plan, prepared, found)
    assert chosen.instrument.get("together", 1) == together


@pytest.mark.usefixtures("made_up_times")
def test_what_cannot_be_graphed_is_eager_with_the_reason(plan, prepared, made_up_times):
    made_up_times["graphed"] = 1.0
    found = measured(plan, prepared)
    assert found.backend == "eager"
    assert "it cannot be graphed: graphs that are recorded need a cuda device" in str(found)


@pytest.mark.usefixtures("made_up_times")
def test_a_baseline_that_fails_or_diverges_is_no_measurement(plan, prepared, monkeypatch):
    def fails(self, count):
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(Trial, "advance", fails)
        assert measured(plan, prepared).reason == "measuring failed: RuntimeError: no"
    stopped = SimpleNamespace(execution={"backend": "eager"}, diverged_at=3)
    assert auto.obstacle("eager", [stopped]) == "it diverges at step 3"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_on_a_gpu_both_are_timed(tmp_path):
    plan = replace(plan_of(STUDY, tmp_path / "report", tmp_path / "cache"), devices=("cuda:0",))
    prepared = prepare(plan, lambda *progress: None)
    found = measured(plan, prepared)
    assert found.reason is None
    assert set(found.milliseconds) == {"eager", "graphed"}
    assert all(0 < spent < 1000 for spent in found.milliseconds.values())
