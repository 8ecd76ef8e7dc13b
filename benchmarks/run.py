"""A whole run of benchmarks as it is kept: the machine, and all figures."""

import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.figures import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`machine` says in a line what it was measured on; `load` is how many others wanted a processor meanwhile, at most."""

    machine: str
    load: float
    results: tuple[Result, ...]

    @classmethod
    def of(cls, results: Sequence[Result], *, load: float) -> Self:
        """What was measured here."""
        return cls(machine=machine(), load=load, results=tuple(results))

    @classmethod
    def read(cls, file: Path) -> Self:
        """Raises OSError, ValueError and KeyError for a file that is none."""
        told = json.loads(file.read_text(encoding="utf-8"))
        results = tuple(Result.of_json(name, result) for name, result in told["results"].items())
        return cls(machine=told["machine"], load=told["load"], results=results)

    def write(self, file: Path) -> None:
        """For `read`."""
        results = {result.name: result.to_json() for result in self.results}
        told = {"machine": self.machine, "load": self.load, "results": results}
        file.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def machine() -> str:
    """What this is."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{count} processors ({_processor()}), {platform.system()}, Python {platform.python_version()}"


def _processor() -> str:
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    found = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    return found[1].strip() if found else platform.machine()
