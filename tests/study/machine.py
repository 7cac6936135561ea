"""A machine that joins a study on a shared storage; run as a program, it can be killed."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from ganbench.config.model import Study
from ganbench.plugin import Host
from ganbench.study.design import expand
from ganbench.study.places import place_of
from ganbench.study.run_plan import RunPlan
from ganbench.study.server import address_of
from ganbench.study.supervisor import run_study

BEAT = 1
"""Seconds between heartbeats here."""


class Silent:
    """A monitor that shows nothing."""

    def __getattr__(self, name):
        return lambda *arguments: None


def plan_of(study, report, cache, url=None, workers=1, host=None, files=None):
    """Return the plan of a run, in a journal or at an address."""
    host = host or Host()
    study = Study.model_validate(study)
    address = None
    if url is not None:
        address = replace(address_of(url, 2), heartbeat=BEAT, grace=2 * BEAT)
    return RunPlan(
        study=study,
        resolved=study.model_dump(mode="json"),
        origins={},
        arms=expand(study, host),
        host=host,
        report=Path(report),
        command="ganbench run tiny.yaml",
        quick=False,
        devices=("cpu",),
        workers=workers,
        data_root=None,
        cache=Path(cache),
        storage=address,
        files=files,
    )


if __name__ == "__main__":
    text, report, cache, url, *given = sys.argv[1:]
    files = place_of(given[0]) if given else None
    run_study(plan_of(json.loads(text), report, cache, url, files=files), Silent(), joining=True)
