"""Shell-like patterns as ProxmoxHosts write them: only `*` (any text) and `?` (one character) are special.

The standard library's fnmatch is not used because it also gives `[` a meaning, and device names such as "GA102
[GeForce RTX 3090]" hold brackets.
"""

import re
from functools import lru_cache


def glob_matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Whether the whole of `text` matches `pattern`."""
    return _compiled(pattern, ignore_case).fullmatch(text) is not None


def glob_covers(wider: str, narrower: str, *, ignore_case: bool = False) -> bool:
    """Whether whatever matches `narrower` matches `wider` too, as far as that shows: False may be wrong, True never is."""
    return (
        _compiled(wider, ignore_case, one="[^\0]").fullmatch(narrower.replace("\0", "?").replace("*", "\0")) is not None
    )


@lru_cache(maxsize=4096)
def _compiled(pattern: str, ignore_case: bool, one: str = ".") -> re.Pattern[str]:
    """`one` is what `?` stands for. "\\0" in its place of a text stands for any text itself, which only `*` takes in."""
    head, *rest = (_literal(part, one) for part in re.split(r"\*+", pattern))
    # What lies between two stars is best matched where it comes first. The atomic group never tries another place:
    # without it, a pattern of many stars would take exponential time.
    regex = head + "".join(f"(?>.*?{part})" for part in rest[:-1]) + (f".*{rest[-1]}" if rest else "")
    return re.compile(regex, re.DOTALL | (re.IGNORECASE if ignore_case else re.NOFLAG))


def _literal(part: str, one: str) -> str:
    return re.escape(part).replace(r"\?", one)
