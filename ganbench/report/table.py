"""A table of text, for the page and the Markdown alike."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of text; the first ``words`` columns hold words, the others numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
