"""What a check of a contract finds."""

import contextlib
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from ganbench.plugin import GanbenchError
from ganbench.training import HookError, NotApplicableError
from ganbench.training.errors import HookResultError

Subject = TypeVar("Subject")
LONGEST = 300
"""Characters of a message that is not ours."""


class ContractError(AssertionError):
    """A check that failed.

    Parameters
    ----------
    seen : str
        What was observed.
    mend : str
        What to do about it.
    """

    def __init__(self, seen: str, mend: str) -> None:
        self.seen, self.mend = seen, mend
        super().__init__(f"{seen}\n{mend}")


class NothingToCheckError(Exception):
    """A check that has nothing to say of this plugin, and why. It counts as passed."""


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """One clause of a contract.

    Attributes
    ----------
    name : str
        A word or two.
    proves : str
        What holds when it passes, as one line.
    run : callable (subject)
        Raises `ContractError`, or `NothingToCheckError`, or returns.
    others_need_it : bool
        Whether the checks after it mean nothing if it fails.
    """

    name: str
    proves: str
    run: Callable[[Subject], None]
    others_need_it: bool = False


@dataclass(frozen=True)
class Result:
    """What a check found.

    Attributes
    ----------
    check : Check
    outcome : {"passed", "failed", "n/a"}
    seen, mend : str
        Of a failure: what was observed, what to do. Of n/a: the reason, and nothing.
    """

    check: Check[Any]
    outcome: Literal["passed", "failed", "n/a"]
    seen: str = ""
    mend: str = ""


def hold(run: Callable[[Subject], None], subject: Subject) -> None:
    """Run a check as a test: with nothing to say of a plugin, it passes."""
    with contextlib.suppress(NothingToCheckError):
        run(subject)


def outcome(check: Check[Subject], subject: Subject) -> Result:
    """Run a check; whatever a plugin raises in it is a failure that is told.

    Raises
    ------
    NotApplicableError
        If the plugin declares that the whole set-up makes no sense.
    """
    try:
        check.run(subject)
    except ContractError as error:
        return Result(check, "failed", error.seen, error.mend)
    except NothingToCheckError as reason:
        return Result(check, "n/a", str(reason))
    except NotApplicableError:
        raise
    except HookResultError as error:
        mend = f"Every path through {error.hook} must return what its base class says."
        return Result(check, "failed", str(error), mend)
    except HookError as error:
        return Result(check, "failed", str(error), f"Mend {error.hook} at that line.")
    except GanbenchError as error:
        return Result(check, "failed", str(error), "Mend what that says.")
    except Exception as error:
        mend = "No hook raised: one of them gave the step something that does not fit."
        return Result(check, "failed", _told(error), mend)
    return Result(check, "passed")


def _told(error: Exception) -> str:
    """Return an exception on one line, shortened, with the place where it came up."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return (text if len(text) <= LONGEST else text[: LONGEST - 1] + "…") + place


def results(checks: Iterable[Check[Subject]], subject: Subject) -> Iterator[Result]:
    """Run checks in order; after a failure of one that the rest build on, no more."""
    for check in checks:
        result = outcome(check, subject)
        yield result
        if check.others_need_it and result.outcome == "failed":
            return
