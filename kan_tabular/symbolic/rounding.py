"""Constants with the digits that their standard errors support."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kan_tabular.symbolic.refit import Additive, covariance, refit, variance

#: Digits that anything gets at most.
_MOST_DIGITS = 6
#: A shift within this many standard errors of zero is zero.
SNAP = 1.5
#: Errors of constants that do not matter, as a share of them (shifts: of the range of their function's argument).
NEGLIGIBLE = 3e-5
_STEPS = 10


def rounded(value, error, digits="auto"):
    """`value` to the digits that a standard error `error` supports ("auto"), or to so many significant digits.

    The unit of the last digit is at most half the standard error, so rounding costs at most a sixteenth of a unit of
    the deviance.
    """
    if value == 0 or not np.isfinite(value):
        return value
    most = _MOST_DIGITS if digits == "auto" else digits
    places = most - 1 - int(np.floor(np.log10(abs(value))))
    if digits == "auto" and np.isfinite(error) and error > 0:
        places = min(places, -int(np.floor(np.log10(error / 2))))
    return float(round(value, places)) if places < 300 else value


def round_constants(model, response, dispersion, digits="auto", tightness=1.0):
    """Slopes first, then shifts, then weights and levels; after each, what is still free is fitted again.

    Parameters
    ----------
    model : Additive
        At its maximum.
    dispersion : float
    digits : "auto", int or None
        None leaves everything as it is.
    tightness : float
        Share of the standard errors to respect.
    """
    if digits is None:
        return model
    for name in ("slope", "shift", "weight"):
        errors = _errors(model, response, dispersion * tightness**2)
        parts = []
        for part, error in zip(model.parts, errors, strict=True):
            atoms = [_held(a, name, e, digits, part) for a, e in zip(part.atoms, error, strict=False)]
            atoms = tuple(a.limited(part.low, part.high) for a in atoms)
            part = replace(part, atoms=atoms)
            if name == "weight" and len(part.beta):
                beta = [rounded(v, e, digits) for v, e in zip(part.beta, error[-1], strict=True)]
                part = replace(part, beta=np.array(beta), held=True)
            parts.append(part)
        model, _ = refit(Additive(model.intercept, parts), response, _STEPS)
    V = covariance(model, response, dispersion * tightness**2)
    errors, intercept = np.sqrt(np.maximum(np.diag(V), 0.0)), model.intercept.copy()
    eta = np.broadcast_to(model.predictor(), (len(response.weights), len(model.intercept)))
    spread = np.sqrt(variance(eta, response.weights))
    for k in range(len(intercept)):
        shown = sum(p.constant for p in model.parts if p.output == k)  # beside the intercept in the formula's constant
        intercept[k] = rounded(intercept[k] + shown, max(errors[k], NEGLIGIBLE * spread[k]), digits) - shown
    return Additive(intercept, model.parts)


def _errors(model, response, dispersion):
    """Standard errors of each part: a dict by name of the constant for each atom, then those of its levels."""
    V = covariance(model, response, dispersion)
    size, start, out = np.sqrt(np.maximum(np.diag(V), 0.0)), len(model.intercept), []
    for part in model.parts:
        moving, own = iter(part.moving), []
        for atom in part.atoms:
            own.append({})
            for name in atom.names:
                if next(moving):
                    own[-1][name] = size[start]
                    start += 1
        m = 0 if part.held else len(part.beta)
        own.append(size[start : start + m])
        start += m
        out.append(own)
    return out


def _held(atom, name, errors, digits, part):
    if name not in atom.names:
        return atom
    value = getattr(atom, name)
    if name == "shift" and not atom.candidate.smooth:
        return replace(atom, shift=-_shortest_between(-value, part.x), held=(*atom.held, name))
    size = abs(atom.slope) * (part.high - part.low) if name == "shift" else abs(value)
    error = max(errors.get(name, 0.0), NEGLIGIBLE * size)
    if name == "shift" and digits == "auto" and abs(value) < SNAP * error and _may_be_zero(atom):
        new = 0.0
    else:
        new = rounded(value, error, digits)
    return replace(atom, **{name: new}, held=(*atom.held, name))


def _may_be_zero(atom):
    """Whether the argument stays in the domain without its shift."""
    return np.isinf(atom.candidate.domain).all() or atom.lowest - atom.shift >= atom.candidate.domain[0]


def _shortest_between(threshold, x):
    """The number with the fewest digits that divides the values `x` as `threshold` does."""
    below, above = np.max(x[x <= threshold], initial=-np.inf), np.min(x[x > threshold], initial=np.inf)
    if not np.isfinite([below, above]).all():
        return threshold
    for places in range(-int(np.floor(np.log10(above - below))) - 2, 17):
        short = float(round(threshold, places))
        if below <= short < above:
            return short
    return threshold
