"""What can go wrong with an image file."""


class ImageError(Exception):
    """An image that cannot be used: one line with the file, the reason and what to do."""
