"""Figures, HTML, Markdown and machine-readable results."""
