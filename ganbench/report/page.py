"""The report as one HTML file: no script, no outside address."""

import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ganbench.report import guide
from ganbench.report.content import Content
from ganbench.report.prose import inline, to_html
from ganbench.report.svg import PALETTE, STYLE, Figure
from ganbench.report.timeline import legend
from ganbench.report.tuning import HISTORY_NOTE, IMPORTANCES_NOTE


def to_page(content: Content) -> str:
    """Return the whole page."""
    environment = Environment(
        loader=PackageLoader("ganbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["svg"] = _svg
    environment.filters["breakable"] = _breakable
    environment.filters["inline"] = inline
    environment.filters["prose"] = to_html
    environment.filters["slug"] = lambda verdict: verdict.replace(" ", "-").replace("/", "")
    template = environment.get_template("report.html.jinja")
    # Both are the package's own text, and style sheets know no entities.
    style = Markup(PALETTE + STYLE)  # noqa: S704
    notes = {"history": HISTORY_NOTE, "importances": IMPORTANCES_NOTE}
    return template.render(c=content, style=style, legend=legend(), guide=guide, tuning_notes=notes)


def _breakable(name: str) -> Markup:
    """Return a name that may be broken after an underscore or a dot rather than anywhere."""
    pieces = re.split(r"(?<=_)(?=\w)|(?<=[a-z]\.)(?=[a-z])", name)
    return Markup("<wbr>").join(pieces)


def _svg(figure: Figure) -> Markup:
    # Every text in a figure went through ``svg.text`` or ``svg.element``, which escape it.
    return Markup(figure.inline())  # noqa: S704
