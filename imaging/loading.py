"""Models are loaded one at a time, whoever asks for them."""

from __future__ import annotations

import threading

LOADING = threading.RLock()
"""Held while a model is imported and read. What libraries set then holds for the whole process (torch's default dtype,
whether progress is shown), and another model must not be read by it; and one that two threads want is read once."""
