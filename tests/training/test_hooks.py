"""Order, conflicts and blame of hooks."""

import pytest
import torch

from ganbench.plugin import Host, Stage, Trick, TrickModule, TrickParameters
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import HookError, NotApplicableError, Trial
from ganbench.training.hooks import create_tricks, order, resolved_order


def make(trick_name, bases=(Trick,), **attributes):
    body = {"name": trick_name, "neutral": TrickParameters(), **attributes}
    return type(trick_name.title(), bases, body)


def names(*classes):
    return [trick.name for trick in order([cls(TrickParameters()) for cls in classes])]


def trial(*classes, tricks=None, **changes):
    settings = tricks if tricks is not None else {cls.name: {} for cls in classes}
    host = Host(classes=classes)
    return Trial(tiny_config(settings, **changes), 0, tiny_data(), host, torch.device("cpu"))


def test_the_order_does_not_depend_on_the_file():
    a, b = make("a"), make("b")
    assert names(a, b) == names(b, a) == ["a", "b"]


def test_stage_comes_before_name_and_declarations_before_stage():
    a, b = make("a", stage=Stage.LAST), make("b")
    c = make("c", stage=Stage.FIRST, after=("a",))
    assert names(a, b, c) == ["b", "a", "c"]
    assert names(make("x", after=("y",)), make("y")) == ["y", "x"]
    assert names(make("y", before=("x",)), make("x")) == ["y", "x"]


def test_a_cycle_is_refused_by_name():
    with pytest.raises(NotApplicableError, match="a, b"):
        names(make("a", after=("b",)), make("b", after=("a",)))


def test_a_declared_conflict_says_why():
    a, b = make("a", conflicts={"b": "both own the labels"}), make("b")
    with pytest.raises(NotApplicableError, match="a conflicts with b: both own the labels"):
        create_tricks({"a": {}, "b": {}}, Host(classes=[a, b]))


def test_a_missing_requirement_says_why():
    a = make("a", requires={"b": "it reads b's buffer"})
    with pytest.raises(NotApplicableError, match="a requires b: it reads b's buffer"):
        create_tricks({"a": {}}, Host(classes=[a]))


def test_two_claims_on_an_exclusive_hook_name_both():
    def objective(self, step, buf):
        return step.adversarial_loss()

    a, b = (make(n, generator_objective=objective) for n in ("a", "b"))
    with pytest.raises(NotApplicableError, match="a and b both provide generator_objective"):
        create_tricks({"a": {}, "b": {}}, Host(classes=[a, b]))


def test_only_overridden_hooks_are_resolved():
    tricks = create_tricks({"label_smoothing": {}, "instance_noise": {}}, Host())
    assert resolved_order(tricks) == {
        "make_buffers": ["instance_noise"],
        "transform_discriminator_input": ["instance_noise"],
        "transform_targets": ["label_smoothing"],
        "before_step": ["instance_noise"],
    }


def test_an_exception_in_a_step_names_plugin_and_hook():
    def transform_images(self, x, is_real, buf):
        return x.no_such_method()

    running = trial(make("broken_trick", transform_images=transform_images))
    with pytest.raises(HookError, match=r"broken_trick\.transform_images raised AttributeError"):
        running.advance(1)


def test_an_exception_while_building_names_plugin_and_hook():
    def transform_generator(self, net, ctx):
        raise KeyError("conv")

    with pytest.raises(HookError, match=r"broken_trick\.transform_generator raised KeyError"):
        trial(make("broken_trick", transform_generator=transform_generator))


def test_skip_makes_the_arm_not_applicable():
    with pytest.raises(NotApplicableError, match="shy: only on Tuesdays"):
        trial(make("shy", skip=lambda self, ctx: (True, "only on Tuesdays")))


def test_a_label_trick_is_not_applicable_without_targets():
    from ganbench_plugins.objectives.minimax import NonSaturating

    class Critic(NonSaturating):
        name = "critic"
        uses_targets = False

    with pytest.raises(NotApplicableError, match="critic has none"):
        trial(Critic, tricks={"label_smoothing": {}}, objective="critic")


def test_feature_matching_on_a_missing_block_says_which_there_are():
    with pytest.raises(NotApplicableError, match=r"no block 'up9'; its blocks are down1, down2"):
        trial(tricks={"feature_matching": {"layer": "up9"}})


@pytest.mark.parametrize(
    ("hook", "function", "message"),
    [
        (
            "transform_images",
            lambda self, x, is_real, buf: None,
            r"slips\.transform_images returned None, expected a tensor",
        ),
        (
            "transform_targets",
            lambda self, t, is_real, role, buf: t[:, 0],
            r"slips\.transform_targets returned a tensor of shape \(8,\), expected \(batch, 1\)",
        ),
        (
            "discriminator_penalty",
            lambda self, step, buf: step.real_logits,
            r"slips\.discriminator_penalty returned a tensor of shape \(8, 1\), expected a single",
        ),
        (
            "transform_gradients",
            lambda self, role, grads, buf: list(grads)[1:],
            r"slips\.transform_gradients returned a value of type list, expected \d+ gradients",
        ),
    ],
)
def test_an_unusable_result_is_blamed_on_the_hook_that_returned_it(hook, function, message):
    function.__name__ = hook
    with pytest.raises(HookError, match=message):
        trial(make("slips", **{hook: function})).advance(1)


def test_an_error_in_a_hook_says_in_which_line():
    def transform_images(self, x, is_real, buf):
        raise ValueError("no")

    line = transform_images.__code__.co_firstlineno + 1
    with pytest.raises(HookError, match=rf"no \(test_hooks\.py:{line}\)"):
        trial(make("broken_trick", transform_images=transform_images)).advance(1)


def test_a_trick_may_leave_one_roles_optimizer_to_the_study():
    def make_optimizer(self, role, params, ctx):
        return torch.optim.SGD(params, lr=0.1) if role == "discriminator" else None

    (made,) = trial(make("half", make_optimizer=make_optimizer)).optimizers
    assert isinstance(made["discriminator"], torch.optim.SGD)
    assert isinstance(made["generator"], torch.optim.Adam)


def test_evaluation_hooks_see_the_tricks_buffers():
    def make_buffers(self, ctx):
        return {"sum": torch.tensor(2.5)}

    def on_evaluate(self, ctx, buf):
        return {"sum": buf["sum"].item()}

    running = trial(make("sums", make_buffers=make_buffers, on_evaluate=on_evaluate))
    assert running.extra_figures() == {"sums.sum": 2.5}


def test_the_innermost_hook_is_blamed():
    def generator_objective(self, step, buf):
        return step.adversarial_loss()

    def transform_images(self, x, is_real, buf):
        if buf.half == "generator":
            raise ValueError("boom")
        return x

    outer = make("outer", generator_objective=generator_objective)
    inner = make("inner", transform_images=transform_images)
    with pytest.raises(HookError, match=r"inner\.transform_images raised ValueError: boom"):
        trial(outer, inner).advance(1)


def test_configure_may_not_change_the_studys_steps():
    def configure(self, spec):
        return spec.with_changes(steps=3)

    with pytest.raises(HookError, match=r"hasty\.configure returned another shape or number of"):
        trial(make("hasty", configure=configure))


def test_a_transform_that_forgets_to_return_is_named():
    def transform_generator(self, net, ctx):
        net.eval()

    with pytest.raises(HookError, match=r"forgets\.transform_generator returned a value of type"):
        trial(make("forgets", transform_generator=transform_generator))


def test_a_module_for_an_unknown_role_is_refused():
    def make_modules(self, ctx):
        return {"q": TrickModule(torch.nn.Linear(1, 1), "q")}

    with pytest.raises(HookError, match="a module for the role 'q'"):
        trial(make("roles", make_modules=make_modules))


def test_hooks_know_whose_half_they_are_called_in():
    seen = set()

    def transform_images(self, x, is_real, buf):
        seen.add((buf.half, is_real))
        return x

    trial(make("sees", transform_images=transform_images)).advance(1)
    assert seen == {("discriminator", True), ("discriminator", False), ("generator", False)}


def test_a_buffer_that_was_not_declared_is_refused_at_once():
    def before_step(self, step, buf):
        buf["late"] = torch.zeros(1)

    with pytest.raises(HookError, match="no buffer 'late' was declared by make_buffers"):
        trial(make("late", before_step=before_step)).advance(1)


@pytest.mark.parametrize(
    ("hook", "function", "message"),
    [
        ("skip", lambda self, ctx: False, r"skip returned False, expected a pair"),
        ("configure", lambda self, spec: None, r"configure returned a value of type NoneType"),
        (
            "make_modules",
            lambda self, ctx: {"q": torch.nn.Linear(1, 1)},
            r"make_modules returned a value of type Linear, expected a TrickModule",
        ),
    ],
)
def test_an_unusable_result_of_a_build_hook_is_named(hook, function, message):
    function.__name__ = hook
    with pytest.raises(HookError, match=message):
        trial(make("slips", **{hook: function}))
