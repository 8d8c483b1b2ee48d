"""One pykan training on the breast-cancer table, for ``networks.py pykan``; runs in pykan's own environment.

Usage::

    PATH_TO_PYTHON _pykan_peer.py 30,5,5,2 0.01 1000

Prints one JSON line: the training loss and the processor seconds since the start, step by step, and the versions. The
loop is kinder to pykan than ``KAN.fit``, which also evaluates a test set every step: forward, backward, Adam, and
pykan's own default grid updates (every 5th step, up to the 50th). ``speed()`` has switched its symbolic branch and all
records off.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler


def main(width, rate, steps):
    from kan import KAN

    torch.set_num_threads(1)
    X, y = load_breast_cancer(return_X_y=True)
    X = torch.tensor(StandardScaler().fit_transform(X), dtype=torch.float32)
    if width[-1] == 1:
        y, loss_of = torch.tensor(y[:, None], dtype=torch.float32), torch.nn.BCEWithLogitsLoss()
    else:
        y, loss_of = torch.tensor(y), torch.nn.CrossEntropyLoss()
    start = time.process_time()
    model = KAN(width=list(width), grid=3, k=3, seed=0, device="cpu", auto_save=False)
    model.speed()
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    losses, seconds = [], []
    for step in range(steps):
        if step % 5 == 0 and step < 50:
            model.update_grid(X)
        optimiser.zero_grad()
        loss = loss_of(model(X), y)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        seconds.append(time.process_time() - start)
    with torch.no_grad():
        losses.append(loss_of(model(X), y).item())
    seconds.append(time.process_time() - start)
    versions = {name: version(name) for name in ("pykan", "torch")}
    print("RESULT " + json.dumps({"losses": losses, "seconds": seconds, **versions}))


if __name__ == "__main__":
    main(tuple(int(w) for w in sys.argv[1].split(",")), float(sys.argv[2]), int(sys.argv[3]))
