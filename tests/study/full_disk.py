"""A plugin file: a disk that is full once, from when a trial's second checkpoint is written.

What it is to do stands in ``disk.json`` beside it. As a program it runs a study twice on a disk of
its own, which is full in the first run, and prints what came of it.
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from ganbench.plugin import hookimpl

HERE = Path(__file__).parent
FULL, LATER = 20, 30
"""Steps of two evaluations. The checkpoint of the one before stands by then."""
mine = []


@hookimpl
def on_evaluation(step):
    plan = json.loads((HERE / "disk.json").read_text())
    struck = HERE / "struck"
    if step == FULL and not struck.exists():
        struck.touch()
        mine.append(step)
        if "room" in plan:
            # A file that would grow beyond it is cut off by the kernel, as on a full disk.
            room = Path(plan["journal"]).stat().st_size + plan["room"]
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        else:
            fill(Path(plan["ballast"]))
    elif step == LATER and mine and plan.get("kills"):
        os.kill(os.getpid(), signal.SIGKILL)


def fill(ballast):
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 512)


def copy_to(folder, **plan):
    """Put the plugin into a folder, with what it is to do; return its file."""
    (folder / "disk.json").write_text(json.dumps(plan, default=str))
    return Path(shutil.copy(__file__, folder / "full_disk.py"))


if __name__ == "__main__":
    from machine import plan_of
    from test_faults import table_of
    from test_supervisor import Log

    from ganbench.plugin import GanbenchError, Host
    from ganbench.study.supervisor import run_study

    study, disk, plugin, cache = sys.argv[1:]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], check=True)
    plan = plan_of(json.loads(study), f"{disk}/report", cache, host=Host([plugin]))
    errors, monitor = [], Log()
    for _ in range(2):
        try:
            run_study(plan, monitor)
        except GanbenchError as error:
            errors.append(str(error))
        (Path(disk) / "ballast").unlink(missing_ok=True)
    print(json.dumps({"errors": errors, "notices": monitor.notices, "table": table_of(plan)}))
