"""Workers that train several seeds of an arm at once: the study that each seed alone gives."""

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from ganbench.cli.main import cli
from ganbench.config.model import Execution
from ganbench.study import lanes, worker
from ganbench.study.bucket import FilesError
from ganbench.study.definition import Definition
from ganbench.study.ledger import Ledger
from ganbench.study.records import Cell
from ganbench.testing import tiny_config

STUDY = """
name: NAME
question: Do companions change the answer?
dataset: {name: ring, samples: 2000}
baseline:
  architecture: {name: mlp, hidden: 16, layers: 1}
  latent: {dimension: 2}
  batch_size: 16
  steps: 120
  execution: {together: TOGETHER}
  tricks: {dies: {}}
factors:
  optimizers.generator.lr: [0.0002, 5.0]
seeds: 6
evaluation: {extractor: coordinates, samples: 256, every: 40, batch_size: 512}
"""
DIES = '''
"""Dies once, in the middle of a trial, if it is asked to."""

import os
import signal
from pathlib import Path

from ganbench.plugin import Trick, TrickParameters

asked = Path(__file__).parent / "die"


class Dies(Trick):
    name = "dies"
    neutral = TrickParameters()

    def before_step(self, step, buffers):
        if step == 90 and asked.exists():
            asked.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
'''


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a study with the real workers; give its results and what was printed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dies.py").write_text(DIES)

    def run(name, together, workers=1):
        text = STUDY.replace("NAME", name).replace("TOGETHER", str(together))
        (tmp_path / f"{name}.yaml").write_text(text)
        given = ["run", f"{name}.yaml", "--plugin", "dies.py", "--device", "cpu"]
        result = CliRunner().invoke(cli, [*given, "--workers", str(workers)])
        assert result.exit_code == 0, result.output
        return json.loads((tmp_path / f"reports/{name}/results.json").read_text()), result.output

    return run


def figures(results):
    return {
        (trial["arm"], trial["seed"]): [point["figures"] for point in trial["evaluations"]]
        for trial in results["trials"]
    }


@pytest.mark.slow
def test_a_study_of_trials_trained_together_is_that_of_trials_trained_alone(run, tmp_path):
    alone, _ = run("alone", 1)
    ours, _ = run("ours", 4)
    ways = {trial["details"]["execution"]["backend"] for trial in ours["trials"]}
    assert ways == {"eager, 4 trials at once"}
    assert ours["protocol"]["execution"]["together"] == 4
    verdicts = [
        {item["arm"]: item["verdict"] for item in results["comparisons"]}
        for results in (alone, ours)
    ]
    assert verdicts[0] == verdicts[1]
    assert "hurts" in verdicts[0].values()

    # Other companions, and a worker that is killed on the way, change no number.
    (tmp_path / "die").touch()
    again, output = run("again", 4, workers=2)
    assert "was lost (killed by SIGKILL" in output
    assert figures(again) == figures(ours)


class Steps:
    """Stands in for what takes steps, and for its trials."""

    def __init__(self, trials, rows):
        self.failures, self.rows = {}, rows
        taken.append([trial.step for trial in trials])

    def advance(self, trials, count):
        for trial in trials:
            trial.step += count


taken = []


def lane_of(trial, *wishes):
    def course():
        for steps in wishes:
            yield trial, steps

    return SimpleNamespace(course=course)


def test_trials_at_other_steps_are_led_apart(monkeypatch):
    monkeypatch.setattr(lanes, "Together", Steps)
    taken.clear()
    trials = [Trialish(step) for step in (0, 40, 0)]
    lanes.lead([lane_of(trial, 5, 5) for trial in trials], 3)
    assert taken == [[0, 0], [40]]
    assert [trial.step for trial in trials] == [10, 50, 10]


class Trialish:
    """Has a step, and can be looked up."""

    def __init__(self, step):
        self.step = step


def test_they_take_no_more_steps_than_the_shortest_wish(monkeypatch):
    monkeypatch.setattr(lanes, "Together", Steps)
    trials = [Trialish(0), Trialish(0)]
    lanes.lead([lane_of(trials[0], 5), lane_of(trials[1], 2, 3)], 3)
    assert [trial.step for trial in trials] == [2, 5]


def test_what_a_trial_raises_is_thrown_into_its_own_course(monkeypatch):
    class Failing(Steps):
        def advance(self, trials, count):
            super().advance(trials, count)
            self.failures = {trials[0]: ValueError("no more")}

    heard = []

    def course(trial):
        try:
            yield trial, 1
        except ValueError as error:
            heard.append((trial, str(error)))

    monkeypatch.setattr(lanes, "Together", Failing)
    trials = [Trialish(0), Trialish(0)]
    made = [lane_of(trial) for trial in trials]
    for lane, trial in zip(made, trials, strict=True):
        lane.course = lambda trial=trial: course(trial)
    lanes.lead(made, 3)
    assert heard == [(trials[0], "no more")]


def test_seeds_that_are_trained_together_wait_side_by_side():
    cells = [Cell(arm, seed, arm, "f", {}) for seed in range(3) for arm in ("baseline", "noise")]

    def groups(*rooms):
        room_of = dict(zip(("baseline", "noise"), rooms, strict=True))
        found = lanes.parties(cells, lambda cell: room_of[cell.arm])
        return [[(cell.arm, cell.seed) for cell in group] for group in found]

    assert groups(2, 2) == [
        *[[("baseline", 0), ("baseline", 1)], [("noise", 0), ("noise", 1)]],
        *[[("baseline", 2)], [("noise", 2)]],
    ]
    assert groups(1, 1) == [[(cell.arm, cell.seed)] for cell in cells]
    # As many as there are groups find work: the arms' own numbers count.
    assert len(groups(1, 8)) == 4


def test_seeds_of_one_row_are_trained_apart():
    cells = [Cell("baseline", seed, "k", "f", {}) for seed in (1, 3, 5, 2)]
    groups = lanes.parties(cells, lambda cell: 4)
    assert [[cell.seed for cell in group] for group in groups] == [[1, 3, 2], [5]]


def test_how_many_are_trained_at_once():
    config, claim = tiny_config(), SimpleNamespace(search=None)

    def room(auto, claim=claim, **execution):
        changed = config.model_copy(update={"execution": Execution(**execution)})
        return lanes.room(changed, claim, auto)

    assert room(1) == 1
    assert room(8) == 8  # as it was measured, with the back end
    assert room(8, backend="eager") == 1
    assert room(8, together=3) == 3
    # One by one: what a search's trials come to decides which are wanted next.
    assert room(8, claim=SimpleNamespace(search="tuning"), together=3) == 1


@pytest.fixture
def gathering(tmp_path, monkeypatch):
    """Have a worker take trials of one arm, four at once; give what it is at each time."""
    config = tiny_config().model_copy(update={"execution": Execution(together=4)})
    definition = Definition("study", ("baseline",), {}, tuple(range(12)))
    ledger = Ledger(tmp_path, definition)
    place = SimpleNamespace(
        job=SimpleNamespace(configs={"k": config}, together=1),
        ledger=ledger,
        link=SimpleNamespace(send=lambda message: None),
    )
    at = []

    def gather(seeds, lead):
        ledger.queue([Cell("baseline", seed, "k", "f", {}) for seed in seeds])

        def note(lanes, rows):
            assert rows == 4
            at.append([lane.claim.seed for lane in lanes])
            for lane in lanes:
                lead(ledger, lane.claim)

        monkeypatch.setattr(worker, "lead", note)
        made = worker._Worker(place)
        while (first := ledger.claim()) is not None:
            made._train(first)
        return at

    gather.ledger = ledger
    return gather


def test_a_worker_takes_one_trial_of_each_row(gathering):
    def end(ledger, claim):
        ledger.fail(claim.number, "failed", "that is all")

    assert gathering([1, 3, 5, 2, 9], end) == [[1, 3, 2], [5], [9]]


def test_a_trial_that_cost_two_workers_is_trained_alone(gathering):
    def die(ledger, claim):
        ledger.lose(claim.number, "killed")

    # All are lost together twice; then each has a worker of its own to show if it was the one.
    assert gathering([0, 1, 2], die) == [[0, 1, 2], [0, 1, 2], [0], [1], [2]]


def test_where_files_cannot_be_written_all_trials_of_a_worker_wait_again(gathering):
    def stop(ledger, claim):
        raise FilesError("no room")

    with pytest.raises(FilesError):
        gathering([0, 1], stop)
    waiting = [record for record in gathering.ledger.records() if record.state.name == "WAITING"]
    assert {record.attributes["seed"] for record in waiting} == {0, 1}
