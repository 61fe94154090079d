"""Ranked lists for users, from a checkpoint."""

from recbole_popaware.recommending.options import Options as Options
