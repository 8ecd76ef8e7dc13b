"""Text of others in what we say: bounded in length and free of what terminals and readers would take for something else."""

LONGEST_NAME = 128


def clean(text: str, *, most: int = LONGEST_NAME) -> str:
    """The text without what is not printable (control characters, escapes, directions of writing), cut to `most` characters."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " * letter.isspace() for letter in text)
    printable = text.strip()
    return printable if len(printable) <= most else printable[: most - 1] + "…"
