"""The contract of a trick, as tests to subclass (``class TestMine(TrickContract)``).

A trick passes when it is what it says it is: at its neutral setting nothing at all, and
switched on a change of the step that leaves everybody else's random draws alone and
survives a restart bit for bit. ``ganbench check`` runs the same checks.
"""

from ganbench.testing import bitwise, shared_checks
from ganbench.testing import trick_checks as checks
from ganbench.testing.case import TrickCase
from ganbench.testing.result import hold


class TrickContract(TrickCase):
    """Subclass it in a test module, and set ``trick`` and ``parameters``."""

    def test_card_and_parameters_are_documented(self) -> None:
        """The module has a docstring, and every parameter a description."""
        hold(shared_checks.is_described, self)

    def test_names_of_other_tricks_exist(self) -> None:
        """What ``before``, ``after``, ``conflicts`` and ``requires`` name, with reasons."""
        hold(checks.names_others, self)

    def test_trains_and_stays_finite(self) -> None:
        """It trains, samples and evaluates without an exception, NaN or infinity."""
        hold(shared_checks.trains, self)

    def test_neutral_is_the_identity(self) -> None:
        """Trained at ``neutral``, every weight equals that of a trial without the trick."""
        hold(checks.neutral_is_the_identity, self)

    def test_switched_on_changes_the_step(self) -> None:
        """Trained at ``parameters``, the networks are not those of a trial without it."""
        hold(checks.changes_the_step, self)

    def test_shared_layers_start_alike(self) -> None:
        """Before the first step, the layers that both trials have are equal bit for bit."""
        hold(bitwise.shared_layers_start_alike, self)

    def test_other_streams_are_undisturbed(self) -> None:
        """Latents, data order and another trick's draws stand where they stand without it."""
        hold(bitwise.other_streams_are_undisturbed, self)

    def test_repeats_exactly(self) -> None:
        """Two trials of one seed end with the same bits."""
        hold(bitwise.repeats_exactly, self)

    def test_resume_is_exact(self) -> None:
        """Saved in mid-trial and loaded into a new one, it ends with the same bits."""
        hold(bitwise.resumes_exactly, self)

    def test_step_hooks_look_at_no_value(self) -> None:
        """A fixed graph: no ``.item()``, no branch on data, no counting in Python's numbers.

        Unless ``capturable`` is False.
        """
        hold(bitwise.is_a_fixed_step, self)

    def test_search_ranges_can_be_trained(self) -> None:
        """It trains at both ends of each ``Search`` range."""
        hold(checks.trains_over_its_search_ranges, self)

    def test_points_are_trained_or_not_applicable(self) -> None:
        """On 2-D points with ``mlp`` it trains, or ``skip`` says why not."""
        hold(checks.copes_with_points, self)

    def test_colour_is_trained_or_not_applicable(self) -> None:
        """On images of another number of channels it trains, or ``skip`` says why not."""
        hold(checks.copes_with_colour, self)
