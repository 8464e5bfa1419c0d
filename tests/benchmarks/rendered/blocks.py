"""The parts of a receipt: what is printed, and what that means.

Every part draws on a `Paper` and adds to a `Truth`; nothing is printed that the truth does not know, and the sums of the
truth are checked before a receipt is written.
"""

import dataclasses
from datetime import timedelta
from decimal import Decimal as D

from rendered.goods import GOODS
from rendered.money import inside, on_top, plain, rounded, shown, trimmed


@dataclasses.dataclass
class Item:
    """A printed line: `price` is the line's amount."""

    description: str
    quantity: D
    unit: D
    price: D
    rate: str = ""
    letter: str = ""
    measure: str = ""
    code: str = ""
    cut: D = D(0)
    unit_shown: bool = True
    cut_label: str = ""


class Truth:
    """What a receipt says. Amounts are decimals until `row` turns them into text."""

    def __init__(self, scene, paper, items):
        self.scene, self.paper, self.items = scene, paper, items
        self.taxes, self.subtotal, self.discount, self.tip, self.service, self.rounding = [], None, None, None, None, None
        self.total, self.amount_paid, self.receipt_id, self.phone, self.tax_id = None, None, None, None, None
        self.added = scene.place.added
        self.settled_date = False

    @property
    def goods(self):
        """What the items come to, item discounts taken off."""
        return sum((i.price - i.cut for i in self.items), D(0))

    def check(self):
        """The arithmetic of everything printed."""
        due = self.goods + sum(x for x in (self.tip, self.service, self.rounding) if x is not None) - (self.discount or 0)
        if self.added:
            due += sum(amount for _, amount in self.taxes)
        assert due == self.total, f"{self.scene.vendor}: the parts make {due}, the total says {self.total}"
        for item in self.items:
            whole = rounded(item.quantity * item.unit, self.scene.place.decimals)
            assert whole == item.price, f"{item.description}: {item.quantity} × {item.unit} is not {item.price}"

    def row(self, image, template):
        self.check()
        scene = self.scene
        return {
            "image": image,
            "template": template,
            "language": scene.place.language,
            "currency": scene.place.currency,
            "vendor": scene.vendor_printed,
            "address": ", ".join(scene.address_printed) or None,
            "phone": self.phone,
            "tax_id": self.tax_id,
            "receipt_id": self.receipt_id,
            "date": scene.day.isoformat(),
            "date_ambiguous": scene.ambiguous and not self.settled_date,
            "subtotal": plain(self.subtotal),
            "discount": plain(self.discount),
            "service_charge": plain(self.service),
            "tip": plain(self.tip),
            "taxes": [{"rate": rate or None, "amount": plain(amount)} for rate, amount in self.taxes],
            "rounding": plain(self.rounding),
            "total": plain(self.total),
            "amount_paid": plain(self.amount_paid),
            "items": [
                {
                    "description": self.paper.cased(i.description),
                    "quantity": trimmed(i.quantity),
                    "unit_price": plain(i.unit) if i.unit_shown else None,
                    "price": plain(i.price),
                }
                for i in self.items
            ],
            "item_discounts": [{"description": self.paper.cased(i.cut_label), "amount": plain(i.cut)} for i in self.items if i.cut],
        }


# --- Choosing what was bought ----------------------------------------------------------------


def price(rng, low, high, place):
    """A price between the two, as shops of the country like them."""
    value = D(str(round(rng.uniform(low, high), 2)))
    if place.currency == "JPY":
        return rounded(value * 110, -1).quantize(D(1))
    if place.currency == "KWD":
        return (rounded(value * D("0.3") * 20, 0) / 20).quantize(D("0.001"))
    if place.currency in ("CHF", "MYR"):
        return (rounded(value * (D("1.4") if place.currency == "CHF" else 1) * 20, 0) / 20).quantize(D("0.01"))
    return rounded(value, 1) - D("0.01") if rng.random() < 0.5 and value > 1 else rounded(value)


def basket(scene, kind, low, high, multiples=0.3, weighed=0.0, cuts=0.0):
    """Between `low` and `high` different goods, some of them several times, some weighed, some with a discount."""
    rng, place = scene.rng, scene.place
    choice = GOODS[place.language][kind]
    picked = rng.sample(choice, min(len(choice), rng.randint(low, high)))
    items = []
    for description, cheap, dear in picked:
        unit = price(rng, cheap, dear, place)
        quantity = D(rng.choice((2, 2, 3, 4, 6))) if rng.random() < multiples else D(1)
        measure = ""
        if rng.random() < weighed and place.currency not in ("JPY", "KWD"):
            quantity, measure = D(rng.randint(120, 1900)) / 1000, "lb" if place.name == "us" else "kg"
        rate, letter = rng.choice(place.taxes[: rng.choice((1, 2))]) if place.taxes else ("", "")
        item = Item(description, quantity, unit, rounded(quantity * unit, place.decimals), rate, letter, measure)
        item.code = str(rng.randint(10**6, 10**8)) if rng.random() < 0.9 else f"{rng.randint(10, 99)}-{rng.randint(1000, 9999)}"
        if rng.random() < cuts and item.price > 2:
            item.cut = rounded(item.price * rng.choice((10, 20, 25)) / 100, place.decimals)
            item.cut_label = scene.label("item_discount")
        items.append(item)
    return items


# --- Head and foot -----------------------------------------------------------------------------


def header(paper, scene, truth, logo=True):
    """Merchant, address, contact and tax id: centred or at the left."""
    rng = scene.rng
    line = paper.center if rng.random() < 0.75 else paper.left
    if logo and rng.random() < 0.3:
        paper.logo(rng.randrange(10**6))
    scene.vendor_printed = paper.cased(scene.vendor.upper() if rng.random() < 0.3 else scene.vendor)
    line(scene.vendor_printed, bold=rng.random() < 0.7, scale=rng.choice((1.0, 1.3, 1.6)))
    if rng.random() < 0.3:
        paper.gap(0.4)
    scene.address_printed = [paper.cased(a) for a in scene.address]
    if rng.random() < 0.25 and paper.length(", ".join(scene.address)) < 0.95:
        line(", ".join(scene.address))
    else:
        for part in scene.address:
            line(part)
    contact(line, scene, truth)
    if rng.random() < 0.2:
        line(scene.label("hours"))


def contact(line, scene, truth):
    """Telephone and tax id, each on most receipts."""
    rng = scene.rng
    if rng.random() < 0.75:
        separator = "" if scene.label("phone").endswith(":") else rng.choice((":", "", " :"))
        line(f"{scene.label('phone')}{separator} {scene.phone}")
        truth.phone = scene.phone
    if len(scene.tax_line) > 1 and rng.random() < 0.75:
        line("".join(scene.tax_line))
        truth.tax_id = scene.tax_line[1]


def particulars(paper, scene, truth, table=False):
    """Receipt number, date and time, who served: in one of the usual arrangements."""
    rng = scene.rng
    number = f"{scene.label('receipt')}{rng.choice((': ', ' ', ' '))}{scene.number}"
    when = scene.date()
    how = rng.randrange(4)
    paper.gap(rng.choice((0.3, 0.6)))
    with_number = rng.random() < 0.8
    if how == 0:
        paper.pair(f"{when} {scene.time}" if rng.random() < 0.6 else when, number if with_number else scene.time)
    elif how == 1:
        if with_number:
            paper.left(number)
        paper.left(f"{scene.label('date')}: {when} {scene.time}")
    elif how == 2:
        if with_number:
            paper.pair(scene.label("receipt"), scene.number)
        paper.pair(scene.label("date"), when)
        paper.pair(scene.label("till"), str(rng.randint(1, 9)))
    else:
        paper.center(f"{when}   {scene.time}")
        if with_number:
            paper.center(number)
    if with_number:
        truth.receipt_id = scene.number
    if table:
        paper.pair(f"{scene.label('table')} {rng.randint(1, 40)}", f"{scene.label('guests')} {rng.randint(1, 6)}")
    if rng.random() < 0.4:
        paper.left(f"{scene.label('served')}: {rng.choice(('Imke', 'Orla', 'Ravi', 'Noor', 'Tomas', 'Mei', '014'))}")


def footer(paper, scene):
    """Thanks, hours, a barcode: nothing that counts."""
    rng = scene.rng
    paper.gap()
    if rng.random() < 0.3:
        paper.left(scene.label("count", n=rng.randint(1, 30)))
    if rng.random() < 0.3:
        paper.left(scene.label("points", n=rng.randint(10, 4000)))
    paper.center(scene.label("thanks"))
    if rng.random() < 0.3:
        paper.center(scene.label("hours"))
    if rng.random() < 0.25:
        paper.center(f"www.{rng.choice(('hello', 'shop', 'my'))}-{rng.randint(10, 99)}.example")
    if rng.random() < 0.35:
        paper.barcode(rng.randrange(10**6))
        paper.center(str(rng.randint(10**11, 10**13)))


# --- Taxes and payment -----------------------------------------------------------------------


def by_rate(truth):
    """rate → (sum of what it is taken of, letter), the highest rate first."""
    sums = {}
    for item in truth.items:
        if item.rate:
            before, _ = sums.get(item.rate, (D(0), ""))
            sums[item.rate] = (before + item.price - item.cut, item.letter)
    if truth.discount and len(sums) == 1:
        [(rate, (whole, letter))] = sums.items()
        sums[rate] = (whole - truth.discount, letter)
    return dict(sorted(sums.items(), key=lambda entry: -D(entry[0])))


def single_rate(truth, rate=None):
    """All items taxed alike."""
    for item in truth.items:
        item.rate, item.letter = rate or truth.scene.place.taxes[0][0], ""


def tax_lines(paper, scene, truth):
    """Tax within the prices, one line a rate: `incl. 19% MwSt 3,45`."""
    for rate, (gross, letter) in by_rate(truth).items():
        amount = inside(gross, rate, scene.place.decimals)
        truth.taxes.append((rate, amount))
        shown_rate = scene.rate(rate)
        manner = scene.rng.randrange(3)
        left = (
            f"{scene.label('included')} {scene.tax_name} {shown_rate}",
            f"{scene.tax_name} {shown_rate}" + (f" ({letter})" if letter else ""),
            f"{scene.label('included')} {shown_rate} {scene.tax_name}",
        )[manner]
        paper.pair(left, scene.money(amount))


def tax_table(paper, scene, truth, gross_first=False):
    """Rate, net, tax and gross as a table."""
    letters = len({i.letter for i in truth.items}) > 1
    heads = [scene.label("rate"), scene.label("net"), scene.tax_name, scene.label("gross")]
    places = [(0, "l"), (0.45, "r"), (0.71, "r"), (1, "r")]
    cells = [(head, *place) for head, place in zip(heads, places)]
    paper.cells(cells)
    for rate, (gross, letter) in by_rate(truth).items():
        amount = inside(gross, rate, scene.place.decimals)
        truth.taxes.append((rate, amount))
        first = f"{letter} {scene.rate(rate)}" if letters else scene.rate(rate)
        row = [first, scene.money(gross - amount), scene.money(amount), scene.money(gross)]
        cells = [(text, *place) for text, place in zip(row, places)]
        paper.cells(cells)


def taxes_on_top(paper, scene, truth, base):
    """Tax added to the prices; returns what was added."""
    added = D(0)
    rates = by_rate(truth) or {}
    for rate, (net, _) in rates.items():
        share = on_top(base if len(rates) == 1 else net, rate, scene.place.decimals)
        truth.taxes.append((rate, share))
        paper.pair(f"{scene.tax_name} {scene.rate(rate)}", scene.money(share))
        added += share
    return added


def total_line(paper, scene, truth, total, key="total"):
    """The total, usually larger, with the currency before, behind or nowhere."""
    rng = scene.rng
    truth.total = total
    label = scene.label(key)
    if rng.random() < 0.3 and scene.place.currency not in label:
        label += f" {scene.place.currency}"
    if rng.random() < 0.2:
        label += ":"
    paper.pair(label, scene.money(total, symbol=rng.random() < 0.6), bold=rng.random() < 0.7, scale=rng.choice((1.0, 1.2, 1.4)))


def payment(paper, scene, truth, cash=None):
    """Cash with change, or a card; `cash` decides, else it is drawn."""
    rng, total = scene.rng, truth.total
    if cash if cash is not None else rng.random() < 0.4:
        step = {"JPY": 1000, "KWD": 5}.get(scene.place.currency, rng.choice((5, 10, 20, 50)))
        given = ((total // step + 1) * step).quantize(D(1).scaleb(-scene.place.decimals))
        paper.pair(scene.label("cash"), scene.money(given))
        paper.pair(scene.label("change"), scene.money(given - total))
        truth.amount_paid = given
    else:
        label = scene.label("card")
        if rng.random() < 0.5:
            paper.pair(label, scene.money(total))
            paper.left(f"**** **** **** {rng.randint(0, 9999):04}")
        else:
            paper.pair(f"{label} ****{rng.randint(0, 9999):04}", scene.money(total))
        truth.amount_paid = total
        if rng.random() < 0.3:
            paper.left(f"Auth {rng.randint(10**5, 10**6)}  AID A0000000{rng.randint(100000, 999999)}")


def extra_date(paper, scene, truth, label, days):
    """A second date in the same style; one with a day above 12 settles how the first is read."""
    day = scene.day + timedelta(days=days)
    truth.settled_date |= day.day > 12
    paper.pair(label, scene.date(day))


def weight(scene, item):
    """A quantity with its measure: `0,532 kg`."""
    return f"{shown(item.quantity, 3, scene.place.style)} {item.measure}"
