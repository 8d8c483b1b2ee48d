"""The query in PostgreSQL's dialect, run by a PostgreSQL server of its own, equals the formula."""

import csv
import glob
import io
import os
import shutil
import subprocess
import tempfile

import numpy as np
import pytest
from formula_cases import CASES, assert_same, table

from kan_tabular.symbolic.writers import write


def _program(name):
    return shutil.which(name) or max(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), default=None)


INITDB, PG_CTL, PSQL = map(_program, ("initdb", "pg_ctl", "psql"))
pytestmark = pytest.mark.skipif(not (INITDB and PG_CTL and PSQL), reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def psql():
    """Runs a script and gives back its last result as rows of text; the server lives in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        # The server refuses to run as root.
        user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        if user:
            os.chown(folder, 65534, 65534)
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **user}
        data, log = f"{folder}/data", f"{folder}/log"
        subprocess.run([INITDB, "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"], **quiet)
        options = f"-c listen_addresses='' -c fsync=off -k {folder}"
        subprocess.run([PG_CTL, "-D", data, "-l", log, "-o", options, "-w", "start"], **quiet)

        def run(script):
            command = [
                PSQL,
                "-h",
                folder,
                "-U",
                "tester",
                "-d",
                "postgres",
                "-X",
                "-q",
                "--csv",
                "-v",
                "ON_ERROR_STOP=1",
            ]
            done = subprocess.run(command, input=script, capture_output=True, text=True, cwd=folder, **user)
            assert done.returncode == 0, done.stderr
            return list(csv.reader(io.StringIO(done.stdout)))

        yield run
        subprocess.run([PG_CTL, "-D", data, "-m", "immediate", "stop"], **quiet)


@pytest.mark.parametrize("case", CASES)
def test_equals_the_formula(case, psql):
    formula = CASES[case]
    frame = table(formula)
    kinds = {f.name: "text" if f.kind == "category" else "double precision" for f in formula.features}
    columns = ", ".join('"' + n.replace('"', '""') + f'" {kinds[n]}' for n in frame)
    cells = io.StringIO()
    # Text quoted, missing values bare: CSV's way of telling NULL from the empty text.
    frame.to_csv(cells, index=False, header=False, quoting=csv.QUOTE_NONNUMERIC, na_rep="\\N", lineterminator="\n")
    rows = cells.getvalue().replace('"\\N"', "\\N")
    header, *results = psql(
        f"DROP TABLE IF EXISTS data; CREATE TABLE data ({columns});\n"
        f"COPY data FROM STDIN (FORMAT csv, NULL '\\N');\n{rows}\\.\n" + write(formula, "sql", dialect="postgres") + ";"
    )
    n = len(formula.outputs)
    etas = [k for k, name in enumerate(header) if name.startswith("linear_predictor")]
    responses = [k for k, name in enumerate(header) if name.startswith(("response", "kan__response"))][-n:]
    assert len(etas) == n
    values = np.array([[float(row[k]) for k in (*etas, *responses)] for row in results])
    assert_same(formula, frame, values[:, :n], values[:, n:])
