"""The contracts as pytest runs them: each clause has its test, and built-ins keep theirs."""

import inspect
import re

import pytest
import torch

from ganbench.plugin import Architecture, Host, Inspection, Objective, Trick
from ganbench.testing import (
    ArchitectureContract,
    InspectionContract,
    ObjectiveContract,
    TrickCase,
    TrickContract,
    tiny_config,
)
from ganbench.testing.bitwise import other_streams_are_undisturbed
from ganbench.testing.kinds import CONTRACTS
from ganbench.testing.result import ContractError

TESTS = {
    "trick": TrickContract,
    "architecture": ArchitectureContract,
    "objective": ObjectiveContract,
    "inspection": InspectionContract,
}


class TestMLP(ArchitectureContract):
    architecture: type[Architecture] = Host().find("architecture", "mlp").cls


class TestUpsamplingOfOddSizes(ArchitectureContract):
    architecture: type[Architecture] = Host().find("architecture", "dcgan-upsample").cls
    shapes = ((2,), (1, 9, 9))


class TestSaturating(ObjectiveContract):
    objective: type[Objective] = Host().find("objective", "saturating").cls


class TestNeighbours(InspectionContract):
    inspection: type[Inspection] = Host().find("inspection", "neighbours").cls
    parameters = {"samples": 20}


class TestOnPointsWithAnother(TrickContract):
    trick: type[Trick] = Host().find("trick", "instance_noise").cls
    with_tricks = {"label_smoothing": {"real": 0.8}}
    architecture = "mlp"
    shape = (3,)


@pytest.mark.parametrize("kind", TESTS)
def test_every_clause_of_a_contract_has_a_test(kind):
    source = inspect.getsource(TESTS[kind])
    ran = re.findall(r"hold\((?:\w+\.)?(\w+), self\)", source)
    assert sorted(ran) == sorted(clause.run.__name__ for clause in CONTRACTS[kind])


def test_what_a_required_trick_requires_is_on_too():
    class Middle(Trick):
        name = "middle"
        neutral = Trick.Parameters()
        requires = {"label_smoothing": "for a test"}

    class Outer(Trick):
        name = "outer"
        neutral = Trick.Parameters()
        requires = {"middle": "for a test"}

    class Case(TrickCase):
        trick = Outer
        plugins = (Middle,)

    without = {made.name for made in Case().make(None).tricks}
    assert without == {"middle", "label_smoothing"}
    assert {made.name for made in Case().make({}).tricks} == without | {"outer"}


def test_sizes_are_small_where_an_architecture_has_them_and_can_be_chosen():
    assert tiny_config().architecture.parameters == {"width": 4}
    assert tiny_config(architecture="mlp").architecture.parameters == {"hidden": 8}
    chosen = tiny_config(architecture="mlp", architecture_parameters={"layers": 1})
    assert chosen.architecture.parameters == {"layers": 1}
    assert tiny_config(architecture="of_a_test").architecture.parameters == {}


@pytest.mark.parametrize("hook", ["before_step", "plan_updates"])
def test_draws_between_the_steps_are_the_tricks_own_too(hook):
    def drawing(generator_of):
        def draw(self, step, *rest):
            rest[-1]["shift"].normal_(generator=generator_of(rest[-1]))
            return rest[0]

        members = {
            "name": "shifting",
            "neutral": Trick.Parameters(),
            "make_buffers": lambda self, ctx: {"shift": torch.zeros(())},
            hook: draw,
        }
        made = type("Shifting", (Trick,), members)
        return type("Case", (TrickCase,), {"trick": made})()

    other_streams_are_undisturbed(drawing(lambda buf: buf.generator))
    with pytest.raises(ContractError, match=r"global stream at test_contracts.py:\d+ \(normal_\)"):
        other_streams_are_undisturbed(drawing(lambda buf: None))
