"""Data sets with known traps, and made-up ones with known truth.

Each data set has a card (``datasets/<name>.toml``): what its columns mean, what stands for missing, which columns leak,
where the file is and its checksum. ``fetch_<name>()`` downloads the file once and checks it; `list_datasets` shows them
all. No data come with the package, except what scikit-learn has (`load_breast_cancer_wdbc`).
"""

from kan_tabular.datasets.cards import card_names
from kan_tabular.datasets.fetch import fetch_dataset, list_datasets, named_function
from kan_tabular.datasets.synthetic import make_additive, make_interaction, make_steps

#: Cards without a file of their own.
_LOADED = ("breast_cancer_wdbc",)
_NAMED = {f"{'load' if card in _LOADED else 'fetch'}_{card}": card for card in card_names()}

__all__ = ["fetch_dataset", "list_datasets", "make_additive", "make_interaction", "make_steps", *_NAMED]


def __getattr__(name):
    if name not in _NAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = named_function(name, _NAMED[name])
    return globals()[name]


def __dir__():
    return sorted({*globals(), *__all__})
