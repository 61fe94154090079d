"""Run a named list of systems on one data set under one protocol, and report on them side by side.

In the order of the work: ``plan`` reads the experiment file, ``runs`` turns it into trainings with complete
settings, ``source`` makes sure of the data, ``scheduler`` starts a process for each run, ``worker`` is that
process (with ``lists``, what it keeps of a model), ``store`` is the output folder, ``report`` writes tables,
tests, charts and the page. ``api`` does all of it in one call; ``__main__`` is the command.
"""
