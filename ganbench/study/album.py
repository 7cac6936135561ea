"""What is kept of a trial that has ended: pictures, the plugins' own too, and its generator."""

from collections.abc import Callable
from pathlib import Path

from ganbench.evaluation.inspecting import Inspector
from ganbench.evaluation.pictures import own_picture, sample_sheet, shown
from ganbench.plugin import Data, Picture
from ganbench.study.archive import INSPECTED, Archive
from ganbench.study.claim import Claim
from ganbench.study.files import Files
from ganbench.training import HookError, NonFiniteError, Trial, dump_generator

MOST_BYTES = 128 * 2**20
"""Weights of a generator that are kept: more would fill disks, at some dozen trials a study."""


class Album:
    """Writes a trial's pictures and its generator; what cannot be had is a notice, no failure.

    The trial has been measured by now, and its result must not be lost to a picture.

    Parameters
    ----------
    archive : Archive
    files : Files
        The archive's.
    claim : Claim
        Whose trial it is.
    notice : callable (text)
        Told what is missing, and why.
    """

    def __init__(
        self, archive: Archive, files: Files, claim: Claim, notice: Callable[[str], None]
    ) -> None:
        self._archive, self._files, self._notice = archive, files, notice
        self._identity = claim.key, claim.seed, claim.fingerprint
        # Up to the colon a notice says where; what follows is told once for all trials.
        self._where = f"seed {claim.seed} of {claim.arm}"

    def keep(self, trial: Trial, data: Data, inspector: Inspector) -> dict[str, str]:
        """Draw and write all pictures, and the generator to sample from later.

        Returns
        -------
        dict of str to str
            By inspection, why it has no picture.
        """
        try:
            sheet = sample_sheet(trial.sample(shown(data)), data)
        except NonFiniteError as error:  # more samples than were measured
            self._notice(f"{self._where}: there is no picture of samples: {error}")
        else:
            self._write(self._archive.samples(*self._identity), sheet)
        self._keep_own(trial)
        self._keep_generator(trial)
        seen = inspector.look(trial)
        for name, problem in seen.wrong.items():
            self._notice(f"{self._where}: no pictures of the inspection {name}: {problem}")
        for name, picture in seen.pictures.items():
            self._draw(f"{INSPECTED}{name}", picture, f"{name.partition('.')[0]}.draw")
        return {**seen.nothing, **seen.wrong}

    def _keep_generator(self, trial: Trial) -> None:
        try:
            content = dump_generator(trial)
        except Exception as error:  # a plugin's state that cannot be saved
            self._notice(f"{self._where}: the generator's weights are not kept: {_told(error)}")
            return
        if len(content) > MOST_BYTES:
            self._notice(
                f"{self._where}: the generator's weights are not kept, for they take "
                f"{len(content) / 2**20:,.0f} MiB, more than {MOST_BYTES // 2**20}; "
                "`ganbench export --retrain` trains the trial again"
            )
            return
        self._write(self._archive.generator(*self._identity), content, "generator")

    def _keep_own(self, trial: Trial) -> None:
        try:
            pictures = trial.pictures()
        except Exception as error:
            # Whatever a plugin does wrong; a HookError names plugin and hook.
            self._notice(f"{self._where}: no pictures of the plugins' own: {_told(error)}")
            return
        for name, picture in pictures.items():
            self._draw(name, picture, f"{name.rpartition('.')[0]}.draw_pictures")

    def _draw(self, name: str, picture: Picture, hook: str) -> None:
        try:
            drawn = own_picture(picture)
        except Exception as error:
            text = f"{hook} gave {name.rpartition('.')[2]!r}, which cannot be drawn"
            self._notice(f"{self._where}: {text}: {_told(error)}")
            return
        self._write(self._archive.picture(*self._identity, name), drawn)

    def _write(self, path: Path, content: bytes, what: str = "picture") -> None:
        try:
            self._files.write(path, content)
        except OSError as error:
            where = self._files.shown(path)
            self._notice(f"{where}: the {what} could not be written: {error.strerror or error}")


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, HookError) else f"{type(error).__name__}: {error}"
