"""Remote names in our own sentences: bounded in length and free of control characters, as the resources' schema wants them."""

LONGEST_NAME = 128


def clean(text: str, *, most: int = LONGEST_NAME) -> str:
    """The text with everything unprintable gone, cut to `most` characters."""
    if not text.isprintable():
        text = "".join(character for character in text if character.isprintable())
    printable = text.strip()
    return printable if len(printable) <= most else printable[: most - 1] + "…"


def listed(names: list[str], *, most: int = 5) -> str:
    """ "a", "a and b", "a, b and c", or the first `most` and how many more."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
