"""The popularity head and the models that carry it."""
