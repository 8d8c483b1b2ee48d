"""Calibrated models on the command line: fitted, loaded, and what they promise as columns of a table."""


def load_model(path):
    """The model of a file, and the conformal estimator around it (None for most files)."""
    import kan_tabular

    saved = kan_tabular.load(path)
    if hasattr(saved, "predict_set") or hasattr(saved, "predict_interval"):
        return saved.estimator, saved
    return saved, None


def calibrated(model, share, task):
    """A conformal estimator around an unfitted model."""
    from kan_tabular.uncertainty import ConformalClassifier, ConformalRegressor

    kind = ConformalClassifier if task == "classification" else ConformalRegressor
    return kind(model, calibration_size=share, random_state=0)


def at_confidence(conformal, levels, X):
    """Columns with the interval or set of each row at some levels."""
    if not levels:
        return {}
    levels = sorted(set(levels))
    conformal.set_params(confidence_level=levels)
    columns = {}
    if not hasattr(conformal, "predict_set"):
        for (low, high), level in zip(conformal.predict_interval(X).transpose(2, 1, 0), levels, strict=True):
            columns |= {f"lower_{level:g}": low, f"upper_{level:g}": high}
        return columns
    for sets, level in zip(conformal.predict_set(X).transpose(2, 0, 1), levels, strict=True):
        columns[f"set_{level:g}"] = ["; ".join(str(c) for c in conformal.classes_[own]) for own in sets]
    return columns
