"""Whether two numbers were measured alike: their protocols, key by key."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ganbench.evaluation.cache import cache_key

SAYS_NOTHING = (
    "collapse_rule",
    "warnings",
    "metrics_left_out",
    "execution",
    "reference.name",
    "reference.notes",
    "classifier.accuracy",
    "extractor.parameters.weights",
    "extractor.parameters.expected_hash",
)
"""Keys of a protocol that define no number, or whose content a hash beside them tells better."""
WHERE_BOTH_HAVE = ("metrics.", "classifier.", "reference_draw")
"""Beginnings of keys that concern figures of some metrics: those that only one of two has are
figures that are not compared."""
ABSENT = "absent"


@dataclass(frozen=True)
class Difference:
    """A key of two protocols with different values.

    Attributes
    ----------
    key : str
        Dotted.
    first, second : Any
        Plain values; ``absent`` where one has no such key.
    """

    key: str
    first: Any
    second: Any


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """Return the keys in which two protocols measure differently; none, if they are alike.

    Parameters
    ----------
    first, second : mapping
        As `ganbench.evaluation.protocol.describe_protocol` gives them.
    """
    one, other = defining(first), defining(second)
    return [
        Difference(key, one.get(key, ABSENT), other.get(key, ABSENT))
        for key in dict.fromkeys([*one, *other])
        if one.get(key, ABSENT) != other.get(key, ABSENT)
        and (not key.startswith(WHERE_BOTH_HAVE) or (key in one and key in other))
    ]


def stamp(protocol: Mapping[str, Any]) -> str:
    """Return a hash of all that defines the numbers, 16 hexadecimal digits."""
    return cache_key(defining(protocol))


def defining(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that define numbers, dotted, with their values."""
    return {
        key: value
        for key, value in _flat(protocol, "")
        if not any(key == name or key.startswith(f"{name}.") for name in SAYS_NOTHING)
    }


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
