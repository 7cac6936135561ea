"""Named random streams: one seed, one stream a purpose, none disturbed by another."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


def derive(seed: int, *names: str) -> int:
    """Return the seed of a named stream: 63 bits of a SHA-256 of seed and names."""
    text = "/".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


class Streams:
    """The streams of one trial, made when first asked for.

    Parameters
    ----------
    seed : int
        The trial's seed; equal seeds give equal streams in every arm.
    device : torch.device
        Where the streams draw.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.seed = seed
        self.device = device
        self._generators: dict[str, torch.Generator] = {}

    def stream(self, name: str) -> torch.Generator:
        """Return the stream of a name; every call gives the same object."""
        if name not in self._generators:
            self._generators[name] = self.fresh(name)
        return self._generators[name]

    def fresh(self, *names: str) -> torch.Generator:
        """Return a new generator at a name's start: for draws that must always be alike."""
        generator = torch.Generator(self.device)
        generator.manual_seed(derive(self.seed, *names))
        return generator

    @contextmanager
    def layers(self) -> Iterator[None]:
        """Let PyTorch's global stream be the trial's inside, and put it back after.

        Layers such as dropout draw from it, however often an arm calls them; so it is seeded
        anew, by ``seed_layers``, for each purpose that must not depend on the one before.
        """
        outside = _global_state(self.device)
        try:
            yield
        finally:
            _set_global_state(outside, self.device)

    def seed_layers(self, *names: str) -> None:
        """Put the global stream, inside ``layers``, at the start of a purpose's stream."""
        value = derive(self.seed, "layers", *names)
        torch.default_generator.manual_seed(value)
        if self.device.type == "cuda":
            index = self.device.index
            place = torch.cuda.current_device() if index is None else index
            torch.cuda.default_generators[place].manual_seed(value)
        elif self.device.type == "mps":
            torch.mps.manual_seed(value)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state of every stream made so far, by name."""
        return {name: made.get_state() for name, made in self._generators.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what ``state_dict`` gave; generators handed out stay valid."""
        for name, value in state.items():
            self.stream(name).set_state(value)


@contextmanager
def seeded(*names: str, seed: int) -> Iterator[None]:
    """Seed the CPU's global stream for a name inside, and put it back after."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, *names))
        yield


def _global_state(device: torch.device) -> dict[str, Tensor]:
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def _set_global_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif "mps" in state:
        torch.mps.set_rng_state(state["mps"])
