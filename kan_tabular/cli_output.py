"""What the user of the command sees: lines, tables, pictures, a spinner; errors and warnings in one line each."""

import functools
import sys
import warnings
from contextlib import contextmanager

import typer


def readable(command):
    """Turn whatever is wrong with the user's input into one line on stderr and exit code 2, and warnings into lines."""

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                command(*args, **kwargs)
            except (ValueError, TypeError, OSError) as error:
                typer.echo(f"error: {one_line(error)}", err=True)
                raise typer.Exit(2) from None
        lines = [one_line(w.message) for w in caught if issubclass(w.category, UserWarning)]
        for line in dict.fromkeys(lines):
            typer.echo(f"warning: {line}", err=True)

    return wrapped


def draw(path, display, *args, **kwargs):
    import matplotlib

    # No window is ever shown; without this a desktop's own backend would be started.
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from kan_tabular import plots

    figure = getattr(plots, display).from_estimator(*args, **kwargs).figure_
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)


@contextmanager
def busy(message):
    """A spinner on stderr where that is a terminal; yields the function that changes its message."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status(escape(message)) as status:
        yield lambda text: status.update(escape(text))


def number(value):
    if value != value:
        return "missing"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def print_table(header, lines):
    rows = [[printable(cell) for cell in row] for row in ([header] if header else []) + lines]
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    for row in rows:
        say("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def say(text):
    typer.echo("\n".join(printable(line) for line in text.split("\n")))


def one_line(message):
    return printable(" ".join(str(message).split()))


def printable(text):
    """Without the control characters by which a table's cell could take over a terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(text))
