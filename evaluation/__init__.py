"""How good it is: metrics, A/B experiments, ratings, reports.

Empty until its issue; it stands here so that the imports are held to the tower from the start.
"""
