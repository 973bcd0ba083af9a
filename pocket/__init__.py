"""The embedded default: two small models, the recipe that made them, and what a first run needs."""
