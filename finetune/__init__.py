"""How a model learns: data, collator, training, merging.

Empty until its issue; it stands here so that the imports are held to the tower from the start.
"""
