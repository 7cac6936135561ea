"""A study's inspections: which are drawn, of what, and that a trial never feels it."""

import re
from pathlib import Path

import pytest
import torch

from ganbench.config.load import load_study
from ganbench.config.model import Component, Evaluation
from ganbench.config.problems import StudyError
from ganbench.evaluation import evaluator as evaluator_module
from ganbench.evaluation.evaluator import EvaluationError, Evaluator
from ganbench.evaluation.inspecting import Inspector
from ganbench.plugin import (
    Data,
    Host,
    Inspection,
    NothingToShowError,
    Picture,
    PluginError,
)
from ganbench.testing import differing, tiny_config, weights
from ganbench.training import Trial

CPU = torch.device("cpu")
BUILTIN = ["interpolation", "arithmetic", "guided_backprop", "neighbours"]
SETTINGS = Evaluation(samples=64, batch_size=50)


def inspecting(draw, **members):
    words = {"name": "mine", "title": "Mine", "note": "See.", "draw": draw}
    return type("Mine", (Inspection,), {**words, **members})


@pytest.fixture(scope="module")
def inspector(digits, host, cache):
    return Inspector(SETTINGS, digits, host, Evaluator(SETTINGS, digits, host, CPU, cache))


def trial(config, digits, steps=30):
    running = Trial(config, 3, digits, Host(), CPU)
    running.advance(steps)
    return running


def alone(draw, digits, cache, **members):
    """Return what one inspection of one's own shows of a trial."""
    host = Host(classes=[inspecting(draw, **members)])
    settings = SETTINGS.model_copy(update={"inspections": (Component(name="mine"),)})
    found = Inspector(settings, digits, host, Evaluator(settings, digits, host, CPU, cache))
    return found.look(Trial(tiny_config(), 3, digits, host, CPU))


@pytest.mark.parametrize(
    ("config", "lacking"),
    [
        (tiny_config(steps=60, architecture_parameters={"width": 8}), set()),
        (tiny_config({"infogan": {}}, steps=60, architecture_parameters={"width": 8}), set()),
        (tiny_config(steps=60, architecture="lapgan"), set()),
        (tiny_config({"packing": {"images": 2}}, steps=60), {"guided_backprop"}),
        (tiny_config(steps=60, architecture="mlp"), {"guided_backprop"}),
    ],
)
def test_all_are_drawn_or_say_why_not(config, lacking, digits, inspector):
    seen = inspector.look(trial(config, digits, 60))
    assert seen.wrong == {}
    found = {name.partition(".")[0] for name in seen.pictures}
    assert (
        lacking <= set(seen.nothing) <= lacking | {"arithmetic"}
    )  # a generator may know one class
    assert found == set(BUILTIN) - set(seen.nothing)
    assert all(picture.images.shape[2:] == (1, 8, 8) for picture in seen.pictures.values())


def test_a_trial_that_is_looked_into_goes_on_as_if_it_were_not(digits, inspector):
    config = tiny_config({"ema": {}, "instance_noise": {}})
    plain, seen = (trial(config, digits, 3) for _ in range(2))
    before = torch.get_rng_state()
    first, again = inspector.look(seen), inspector.look(seen)
    assert torch.equal(torch.get_rng_state(), before)
    for name, picture in first.pictures.items():
        assert torch.equal(picture.images, again.pictures[name].images)
    for running in (plain, seen):
        running.advance(3)
    assert differing(weights(plain), weights(seen)) == []
    assert torch.equal(plain.sample(8), seen.sample(8))


def test_walks_begin_at_the_samples_that_are_scored(digits, inspector):
    running = trial(tiny_config(), digits)
    walks = inspector.look(running).pictures["interpolation.walks"].images
    shown = walks[::2, 0].add(1).mul(127.5).round().clamp(0, 255).byte()
    assert torch.equal(shown, running.sample(8)[::2])


def test_points_are_not_shown_and_the_reason_is_kept(host, tmp_path):
    points = Data("points", torch.randn(60, 2, generator=torch.Generator().manual_seed(0)))
    settings = SETTINGS.model_copy(update={"extractor": Component(name="coordinates")})
    found = Inspector(settings, points, host, Evaluator(settings, points, host, CPU, tmp_path))
    assert all("points" in found.notes[name]["left_out"] for name in BUILTIN)
    listed = settings.model_copy(update={"inspections": (Component(name="interpolation"),)})
    with pytest.raises(EvaluationError, match="'interpolation' does not apply to points: these"):
        Inspector(listed, points, host, Evaluator(settings, points, host, CPU, tmp_path))


def test_a_study_may_list_some_or_none(digits, host, cache, inspector):
    assert list(inspector.notes) == BUILTIN
    for names in ((), ("neighbours",)):
        some = tuple(Component(name=name) for name in names)
        settings = SETTINGS.model_copy(update={"inspections": some})
        found = Inspector(settings, digits, host, Evaluator(settings, digits, host, CPU, cache))
        assert list(found.notes) == list(names)


def test_one_of_ones_own_is_drawn_without_being_listed(digits, cache):
    def draw(self, ctx):
        assert ctx.discriminator().pair == "main"
        assert ctx.latents["main"].noise == 4
        return {"one": Picture(torch.zeros(1, 1, 1, 8, 8), "black")}

    host = Host(classes=[inspecting(draw)])
    found = Inspector(SETTINGS, digits, host, Evaluator(SETTINGS, digits, host, CPU, cache))
    assert found.notes["mine"] == {"title": "Mine", "note": "See."}
    seen = found.look(Trial(tiny_config(), 3, digits, host, CPU))
    assert "mine.one" in seen.pictures


def test_the_example_of_the_plugin_api_is_drawn(digits, cache, tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "plugin-api.md").read_text()
    (example,) = re.findall(r'```python\n("""Samples in the order.*?)```', page, re.S)
    (tmp_path / "ranked.py").write_text(example)
    host = Host([tmp_path / "ranked.py"])
    settings = SETTINGS.model_copy(update={"inspections": (Component(name="ranked"),)})
    found = Inspector(settings, digits, host, Evaluator(settings, digits, host, CPU, cache))
    running = Trial(tiny_config(), 3, digits, host, CPU)
    seen = found.look(running)
    assert (seen.nothing, seen.wrong) == ({}, {})
    best, worst = seen.pictures["ranked.extremes"].images
    running.pairs[0].pair.discriminator.eval()
    judged = [running.pairs[0].pair.discriminator(part).mean() for part in (best, worst)]
    assert judged[0] > judged[1]


def nothing(self, ctx):
    raise NothingToShowError("it has no ears")


def broken(self, ctx):
    return {"one": 1 / 0}


@pytest.mark.parametrize(
    ("draw", "kind", "told"),
    [
        (nothing, "nothing", "it has no ears"),
        (broken, "wrong", "ZeroDivisionError: division by zero"),
        (lambda self, ctx: [], "wrong", "draw gave a list, expected pictures by name"),
        (lambda self, ctx: {"one": 1}, "wrong", "draw gave a int as 'one', expected a Picture"),
        (
            lambda self, ctx: {"A/b": Picture(torch.zeros(1, 1, 1, 8, 8), "black")},
            "wrong",
            "named 'A/b', expected lower-case",
        ),
    ],
)
def test_what_one_cannot_show_is_told_and_costs_nothing(draw, kind, told, digits, cache):
    seen = alone(draw, digits, cache)
    assert seen.pictures == {}
    assert told in getattr(seen, kind)["mine"]


def test_a_generator_that_is_not_finite_is_told_and_not_measured(digits, cache):
    def draw(self, ctx):
        ctx.features(torch.full((2, 1, 8, 8), float("nan")))

    assert "not finite" in alone(draw, digits, cache).nothing["mine"]


def test_features_of_the_data_are_all_of_them_or_a_draw_that_fits(digits, host, cache, monkeypatch):
    measure = Evaluator(SETTINGS, digits, host, CPU, cache)
    places, features = measure.data_features()
    assert sorted(places.tolist()) == list(range(1797))
    again = measure.features_of(digits.items[places[:30]])
    assert torch.allclose(features[:30], again, atol=1e-5)
    monkeypatch.setattr(evaluator_module, "KEPT", 100 * 64 * 4)
    few, _ = Evaluator(SETTINGS, digits, host, CPU, cache).data_features()
    assert len(few) == 100
    assert set(few.tolist()) < set(range(1797))


def test_labels_are_the_classifiers(digits, host, cache):
    measure = Evaluator(SETTINGS, digits, host, CPU, cache)
    found = measure.labels_of(digits.items[:500])
    assert (found == digits.labels[:500]).double().mean() > 0.95


STUDY = """
name: x
question: what?
dataset: digits
baseline: {architecture: mlp}
evaluation:
  inspections: %s
"""


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ("[neighbors]", "no inspection has the name 'neighbors', did you mean 'neighbours'"),
        ("[{name: interpolation, step: 3}]", "step"),
        ("[arithmetic, arithmetic]", "'arithmetic' is listed twice"),
        ("everything", "auto"),
    ],
)
def test_a_slip_in_the_list_is_told_with_its_line(listed, told, tmp_path):
    (tmp_path / "x.yaml").write_text(STUDY % listed)
    with pytest.raises(StudyError, match=r"x\.yaml:7") as error:
        load_study(str(tmp_path / "x.yaml"), Host())
    assert told in str(error.value)


@pytest.mark.parametrize("listed", ["auto", "[]", "[{name: interpolation, steps: 3}]"])
def test_what_is_drawn_is_no_part_of_a_trials_key(listed, tmp_path):
    (tmp_path / "x.yaml").write_text(STUDY % listed)
    load_study(str(tmp_path / "x.yaml"), Host())
    plain = tiny_config()
    other = SETTINGS.model_copy(update={"inspections": ()})
    same = plain.evaluation.model_copy(update={"inspections": other.inspections})
    assert plain.model_copy(update={"evaluation": same}).key() == plain.key()


def test_one_without_words_for_the_report_is_refused():
    with pytest.raises(PluginError, match="'mine' has no `note`"):
        Host(entry_points=False, classes=[inspecting(nothing, note=" ")])
