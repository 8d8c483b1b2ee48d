"""The benchmark of coverage by its short name; everything is in `conformal_coverage.py`.

numba, and with it shap, looks for a package named coverage along the path: as a module this file is not to be found.
"""

if __name__ != "__main__":
    raise ImportError("a benchmark script, not the package coverage")

from conformal_coverage import main

main()
