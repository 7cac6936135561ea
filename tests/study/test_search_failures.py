"""What a search gives up early, and what takes the place of what fails."""

import pytest
from optuna.trial import TrialState
from searching_studies import ending, objective

from ganbench.study.records import Ending, failures
from ganbench.study.search import prune
from ganbench.study.search_records import search_result
from ganbench.study.search_result import budget_curve


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
    assert found.settled().config is not None
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
    assert alone.settled().config.latent.dimension == 16
    failed = failures(alone.ledger.records())
    assert not any(cell.address in failed for cell in alone.wanted())


def test_a_result_that_comes_after_its_trial_failed_changes_nothing_in_a_search(play):
    found = play(crashes_if_large, trials=8, sampler="random")
    found.to_the_end()
    before = found.tried(), found.settled(), found.wanted()
    (late, *_) = failures(found.ledger.records()).values()
    assert found.ledger.finish(late.trial._trial_id, ending(1e-6))  # nobody throws it away
    assert (found.tried(), found.settled(), found.wanted()) == before


def test_a_space_in_which_nothing_trains_ends_and_says_what_it_lacks(play):
    found = play(lambda config, seed: None, trials=4, sampler="random")
    assert found.to_the_end() == 8  # the budget, and as many again
    (described,) = found.searches.described()
    result = search_result(described, found.ledger.records())
    assert (result.ended, result.unreplaced, result.winner) == (True, 4, None)
    assert budget_curve(result, 9.0) == [9.0] * 4
    assert "none of the 8 configurations" in found.settled().skipped


def test_a_search_half_way_lacks_nothing_yet(play):
    found = play(crashes_if_large, trials=8, sampler="random")
    found.to_the_end(most=5)
    (described,) = found.searches.described()
    result = search_result(described, found.ledger.records())
    assert (result.ended, result.unreplaced, result.winner) == (False, 0, None)
