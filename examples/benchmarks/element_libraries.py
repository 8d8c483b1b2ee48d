"""What a library of element properties costs beside this package: megabytes on disk, and seconds to import.

Usage: make a virtual environment for each library, install it there, and run in the environment of this package::

    python examples/benchmarks/element_libraries.py ENVIRONMENT:DISTRIBUTION:MODULE ...

for example ``envs/a:hea-bench:hea_bench``. Counted are the files of the distribution and of all that it requires, less
what this package requires anyway. Import times are the fastest of five fresh interpreters, less that of an empty one.
"""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, distributions
from pathlib import Path
from time import perf_counter

from _common import table

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements):
    """Names of the requirements that hold without any extra."""
    return [normal(re.match(r"[\w.-]+", line).group()) for line in requirements or [] if "extra ==" not in line]


def closure(roots, find):
    """All distributions that some need, by name, themselves among them."""
    found, queue = {}, [normal(name) for name in roots]
    while queue:
        name = queue.pop()
        if name not in found and (dist := find(name)) is not None:
            found[name] = dist
            queue += names(dist.requires)
    return found


def installed(name):
    try:
        return distribution(name)
    except PackageNotFoundError:  # a requirement of another platform
        return None


def megabytes(dist):
    files = (Path(dist.locate_file(file)) for file in dist.files or [] if not str(file).endswith(".pyc"))
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def seconds(python, statement):
    times = []
    for _ in range(5):
        start = perf_counter()
        subprocess.run([python, "-c", statement], check=True)
        times.append(perf_counter() - start)
    return min(times)


def main():
    with PROJECT.open("rb") as file:
        own = set(closure(names(tomllib.load(file)["project"]["dependencies"]), installed))
    rows = []
    for argument in sys.argv[1:]:
        environment, name, module = argument.split(":")
        folder = next(Path(environment).glob("lib/python*/site-packages"))
        there = {normal(dist.metadata["Name"]): dist for dist in distributions(path=[str(folder)])}
        added = {key: dist for key, dist in closure([name], there.get).items() if key not in own}
        python = str(Path(environment) / "bin" / "python")
        took = seconds(python, f"import {module}") - seconds(python, "pass")
        size = sum(map(megabytes, added.values()))
        rows.append([f"{name} {there[normal(name)].version}", len(added), f"{size:.0f}", f"{took:.1f}"])
    print(table(["library", "packages it adds", "MB it adds", "import, s"], rows))


if __name__ == "__main__":
    main()
