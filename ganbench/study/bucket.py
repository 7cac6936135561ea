"""Files on an object store that speaks S3's protocol: Amazon's, MinIO, Ceph and others."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from ganbench.plugin import GanbenchError
from ganbench.study.places import BucketPlace
from ganbench.study.storage import Notice

T = TypeVar("T")
EXTRA = "s3"
TRIES = 4
"""How often botocore sends a request, with its own waits between: seconds altogether."""
CONNECT_SECONDS, READ_SECONDS = 5, 60
PATIENCE = 600.0
"""Seconds for which a store that is away is waited for where nothing goes on without it."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
PROBE = "ganbench-was-here"
BUSY = frozenset({"SlowDown", "RequestTimeout", "Throttling", "ThrottlingException"})


class FilesError(GanbenchError):
    """Trials' files that cannot be had. Exit code 2."""


class Bucket:
    """The objects of one place; each is written whole or not at all, as the store promises.

    Where the store is and who asks is botocore's to know, from the usual environment variables
    and files (``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``, ``~/.aws``), or the machine's role.

    Parameters
    ----------
    place : BucketPlace
    notice : callable (text), optional
        Told once when the store is away and is waited for.
    hurry : callable, optional
        Whether not to wait any longer, for the user wants to end.

    Raises
    ------
    FilesError
        If the package is not installed, or its settings make no sense; by methods that read,
        if the store refuses, or stays away.
    """

    def __init__(
        self,
        place: BucketPlace,
        notice: Notice | None = None,
        hurry: Callable[[], bool] | None = None,
    ) -> None:
        self._place, self._notice = place, notice
        self._hurry = hurry or (lambda: False)
        try:
            import boto3
            from botocore import config, exceptions
        except ImportError as error:
            raise FilesError(
                f"{place}: files on an object store need the package boto3, which is not "
                f"installed: pip install 'ganbench[{EXTRA}]'"
            ) from error
        self._exceptions = exceptions
        self._errors = (exceptions.BotoCoreError, exceptions.ClientError)
        settings = config.Config(
            retries={"mode": "standard", "total_max_attempts": TRIES},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
        )
        try:
            self._client = boto3.Session().client("s3", config=settings)
        except (*self._errors, ValueError) as error:  # of an endpoint that is no URL
            raise FilesError(f"{place}: {_one_line(error)}") from error

    def close(self) -> None:
        """Give up the connections."""
        self._client.close()

    def check(self) -> None:
        """Make sure that objects can be listed, written and deleted.

        Raises
        ------
        FilesError
            If not, with the reason.
        """
        probe = {"Bucket": self._place.bucket, "Key": self._place.name(PROBE)}
        try:
            self._client.list_objects_v2(Bucket=self._place.bucket, MaxKeys=1)
            self._client.put_object(**probe, Body=b"")
            self._client.delete_object(**probe)
        except self._errors as error:
            raise self._error(error) from error

    def read(self, name: str) -> bytes | None:
        """Return an object's content, None if there is none; waits for a store that is away."""
        return self._insist(partial(self._read, name))

    def write(self, name: str, content: bytes) -> None:
        """Replace an object as a whole; what was there stays until then.

        Raises
        ------
        OSError
            If the store refuses, or is away for seconds.
        """
        try:
            self._client.put_object(**self._named(name), Body=content)
        except self._errors as error:
            raise OSError(self._reason(error)) from error

    def write_first(self, name: str, content: bytes) -> bool:
        """Write an object unless there is one; return whether this one was the first."""
        return self._insist(partial(self._write_first, name, content))

    def delete(self, name: str) -> None:
        """Delete an object, if there is one.

        Raises
        ------
        OSError
            If the store refuses, or is away for seconds.
        """
        try:
            self._client.delete_object(**self._named(name))
        except self._errors as error:
            raise OSError(self._reason(error)) from error

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the sizes in bytes of the objects below a folder, by their names in it."""
        return self._insist(partial(self._sizes, folder))

    def _named(self, name: str) -> dict[str, str]:
        return {"Bucket": self._place.bucket, "Key": self._place.name(name)}

    def _read(self, name: str) -> bytes | None:
        try:
            content: bytes = self._client.get_object(**self._named(name))["Body"].read()
        except self._client.exceptions.NoSuchKey:
            return None
        return content

    def _write_first(self, name: str, content: bytes) -> bool:
        try:
            self._client.put_object(**self._named(name), Body=content, IfNoneMatch="*")
        except self._exceptions.ClientError as error:
            # Two at the same moment: the store asks one of them to try again.
            if _code(error) in ("PreconditionFailed", "ConditionalRequestConflict"):
                return False
            raise
        return True

    def _sizes(self, folder: str) -> dict[str, int]:
        beginning = self._place.name(f"{folder}/")
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._place.bucket, Prefix=beginning
        )
        return {
            found["Key"].removeprefix(beginning): found["Size"]
            for page in pages
            for found in page.get("Contents", ())
        }

    def _insist(self, act: Callable[[], T]) -> T:
        since, pause = time.monotonic(), FIRST_WAIT
        while True:
            try:
                return act()
            except self._errors as error:
                over = time.monotonic() - since >= PATIENCE or self._hurry()
                if over or not self._is_away(error):
                    raise self._error(error) from error
                if self._notice is not None:
                    text = f"{self._place} is away, and is waited for: {self._reason(error)}"
                    self._notice(text)
                    self._notice = None
            until = time.monotonic() + pause
            while (left := until - time.monotonic()) > 0 and not self._hurry():
                time.sleep(min(left, 0.25))
            pause = min(2 * pause, LONGEST_WAIT)

    def _is_away(self, error: Exception) -> bool:
        """Say whether an error may pass: no connection, one that was cut, a store that is busy."""
        known = self._exceptions
        if isinstance(error, known.ClientError):
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return bool(status >= 500 and status != 501) or _code(error) in BUSY
        cut = (known.ConnectionError, known.HTTPClientError, known.IncompleteReadError)
        return isinstance(error, cut) and not isinstance(error, known.SSLError)

    def _error(self, error: Exception) -> FilesError:
        return FilesError(f"{self._place}: {self._reason(error)}")

    def _reason(self, error: Exception) -> str:
        known = self._exceptions
        if isinstance(error, known.NoCredentialsError | known.PartialCredentialsError):
            return (
                "no whole credentials were found; expected AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws"
            )
        if isinstance(error, known.ClientError):
            if _code(error) == "NoSuchBucket":
                return f"there is no bucket {self._place.bucket!r}"
            told = error.response.get("Error", {}).get("Message") or "refused"
            return f"{_one_line(told)} ({_code(error)})"
        return _one_line(error)


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
