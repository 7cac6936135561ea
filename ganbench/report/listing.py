"""Nested settings as lines: the resolved study with its origins, the protocol as a table."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml


def flattened(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as (dotted key, text) pairs, in their order."""
    found: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found += flattened(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", scalar(value)))
    return found


def scalar(value: Any) -> str:
    """Return a value without mappings in it as YAML on one line."""
    if isinstance(value, str) and value and "\n" not in value and value == value.strip():
        return value
    return _inline(value)


def study_lines(study: Mapping[str, Any], origins: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the resolved study as lines of YAML, each with where its value comes from."""
    return list(_lines(study, "", "", origins))


def _lines(
    values: Mapping[str, Any], indent: str, prefix: str, origins: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        dotted = f"{prefix}{key}"
        name = f"{indent}{_inline(key)}:"
        if isinstance(value, Mapping) and value:
            yield name, origins.get(dotted, "")
            yield from _lines(value, indent + "  ", dotted + ".", origins)
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            yield name, origins.get(dotted, "")
            for place, item in enumerate(value):
                yield f"{indent}- {_inline(item)}", origins.get(f"{dotted}.{place}", "")
        else:
            yield f"{name} {_inline(value)}", origins.get(dotted, "")


def _inline(value: Any) -> str:
    text = yaml.safe_dump(
        _plain(value), default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _plain(value: Any) -> Any:
    """Return a value that ``yaml.safe_dump`` takes."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
