"""Shared test set-up."""

import pytest


def pytest_addoption(parser):
    parser.addoption(
        "--screenshots",
        metavar="DIR",
        default=None,
        help="where tests/browser keeps its pictures (default: a tmp_path)",
    )


def pytest_collection_modifyitems(items):
    """Skip ``gpu`` tests, visibly, where there is no CUDA device."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
