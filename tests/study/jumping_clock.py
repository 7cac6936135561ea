"""A plugin file: at each trial a worker's clock jumps by a day, forth and back."""

import datetime
import time

import optuna.storages._rdb.storage
import optuna.storages.journal._storage

from ganbench.plugin import hookimpl

DAY = datetime.timedelta(days=1)
MODULES = (optuna.storages._rdb.storage, optuna.storages.journal._storage)
jumps = []
true_time = time.time


class Jumping(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        offset = DAY if len(jumps) % 2 else -DAY
        return datetime.datetime.now(tz) + offset


@hookimpl
def on_trial_start(arm, seed):
    jumps.append((arm, seed))
    offset = (DAY if len(jumps) % 2 else -DAY).total_seconds()
    time.time = lambda: true_time() + offset
    for module in MODULES:
        module.datetime = Jumping
