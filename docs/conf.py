"""How Sphinx builds the site: ``make docs``."""

import os
import sys
import warnings
from pathlib import Path

import matplotlib
from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

sys.path.insert(0, str(Path(__file__).parent))

from example_data import EXAMPLES, runnable
from public_names import public_names

import kan_tabular

project = "kan-tabular"
author = "the kan-tabular developers"
copyright = author
version = release = kan_tabular.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/*.ipynb", "auto_examples/*.py", "**sg_execution_times.rst"]
templates_path = ["_templates"]
default_role = "literal"  # docstrings name things in single backquotes

html_math_renderer = "mathml"  # which browsers draw by themselves, without a network
html_theme = "furo"
html_title = f"kan-tabular {version}"
html_show_copyright = False
html_show_sourcelink = False

myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3

autosummary_generate = [f"api/{package}.rst" for package in public_names()]
autodoc_default_options = {"members": True, "inherited-members": True, "member-order": "groupwise"}
autodoc_typehints = "none"
numpydoc_show_class_members = False  # autodoc shows them

sphinx_gallery_conf = {
    "examples_dirs": str(EXAMPLES),
    "gallery_dirs": "auto_examples",
    # Examples whose tables would have to be downloaded are shown, but not run.
    "filename_pattern": rf"({'|'.join(runnable())})\.py$",
    "within_subsection_order": "FileNameSortKey",
    "matplotlib_animations": False,
    "show_memory": False,
    "show_signature": False,
    "download_all_examples": False,
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "capture_repr": ("_repr_html_",),
}


def write_reference(folder):
    """One page a package, from what it makes public."""
    pages = []
    folder.mkdir(exist_ok=True)
    for package, names in public_names().items():
        summary = (sys.modules[package].__doc__ or package).splitlines()[0]
        lines = [package, "=" * len(package), "", summary, "", ".. autosummary::", "   :toctree: generated", ""]
        (folder / f"{package}.rst").write_text("\n".join([*lines, *(f"   {name}" for name in names), ""]))
        pages.append(package)
    title = "API reference"
    lines = [title, "=" * len(title), "", "Everything public, by package.", "", ".. toctree::", "   :maxdepth: 1", ""]
    (folder / "index.rst").write_text("\n".join([*lines, *(f"   {page}" for page in pages), ""]))


def skip_foreign(app, what, name, value, skip, options):
    """Leave out what scikit-learn and Python hand down: it is described there."""
    home = getattr(value, "__module__", None) or getattr(getattr(value, "fget", None), "__module__", None)
    return True if home and not home.startswith("kan_tabular") else None


def show_card(app, what, name, value, options, lines):
    """The card in the docstring of a data set is plain text, with underscores, stars and braces of its own."""
    if name.startswith("kan_tabular.datasets.") and "Cite:" in lines:
        start = lines.index("Notes") + 2
        lines[start:] = [".. code-block:: text", "", *(f"    {line}" for line in lines[start:])]


def visit_math(writer, node):
    """A formula in a line of text."""
    writer.body.append(tex2mathml(node.astext()))
    raise SkipNode


def visit_math_block(writer, node):
    """A formula on lines of its own."""
    writer.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise SkipNode


def setup(app):
    """Pages of the reference have to exist before Sphinx looks for pages."""
    matplotlib.use("Agg")
    warnings.filterwarnings("ignore", category=UserWarning, message=".*is non-interactive.*")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    write_reference(Path(app.srcdir) / "api")
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("autodoc-process-docstring", show_card, priority=100)  # before numpydoc reads it
