"""The ground floor, without RecBole: plays stored once, indexed and cut; ragged rows as flat arrays."""
