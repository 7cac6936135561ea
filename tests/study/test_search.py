"""A search: what it tries, whom it chooses, and that neither depends on who worked when."""

from math import inf, sqrt

import optuna
import pytest
from optuna.trial import TrialState
from searching_studies import LR, SEARCH, SPACE, Play, ending, objective, point, study_of

from ganbench.config.model import TrialConfig
from ganbench.plugin import GanbenchError, Host
from ganbench.study.archive import Archive
from ganbench.study.journal import open_journal
from ganbench.study.records import Ending, complete_identities, failures, settle
from ganbench.study.search import Tried, geometric_mean, prune, second_value
from ganbench.study.search_records import search_result
from ganbench.study.search_result import budget_curve
from ganbench.study.searches import FOUND
from ganbench.study.searching import choose, front


@pytest.fixture(scope="module")
def host():
    return Host()


@pytest.fixture
def play(tmp_path, host):
    made = iter(range(100))

    def play(objective=objective, **changes):
        study = study_of(host, design={**SEARCH, **changes})
        return Play(tmp_path / str(next(made)), study, host, objective)

    return play


def settled(found):
    """Return the arm that a search came to."""
    (arm,), _ = found.searches.settled(found.searches.arms, found.ledger.records())
    return arm


def test_tpe_finds_the_known_minimum_and_comes_nearer_than_chance(play):
    best = {}
    for sampler in ("tpe", "random"):
        found = play(trials=40, sampler=sampler, seeds=[100])
        found.to_the_end()
        arm = settled(found)
        assert arm.config.latent.dimension == 16
        best[sampler] = objective(arm.config.model_dump(), 100)
    assert best["tpe"] < 1.01  # the bottom is 1
    assert best["tpe"] < best["random"]


def test_every_configuration_is_trained_at_every_tuning_seed_and_no_other(play):
    found = play(trials=5)
    assert found.to_the_end() == 10
    records = found.ledger.records()
    assert {record.attributes["seed"] for record in records} == {100, 101}
    assert all(record.state == TrialState.COMPLETE for record in records)


@pytest.mark.parametrize("pruner", ["none", "median"])
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_what_is_tried_does_not_depend_on_the_number_of_workers(play, sampler, pruner):
    alone = play(trials=14, sampler=sampler, pruner=pruner, parallel=3)
    alone.to_the_end()
    together = play(trials=14, sampler=sampler, pruner=pruner, parallel=3)
    together.to_the_end(workers=5, seed=1)
    assert alone.tried() == together.tried()
    assert settled(alone).config == settled(together).config


def test_no_more_are_under_way_than_may_be(play):
    found = play(trials=12, parallel=3)
    assert len(found.wanted()) == 3
    found.to_the_end(workers=1, most=4)
    claims = len({cell.draw.index for cell in found.wanted()})
    ended = sum(record.state == TrialState.COMPLETE for record in found.ledger.records()) // 2
    assert claims - ended <= 3


def test_chance_needs_nobody_s_answer_and_wants_all_at_once(play):
    assert len(play(trials=12, sampler="random").wanted()) == 12


def test_a_larger_budget_goes_on_where_the_smaller_ended(play, tmp_path, host):
    small = play(trials=6)
    small.to_the_end()
    first = small.tried()
    study = study_of(host, design={**SEARCH, "trials": 10})
    large = Play(tmp_path / "0", study, host)
    assert large.to_the_end() == 8  # four configurations more, at two seeds
    assert large.tried()[:6] == first
    whole = play(trials=10)
    whole.to_the_end()
    assert large.tried() == whole.tried()


def test_a_search_that_was_cut_short_goes_on_to_the_same_end(play, tmp_path, host):
    whole = play()
    whole.to_the_end()
    cut = play()
    cut.to_the_end(most=7)
    cut.ledger.queue(cut.wanted(), orphans=False)
    cut.ledger.claim()  # and its worker dies
    again = Play(tmp_path / "1", study_of(host, design=SEARCH), host)
    again.ledger.queue(again.wanted(), orphans=True)
    again.to_the_end()
    assert again.tried() == whole.tried()


def test_optuna_s_own_tools_read_a_search(play, tmp_path):
    found = play(trials=20, seeds=[100])
    found.to_the_end()
    storage = open_journal(tmp_path / "0" / Archive(tmp_path).journal.name)
    study = optuna.load_study(study_name=found.search.rules.name, storage=storage)
    assert study.study_name.startswith("tiny/best found-")
    assert study.best_params.keys() == {LR, "latent.dimension", "seed"}
    assert study.trials[0].distributions[LR] == optuna.distributions.FloatDistribution(
        1e-5, 1e-1, log=True
    )
    shares = optuna.importance.get_param_importances(study)
    assert max(shares, key=shares.get) == LR


def test_what_a_search_trained_is_no_result_of_the_study(play):
    found = play(trials=3)
    found.to_the_end()
    records = found.ledger.records()
    assert records
    assert settle(records) == {}
    assert complete_identities(records) == set()


def test_the_arm_that_comes_out_has_the_best_configuration_and_no_seed_of_the_search(play):
    found = play(trials=8)
    assert settled(found).config is None
    found.to_the_end()
    arm = settled(found)
    assert arm.name == FOUND
    values = {}
    for record in found.ledger.records():
        values.setdefault(record.index, []).append(record.trial.value)
    best = min(values, key=lambda index: values[index][0] * values[index][1])
    assert arm.tuned == {key: found.tried()[best][key] for key in SPACE}
    assert isinstance(arm.config, TrialConfig)


def test_a_diverged_configuration_is_worse_than_any_and_not_trained_further(play):
    def diverges(config, seed):
        if config["latent"]["dimension"] == 16:  # where the bottom of the bowl is
            return Ending("diverged", inf, (), 0.8, 0.1, 3, "not finite at step 3", {})
        return objective(config, seed)

    found = play(diverges, trials=12, seeds=[100, 101])
    found.to_the_end()
    arm = settled(found)
    assert arm.config.latent.dimension == 64
    by_index = {}
    for record in found.ledger.records():
        by_index.setdefault(record.index, []).append(record.trial.value)
    assert all(len(values) == 1 for values in by_index.values() if inf in values)


def test_a_search_that_only_diverges_gives_an_arm_that_is_n_a_and_says_why(play):
    def diverges(config, seed):
        return Ending("diverged", inf, (), 0.8, 0.1, 3, "not finite at step 3", {})

    found = play(diverges, trials=3)
    found.to_the_end()
    arm = settled(found)
    assert arm.skipped == "none of the 3 configurations tried came to a finite figure"


def test_the_same_configuration_twice_is_trained_once(play):
    found = play(trials=6, space={"latent.dimension": [16, 64]}, seeds=[100])
    trained = found.to_the_end()
    assert trained == 2
    assert len(found.tried()) == 6
    assert {record.trial.value for record in found.ledger.records()} == {
        objective({"optimizers": {"generator": {"lr": 2e-4}}, "latent": {"dimension": d}}, 100)
        for d in (16, 64)
    }


def test_by_chance_every_arm_is_offered_the_same_configurations(tmp_path, host):
    tuning = {"budget": 5, "seeds": [100], "space": SPACE, "sampler": "random"}
    factors = {"instance_noise": ["off", {"start": 0.1}]}
    found = Play(tmp_path, study_of(host, factors=factors, tuning=tuning), host)
    first, second = (
        [dict(cell.draw.parameters) for cell in search.wanted([])]
        for search in found.searches.searches
    )
    assert first == second
    assert len(first) == 5


def test_the_a_a_arm_is_retuned_as_what_it_repeats(tmp_path, host):
    tuning = {"budget": 3, "seeds": [100], "space": SPACE}
    factors = {"instance_noise": ["off", {"start": 0.1}]}
    study = study_of(host, factors=factors, tuning=tuning, design={"aa": True})
    found = Play(tmp_path, study, host)
    assert len(found.searches.searches) == 2
    found.to_the_end()
    arms, _ = found.searches.settled(found.searches.arms, found.ledger.records())
    again = {arm.name: arm for arm in arms}["A/A, retuned"]
    assert again.config == arms[0].config
    assert again.seed_offset


def test_a_trick_s_parameter_is_drawn_only_where_the_trick_is_on(play):
    found = play(trials=12, space={"label_smoothing": "auto", **SPACE}, sampler="random")
    found.to_the_end()
    drawn = {one["label_smoothing"]: "label_smoothing.real" in one for one in found.tried()}
    assert drawn == {"off": False, "on": True}
    assert all(0.7 <= one.get("label_smoothing.real", 0.7) <= 1 for one in found.tried())


def test_a_space_without_a_configuration_that_applies_is_told(play):
    found = play(space={"batch_size": [8, 16]})
    found.search.space.config = lambda levels: None
    with pytest.raises(GanbenchError, match="no configuration of its space that applies"):
        found.wanted()


def tried_one(index, *values, state="complete"):
    return Tried(index, {}, {}, state, values, {})


def test_the_front_has_what_nobody_beats_and_the_winner_is_near_the_best_and_cheap():
    found = [
        tried_one(0, 1.00, 9.0),
        tried_one(1, 1.04, 2.0),
        tried_one(2, 1.03, 5.0),
        tried_one(3, 2.00, 1.0),
        tried_one(4, 2.50, 3.0),
        tried_one(5, 0.50, 0.1, state="pruned"),
        tried_one(6, inf, inf),
    ]
    assert [one.index for one in front(found)] == [0, 2, 1, 3]
    assert choose(found, margin=0.05).index == 1
    assert choose(found, margin=0.01).index == 0


def test_of_one_objective_the_lowest_wins_and_the_first_of_equals():
    assert choose([tried_one(0, 3.0), tried_one(1, 2.0), tried_one(2, 2.0)], 0.05).index == 1
    assert choose([tried_one(0, 3.0, state="pruned")], 0.05) is None


def test_nsga2_weighs_two_objectives(play):
    def costs(config, seed):
        return ending(objective(config, seed), second=float(config["latent"]["dimension"]))

    found = play(costs, trials=24, sampler="nsga2", objectives=["primary", "seconds_per_step"])
    found.to_the_end(workers=2)
    assert len(found.tried()) == 24
    assert settled(found).config.latent.dimension == 16  # both objectives want it


def test_the_second_objective_is_the_share_collapsed_or_the_seconds_of_a_step():
    points = (point(4, 2.0, "partial collapse"), point(8, 1.0))
    made = Ending("complete", 1.0, points, 4.0, 0.1, 8, None, {})
    assert second_value(("primary",), made) is None
    assert second_value(("primary", "collapse"), made) == 0.5
    assert second_value(("primary", "seconds_per_step"), made) == 0.5
    lost = Ending("diverged", inf, points, 4.0, 0.1, 8, "not finite", {})
    assert second_value(("primary", "collapse"), lost) == inf


def test_a_value_is_the_geometric_mean_over_seeds():
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert geometric_mean([0.0, 8.0]) == 0
    assert geometric_mean([2.0, inf]) == inf
    assert geometric_mean([3.0]) == pytest.approx(sqrt(9.0))


def run_with_pruner(found):
    """Train one after another, each evaluated thrice on its way, as a worker does."""
    pruned = []
    while True:
        found.ledger.queue(found.wanted(), orphans=False)
        claim = found.ledger.claim()
        if claim is None:
            return pruned
        final = objective(claim.config, claim.seed)
        outcome, step, curve = "complete", 8, {}
        for at in (2, 4, 6):
            curve[at] = final * (10 - at)
            found.ledger.note(claim.number, at, curve[at])
            records = found.ledger.records(claim.search)
            stop, notes = prune(found.search.rules, claim.index, claim.seed, curve, records)
            found.ledger.remember(claim.number, notes)
            if stop:
                outcome, step = "pruned", at
                pruned.append(claim.index)
                break
        value = final if outcome == "complete" else final * (10 - step)
        found.ledger.finish(claim.number, Ending(outcome, value, (), 1.0, 0.1, step, None, {}))


@pytest.mark.parametrize("pruner", ["median", "asha", "hyperband"])
def test_a_pruner_gives_up_the_worse_ones_never_the_best_and_keeps_them_apart(play, pruner):
    found = play(trials=16, pruner=pruner, sampler="random")
    pruned = run_with_pruner(found)
    assert pruned
    states = {}
    for record in found.ledger.records():
        states.setdefault(record.index, []).append(record.state)
    assert all(states[index][-1] == TrialState.PRUNED for index in pruned)
    finals = {
        record.index: record.trial.value
        for record in found.ledger.records()
        if record.state == TrialState.COMPLETE
    }
    assert settled(found).config is not None
    assert min(finals.values()) < 2


def test_the_median_pruner_stops_what_lies_above_the_median_of_those_before(play):
    found = play(trials=8, pruner="median", sampler="random", seeds=[100], parallel=1)
    pruned = run_with_pruner(found)
    finals = {i: objective_of(found, i) for i in range(8)}
    for index in range(5, 8):  # the first five always end
        rivals = sorted(finals[i] for i in range(index) if i not in pruned)
        middle = len(rivals) // 2
        median = rivals[middle] if len(rivals) % 2 else sum(rivals[middle - 1 : middle + 1]) / 2
        if index in pruned:
            assert finals[index] > median
    assert all(index >= 5 for index in pruned)


def crossing(final, at):
    """A curve on which what is best in the end is the worst at first."""
    return 1 / final if at < 6 else final


@pytest.mark.parametrize("pruner", ["median", "asha", "hyperband"])
def test_a_worker_that_dies_as_it_gives_a_trial_up_changes_nothing(play, pruner):
    found = play(trials=16, pruner=pruner, sampler="random", seeds=[100])
    rules = found.search.rules
    died = []
    while True:
        found.ledger.queue(found.wanted(), orphans=False)
        claim = found.ledger.claim()
        if claim is None:
            break
        final = objective(claim.config, claim.seed)
        curve = {}
        for at in (2, 4, 6, 8):
            curve[at] = crossing(final, at)
            found.ledger.note(claim.number, at, curve[at])
            records = found.ledger.records(claim.search)
            stop, notes = prune(rules, claim.index, claim.seed, curve, records)
            found.ledger.remember(claim.number, notes)
            if stop:  # the worker is gone here; another one measures the same again
                died.append(at)
                assert found.ledger.lose(claim.number, "killed") == "waits"
                claim = found.ledger.claim()
                # Perhaps from the first step on, its checkpoint being on a machine that is gone.
                curve = {}
                for again in range(2, at + 1, 2):
                    curve[again] = crossing(final, again)
                    found.ledger.note(claim.number, again, curve[again])
                    records = found.ledger.records(claim.search)
                    stops = prune(rules, claim.index, claim.seed, curve, records)[0]
                    assert stops == (again == at)
                break
        outcome = "pruned" if stop else "complete"
        found.ledger.finish(claim.number, Ending(outcome, final, (), 1.0, 0.1, at, None, {}))
    # Some at a later step than the first, of the pruners that have rungs.
    assert max(died) > 2 or pruner == "median"


def objective_of(found, index):
    (record,) = [one for one in found.ledger.records() if one.index == index]
    return objective(record.attributes["config"], 100)


def crashes_if_large(config, seed):
    return None if config["latent"]["dimension"] == 64 else objective(config, seed)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_what_fails_is_replaced_whoever_works_when(play, sampler):
    alone, together = (play(crashes_if_large, trials=8, sampler=sampler) for _ in range(2))
    alone.to_the_end()
    together.to_the_end(workers=4, seed=1)
    assert alone.tried() == together.tried()
    (described,) = alone.searches.described()
    result = search_result(described, alone.ledger.records())
    assert result.count("complete") == result.done == 8
    assert result.count("failed") > 0
    assert len(result.trials) == 8 + result.count("failed")
    assert result.trials[-1].state != "open"
    assert (result.ended, result.unreplaced) == (True, 0)
    assert settled(alone).config.latent.dimension == 16
    failed = failures(alone.ledger.records())
    assert not any(cell.address in failed for cell in alone.wanted())


def test_a_space_in_which_nothing_trains_ends_and_says_what_it_lacks(play):
    found = play(lambda config, seed: None, trials=4, sampler="random")
    assert found.to_the_end() == 8  # the budget, and as many again
    (described,) = found.searches.described()
    result = search_result(described, found.ledger.records())
    assert (result.ended, result.unreplaced, result.winner) == (True, 4, None)
    assert budget_curve(result, 9.0) == [9.0] * 4
    assert "none of the 8 configurations" in settled(found).skipped


def test_a_search_half_way_lacks_nothing_yet(play):
    found = play(crashes_if_large, trials=8, sampler="random")
    found.to_the_end(most=5)
    (described,) = found.searches.described()
    result = search_result(described, found.ledger.records())
    assert (result.ended, result.unreplaced, result.winner) == (False, 0, None)
