"""pykan's own search for the formula of one edge, for ``symbolic.py pykan``; runs in pykan's own environment.

Usage::

    PATH_TO_PYTHON _symbolic_pykan.py POINTS.json

POINTS.json: a list of ``{"name", "x", "y"}``. A KAN of one edge is trained on each (not timed), then `auto_symbolic`
runs with its defaults, timed. Prints one JSON line an edge.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path


def main(path):
    import torch
    from kan import KAN

    torch.set_num_threads(1)
    for edge in json.loads(Path(path).read_text()):
        x, y = (torch.tensor(edge[k], dtype=torch.float32)[:, None] for k in ("x", "y"))
        x = 2 * (x - x.min()) / (x.max() - x.min()) - 1  # its grid
        y = (y - y.mean()) / y.std()
        data = {"train_input": x, "train_label": y, "test_input": x, "test_label": y}
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            model = KAN(width=[1, 1], grid=10, k=3, seed=0, device="cpu", auto_save=False, ckpt_path=folder)
            model.fit(data, opt="LBFGS", steps=30)
            model(x)
            start, cpu = time.perf_counter(), time.process_time()
            model.auto_symbolic()
            wall, cpu = time.perf_counter() - start, time.process_time() - cpu
            name = model.symbolic_fun[0].funs_name[0][0]
        result = {"name": edge["name"], "found": name, "wall_s": wall, "cpu_s": cpu, "pykan": version("pykan")}
        print("RESULT " + json.dumps(result), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
