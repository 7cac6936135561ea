"""Files are found, chained by `extends`, and overridden by `--set`."""

import os

import pytest

from ganbench.config.load import load_study
from ganbench.config.problems import StudyError
from ganbench.config.sources import shipped_studies


def failure(path, host, sets=()):
    with pytest.raises(StudyError) as caught:
        load_study(path, host, sets)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        (b"", ":1:1:", "empty"),
        (b"# only a comment\n", ":1:1:", "empty"),
        (b"---\n...\n", ":1:1:", "empty"),
        (b"- a\n- b\n", ":1:1:", "got a list"),
        (b"just text", ":1:1:", "got 'just text'"),
        (b"name: x\nquestion: caf\xe9\n", ":2:14:", "not UTF-8 text: the byte 0xe9"),
        (bytes(range(256)), ":", "not UTF-8"),
        (b"a: " + b"x" * 300_000, ":1:1:", "larger than 256 KiB"),
        ("name: x".encode("utf-16"), ":1:1:", "not UTF-8"),
    ],
)
def test_what_is_no_study_file_is_told(folder, host, content, where, what):
    (folder / "f.yaml").write_bytes(content)
    message = failure("f.yaml", host)
    assert message.startswith(f"f.yaml{where}")
    assert what in message


def test_a_byte_order_mark_is_no_mistake(folder, host, good):
    (folder / "f.yaml").write_bytes(b"\xef\xbb\xbf" + good.encode())
    assert load_study("f.yaml", host).study.name == "small"


def test_a_folder_is_told_apart_from_a_file(folder, host):
    (folder / "sub").mkdir()
    assert failure("sub", host) == "sub: a folder, expected a study file"


def test_a_device_is_not_read(folder, host):
    assert "not a regular file" in failure(os.devnull, host)


@pytest.mark.parametrize("path", ["x" * 5000 + ".yaml", "a\0b.yaml"])
def test_an_impossible_path_is_a_study_error(folder, host, path):
    assert failure(path, host)


def test_a_missing_file_is_told_with_the_names_beside_it(folder, host):
    assert failure("god.yaml", host).endswith("no such study file; did you mean 'good.yaml'?")


def test_a_missing_file_is_told_with_the_shipped_names(folder, host):
    # Both can be written as they are told.
    assert failure("tricksmnist", host).endswith("did you mean 'tricks-mnist' or 'tricks'?")
    assert "shipped studies: " in failure("nothing-like-it.yaml", host)


@pytest.mark.parametrize("name", ["tricks", "tricks.yaml", "studies/tricks.yaml"])
def test_a_shipped_study_is_found_by_its_name(folder, host, name):
    message = failure(name, host)  # This small host has none of its plugins.
    assert message.startswith("tricks (shipped with ganbench):")
    assert shipped_studies()["tricks"].is_file()


@pytest.mark.parametrize(
    "name",
    ["presets/keras-dcgan", "presets/keras-dcgan.yaml", "studies/presets/keras-dcgan.yaml"],
)
def test_a_preset_is_found_by_its_name_with_its_folder(folder, host, name):
    (folder / "mine.yaml").write_text(f"extends: {name}\nname: mine\n")
    for path in (name, "mine.yaml"):
        message = failure(path, host)  # This small host has none of its plugins.
        assert "presets/keras-dcgan (shipped with ganbench):" in message
    assert shipped_studies()["presets/keras-dcgan"].is_file()


@pytest.mark.parametrize("name", ["keras-dcgan", "presets/keras-dgan"])
def test_a_preset_that_is_misspelt_is_told(folder, host, name):
    assert "did you mean 'presets/keras-dcgan" in failure(name, host)


def test_a_file_of_the_users_own_goes_before_a_shipped_one(folder, host, good):
    (folder / "tricks.yaml").write_text(good)
    assert load_study("tricks.yaml", host).study.name == "small"


def test_a_child_changes_what_it_says_and_origins_follow(folder, host):
    (folder / "child.yaml").write_text(
        "extends: good.yaml\nname: child\nbaseline:\n  latent: {distribution: uniform}\n"
        "factors:\n  noise: [off, {start: 0.5}, {start: 0.7}]\n  matching: null\nseeds: [5, 9]\n"
    )
    loaded = load_study("child.yaml", host)
    study = loaded.study
    assert (study.name, study.seeds) == ("child", (5, 9))
    assert (study.baseline.latent.dimension, study.baseline.latent.distribution) == (32, "uniform")
    assert list(study.factors) == ["smoothing", "noise", "norm", "latent.dimension"]
    assert [level["start"] for level in study.factors["noise"][1:]] == [0.5, 0.7]
    assert loaded.origins["baseline.latent.distribution"] == "child.yaml:4"
    assert loaded.origins["baseline.latent.dimension"] == "good.yaml:7"
    assert loaded.origins["seeds.1"] == "child.yaml:8"
    assert [file.name for file in loaded.files] == ["child.yaml", "good.yaml"]


def test_extends_goes_on_for_several_levels_and_from_the_files_own_folder(folder, host):
    (folder / "a").mkdir()
    (folder / "a" / "one.yaml").write_text("extends: ../good.yaml\nname: one\n")
    (folder / "two.yaml").write_text("extends: a/one.yaml\nbaseline: {steps: 700}\n")
    loaded = load_study("two.yaml", host)
    assert (loaded.study.name, loaded.study.baseline.steps) == ("one", 700)
    assert loaded.origins["name"] == "a/one.yaml:2"
    assert loaded.origins["question"] == "good.yaml:2"


def test_another_name_replaces_a_components_parameters(folder, host):
    (folder / "c.yaml").write_text(
        "extends: good.yaml\nbaseline: {architecture: {name: dense, hidden: 9}}\n"
    )
    architecture = load_study("c.yaml", host).study.baseline.architecture
    assert architecture.parameters == {"hidden": 9, "layers": [64, 64]}


@pytest.mark.parametrize("text", ["conv", "{name: conv}", "{}"])
def test_the_same_name_keeps_a_components_parameters(folder, host, text):
    (folder / "c.yaml").write_text(f"extends: good.yaml\nbaseline: {{architecture: {text}}}\n")
    assert load_study("c.yaml", host).study.baseline.architecture.parameters == {"width": 16}


def test_another_optimizer_drops_what_only_the_former_one_uses(folder, host):
    (folder / "c.yaml").write_text(
        "extends: good.yaml\nbaseline: {optimizers: {generator: {name: sgd}}}\n"
    )
    resolved = load_study("c.yaml", host).resolved["baseline"]["optimizers"]["generator"]
    assert resolved == {
        "name": "sgd", "lr": 2e-4, "momentum": 0.0, "weight_decay": 0.0,
        "decay": 0.0, "decay_law": "inverse-time",
    }  # fmt: skip


@pytest.mark.parametrize("value", ["null", "off", "false"])
def test_a_child_takes_a_trick_out(folder, host, value):
    (folder / "c.yaml").write_text(
        f"extends: good.yaml\nbaseline: {{tricks: {{norm: {value}}}}}\nfactors: {{norm: null}}\n"
    )
    assert load_study("c.yaml", host).study.baseline.tricks == {}


def test_removing_a_factor_that_is_not_there_is_an_error(folder, host):
    (folder / "c.yaml").write_text("extends: good.yaml\nfactors: {booster: null}\n")
    assert failure("c.yaml", host).startswith("c.yaml:2:20: factors.booster: removes a factor")


def test_all_factors_can_be_taken_out_at_once(folder, host):
    (folder / "c.yaml").write_text("extends: good.yaml\nfactors: null\n")
    assert load_study("c.yaml", host).study.factors == {}


def test_a_cycle_is_told_with_its_members(folder, host):
    (folder / "a.yaml").write_text("extends: b.yaml\n")
    (folder / "b.yaml").write_text("name: b\nextends: a.yaml\n")
    assert failure("a.yaml", host) == ("b.yaml:2:10: extends: a cycle: a.yaml -> b.yaml -> a.yaml")


def test_a_study_that_extends_itself_is_a_cycle(folder, host):
    (folder / "a.yaml").write_text("extends: ./a.yaml\n")
    assert "a cycle" in failure("a.yaml", host)


@pytest.mark.parametrize("value", ["3", "[a, b]", "{a: b}", "''"])
def test_extends_must_name_one_file(folder, host, value):
    (folder / "a.yaml").write_text(f"extends: {value}\n")
    assert failure("a.yaml", host).startswith("a.yaml:1:10: extends: expected one file")


def test_a_base_that_is_missing_is_told_at_extends(folder, host):
    (folder / "a.yaml").write_text("name: a\nextends: goood.yaml\n")
    message = failure("a.yaml", host)
    assert message.startswith("a.yaml:2:10: extends: goood.yaml: there is no such study file")
    assert "'good.yaml'" in message


def test_a_shipped_base_that_is_misspelt_is_told_as_it_can_be_written(folder, host):
    (folder / "a.yaml").write_text("name: a\nextends: trics\n")
    assert "; did you mean 'tricks'" in failure("a.yaml", host)


def test_a_file_in_another_folder_is_told_with_that_folder(folder, host, good):
    (folder / "sub").mkdir()
    (folder / "sub" / "mine.yaml").write_text(good)
    assert failure("sub/min.yaml", host).endswith("did you mean 'sub/mine.yaml'?")


def test_an_error_in_a_base_is_told_at_the_bases_line(folder, host):
    (folder / "a.yaml").write_text("extends: b.yaml\n")
    (folder / "b.yaml").write_text("extends: good.yaml\nbaseline:\n  steps: 0\n")
    assert failure("a.yaml", host).startswith("b.yaml:3:10: baseline.steps: out of range, got 0")


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("seeds=3", "seeds", [0, 1, 2]),
        ("seeds=[4, 2]", "seeds", [4, 2]),
        ("baseline.latent.distribution=uniform", "baseline.latent.distribution", "uniform"),
        ("baseline.execution.amp=off", "baseline.execution.amp", "off"),
        ("baseline.optimizers.generator.lr=1e-3", "baseline.optimizers.generator.lr", 1e-3),
        ("evaluation.judgement.alpha=0.1", "evaluation.judgement.alpha", 0.1),
        ("baseline.architecture=dense", "baseline.architecture",
            {"name": "dense", "hidden": 128, "layers": [64, 64]}),
        ("baseline.architecture.name=dense", "baseline.architecture",
            {"name": "dense", "hidden": 128, "layers": [64, 64]}),
        ("dataset.size=16", "dataset", {"name": "squares", "size": 16, "root": None}),
        ("factors.smoothing=[off, {real: 0.7}]", "factors.smoothing", ["off", {"real": 0.7}]),
        ("factors.smoothing.1.real=0.7", "factors.smoothing", ["off", {"real": 0.7}]),
        ("factors.matching.1.weight=0.5", "factors.matching",
            ["off", {"weight": 0.5, "layer": None}]),
        ("question=a = b", "question", "a = b"),
    ],
)  # fmt: skip
def test_set_overrides_a_key_and_is_its_origin(load, text, path, value):
    loaded = load(sets=[text])
    found = loaded.resolved
    for key in path.split("."):
        found = found[key]
    assert found == value
    key = text.partition("=")[0]
    assert loaded.origins[key] == f"--set {text}"


def test_set_reaches_a_dotted_factor(load):
    loaded = load(sets=["factors.latent.dimension=[32, 8]", "factors.latent.dimension.1=16"])
    assert loaded.resolved["factors"]["latent.dimension"] == [32, 16]


def test_sets_are_applied_in_order(load):
    loaded = load(sets=["baseline.steps=700", "baseline.steps=800"])
    assert loaded.study.baseline.steps == 800


def test_set_takes_a_factor_and_a_trick_out(load):
    loaded = load(sets=["baseline.tricks.norm=null", "factors.norm=null"])
    assert "norm" not in loaded.study.baseline.tricks
    assert "norm" not in loaded.study.factors


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("baseline.steps", "expected a key, '=' and a value"),
        ("=3", "expected a key"),
        ("baseline..steps=3", "expected a key"),
        ("baseline.steps=[", "not YAML"),
        ("baseline.stepz=3", "baseline.stepz: unknown key, did you mean 'steps'?"),
        ("execution.backend=compiled", "unknown key, did you mean 'baseline.execution'?"),
        ("baseline.steps=-3", "baseline.steps: out of range, got -3"),
        ("baseline.steps.x=3", "baseline.steps is 600, which has no key 'x'"),
        ("factors.noise.7=on", "expected an index (0 to 1), got '7'"),
        ("extends=other.yaml", "cannot be set"),
        ("a={b: 1, b: 2}", "duplicate key 'b'"),
    ],
)
def test_a_wrong_set_is_told_by_its_text(errors, text, what):
    lines = errors(sets=[text])
    assert any(line.startswith(f"--set {text}: ") and what in line for line in lines)
