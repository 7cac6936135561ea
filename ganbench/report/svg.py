"""Pictures as SVG text: elements, escaping, and one style for light, dark and print."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

PALETTE = """
:root { color-scheme: light dark;
  --paper: #ffffff; --wash: #f4f5f7; --rule: #dde1e6; --muted: #59626d; --ink: #1a1d21;
  --helps: #0a5fa5; --hurts: #b23c0b; --partial: #c98300; --base: #7b8591; }
@media screen and (prefers-color-scheme: dark) { :root {
  --paper: #15181c; --wash: #1d2126; --rule: #333a42; --muted: #a3acb7; --ink: #e8eaed;
  --helps: #6db5f8; --hurts: #ff9a68; --partial: #e2ad45; --base: #8d97a3; } }
"""
"""Colours that keep 4.5 to 1 against the paper wherever they colour text."""

STYLE = """
.gb { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial,
  sans-serif; font-variant-numeric: tabular-nums; }
.gb text { fill: var(--ink); }
.gb .soft { fill: var(--muted); font-size: 11px; }
.gb .strong { font-weight: 600; }
.gb .end { text-anchor: end; } .gb .mid { text-anchor: middle; }
.gb .halo { paint-order: stroke; stroke: var(--paper); stroke-width: 5; stroke-linejoin: round; }
.gb .rule { stroke: var(--rule); stroke-width: 1; fill: none; }
.gb .zero { stroke: var(--ink); stroke-width: 1; }
.gb .margin { fill: var(--wash); }
.gb .dot { fill: currentColor; fill-opacity: .42; }
.gb .bar { stroke: currentColor; stroke-width: 2.5; stroke-linecap: round; }
.gb .mark { fill: currentColor; stroke: var(--paper); stroke-width: 1.5; }
.gb .hollow { fill: var(--paper); stroke: currentColor; stroke-width: 2; }
.gb .line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.gb .dashed { stroke-dasharray: 4 3; }
.gb .band { fill: currentColor; fill-opacity: .18; }
.gb .tone { fill: currentColor; }
.gb .cross { stroke: currentColor; stroke-width: 1.6; fill: none; }
.gb .cell { fill: var(--wash); }
.gb .helps { color: var(--helps); } .gb .hurts { color: var(--hurts); }
.gb .plain { color: var(--muted); } .gb .base { color: var(--base); }
.gb .ink { color: var(--ink); } .gb .partial { color: var(--partial); }
.gb text.helps { fill: var(--helps); } .gb text.hurts { fill: var(--hurts); }
.gb text.plain, .gb text.base { fill: var(--muted); }
"""


@dataclass(frozen=True)
class Figure:
    """A picture, to stand in a page or by itself.

    Attributes
    ----------
    name : str
        Of its file, without suffix; also what its ids start with.
    title, description : str
        What a screen reader says.
    width, height : float
        In CSS pixels.
    body : str
        SVG elements.
    """

    name: str
    title: str
    description: str
    width: float
    height: float
    body: str

    def inline(self) -> str:
        """Return the element for a page that carries ``PALETTE`` and ``STYLE``."""
        return self._element("", "")

    def standalone(self) -> str:
        """Return a file: with its own style, and paper that suits its colours."""
        paper = element("rect", width=self.width, height=self.height, style="fill: var(--paper)")
        inside = f"<style>{PALETTE}{STYLE}</style>{paper}"
        return self._element(' xmlns="http://www.w3.org/2000/svg"', inside) + "\n"

    def _element(self, namespace: str, before: str) -> str:
        width, height = _number(self.width), _number(self.height)
        return (
            f'<svg{namespace} class="gb" role="img" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" '
            f'aria-labelledby="{self.name}-title {self.name}-desc">'
            f'<title id="{self.name}-title">{escape(self.title)}</title>'
            f'<desc id="{self.name}-desc">{escape(self.description)}</desc>'
            f"{before}{self.body}</svg>"
        )


def element(tag: str, *children: str, **attributes: object) -> str:
    """Return an SVG element; ``class_`` and ``stroke_width`` become what SVG calls them.

    ``children`` are elements already; text goes through ``text``.
    """
    parts = [tag]
    for name, value in attributes.items():
        shown = _number(value) if isinstance(value, int | float) else escape(str(value))
        parts.append(f'{name.rstrip("_").replace("_", "-")}="{shown}"')
    head = " ".join(parts)
    return f"<{head}>{''.join(children)}</{tag}>" if children else f"<{head}/>"


def text(x: float, y: float, content: str, class_: str = "") -> str:
    """Return a line of text with its baseline at ``y``."""
    attributes = {"class_": class_} if class_ else {}
    return element("text", escape(content), x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """Return a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def path(points: Sequence[tuple[float, float]], class_: str, closed: bool = False) -> str:
    """Return a path through points."""
    route = "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points)
    return element("path", d=route + ("Z" if closed else ""), class_=class_)


def group(x: float, y: float, *children: str, class_: str = "") -> str:
    """Return elements moved by (x, y)."""
    attributes = {"class_": class_} if class_ else {}
    return element("g", *children, transform=f"translate({_number(x)} {_number(y)})", **attributes)


def tiled(name: str, title: str, figures: Sequence[Figure], columns: int, gap: float) -> Figure:
    """Return one figure of several, row by row; each column as wide as the widest."""
    width = max(figure.width for figure in figures)
    height = max(figure.height for figure in figures)
    columns = min(columns, len(figures))
    rows = -(-len(figures) // columns)
    body = "".join(
        group(
            gap + index % columns * (width + gap),
            gap + index // columns * (height + gap),
            figure.body,
        )
        for index, figure in enumerate(figures)
    )
    return Figure(
        name,
        title,
        " ".join(figure.description for figure in figures),
        columns * (width + gap) + gap,
        rows * (height + gap) + gap,
        body,
    )


def shorten(content: str, characters: int) -> str:
    """Return text that fits, cut in its middle, since names often differ at their ends."""
    if len(content) <= characters:
        return content
    head = (characters - 1) * 2 // 3
    return f"{content[:head].rstrip()}…{content[-(characters - 1 - head) :].lstrip()}"


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers in [low, high], at most ``most``, for a logarithmic axis.

    1-2-5 numbers or coarser ones; where a narrow range holds fewer than three, evenly spaced
    ones.
    """
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    ticks: list[float] = []
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [m * 10.0**d for d in decades for m in steps if low <= m * 10.0**d <= high]
        if len(ticks) <= most:
            break
    if len(ticks) < 3:
        return _even_ticks(low, high, most)
    return ticks[:: -(-len(ticks) // most)]


def _even_ticks(low: float, high: float, most: int) -> list[float]:
    """Return the multiples of a round number in [low, high], at most ``most``."""
    exponent = floor(log10(high - low)) - 2
    while True:
        for step in (1, 2, 5):
            size = step * 10.0**exponent
            first, last = ceil(low / size - 1e-9), floor(high / size + 1e-9)
            if last - first < most:
                return [index * size for index in range(first, last + 1)]
        exponent += 1


def linear_ticks(high: float, most: int) -> list[float]:
    """Return round numbers from 0 to at most ``high``, at most ``most`` of them."""
    for exponent in range(floor(log10(high)) - 2, floor(log10(high)) + 2):
        for step in (1, 2, 2.5, 5):
            size = step * 10.0**exponent
            if high / size < most:
                return [index * size for index in range(floor(high / size + 1e-9) + 1)]
    return [0.0, high]


def _number(value: float) -> str:
    """Return a coordinate with two decimals at most, and no negative zero."""
    shown = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown
