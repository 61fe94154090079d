"""From a log of plays (CSV: user, item, time) to lists: python examples/train_and_recommend.py plays.csv."""

import sys

import recbole_popaware as rp

data = rp.convert("table", sys.argv[1], "atomic", user="user", item="item", time="time", overwrite=True)
result = rp.run("PopSASRec", data.name, data_path="atomic")
print(
    f"The last play of {result['test_result']['recall@10']:.0%} of the users is among their first 10 items."
)
print(rp.recommend(result["checkpoint"], topk=5).head(10))
