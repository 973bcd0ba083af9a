"""Thousands of descriptions: scheduling, ledger, shards, export. Schedules `rag` and nothing else."""
