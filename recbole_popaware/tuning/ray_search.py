"""The same search with Ray Tune: many trials at once, on one machine or a cluster."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import ray
from ray import tune
from ray.tune.search import Searcher

from recbole_popaware.data.utils import SharedData
from recbole_popaware.ray_cluster import cluster
from recbole_popaware.tuning.objective import Task, objective_function
from recbole_popaware.tuning.results import Trial, trials_folder
from recbole_popaware.tuning.search import Search


class RaySearch(Search):
    """Differs from :class:`Search` in that several trials run at once, each in a worker of Ray's.

    The data are loaded once and handed to the workers through Ray's object store. Points are still drawn
    by hyperopt, so ``bayes`` knows only the trials that have finished when it draws.
    """

    def go_through(self) -> None:
        """Run the trials in Ray's workers."""
        os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # Ctrl-C ends the search at once
        os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # the newer output cannot be switched off
        with cluster(self.options.ray_address, self.options.workers):
            gpus = 1 if ray.cluster_resources().get("GPU") else 0
            work = tune.with_parameters(_work, shared=self.study.shared)
            tuner = tune.Tuner(
                tune.with_resources(work, {"cpu": 1, "gpu": gpus}),
                tune_config=tune.TuneConfig(
                    search_alg=Proposals(self),
                    num_samples=-1,
                    max_concurrent_trials=self.options.workers,
                    trial_dirname_creator=lambda trial: trial.trial_id,
                ),
                run_config=tune.RunConfig(
                    name="ray",
                    storage_path=str(trials_folder(self.study.results.file.resolve())),
                    verbose=0,
                ),
            )
            tuner.fit()


class Proposals(Searcher):
    """Hands points of a search to Ray Tune, and their outcomes back."""

    def __init__(self, search: Search) -> None:
        from hyperopt import Trials
        from hyperopt.base import Domain

        super().__init__(metric="loss", mode="min")
        self.search = search
        self.domain = Domain(search.trial, search.space)
        self.drawn = Trials()
        self.random = np.random.default_rng(search.study.config["seed"])
        self.running: dict[str, tuple[Task, Any]] = {}

    def suggest(self, trial_id: str) -> Any:
        """Draw points up to one that is not known yet."""
        while len(self.drawn.trials) < self.search.max_evals:
            self.drawn.refresh()
            new = self.drawn.new_trial_ids(1)
            points = self.search.algo(new, self.domain, self.drawn, self.random.integers(2**31 - 1))
            if not points:
                break
            self.drawn.insert_trial_docs(points)
            self.drawn.refresh()
            point = self.drawn._dynamic_trials[-1]
            drawn = {name: values[0] for name, values in point["misc"]["vals"].items()}
            trial = self.search.study.look_up(self.search.study.space.values(drawn))
            if isinstance(trial, Trial):
                self._report(point, self.search.note(trial))
            elif trial.key in {task.key for task, _ in self.running.values()}:
                self._report(point, {"status": "fail"})  # drawn twice; the first one is on its way
            else:
                self.running[trial_id] = trial, point
                return trial._asdict()
        return Searcher.FINISHED

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Record a finished trial; one whose worker died has no result."""
        task, point = self.running.pop(trial_id)
        if result is None or "trial" not in result:
            trial = Trial(task.key, task.params, error="its worker died; Ray's log says why")
        else:
            trial = Trial.from_text(result["trial"])
        self._report(point, self.search.note(trial))

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing to do: trials report once."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray writes its searchers to disk; a search goes on from its own results file

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save, for the same reason."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing was saved."""

    def _report(self, point: Any, outcome: dict[str, Any]) -> None:
        from hyperopt import JOB_STATE_DONE

        point["state"], point["result"] = JOB_STATE_DONE, outcome
        self.drawn.refresh()


def _work(task: dict[str, Any], shared: SharedData) -> dict[str, Any]:
    """Run a trial in a worker, on the GPUs that Ray gave it; RecBole would take the first one."""
    gpus = ",".join(map(str, ray.get_gpu_ids()))
    trial = objective_function(Task(**task), shared, gpu_id=gpus)
    return {"trial": trial.as_text(), "loss": 0.0 if trial.score is None else trial.score}
