"""Thousands of descriptions: scheduling, ledger, shards, export. Schedules `rag` and nothing else.

Empty until its issue; it stands here so that the imports are held to the tower from the start.
"""
