"""Shell-like patterns as ProxmoxHosts write them: only `*` (any text) and `?` (one character) are special.

The standard library's fnmatch is not used because it also gives `[` a meaning, and device names such as "GA102
[GeForce RTX 3090]" hold brackets.
"""

import re
from functools import lru_cache


def glob_matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Whether the whole of `text` matches `pattern`."""
    return _compiled(pattern, ignore_case).fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    # Runs of `*` are one `*`: otherwise "****x" makes the backtracking matcher take exponential time.
    parts = (_SPECIAL.get(part[0], re.escape(part)) for part in re.findall(r"\*+|\?|[^*?]+", pattern))
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else re.NOFLAG))


_SPECIAL = {"*": ".*", "?": "."}
