"""The models, one file each, named as RecBole names its own."""

from recbole_popaware.model.sequential_recommender.decayedmostpop import DecayedMostPop
from recbole_popaware.model.sequential_recommender.mostpop import MostPop
from recbole_popaware.model.sequential_recommender.personalizedmostpop import PersonalizedMostPop
from recbole_popaware.model.sequential_recommender.popbert4rec import PopBERT4Rec
from recbole_popaware.model.sequential_recommender.popgsasrec import PopGSASRec
from recbole_popaware.model.sequential_recommender.popsasrec import PopSASRec

__all__ = ["DecayedMostPop", "MostPop", "PersonalizedMostPop", "PopBERT4Rec", "PopGSASRec", "PopSASRec"]
