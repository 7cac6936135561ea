"""What a trial is put together from: streams, plugins, context, networks."""

from collections.abc import Sequence
from dataclasses import dataclass

from ganbench.config.model import TrialConfig
from ganbench.data.resident import Resident
from ganbench.plugin import Architecture, BuildContext, Host, Objective, Trick
from ganbench.training.context import make_context
from ganbench.training.hooks import create_tricks
from ganbench.training.networks import BuiltPair, build_pairs
from ganbench.training.streams import Streams


@dataclass(frozen=True)
class Assembly:
    """The parts of a trial before its first step; each trial has its own."""

    streams: Streams
    tricks: Sequence[Trick]
    architecture: Architecture
    objective: Objective
    context: BuildContext
    pairs: tuple[BuiltPair, ...]


def assemble(config: TrialConfig, seed: int, resident: Resident, host: Host) -> Assembly:
    """Create a trial's plugins and build its networks, with the weights that the seed gives.

    Raises
    ------
    NotApplicableError
        If a plugin declares that this arm makes no sense; the message says why.
    HookError
        If a plugin's build-time hook raises.
    """
    streams = Streams(seed, resident.device)
    tricks = create_tricks(config.tricks, host)
    architecture: Architecture = host.create(
        "architecture", config.architecture.name, config.architecture.parameters
    )
    objective: Objective = host.create(
        "objective", config.objective.name, config.objective.parameters
    )
    context, objective = make_context(config, resident, tricks, architecture, objective)
    pairs = build_pairs(architecture, tricks, context, streams)
    return Assembly(streams, tricks, architecture, objective, context, pairs)
