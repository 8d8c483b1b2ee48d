"""Write the table of docs/datasets.md from the cards: ``python docs/make_datasets.py``."""

from pathlib import Path

from kan_tabular.datasets import list_datasets
from kan_tabular.datasets.cards import read_card

PAGE = Path(__file__).with_name("datasets.md")
START, END = "<!-- made by docs/make_datasets.py from the cards -->\n", "<!-- end of the table -->\n"


def table():
    """Clinical tables first, then materials; one line a data set."""
    lines = ["| Data set | What | Targets | Rows | Features | Kept together | Licence stated |"]
    lines.append("|---|---|---|---:|---:|---|---|")
    for name, card in list_datasets().sort_values("domain", kind="stable").iterrows():
        targets = ", ".join(f"{target.name} ({target.task})" for target in read_card(name).targets)
        cells = (f"[`{name}`](../datasets/{name}.toml)", card["title"], targets, card["rows"], card["features"])
        lines.append("| " + " | ".join(map(_cell, (*cells, card["groups"], card["licence"]))) + " |")
    return "\n".join(lines) + "\n"


def _cell(value):
    return str(value).replace("|", "\\|")


def page():
    """The page with the present table."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    return before + START + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
