"""An object store for tests: moto's server, over HTTP, stopped and started again."""

import itertools
import logging
import os
import threading

import boto3
from moto.server import ThreadedMotoServer

HOST = "127.0.0.1"


class ObjectStore:
    """A server in a thread; what it holds outlasts its absences."""

    def __init__(self):
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
        self.port, self._numbers = 0, itertools.count()
        self.start()

    @property
    def environment(self):
        """What leads a client to it."""
        return {
            "AWS_ENDPOINT_URL": f"http://{HOST}:{self.port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self):
        self._server = ThreadedMotoServer(HOST, self.port, verbose=False)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]

    def stop(self):
        self._server.stop()
        self._server._server.server_close()

    def start_later(self, seconds):
        threading.Timer(seconds, self.start).start()

    def bucket(self):
        """Make an empty bucket; return its name."""
        name = f"test-{os.getpid()}-{next(self._numbers)}"
        client = boto3.client("s3")
        client.create_bucket(Bucket=name)
        client.close()
        return name
