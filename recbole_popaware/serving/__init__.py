"""Lists for single requests, from what ``recbole-popaware-export`` wrote; without RecBole and PyTorch."""

from recbole_popaware.serving.listener import Listener as Listener
from recbole_popaware.serving.session import Recommendation as Recommendation
from recbole_popaware.serving.session import Session as Session
