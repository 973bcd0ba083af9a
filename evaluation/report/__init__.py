"""A folder of results as one page that can be read, shared and printed by itself."""
