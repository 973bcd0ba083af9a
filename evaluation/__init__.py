"""How good it is: metrics, ablations, calibration, and the pages that show them. Describes by `rag`'s one path."""
