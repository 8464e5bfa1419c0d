"""Amounts: exact decimals, rounded and printed as a country does it."""

from decimal import ROUND_HALF_UP, Decimal as D


def rounded(value, places=2):
    """`value` with `places` decimals, halves away from zero."""
    return D(value).quantize(D(1).scaleb(-places), ROUND_HALF_UP)


def stepped(value, step):
    """`value` on the nearest multiple of `step` (Swiss and Malaysian cash has no coin below 0.05)."""
    step = D(step)
    return ((D(value) / step).quantize(D(1), ROUND_HALF_UP) * step).quantize(D("0.01"))


def inside(gross, rate, places=2):
    """The tax in a gross amount at `rate` per cent."""
    return rounded(D(gross) * D(rate) / (100 + D(rate)), places)


def on_top(net, rate, places=2):
    """The tax to add to a net amount at `rate` per cent."""
    return rounded(D(net) * D(rate) / 100, places)


def shown(value, places, style):
    """A number in one of the printed styles: `1.234,56`, `1,234.56`, `1'234.56`, `1 234,56`, `1234.56`."""
    group, point = style[1] if not style[1].isdigit() else "", "," if style.endswith(",56") else "."
    text = f"{D(value):,.{places}f}"
    return text.replace(",", "\0").replace(".", point).replace("\0", group)


def plain(value):
    """For labels: a decimal string with a dot, `None` where nothing is printed."""
    return None if value is None else f"{value:f}"


def trimmed(value):
    """A decimal without trailing zeros: `7`, `8.1`, `0.532`."""
    value = D(value)
    return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
