"""What a trial has to show: samples, and figures and pictures of its plugins' own."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ganbench.config.model import Evaluation
from ganbench.plugin import Architecture, Buffers, Picture, Sampler, Trick
from ganbench.training import sampling
from ganbench.training.calls import call_plugin, mapping_of
from ganbench.training.errors import HookResultError
from ganbench.training.hooks import overrides
from ganbench.training.networks import BuiltPair
from ganbench.training.streams import Streams

Weights = Literal["sampling", "trained"]
"""Of a trick's ``sampling_generator`` where there is one, or the generator as trained."""
_PICTURE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def figure_name(pair: str, name: str) -> str:
    """Return a figure's name: with the pair's, unless that is the only one."""
    return name if pair == "main" else f"{pair}.{name}"


class Evaluating:
    """Shows a trial without disturbing it: streams, modes and buffers are as before.

    Parameters
    ----------
    pairs : sequence of BuiltPair
    tricks : sequence of Trick
    architecture : Architecture
    streams : Streams
    settings : Evaluation
    autocast : callable () -> context manager
    """

    def __init__(
        self,
        pairs: Sequence[BuiltPair],
        tricks: Sequence[Trick],
        architecture: Architecture,
        streams: Streams,
        settings: Evaluation,
        autocast: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self._pairs, self._tricks, self._architecture = pairs, tricks, architecture
        self._streams, self._settings, self._autocast = streams, settings, autocast

    @property
    def scored_weights(self) -> str:
        """Whose weights samples come from: ``trained``, or the name of the trick."""
        names = [trick.name for trick in self._tricks if overrides(trick, "sampling_generator")]
        return names[0] if names else "trained"

    def images(self, count: int, weights: Weights) -> Tensor:
        """Return samples, shape (count, *shape), float, as the generators give them."""
        settings = self._settings
        # Statistics of the batch need whole batches, the last one too.
        whole = -(-count // settings.batch_size) * settings.batch_size
        drawn = whole if settings.batch_norm == "batch" else count
        with self._streams.layers(), torch.no_grad(), self._autocast():
            self._streams.seed_layers("evaluation")
            made: Tensor = call_plugin(
                self._architecture.name,
                sampling.sample,
                self._architecture,
                self._generators(weights),
                self._latents(drawn),
                settings.batch_size,
                settings.batch_norm,
            )
        return made[:count].float()

    def figures(self) -> dict[str, float]:
        """Return the figures that tricks report of their own, as ``trick.figure``."""
        figures: dict[str, float] = {}
        for trick, built, buffers in self._each("on_evaluate"):
            with self._mode(_networks(built)), self._autocast():
                self._streams.seed_layers("evaluation", trick.name)
                own = call_plugin(trick.name, trick.on_evaluate, built.context, buffers)
            for key, value in mapping_of(trick.name, "on_evaluate", own).items():
                if not isinstance(value, int | float):
                    problem = f"{key}={value!r}, expected a number"
                    raise HookResultError(trick.name, "on_evaluate", problem)
                figures[figure_name(built.pair.name, f"{trick.name}.{key}")] = value
        return figures

    @contextmanager
    def sampler(self) -> Iterator[Sampler]:
        """Give the generators as they are scored, to sample from as often as one likes."""
        with self._streams.layers(), torch.no_grad():
            generators = self._generators("sampling")

        def images(latents: Mapping[str, Tensor]) -> Tensor:
            with self._autocast():
                made: Tensor = self._architecture.sample(generators, latents)
            return made

        with self._mode(list(generators.values())):
            self._streams.seed_layers("evaluation")
            yield Sampler(generators, self._latents, images)

    def pictures(self) -> dict[str, Picture]:
        """Return the pictures of the architecture and the tricks, as ``plugin.picture``."""
        with self._streams.layers(), torch.no_grad():
            generators = self._generators("sampling")
        networks = [
            *generators.values(),
            *(net for built in self._pairs for net in _networks(built)),
        ]
        found: dict[str, Picture] = {}
        with self._mode(networks), self._autocast():
            self._streams.seed_layers("evaluation")
            sampler = Sampler(
                generators,
                self._latents,
                lambda latents: self._architecture.sample(generators, latents),
            )
            own = call_plugin(self._architecture.name, self._architecture.draw_pictures, sampler)
            found.update(_checked(self._architecture.name, own))
            for trick, built, buffers in self._each("draw_pictures"):
                self._streams.seed_layers("evaluation", trick.name)
                own = call_plugin(trick.name, trick.draw_pictures, built.context, sampler, buffers)
                for name, picture in _checked(trick.name, own).items():
                    found[figure_name(built.pair.name, name)] = picture
        return found

    def _each(self, hook: str) -> Iterator[tuple[Trick, BuiltPair, Buffers]]:
        for trick in self._tricks:
            if overrides(trick, hook):
                for built in self._pairs:
                    yield trick, built, self._buffers(built, trick)

    @contextmanager
    def _mode(self, networks: list[nn.Module]) -> Iterator[None]:
        mode = sampling.sampling_mode(networks, self._settings.batch_norm)
        with self._streams.layers(), torch.no_grad(), mode:
            yield

    def _latents(self, count: int) -> dict[str, Tensor]:
        """Return the first ``count`` latents of every evaluation, by pair."""
        # As many as an evaluation draws, and cut: fewer at once would be other ones.
        whole = max(count, self._settings.samples)
        return {built.pair.name: self._latents_of(built, whole)[:count] for built in self._pairs}

    def _latents_of(self, built: BuiltPair, count: int) -> Tensor:
        name = built.pair.name
        names = ("evaluation",) if name == "main" else ("evaluation", name)
        z = sampling.draw_latents(
            built.context.spec.latent,
            count,
            self._streams.fresh(*names),
            self._streams.fresh(*names, "codes"),
        )
        for trick in self._tricks:
            if overrides(trick, "transform_latent"):
                buffers = self._buffers(built, trick)
                z = call_plugin(trick.name, trick.transform_latent, z, buffers)
        return z

    def _buffers(self, built: BuiltPair, trick: Trick) -> Buffers:
        """Return a trick's buffers with a stream that stands at its start at every call."""
        stream = self._streams.fresh("evaluation", "trick", trick.name, built.pair.name)
        return sampling.with_stream(built.buffers[trick.name], stream)

    def _generators(self, weights: Weights) -> dict[str, nn.Module]:
        return {built.pair.name: self._generator(built, weights) for built in self._pairs}

    def _generator(self, built: BuiltPair, weights: Weights) -> nn.Module:
        for trick in self._tricks:
            if weights == "sampling" and overrides(trick, "sampling_generator"):
                buffers = self._buffers(built, trick)
                replaced: object = call_plugin(
                    trick.name, trick.sampling_generator, built.context, buffers
                )
                if not isinstance(replaced, nn.Module):
                    problem = f"a value of type {type(replaced).__name__}, expected a generator"
                    raise HookResultError(trick.name, "sampling_generator", problem)
                return replaced
        return built.pair.generator


def _networks(built: BuiltPair) -> list[nn.Module]:
    """Return all that tricks may ask in an evaluation: both networks, and what they brought."""
    return [built.pair.generator, built.pair.discriminator, *built.modules.values()]


def _checked(plugin: str, own: Mapping[str, Picture]) -> dict[str, Picture]:
    """Return a plugin's pictures under its name, or blame it for what is none."""
    found = {}
    for name, picture in mapping_of(plugin, "draw_pictures", own).items():
        if not isinstance(picture, Picture):
            problem = f"{name}: a value of type {type(picture).__name__}, expected a Picture"
            raise HookResultError(plugin, "draw_pictures", problem)
        if not _PICTURE_NAME.fullmatch(name):
            problem = f"the name {name!r}, expected lower-case letters, digits and -, at most 40"
            raise HookResultError(plugin, "draw_pictures", problem)
        found[f"{plugin}.{name}"] = picture
    return found
