"""Prometheus' text format, as far as gauges need it: the same bytes as prometheus_client writes, without an object for each sample.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from fractions import Fraction

from prometheus_client.utils import floatToGoString


def head(name: str, text: str) -> str:
    """What stands before the lines of a gauge."""
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {name} {text}\n# TYPE {name} gauge\n"


def line(name: str, labels: str, value: float | Fraction) -> str:
    """One series and its value; `labels` as `labelled` makes them."""
    number: str = floatToGoString(value)  # type: ignore[no-untyped-call]
    return f"{name}{{{labels}}} {number}\n"


def labelled(**labels: str) -> str:
    """Labels as they stand between the braces."""
    return ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items())


def escaped(value: str) -> str:
    """The value of a label as it stands between its quotes."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
