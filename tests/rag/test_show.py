"""What is printed in a terminal."""

from indexer.types import Evidence, Example
from rag.show import evidence_table, printable


def test_a_caption_cannot_steer_the_terminal() -> None:
    """No escape sequence, no bell, no letters turned about; what people write stays as it is."""
    steering = "clean\x1b[2J\x07 \u202ereversed\u202c\r"
    shown = evidence_table([Evidence(Example("e1", steering, "set", license="CC BY 4.0"), 0.5, 1, 1)])
    assert "clean?[2J? reversed" in shown
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    people_write = "naïve 5\u00a0µm 細胞 ≥ 3\nnext"
    assert printable(people_write) == people_write
