"""The search: RecBole's HyperTuning, which goes on where it was interrupted and survives failing trials."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from logging import WARNING, getLogger
from pathlib import Path
from typing import Any

import numpy as np
import recbole.trainer
from tqdm import tqdm

from recbole_popaware.errors import UsageError
from recbole_popaware.files import replacing
from recbole_popaware.tuning.options import Options
from recbole_popaware.tuning.results import Trial, TuningResult
from recbole_popaware.tuning.space import Space
from recbole_popaware.tuning.study import Study

logger = getLogger(__name__)

DEFAULT_EVALS = 100  # RecBole's; for the algorithms without an end

Algorithm = Callable[..., list[Any]]


class Search(recbole.trainer.HyperTuning):
    """Stock's search; differs in what follows.

    * The exhaustive search walks the grid in order. Stock draws points until 1,000 in a row were known, and
      may end before all were tried; besides, every search of stock's ends after 10 trials without progress.
    * The same command draws the same points, so an interrupted search is replayed from its results file
      up to where it stopped, and then goes on.
    * A failing trial is noted and the search goes on; a best score of 0 is remembered; nothing is printed.
    * Only the best trial's weights are kept.

    Args:
        study: What to search.
        options: How; ``max_evals`` counts known points too, and without it a grid is searched to the end.

    Attributes:
        trials: What was tried, or was known already, in this order.
        best: The best of them.
    """

    def __init__(self, study: Study, options: Options) -> None:
        algorithm, most = choose_algorithm(options.algo, study.space)
        evals = options.max_evals or most
        super().__init__(
            study.run,
            space=study.space.expressions(),
            algo=algorithm,
            max_evals=min(evals, most) if options.algo == "exhaustive" else evals,
            display_file=options.display_file,
        )
        self.study, self.options = study, options
        self.trials: list[Trial] = []
        self.best: Trial | None = None
        self.progress = tqdm(disable=True)

    def trial(self, params: dict[str, Any]) -> dict[str, Any]:
        """Run a point that hyperopt drew, or look it up; the outcome as hyperopt wants it."""
        return self.note(self.objective_function(self.study.space.values(params)))

    def note(self, trial: Trial) -> dict[str, Any]:
        """Record a finished trial.

        Returns:
            Its loss, the less the better, and its status, for hyperopt.
        """
        self.trials.append(trial)
        if trial.beats(self.best):
            loser, self.best = self.best, trial
            logger.info("best of %d trials: %.4f, %s", len(self.trials), trial.score, trial.params)
        else:
            loser = trial
        if trial.error is not None:
            logger.warning("a trial failed: %s: %s", trial.params, trial.error)
        self.study.results.add(trial)
        if loser is not None and loser.checkpoint is not None:
            shutil.rmtree(Path(loser.checkpoint).parent, ignore_errors=True)
            self.study.results.add(loser._replace(checkpoint=None))
        self.progress.set_postfix({"best": self.best.score if self.best else None})
        self.progress.update()
        if trial.score is None:
            return {"status": "fail"}
        return {"loss": -trial.score if trial.bigger else trial.score, "status": "ok"}

    def run(self) -> None:
        """Search to the end; see stock.

        Raises:
            UsageError: If every trial failed.
        """
        getLogger("hyperopt").setLevel(WARNING)
        show = self.study.config["show_progress"]
        with tqdm(total=self.max_evals, desc="trials", disable=not show) as self.progress:
            self.go_through()
        self._check_best()
        if self.display_file is not None:
            self.plot_hyper()

    def result(self) -> TuningResult:
        """The outcome of a finished search."""
        config, results = self.study.config, self.study.results
        return TuningResult(
            model=config["model"],
            dataset=config["dataset"],
            measure=config["valid_metric"].lower(),
            best=self._check_best(),
            trials=tuple(results.trials[key] for key in dict.fromkeys(t.key for t in self.trials)),
            file=results.file,
        )

    def _check_best(self) -> Trial:
        if self.best is None:
            raise UsageError(f"all {len(self.trials)} trials failed, the first one by {self.trials[0].error}")
        return self.best

    def go_through(self) -> None:
        """Run one trial after the other."""
        from hyperopt import fmin
        from hyperopt.exceptions import AllTrialsFailed

        with suppress(AllTrialsFailed):
            fmin(
                self.trial,
                self.space,
                algo=self.algo,
                max_evals=self.max_evals,
                rstate=np.random.default_rng(self.study.config["seed"]),
                show_progressbar=False,
                verbose=False,
            )

    def plot_hyper(self) -> None:
        """Draw the scores of the trials in order; stock's is broken on NumPy 2 and opens a browser."""
        from plotly import graph_objects  # is in the extra tune

        shown = [(n, trial) for n, trial in enumerate(self.trials, start=1) if trial.score is not None]
        line = graph_objects.Scatter(
            x=[n for n, _ in shown],
            y=[trial.score for _, trial in shown],
            text=[self.params2str(trial.params) for _, trial in shown],
            mode="lines+markers",
        )
        config = self.study.config
        figure = graph_objects.Figure(line)
        figure.update_layout(
            title=f"{config['model']} on {config['dataset']}",
            xaxis_title="trial",
            yaxis_title=f"{config['valid_metric']} on validation",
        )
        with replacing(self.display_file) as part:
            figure.write_html(part)


def choose_algorithm(name: str, space: Space) -> tuple[Algorithm, int]:
    """Find the function that proposes points, and how many it has or should have.

    Raises:
        UsageError: If a grid is wanted of a space that has none.
    """
    from hyperopt import rand, tpe

    if name == "exhaustive":
        size, points = space.grid()
        return walk(points), size
    return (rand if name == "random" else tpe).suggest, DEFAULT_EVALS


def walk(points: Iterator[dict[str, int]]) -> Algorithm:
    """Make an algorithm that proposes these points in turn; hyperopt ends when there are no more."""

    def suggest(new_ids: list[int], domain: Any, trials: Any, seed: int) -> list[Any]:
        proposed: list[Any] = []
        for new_id, point in zip(new_ids, points):
            misc = {"tid": new_id, "cmd": domain.cmd, "workdir": domain.workdir}
            misc["idxs"] = {name: [new_id] for name in point}
            misc["vals"] = {name: [index] for name, index in point.items()}
            proposed += trials.new_trial_docs([new_id], [None], [domain.new_result()], [misc])
        return proposed

    return suggest
