"""How good texts are: captions, answers, fields, held against what people wrote; and what they cost."""
