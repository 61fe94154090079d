"""The models, one file each, named as RecBole names its own."""

from recbole_popaware.model.sequential_recommender.decayeditemknn import DecayedItemKNN
from recbole_popaware.model.sequential_recommender.decayedmostpop import DecayedMostPop
from recbole_popaware.model.sequential_recommender.decaypop import DecayPop
from recbole_popaware.model.sequential_recommender.mostpop import MostPop
from recbole_popaware.model.sequential_recommender.personalizedmostpop import PersonalizedMostPop
from recbole_popaware.model.sequential_recommender.popbert4rec import PopBERT4Rec
from recbole_popaware.model.sequential_recommender.popgsasrec import PopGSASRec
from recbole_popaware.model.sequential_recommender.poponly import PopOnly
from recbole_popaware.model.sequential_recommender.popsasrec import PopSASRec
from recbole_popaware.model.sequential_recommender.tifuknn import TIFUKNN
from recbole_popaware.model.sequential_recommender.upcf import UPCF

__all__ = [
    "TIFUKNN",
    "UPCF",
    "DecayPop",
    "DecayedItemKNN",
    "DecayedMostPop",
    "MostPop",
    "PersonalizedMostPop",
    "PopBERT4Rec",
    "PopGSASRec",
    "PopOnly",
    "PopSASRec",
]
