"""The report of a run: one self-contained HTML file for the people who decide.

It loads nothing (a strict Content-Security-Policy says so to the browser), runs no script, and can
be printed.
"""

from tasks.artefacts.report.page import render_report

__all__ = ["render_report"]
