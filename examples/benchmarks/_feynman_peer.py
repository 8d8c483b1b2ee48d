"""gplearn or pyoperon on one table, in an environment of their own: ``python _feynman_peer.py METHOD FILE SECONDS``.

FILE is JSON with X (n, p), y and seed. The last line printed is ``RESULT`` and JSON: the formula's text in x0, x1, ...,
all of operon's front, processor seconds, versions.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before NumPy is imported

import json
import re
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

#: An R2 at which there is nothing left to be found without noise.
EXACT = 1 - 1e-12


def operon(X, y, seed, seconds):
    """Runs with new seeds until the processor time is used up; the formula with the least BIC of all.

    pyoperon's own time limit is the wall's, which a busy machine shares out: hence several runs.
    """
    from pyoperon.sklearn import SymbolicRegressor

    best, run = None, 0
    while True:
        left = seconds - time.process_time()
        if left < 1 or (best is not None and best[1] >= EXACT):
            break
        model = SymbolicRegressor(
            allowed_symbols="add,sub,mul,div,exp,log,sin,cos,sqrt,square,asin,constant,variable",
            objectives=["r2", "length"],
            model_selection_criterion="bayesian_information_criterion",
            optimizer_iterations=5,
            max_length=30,
            generations=10**6,
            max_evaluations=10**9,
            epsilon=1e-12,
            max_time=max(int(min(left, seconds / 2)), 1),
            n_threads=1,
            random_state=seed + run,
        ).fit(X, y)
        run += 1
        # Weights are single precision; the criterion says which run found most.
        fit = 1 - np.mean((model.predict(X) - y) ** 2) / np.var(y)
        score = min(own["bayesian_information_criterion"] for own in model.pareto_front_)
        if best is None or score < best[0]:
            texts = [_operon_text(model.get_model_string(own["tree"], 12)) for own in model.pareto_front_]
            best = score, fit, _operon_text(model.get_model_string(model.model_, 12)), texts
    return best[2], best[3]


def _operon_text(text):
    return re.sub(r"X(\d+)", lambda m: f"x{int(m[1]) - 1}", text)


def gplearn(X, y, seed, seconds):
    """One run that goes on, generation by generation, until the processor time is used up or nothing is left."""
    from gplearn.functions import make_function
    from gplearn.genetic import SymbolicRegressor

    def protected_exp(x):
        with np.errstate(over="ignore"):
            return np.where(np.abs(x) < 50, np.exp(np.minimum(x, 50)), 0.0)

    def protected_asin(x):
        return np.arcsin(np.clip(x, -1, 1))

    exp = make_function(function=protected_exp, name="exp", arity=1)
    asin = make_function(function=protected_asin, name="asin", arity=1)
    model = SymbolicRegressor(
        population_size=1000,
        generations=5,
        function_set=("add", "sub", "mul", "div", "sqrt", "log", "neg", "inv", "sin", "cos", exp, asin),
        metric="mse",
        stopping_criteria=1e-12 * np.var(y),
        const_range=(-5.0, 5.0),
        parsimony_coefficient=1e-4,
        p_crossover=0.7,
        p_subtree_mutation=0.1,
        p_hoist_mutation=0.05,
        p_point_mutation=0.1,
        warm_start=True,
        random_state=seed,
    )
    while True:
        model.fit(X, y)
        if time.process_time() >= seconds or model.run_details_["best_fitness"][-1] <= 1e-12 * np.var(y):
            break
        model.set_params(generations=model.generations + 1)
    return _gplearn_text(model._program.program), []


def _gplearn_text(program):
    shapes = {
        "add": "({} + {})", "sub": "({} - {})", "mul": "({} * {})", "div": "({} / {})", "neg": "(-{})",
        "inv": "(1 / {})", "sqrt": "sqrt(Abs({}))", "log": "log(Abs({}))", "sin": "sin({})", "cos": "cos({})",
        "exp": "exp({})", "asin": "asin({})",
    }  # fmt: skip

    def one(at):
        node = program[at]
        if isinstance(node, (int, np.integer)):
            return f"x{node}", at + 1
        if isinstance(node, (float, np.floating)):
            return f"({float(node):.17g})", at + 1
        at, parts = at + 1, []
        for _ in range(node.arity):
            text, at = one(at)
            parts.append(text)
        return shapes[node.name].format(*parts), at

    return one(0)[0]


def main(method, path, seconds):
    data = json.loads(Path(path).read_text())
    X, y = np.array(data["X"]), np.array(data["y"])
    text, front = {"operon": operon, "gplearn": gplearn}[method](X, y, data["seed"], float(seconds))
    package = {"operon": "pyoperon", "gplearn": "gplearn"}[method]
    print("RESULT", json.dumps({"formula": text, "front": front, "cpu_s": time.process_time(),
                                "version": f"{package} {version(package)}"}))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
