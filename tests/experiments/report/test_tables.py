from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from recbole_popaware.experiments.plan import Plan, Published, System
from recbole_popaware.experiments.report import charts, gain_charts
from recbole_popaware.experiments.report.comparisons import (
    Comparison,
    all_comparisons,
    as_table,
    p_text,
    verdict,
)
from recbole_popaware.experiments.report.comparisons import as_markdown as significance
from recbole_popaware.experiments.report.headings import names, title
from recbole_popaware.experiments.report.page import report_html, summary
from recbole_popaware.experiments.report.results import Results, SystemResult, is_accuracy
from recbole_popaware.experiments.report.significance import PairedTest
from recbole_popaware.experiments.report.style import looks
from recbole_popaware.experiments.report.tables import (
    Cell,
    Table,
    all_tables,
    as_markdown,
    relative_gain,
    short_report,
)
from recbole_popaware.experiments.runs import Protocol, Run
from recbole_popaware.experiments.scheduler import Failure

PROTOCOL = Protocol(
    Path("toy.inter"), "corrected", ("NDCG", "RepeatBias"), (5, 10), "NDCG@10", {"split": {"GTS": [1]}}
)


def system(name, scores, base=None, model="M", parameters=5, stopping_step=0, curve=(0.1, 0.3, 0.3, 0.2)):
    """A system with one score a seed, the same at every length of the list, and the same curve."""
    columns = [f"{measure}@{k}" for measure in PROTOCOL.measures for k in PROTOCOL.topk]
    runs = {
        seed: {
            **{"parameters": parameters, "epochs": 4, "seconds": 10.0 + seed, "evaluation_seconds": 0.5},
            "curve": [
                {"epoch": epoch, "score": point, "seconds": 2.5 * epoch}
                for epoch, point in enumerate(curve, 1)
            ],
            "settings": {"stopping_step": stopping_step},
            "test_result": dict.fromkeys(columns, score),
            "data": {"users": 3, "items": 4, "test_rows": 3},
        }
        for seed, score in enumerate(scores)
    }
    spread = np.mean(scores) + np.linspace(-0.1, 0.1, 20)
    values = pd.DataFrame(dict.fromkeys(columns, spread), index=[f"u{i}" for i in range(20)])
    return SystemResult(System(name, model, {}, base), runs, values)


def results_of(*systems, failures=()):
    plan = Plan("toy", "toy", tuple(result.system for result in systems), {})
    users = pd.DataFrame({"user": [f"u{i}" for i in range(20)]})
    users["history_plays"], users["repeat_share"] = np.arange(20.0), np.linspace(0, 1, 20)
    return Results(plan, PROTOCOL, systems, users, Path("out"), failures)


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


def test_costs_are_means_over_seeds():
    costs = all_tables(results_of(system("A", [0.2, 0.3]), system("P", [0.2], parameters=0)))[-1]
    assert [cell.text for cell in costs.rows[0]] == ["A", "2", "5", "10.5 ± 0.7", "2.62", "0.5 ± 0.0"]
    assert [cell.text for cell in costs.rows[1]] == ["P", "1", "0", "-", "-", "0.5"]


def test_training_shows_when_a_system_came_near_its_best():
    table = all_tables(results_of(system("A", [0.2, 0.3]), system("P", [0.2], parameters=0)))[-2]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["A", "0.3000", "3", "4", "patience", "2", "5.0"]
    ]
    assert list(table.header)[-2:] == ["epochs to 95 %", "seconds to 95 %"]


def test_without_a_system_that_learns_there_is_no_table_of_training():
    tables = all_tables(results_of(system("P", [0.2], parameters=0)))
    assert [table.title for table in tables] == ["NDCG", "RepeatBias", "Costs"]


def test_columns_of_text_are_aligned_left():
    table = Table(
        "T", ["system", "x", "why"], [[Cell("A"), Cell("1"), Cell("so")]], ("system", "why"), "Look."
    )
    assert table.markdown().splitlines() == [
        *("## T", "", "Look.", ""),
        *("| system | x | why |", "| --- | ---: | --- |", "| A | 1 | so |"),
    ]


def test_the_title_says_what_is_compared(three):
    assert title(three) == "toy: 3 systems on toy, protocol corrected, split GTS 1, best epoch by NDCG@10"
    more = results_of(*three.systems, system("D", [0.1], base="A"))
    assert names(more) == "A → B / D, C"
    assert names(results_of(*more.systems, system("E", [0.1], base="D"))) == "A → B / D, C, D → E"


def test_the_command_prints_the_main_measure_and_who_was_cut_short(three):
    assert short_report(three).startswith("## NDCG\n")
    late = results_of(system("A", [0.2], stopping_step=1), system("B", [0.3], base="A"))
    assert "limit of epochs or time, before the patience ran out: A (best epoch 3 of 4)" in short_report(late)
    assert short_report(results_of()) == "no system has finished"


def test_results_are_a_frame_of_means(three):
    means = three.means()
    assert means.index.tolist() == ["A", "B", "C"]
    assert means.loc["B", "NDCG@10"] == 0.3
    assert results_of().means().empty


def test_published_rows_follow_and_are_not_marked(three):
    published = Published("arXiv 1, log X", {"A": {"NDCG@10": 0.9}, "E": {"Recall@10": 0.5}})
    table, *others = all_tables(replace(three, plan=replace(three.plan, published=published)))
    assert [cell.text for cell in table.rows[-1]] == ["A (published)", "-", "0.9000"]
    assert not any(cell.mark for cell in table.rows[-1])
    assert len(table.rows) == 4
    assert table.note == "Published: arXiv 1, log X; not run here, and not marked."
    assert not any("published" in other.markdown() for other in others)


def test_one_list_length_makes_one_table_of_all_measures(three):
    protocol = Protocol(Path("x"), "corrected", ("NDCG", "RepeatBias"), (10,), "NDCG@10", {})
    tables = all_tables(replace(three, protocol=protocol))
    assert [table.title for table in tables] == ["Measures at 10", "Training", "Costs"]
    assert list(tables[0].header) == ["system", "NDCG@10", "RepeatBias@10"]


def test_counts_are_compared_with_the_best_other_system():
    counts = system("Counts", [0.9], model="PersonalizedMostPop")
    pair, best = all_comparisons(results_of(system("A", [0.2]), system("B", [0.3], base="A"), counts))
    assert [(c.first, c.second) for c in (pair, best)] == [("A", "B"), ("Counts", "B")]
    assert [test.measure for test in pair.tests] == ["NDCG@5", "NDCG@10"]
    assert [verdict(c.tests[0]) for c in (pair, best)] == ["better", "worse"]
    assert pair.tests[0].difference == pytest.approx(0.1)


def test_a_tiny_difference_is_no_negative_zero():
    same = PairedTest("NDCG@10", 9, 0.2, 0.2, -1e-9, -1e-6, 1e-6, 0.9, 1.0)
    (row,) = as_table(Comparison("A", "B", "base and variant", [same])).rows
    assert [cell.text for cell in row[4:]] == [
        "+0.0000 [+0.0000, +0.0000]",
        "0.9000",
        "1.0000",
        "no difference shown",
    ]


def test_without_pairs_the_file_says_so():
    assert "Nothing to compare" in significance(results_of(system("A", [0.2])), [])


@pytest.mark.parametrize(("p", "text"), [(0.00001, "< 0.0001"), (0.0312, "0.0312"), (math.nan, "-")])
def test_p_values_as_people_write_them(p, text):
    assert p_text(p) == text


def test_a_base_and_its_variants_share_a_colour_and_the_base_is_hollow(three):
    look = looks(results_of(*three.systems, system("D", [0.1], base="A")))
    assert look["A"].colour == look["B"].colour == look["D"].colour != look["C"].colour
    assert (look["A"].fill, look["B"].fill) == ("white", look["B"].colour)
    assert len(set(look.values())) == 4  # a second variant differs from the first


def test_plots_without_their_data_are_left_out(three):
    assert charts.repeat_and_explore(three) is None
    alone = results_of(system("C", [0.25]))
    assert gain_charts.gain_by_length(alone) is None
    assert charts.accuracy(three) is not None


def texts_of(drawn):
    return [text.get_text() for text in drawn.findobj(Text) if text.get_text()]


def test_axes_are_labelled_and_every_system_is_named(three):
    counts = system("P", [0.4], parameters=0, curve=[0.2])
    results = results_of(*three.systems, counts)
    for drawn in (charts.over_k(results), charts.curves(results)):
        (axes,) = drawn.axes
        assert axes.get_xlabel()
        assert axes.get_ylabel()
        assert {"A", "B", "C", "P"} <= set(texts_of(drawn))
    assert "A → B" in texts_of(gain_charts.gain_by_repeats(results))


def test_the_curves_say_whose_last_epoch_was_the_best(three):
    rising = system("R", [0.2], stopping_step=5, curve=(0.1, 0.2, 0.3))
    paused = system("Q", [0.2], stopping_step=5, curve=(0.1, 0.3, 0.2))
    written = texts_of(charts.curves(results_of(*three.systems, rising, paused)))
    assert {"A", "Q", "R (still improving)"} <= set(written)


def test_many_variants_of_a_base_stay_within_their_group_of_users(three):
    variants = [system(f"V{n}", [0.3], base="A") for n in range(9)]
    (axes,) = gain_charts.gain_by_length(results_of(*three.systems, *variants)).axes
    positions = np.array([container.lines[0].get_xdata() for container in axes.containers])
    assert (np.abs(positions - np.arange(positions.shape[1])) < 0.5).all()


def test_names_are_text_in_the_report_and_failures_are_listed(three):
    run = Run(System("D", "M", {}), 1, {}, {})
    results = results_of(*three.systems, failures=[Failure(run, "<b>no & never</b>", Path("D.1.log"))])
    facts = {
        **{"written": "today", "versions": {}, "machine": {"platform": "x", "cores": 1}},
        "protocol": {"eval_args": {"split": {"LS": "valid_and_test"}}, "main_measure": "NDCG@10"},
    }
    results = replace(results, protocol=replace(PROTOCOL, eval_args={"split": {"LS": "valid_and_test"}}))
    page = report_html(results, facts, all_tables(results), all_comparisons(results), [])
    assert "&lt;b&gt;no &amp; never&lt;/b&gt;" in page
    assert "1 run has failed" in page
    assert "LS valid_and_test" in page


def test_the_summary_of_nothing():
    assert summary(results_of(), []) == ["No system has finished."]
    assert "0 systems" in as_markdown(results_of(), [])


def test_systems_that_have_not_finished_are_counted(three):
    half = replace(three, systems=three.systems[:1])
    assert as_markdown(half, []).startswith("# toy: 1 of 3 systems on toy")


@pytest.mark.parametrize(
    ("split", "text"),
    [
        ({"test": 9, "valid": 2, "gap": 1}, "split GTS test 9, valid 2, gap 1, best epoch by NDCG@10"),
        ({"test": 9, "gap": 1}, "split GTS test 9, gap 1, last epoch, main measure NDCG@10"),
        ([0.8, 0.1, 0.1], "split GTS 0.8 : 0.1 : 0.1, best epoch by NDCG@10"),
    ],
)
def test_the_title_says_how_the_log_was_split(three, split, text):
    protocol = replace(PROTOCOL, eval_args={"split": {"GTS": split}})
    assert title(replace(three, protocol=protocol)).endswith(f"on toy, protocol corrected, {text}")
