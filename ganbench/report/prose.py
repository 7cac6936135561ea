"""A small, safe part of Markdown as HTML, for the sections that plugins add to a report.

Paragraphs, ``#`` headings, bullet lists, fenced code, pipe tables, ``code``, **strong** and
*emphasis*. Everything is escaped; a link shows its text and its address, and leads nowhere,
since a report has no outside address.
"""

import re
from collections.abc import Iterable

from markupsafe import Markup, escape

_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]*)\)")
_CODE = re.compile(r"`([^`]+)`")
_STRONG = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])")
_TABLE_RULE = re.compile(r"^\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?$")


def to_html(markdown: str) -> Markup:
    """Return Markdown text as HTML that is safe to put into a page."""
    parts = []
    for block in _blocks(markdown):
        first = block[0]
        if first.startswith("```"):
            parts.append(Markup("<pre>{}</pre>").format("\n".join(block[1:])))
        elif first.startswith("#"):
            parts.append(Markup("<h3>{}</h3>").format(inline(first.lstrip("#").strip())))
        elif len(block) > 1 and "|" in first and _TABLE_RULE.match(block[1].strip()):
            parts.append(_table(block))
        elif re.match(r"[-*+] ", first):
            items = [inline(item) for item in _items(block)]
            parts.append(Markup("<ul>{}</ul>").format(_joined("<li>{}</li>", items)))
        else:
            parts.append(Markup("<p>{}</p>").format(inline(" ".join(block))))
    return Markup("\n").join(parts)


def inline(text: str) -> Markup:
    """Return a line of Markdown as HTML."""
    text = _LINK.sub(lambda found: f"{found[1]} ({found[2]})" if found[2] else found[1], text)
    pieces = []
    for index, piece in enumerate(_CODE.split(text)):
        safe = str(escape(piece))
        if index % 2:
            pieces.append(f"<code>{safe}</code>")
        else:
            safe = _STRONG.sub(r"<strong>\1</strong>", safe)
            pieces.append(_EMPHASIS.sub(r"<em>\1</em>", safe))
    # Every piece has been escaped above.
    return Markup("".join(pieces))  # noqa: S704


def _blocks(markdown: str) -> Iterable[list[str]]:
    """Yield the runs of lines between blank ones; a fence holds its blank lines."""
    block: list[str] = []
    fenced = False
    for line in markdown.splitlines():
        if line.startswith("```"):
            if block:
                yield block
            block = [] if fenced else [line]
            fenced = not fenced
        elif fenced:
            block.append(line)
        elif not line.strip() or line.startswith("#"):
            if block:
                yield block
            block = []
            if line.strip():
                yield [line]
        else:
            block.append(line.strip())
    if block:
        yield block


def _items(block: list[str]) -> list[str]:
    items: list[str] = []
    for line in block:
        if re.match(r"[-*+] ", line):
            items.append(line[2:])
        else:
            items[-1] += f" {line}"
    return items


def _table(block: list[str]) -> Markup:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in block]
    head = _joined('<th scope="col">{}</th>', [inline(cell) for cell in rows[0]])
    body = [_joined("<td>{}</td>", [inline(cell) for cell in row]) for row in rows[2:]]
    return Markup(
        '<div class="wide"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, _joined("<tr>{}</tr>", body))


def _joined(pattern: str, items: Iterable[Markup]) -> Markup:
    # The pattern is this module's own.
    return Markup("").join(Markup(pattern).format(item) for item in items)  # noqa: S704
