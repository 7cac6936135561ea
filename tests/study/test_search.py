"""A search: what it tries, whom it chooses, and that neither depends on who worked when."""

from math import inf, sqrt

import optuna
import pytest
from optuna.trial import TrialState
from searching_studies import LR, SEARCH, SPACE, Play, ending, objective, point, study_of

from ganbench.config.model import TrialConfig
from ganbench.plugin import GanbenchError
from ganbench.study.archive import Archive
from ganbench.study.journal import open_journal
from ganbench.study.records import Ending, complete_identities, settle
from ganbench.study.search import Tried, geometric_mean, second_value
from ganbench.study.searches import FOUND
from ganbench.study.searching import choose, front


def test_tpe_finds_the_known_minimum_and_comes_nearer_than_chance(play):
    best = {}
    for sampler in ("tpe", "random"):
        found = play(trials=40, sampler=sampler, seeds=[100])
        found.to_the_end()
        arm = found.settled()
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
    assert alone.settled().config == together.settled().config


def test_no_more_are_under_way_than_may_be(play):
    found = play(trials=12, parallel=3)
    assert len(found.wanted()) == 3
    found.to_the_end(workers=1, most=4)
    claims = len({cell.draw.index for cell in found.wanted()})
    ended = sum(record.state == TrialState.COMPLETE for record in found.ledger.records()) // 2
    assert claims - ended <= 3


def test_chance_needs_nobody_s_answer_and_wants_all_at_once(play):
    assert len(play(trials=12, sampler="random").wanted()) == 12


def test_a_larger_budget_goes_on_where_the_smaller_ended(play, tmp_path, shipped_host):
    small = play(trials=6)
    small.to_the_end()
    first = small.tried()
    study = study_of(shipped_host, design={**SEARCH, "trials": 10})
    large = Play(tmp_path / "0", study, shipped_host)
    assert large.to_the_end() == 8  # four configurations more, at two seeds
    assert large.tried()[:6] == first
    whole = play(trials=10)
    whole.to_the_end()
    assert large.tried() == whole.tried()


def test_a_search_that_was_cut_short_goes_on_to_the_same_end(play, tmp_path, shipped_host):
    whole = play()
    whole.to_the_end()
    cut = play()
    cut.to_the_end(most=7)
    cut.ledger.queue(cut.wanted(), orphans=False)
    cut.ledger.claim()  # and its worker dies
    again = Play(tmp_path / "1", study_of(shipped_host, design=SEARCH), shipped_host)
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
    assert found.settled().config is None
    found.to_the_end()
    arm = found.settled()
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
    arm = found.settled()
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
    arm = found.settled()
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


def test_by_chance_every_arm_is_offered_the_same_configurations(tmp_path, shipped_host):
    tuning = {"budget": 5, "seeds": [100], "space": SPACE, "sampler": "random"}
    factors = {"instance_noise": ["off", {"start": 0.1}]}
    found = Play(tmp_path, study_of(shipped_host, factors=factors, tuning=tuning), shipped_host)
    first, second = (
        [dict(cell.draw.parameters) for cell in search.wanted([])]
        for search in found.searches.searches
    )
    assert first == second
    assert len(first) == 5


def test_the_a_a_arm_is_retuned_as_what_it_repeats(tmp_path, shipped_host):
    tuning = {"budget": 3, "seeds": [100], "space": SPACE}
    factors = {"instance_noise": ["off", {"start": 0.1}]}
    study = study_of(shipped_host, factors=factors, tuning=tuning, design={"aa": True})
    found = Play(tmp_path, study, shipped_host)
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
    assert found.settled().config.latent.dimension == 16  # both objectives want it


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
