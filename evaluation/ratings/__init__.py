"""People's judgement of descriptions: tasks, a store that many write at once, agreement, strengths, data to tune on.

Sampling knows nothing of the store, the store nothing of a form, and nothing here prints; a form is a `Session`.
"""

from evaluation.ratings.alpha import Agreement, agreement
from evaluation.ratings.bradley_terry import Strengths, strengths
from evaluation.ratings.quality import RaterQuality, mean_scores, rater_quality
from evaluation.ratings.store import Ratings, read_ratings
from evaluation.ratings.types import QUESTIONS

__all__ = [
    "QUESTIONS",
    "Agreement",
    "RaterQuality",
    "Ratings",
    "Strengths",
    "agreement",
    "mean_scores",
    "rater_quality",
    "read_ratings",
    "strengths",
]
