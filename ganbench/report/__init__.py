"""Reports: verdicts and figures as a page, as Markdown, and for programs."""

from ganbench.report.words import VerdictRow, verdict_rows
from ganbench.report.write import prepare_report, write_report

__all__ = ["VerdictRow", "prepare_report", "verdict_rows", "write_report"]
