"""Intervals and tests: how sure a figure, or a difference, is."""
