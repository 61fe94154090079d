"""Hold one system of an experiment against all others, paired over the test users; a Markdown table.

    python benchmarks/against.py results/competitors-foursquare PopSASRec PopOnly

A cell has the reference's mean less that of the row's system, and its 95 % bootstrap interval; a dot says
that it is not significant (paired t-test, 0.05, adjusted for the number of systems). Seeds of a system are
averaged.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from recbole_popaware.experiments.report.significance import compare


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="output folder of an experiment")
    parser.add_argument("references", nargs="+", metavar="SYSTEM")
    parser.add_argument("--measure", default="GradedNDCG@10")
    arguments = parser.parse_args()
    per_user = pd.read_parquet(arguments.results / "per_user.parquet")
    scores = scores_of_systems(per_user, arguments.measure)
    if scores.empty:
        parser.error(f"no {arguments.measure}; there are {', '.join(sorted(set(per_user['metric'])))}")
    for name in arguments.references:
        if name not in scores:
            parser.error(f"no system {name}; there are {', '.join(scores)}")
    columns = {name: against(scores, name) for name in arguments.references}
    print("| system | " + " | ".join(f"{name} less it" for name in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for system in scores:
        print(f"| {system} | " + " | ".join(column.get(system, "") for column in columns.values()) + " |")


def scores_of_systems(per_user: pd.DataFrame, measure: str) -> pd.DataFrame:
    """``[U, S]`` values of a measure, a row a user and a column a system, averaged over seeds."""
    rows = per_user[per_user["metric"] == measure]
    table = rows.pivot_table("value", "user", "system", observed=True)
    return table[list(dict.fromkeys(rows["system"]))]  # the experiment's order


def against(scores: pd.DataFrame, reference: str) -> dict[str, str]:
    """Difference of a system to each other one, with its interval and a dot if it may be chance."""
    others = scores.drop(columns=reference)
    same = scores[[reference] * others.shape[1]].to_numpy()
    tests = compare(list(others), others.to_numpy(), same)
    return {
        test.measure: f"{test.difference:+.4f} [{test.low:.4f}, {test.high:.4f}]"
        + ("" if test.adjusted < 0.05 else " ·")
        for test in tests
    }


if __name__ == "__main__":
    main()
