"""From a space to the best settings in one call."""

from __future__ import annotations

from logging import getLogger
from pathlib import Path

from recbole.utils import init_seed

from recbole_popaware.compat import needs_ray
from recbole_popaware.files import check_file, check_folder, locked
from recbole_popaware.launch import Request
from recbole_popaware.log import init_logger, log_settings, quiet_if_refused, show
from recbole_popaware.tuning.options import Options
from recbole_popaware.tuning.results import Results, TuningResult, trials_folder
from recbole_popaware.tuning.search import Search
from recbole_popaware.tuning.space import Space
from recbole_popaware.tuning.study import Study

logger = getLogger(__name__)


def tune(request: Request, space: Space, options: Options) -> TuningResult:
    """Search; go on with a search whose results file is there.

    Raises:
        UsageError: If settings, space or data cannot work, or every trial failed.
    """
    if options.display_file is not None:
        check_file(options.display_file, "display_file")
    config = request.config()
    name = f"{config['model']}-{config['dataset']}.tuning.jsonl"
    file = Path(options.output_file or Path(config["checkpoint_dir"], name))
    with locked(check_folder(trials_folder(file), "output_file"), "search"), quiet_if_refused():
        return _search(Study(request, config, space, Results(file)), options)


def _search(study: Study, options: Options) -> TuningResult:
    config, search = study.config, _search_class(options.tool)(study, options)
    init_seed(config["seed"], config["reproducibility"])
    init_logger(config)
    log_settings(config)
    logger.info("%d trials at most; results: %s", search.max_evals, study.results.file)
    study.load_data()
    show()
    search.run()
    return search.result()


def _search_class(tool: str) -> type[Search]:
    if tool != "ray":
        return Search
    with needs_ray():
        from recbole_popaware.tuning.ray_search import RaySearch

    return RaySearch
