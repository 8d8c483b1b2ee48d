"""A fitted model as one page: what it was made of, how well it does, and a panel that computes it live."""

from kan_tabular.report.build import build_report

__all__ = ["build_report"]
