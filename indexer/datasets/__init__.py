"""Public data sets, fetched whole into a folder: what there is, where it lies, and `data pull`."""
