"""Run a named list of systems on one data set under one protocol, and report on them side by side."""
