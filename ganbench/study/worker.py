"""A worker process: claims trials, trains them, and tells the supervisor."""

import json
import os
import signal
import traceback
from collections.abc import Mapping
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Any

from pydantic import ValidationError

from ganbench.config.model import TrialConfig
from ganbench.plugin import GanbenchError
from ganbench.study.bucket import FilesError
from ganbench.study.claim import Claim
from ganbench.study.lane import Lane
from ganbench.study.lanes import lead, room
from ganbench.study.link import Link, OrphanedError, end_with_the_supervisor
from ganbench.study.messages import Broken, Claimed, Job
from ganbench.study.run_plan import fingerprint
from ganbench.study.templates import ALONE
from ganbench.study.workplace import Workplace
from ganbench.training import row_of


def main(job: Job, connection: Connection) -> None:
    """Work until the supervisor says stop, or is gone.

    Parameters
    ----------
    job : Job
    connection : Connection
        To the supervisor, and to nobody else: a queue shared with other workers would be
        left locked by one that is killed.
    """
    end_with_the_supervisor()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    link = Link(connection)
    signal.signal(signal.SIGTERM, link.on_signal)
    try:
        _Worker(Workplace(job, link)).run()
    except OrphanedError:
        os._exit(1)
    except GanbenchError as error:
        link.last_words(Broken(str(error)))
    except Exception:
        # Outside a trial: the next worker would meet it too.
        link.last_words(Broken(f"a worker failed:\n{traceback.format_exc()}"))


class _Worker:
    """Claims what it can train: one trial, or some of one arm that are trained together."""

    def __init__(self, place: Workplace) -> None:
        self.place, self.job, self.ledger = place, place.job, place.ledger

    def run(self) -> None:
        link = self.place.link
        while not link.stopped():
            first = self.ledger.claim(self._can_train)
            if first is not None:
                self._train(first)
            elif not link.wait():
                return

    def _train(self, first: Claim) -> None:
        """Train a trial, and with it what waits and may be trained together with it."""
        self._tell(first)
        together = room(self._config(first), first, self.job.together)
        rows = {row_of(first.seed, together)}

        def goes_with(own: Mapping[str, Any]) -> bool:
            return row_of(own["seed"], together) not in rows and self._goes_with(first, own)

        with ExitStack() as hearts:
            hearts.enter_context(self.ledger.alive(first))
            claims = [first]
            while len(claims) < together and not first.alone:
                further = self.ledger.claim(goes_with)
                if further is None:
                    break
                hearts.enter_context(self.ledger.alive(further))
                claims.append(further)
                rows.add(row_of(further.seed, together))
                self._tell(further)
            lanes = [Lane(self.place, claim, self._config(claim)) for claim in claims]
            try:
                lead(lanes, together)
            except FilesError:
                for claim in claims:  # those that have ended stay as they are
                    self.ledger.put_back(claim.number)
                raise

    def _tell(self, claim: Claim) -> None:
        steps = self._config(claim).steps
        self.place.link.send(Claimed(claim.number, claim.title, claim.seed, claim.key, steps))

    def _goes_with(self, first: Claim, attributes: Mapping[str, Any]) -> bool:
        """Say whether a trial that waits is of the same arm as one that was taken."""
        same = (attributes["key"], attributes["fingerprint"]) == (first.key, first.fingerprint)
        may = "index" not in attributes and ALONE not in attributes
        return same and may and self._can_train(attributes)

    def _can_train(self, attributes: Mapping[str, Any]) -> bool:
        if not self.ledger.shared:
            return True
        config = self._config_of(attributes["key"], attributes.get("config"))
        if config is None:
            return False
        made_here = fingerprint(config, self.job.instrument, self.place.host)
        return bool(attributes["fingerprint"] == made_here)

    def _config_of(self, key: str, stated: Mapping[str, Any] | None) -> TrialConfig | None:
        if stated is None:
            return self.job.configs.get(key)
        try:
            return TrialConfig.model_validate_json(json.dumps(stated))
        except ValidationError:  # of another ganbench, which knows other keys
            return None

    def _config(self, claim: Claim) -> TrialConfig:
        config = self._config_of(claim.key, claim.config)
        if config is None:
            raise GanbenchError(f"{claim.arm}: not an arm of this study")
        return config
