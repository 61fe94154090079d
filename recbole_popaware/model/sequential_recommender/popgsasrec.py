"""gSASRec with the personalised popularity head."""

from __future__ import annotations

from recbole_popaware.model.sequential_recommender.popsasrec import PopSASRec


class PopGSASRec(PopSASRec):
    """SASRec trained by gBCE over many negatives, plus the head's scores (arXiv 2308.07192, 2409.04329).

    The network is that of :class:`PopSASRec`; ``properties/model/PopGSASRec.yaml`` sets the loss. With
    ``popularity_head: none`` it is gSASRec.
    """
