"""Personalised popularity for RecBole's sequential recommenders."""

__version__ = "0.1.0"
