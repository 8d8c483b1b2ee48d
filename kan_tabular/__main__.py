"""``python -m kan_tabular`` is the ``kan-tabular`` command."""

from kan_tabular.cli import app

app(prog_name="python -m kan_tabular")
