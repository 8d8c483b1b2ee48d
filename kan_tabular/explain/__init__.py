"""What a model says about one case beside others: similar cases, and whether the case is like any of them."""

__all__ = ["SimilarCases"]


def __getattr__(name):
    if name != "SimilarCases":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from kan_tabular.explain.similar import SimilarCases

    return SimilarCases


def __dir__():
    return sorted({*globals(), *__all__})
