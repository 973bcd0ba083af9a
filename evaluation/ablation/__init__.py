"""What retrieval adds: the same images described with evidence of several kinds, numbers and orders."""
