"""The stages of networks that choose their spaces (see `PooledNetwork`), for those that train and those that draw."""

#: Ends of the first two stages, as shares of the epochs.
FULL, SELECTIVE = 0.1, 0.3
#: Where each stage begins, and its name.
STAGES = ((0.0, "full training"), (FULL, "selective training"), (SELECTIVE, "pruning and fine-tuning"))
