"""How a model learns: data, collator, training, merging."""
