"""A/B experiments: the same images in arms that differ by their settings, and the search for a better prompt."""
