from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recbole_popaware.experiments.plan import Plan, System
from recbole_popaware.experiments.report import charts, gain_charts
from recbole_popaware.experiments.report import comparisons as contests
from recbole_popaware.experiments.report.comparisons import all_contests, p_text
from recbole_popaware.experiments.report.page import report_html, summary
from recbole_popaware.experiments.report.results import Results, SystemResult, is_accuracy
from recbole_popaware.experiments.report.significance import Comparison
from recbole_popaware.experiments.report.style import looks
from recbole_popaware.experiments.report.tables import all_tables, as_markdown, relative_gain
from recbole_popaware.experiments.runs import Protocol, Run
from recbole_popaware.experiments.scheduler import Failure

PROTOCOL = Protocol(Path("toy.inter"), ("NDCG", "RepeatBias"), (5, 10), "NDCG@10", {"split": {"GTS": [1]}})


def system(name, scores, base=None, model="M", parameters=5):
    """A system with one score a seed, the same at every length of the list."""
    columns = [f"{measure}@{k}" for measure in PROTOCOL.measures for k in PROTOCOL.topk]
    runs = {
        seed: {
            **{"parameters": parameters, "epochs": 4, "seconds": 10.0 + seed, "evaluation_seconds": 0.5},
            "curve": [{"epoch": 1, "score": 0.1}, {"epoch": 2, "score": 0.3}, {"epoch": 3, "score": 0.3}],
            "test_result": dict.fromkeys(columns, score),
            "data": {"users": 3, "items": 4, "test_rows": 3},
        }
        for seed, score in enumerate(scores)
    }
    spread = np.mean(scores) + np.linspace(-0.1, 0.1, 20)
    values = pd.DataFrame(dict.fromkeys(columns, spread), index=[f"u{i}" for i in range(20)])
    return SystemResult(System(name, model, {}, base), runs, values)


def results_of(*systems, failures=()):
    plan = Plan("toy", "toy", tuple(found.system for found in systems), {})
    users = pd.DataFrame({"user": [f"u{i}" for i in range(20)]})
    users["history_plays"], users["repeat_share"] = np.arange(20.0), np.linspace(0, 1, 20)
    return Results(plan, PROTOCOL, systems, users, failures)


@pytest.fixture
def three():
    return results_of(system("A", [0.2]), system("B", [0.3], base="A"), system("C", [0.25]))


def test_the_best_is_bold_the_second_underlined_and_gains_are_percentages(three):
    table = all_tables(three)[0]
    assert table.markdown().splitlines()[2:] == [
        "| system | NDCG@5 | NDCG@10 |",
        "| --- | ---: | ---: |",
        "| A | 0.2000 | 0.2000 |",
        "| B | **0.3000** (+50.0 %) | **0.3000** (+50.0 %) |",
        "| C | <u>0.2500</u> | <u>0.2500</u> |",
    ]


def test_what_is_neither_better_nor_worse_has_no_marks(three):
    bias = all_tables(three)[1]
    assert "*" not in bias.markdown()
    assert "%" not in bias.markdown()
    assert not is_accuracy("RepeatBias@10")
    assert is_accuracy("RepeatRecall@10")


def test_equals_share_the_mark_and_leave_no_second():
    table = all_tables(results_of(system("A", [0.3]), system("B", [0.3]), system("C", [0.1])))[0]
    marks = [row[1].mark for row in table.rows]
    assert marks == ["best", "best", ""]


def test_seeds_show_their_mean_and_spread():
    table = all_tables(results_of(system("A", [0.2, 0.3, 0.4])))[0]
    assert table.rows[0][1].text == "0.3000 ± 0.1000"


def test_an_undefined_measure_is_a_dash():
    table = all_tables(results_of(system("A", [math.nan]), system("B", [0.1])))[0]
    assert [row[1].text for row in table.rows] == ["-", "0.1000"]
    assert [row[1].mark for row in table.rows] == ["", "best"]


@pytest.mark.parametrize(
    ("base", "improved", "text"),
    [(0.5, 0.55, "+10.0 %"), (0.5, 0.4, "-20.0 %"), (0.0, 0.4, ""), (0.5, math.nan, "")],
)
def test_relative_gain(base, improved, text):
    assert relative_gain(base, improved) == text


def test_costs_name_the_first_of_the_best_epochs():
    costs = all_tables(results_of(system("A", [0.2, 0.3]), system("P", [0.2], parameters=0)))[-1]
    assert [cell.text for cell in costs.rows[0]] == [
        *("A", "2", "5", "4", "2"),
        *("10.5 ± 0.7", "2.62", "0.5 ± 0.0"),
    ]
    assert [cell.text for cell in costs.rows[1]] == ["P", "1", "0", "-", "-", "-", "-", "0.5"]


def test_one_list_length_makes_one_table_of_all_measures(three):
    protocol = Protocol(Path("x"), ("NDCG", "RepeatBias"), (10,), "NDCG@10", {})
    tables = all_tables(Results(three.plan, protocol, three.systems, three.users))
    assert [table.title for table in tables] == ["Measures at 10", "Costs"]
    assert list(tables[0].header) == ["system", "NDCG@10", "RepeatBias@10"]


def test_counts_are_held_against_the_best_other_system():
    counts = system("Counts", [0.9], model="PersonalizedMostPop")
    found = all_contests(results_of(system("A", [0.2]), system("B", [0.3], base="A"), counts))
    assert [(contest.first, contest.second) for contest in found] == [("A", "B"), ("Counts", "B")]
    assert [c.measure for c in found[0].comparisons] == ["NDCG@5", "NDCG@10"]
    assert [contests.verdict(contest.comparisons[0]) for contest in found] == ["better", "worse"]
    assert found[0].comparisons[0].difference == pytest.approx(0.1)


def test_a_tiny_difference_is_no_negative_zero():
    same = Comparison("NDCG@10", 9, 0.2, 0.2, -1e-9, -1e-6, 1e-6, 0.9, 1.0)
    assert contests.as_cells(same)[4:] == (
        "+0.0000 [+0.0000, +0.0000]",
        "0.9000",
        "1.0000",
        "no difference shown",
    )


def test_without_pairs_the_file_says_so():
    assert "Nothing to compare" in contests.as_markdown(results_of(system("A", [0.2])), [])


@pytest.mark.parametrize(("p", "text"), [(0.00001, "< 0.0001"), (0.0312, "0.0312"), (math.nan, "-")])
def test_p_values_as_people_write_them(p, text):
    assert p_text(p) == text


def test_a_pair_shares_colour_and_marker_and_the_plain_one_is_hollow(three):
    found = looks(three)
    assert found["A"].colour == found["B"].colour != found["C"].colour
    assert found["A"].marker == found["B"].marker
    assert (found["A"].fill, found["B"].fill) == ("white", found["B"].colour)


def test_plots_without_their_data_are_left_out(three):
    assert charts.repeat_against_explore(three) is None
    alone = results_of(system("C", [0.25]))
    assert gain_charts.gain_by_length(alone) is None
    assert charts.accuracy(three) is not None


def test_axes_are_labelled_and_every_system_is_in_the_legend(three):
    for drawn in (charts.over_k(three), charts.curves(three), gain_charts.gain_by_repeats(three)):
        (axes,) = drawn.axes
        assert axes.get_xlabel()
        assert axes.get_ylabel()
    texts = [text.get_text() for text in charts.over_k(three).axes[0].get_legend().get_texts()]
    assert texts == ["A", "B", "C"]


def test_names_are_text_in_the_report_and_failures_are_told(three):
    run = Run(System("D", "M", {}), 1, {}, {})
    results = results_of(*three.systems, failures=[Failure(run, "<b>no & never</b>")])
    facts = {
        **{"written": "today", "versions": {}, "machine": {"platform": "x", "cores": 1}},
        "protocol": {"eval_args": {"split": {"LS": "valid_and_test"}}, "main_measure": "NDCG@10"},
    }
    page = report_html(results, facts, all_tables(results), all_contests(results), [])
    assert "&lt;b&gt;no &amp; never&lt;/b&gt;" in page
    assert "1 run has failed" in page
    assert "LS valid_and_test" in page


def test_the_summary_of_nothing():
    assert summary(results_of(), []) == ["No system has finished."]
    assert "0 systems" in as_markdown(results_of(), [])


def test_systems_that_have_not_finished_are_counted(three):
    half = Results(three.plan, PROTOCOL, three.systems[:1], three.users)
    assert as_markdown(half, []).startswith("# toy: 1 of 3 systems on toy")
