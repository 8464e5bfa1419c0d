"""The manners in which bought things are printed, one function each: (paper, scene, items) → rows."""

from rendered.blocks import weight
from rendered.money import trimmed
from rendered.words import LABELS


def ending(scene, item, letters):
    """A line's amount with its tax letter, if the receipt has these."""
    return scene.money(item.price) + (f" {item.letter}" if letters and item.letter else "")


def described(paper, scene, text, right, room=0.72, indent=0.0):
    """A description, wrapped where it is long, with `right` on its first or its last line."""
    lines = paper.wrap(text, room - indent)
    for n, line in enumerate(lines):
        if right and n == (len(lines) - 1 if scene.amount_last else 0):
            paper.pair(line, right, indent=indent)
        else:
            paper.cells([(line, indent, "l")])


def reduction(paper, scene, item):
    """The discount under an item."""
    if item.cut:
        paper.pair(item.cut_label, scene.money(-item.cut), indent=0.06)


def times(scene, item, mark):
    """`2 x 3,50`, `0,532 kg x 3,99`."""
    count = weight(scene, item) if item.measure else trimmed(item.quantity)
    per = f" /{item.measure}" if item.measure and scene.rng.random() < 0.5 else ""
    return f"{count} {mark} {scene.money(item.unit)}{per}"


def inline(paper, scene, items, letters=False):
    """Description and amount on a line; several of a thing with `2 x 3,50` on the line below it."""
    mark = scene.rng.choice(("x", "x", "@", "X", "*"))
    amount_above = scene.rng.random() < 0.4
    for item in items:
        if item.quantity == 1:
            described(paper, scene, item.description, ending(scene, item, letters))
            item.unit_shown = False
        elif amount_above:
            described(paper, scene, item.description, ending(scene, item, letters))
            paper.cells([(times(scene, item, mark), 0.06, "l")])
        else:
            described(paper, scene, item.description, "")
            paper.pair(times(scene, item, mark), ending(scene, item, letters), indent=0.06)
        reduction(paper, scene, item)


def above(paper, scene, items, letters=False):
    """`2 x 3,50` stands over the description it belongs to."""
    for item in items:
        if item.quantity != 1:
            paper.cells([(times(scene, item, "x"), 0.02, "l")])
        else:
            item.unit_shown = False
        described(paper, scene, item.description, ending(scene, item, letters))
        reduction(paper, scene, item)


def front(paper, scene, items, letters=False):
    """The quantity before the description: `2 Cappuccino  7,00`, `2x Cappuccino`."""
    mark = scene.rng.choice(("", "", "x", " x"))
    for item in items:
        item.unit_shown = False
        described(paper, scene, f"{trimmed(item.quantity)}{mark} {item.description}", ending(scene, item, letters))
        reduction(paper, scene, item)


def behind(paper, scene, items, letters=False):
    """The quantity behind the description: `Cappuccino x2`."""
    gap = scene.rng.choice(("x", "x ", "* "))
    for item in items:
        item.unit_shown = False
        text = item.description if item.quantity == 1 else f"{item.description} {gap}{trimmed(item.quantity)}"
        described(paper, scene, text, ending(scene, item, letters), room=0.75)
        reduction(paper, scene, item)


def coded(paper, scene, items, letters=False):
    """An article number on a line of its own, above or with the quantities."""
    mark = scene.rng.choice(("x", "@", "X"))
    if scene.rng.random() < 0.5:
        for item in items:
            paper.cells([(item.code, 0, "l")])
            described(paper, scene, item.description, ending(scene, item, letters) if item.quantity == 1 else "")
            if item.quantity != 1:
                paper.pair(times(scene, item, mark), ending(scene, item, letters), indent=0.08)
            else:
                item.unit_shown = False
            reduction(paper, scene, item)
    else:
        for item in items:
            described(paper, scene, item.description, "")
            paper.pair(f"{item.code}  {times(scene, item, mark)}", ending(scene, item, letters))
            reduction(paper, scene, item)


def columns(paper, scene, items, letters=False, order=None):
    """A table with headings; the order of its columns differs from shop to shop."""
    orders = ("qiua", "iqua", "qia", "iqa") if order is None else (order,)
    order = scene.rng.choice(orders)
    places = {
        "qiua": {"q": (0.06, "r"), "i": (0.1, "l"), "u": (0.78, "r"), "a": (1, "r")},
        "iqua": {"i": (0, "l"), "q": (0.58, "r"), "u": (0.79, "r"), "a": (1, "r")},
        "qia": {"q": (0, "l"), "i": (0.13, "l"), "a": (1, "r")},
        "iqa": {"i": (0, "l"), "q": (0.72, "r"), "a": (1, "r")},
    }[order]
    room = {"qiua": 0.46, "iqua": 0.42, "qia": 0.6, "iqa": 0.58}[order]
    names = {"q": scene.label("qty"), "i": scene.label("item"), "u": scene.label("unit"), "a": scene.label("amount")}
    heads = [(names[c], *places[c]) for c in order]
    if order.startswith("q"):  # the column is narrow: the shortest of the words for it
        short = min(LABELS[scene.place.language]["qty"], key=len)
        heads[:2] = [(short, 0, "l"), (names["i"], 0.14, "l")]
        places["i"] = (0.14, "l")
    paper.cells(heads, bold=scene.rng.random() < 0.4)
    paper.rule(scene.rng.choice("-_="))
    for item in items:
        count = trimmed(item.quantity) if not item.measure else scene.number_of(item.quantity, 3)
        values = {"q": count, "u": scene.money(item.unit), "a": ending(scene, item, letters)}
        item.unit_shown = "u" in order
        lines = paper.wrap(item.description, room)
        for n, line in enumerate(lines):
            cells = [(line, *places["i"])]
            if n == 0:
                cells += [(values[c], *places[c]) for c in order if c != "i"]
            paper.cells(cells)
        reduction(paper, scene, item)


TILL = (inline, inline, above, coded, columns)
TABLE = (front, front, behind, columns, inline)
