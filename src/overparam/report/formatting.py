"""How numbers, intervals, times and sizes are written, the same way on every page."""

from __future__ import annotations

import math
import re
from typing import Any

from overparam.lab.digits import significant_digits, write_measured

NOT_AVAILABLE = "–"
_MINUS = re.compile(r"(?<![\w.)\]-])-(?=\.?\d)")  # before a number, and not within a word or a date
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_number(value: Any, digits: int = 3) -> str:
    """Return a number with `digits` significant digits, thousands grouped, a true minus sign.

    >>> [format_number(v) for v in (1234567, 0.12345, -2.0, 3.2e-7, float("nan"), True, "x")]
    ['1,234,567', '0.123', '−2', '3.2 × 10⁻⁷', '–', 'yes', 'x']
    >>> format_number("-0.03 [-0.10, 0.05]"), format_number("sha-256, 2026-11-27")
    ('−0.03 [−0.10, 0.05]', 'sha-256, 2026-11-27')
    """
    if isinstance(value, str):
        return _MINUS.sub("−", value)
    if value is None:
        return NOT_AVAILABLE
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return "yes" if value else "no"
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    except OverflowError:  # an integer beyond all floats
        return ("−" if value < 0 else "") + "10³⁰⁸ and more"
    if math.isnan(number):
        return NOT_AVAILABLE
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    if number == int(number) and abs(number) < 1e9:
        return f"{int(number):,}".replace("-", "−")
    exponent = math.floor(math.log10(abs(number)))
    if exponent < -4 or exponent >= 9:
        return power_of_ten(number, digits)
    text = f"{number:,.{max(digits - 1 - exponent, 0)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")


def power_of_ten(value: float, digits: int = 3) -> str:
    """Return mantissa and power of ten.

    >>> power_of_ten(1e-5), power_of_ten(2.5e12)
    ('10⁻⁵', '2.5 × 10¹²')
    """
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPT)
    mantissa = (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa).replace("-", "−")
    return power if mantissa == "1" else f"{mantissa} × {power}"


def format_measured(value: Any, low: Any, high: Any) -> str:
    """Return a number with as many digits as the interval [low, high] carries.

    >>> [format_measured(v, 1204, 1397) for v in (1300.4, 1204, 1397)]
    ['1,300', '1,204', '1,397']
    >>> [format_measured(v, 0.31, 0.493) for v in (0.4, 0.31, 0.493, None)]
    ['0.40', '0.31', '0.49', '–']
    """
    ends = [math.nan if v is None else float(v) for v in (value, low, high)]
    if not all(map(math.isfinite, ends)) or ends[1] == ends[2]:
        return format_number(value)
    exponent = math.floor(math.log10(abs(ends[0]))) if ends[0] else 0
    if exponent < -4 or exponent >= 9:
        return power_of_ten(ends[0], max(significant_digits(*ends), 1))
    whole, point, rest = write_measured(*ends).partition(".")
    sign, whole = "−" * whole.startswith("-"), whole.lstrip("-")
    return f"{sign}{int(whole):,}{point}{rest}"


def format_interval(low: Any, high: Any) -> str:
    """Return "[low, high]", or "–" where neither end is a finite number.

    >>> format_interval(0.1, 0.25), format_interval(float("nan"), None)
    ('[0.10, 0.25]', '–')
    """
    ends = format_measured(low, low, high), format_measured(high, low, high)
    return NOT_AVAILABLE if set(ends) == {NOT_AVAILABLE} else f"[{ends[0]}, {ends[1]}]"


def format_seconds(seconds: Any) -> str:
    """Return a duration in words.

    >>> format_seconds(0.21), format_seconds(95), format_seconds(7300), format_seconds(None)
    ('0.21 s', '1 min 35 s', '2 h 1 min', '–')
    """
    if seconds is None or not math.isfinite(float(seconds)):
        return NOT_AVAILABLE
    if seconds < 60:
        return f"{format_number(float(seconds), 2)} s"
    minutes, rest = divmod(round(float(seconds)), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def format_bytes(n_bytes: Any) -> str:
    """Return a size with its binary unit.

    >>> format_bytes(3 * 2**30), format_bytes(800), format_bytes(None)
    ('3 GiB', '800 B', '–')
    """
    if n_bytes is None or not math.isfinite(float(n_bytes)):
        return NOT_AVAILABLE
    size = float(n_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{format_number(size)} {unit}"
        size /= 1024
    return f"{format_number(size)} TiB"
