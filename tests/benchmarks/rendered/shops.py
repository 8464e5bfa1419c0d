"""Receipts as tills, restaurants, machines and pumps print them: one function a layout, (random) → `Receipt`."""

import dataclasses
from datetime import timedelta
from decimal import Decimal as D

from rendered import blocks, rows
from rendered.blocks import Item, Truth
from rendered.goods import GOODS
from rendered.money import inside, rounded, stepped
from rendered.paper import MONO, PROPORTIONAL, Paper
from rendered.places import PLACES, Scene


@dataclasses.dataclass
class Receipt:
    """What was printed, and what it means."""

    paper: Paper
    truth: Truth


def start(rng, kind, places, columns=(30, 44), proportional=0.25, low=0, high=0, **chosen):
    """A scene in one of the places, paper for it, and a basket of `low` to `high` goods."""
    scene = Scene(PLACES[rng.choice(places)], kind, rng)
    columns = rng.randint(*columns)
    width = rng.randint(max(380, columns * 11), min(1200, columns * 24))
    face = rng.choice(tuple(PROPORTIONAL if rng.random() < proportional else MONO))
    paper = Paper(width, columns, face, leading=rng.uniform(1.15, 1.5), margin=rng.uniform(0.03, 0.09), upper=rng.random() < 0.15)
    items = blocks.basket(scene, kind, low, high, **chosen) if high else []
    return paper, scene, Truth(scene, paper, items)


EUROPE = ("de", "at", "fr", "es", "ie", "uk")


def supermarket(rng):
    """Tax letters behind the amounts, weighed goods, discounts under items, a table of rates at the end."""
    paper, scene, truth = start(rng, "grocery", ("de", "at", "fr", "es", "uk", "ch"), low=4, high=11, weighed=0.15, cuts=0.12)
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth)
    paper.rule(rng.choice("-=_*"))
    rng.choice(rows.TILL[:3])(paper, scene, truth.items, letters=True)
    paper.rule(rng.choice("-=_"))
    total = truth.goods
    if scene.place.currency == "CHF":
        truth.subtotal, total = total, stepped(total, "0.05")
        paper.pair(scene.label("subtotal"), scene.money(truth.subtotal))
        truth.rounding = total - truth.subtotal
        paper.pair(scene.label("rounding"), scene.money(truth.rounding))
    blocks.total_line(paper, scene, truth, total)
    blocks.payment(paper, scene, truth)
    paper.gap()
    rng.choice((blocks.tax_table, blocks.tax_table, blocks.tax_lines))(paper, scene, truth)
    if any(i.cut for i in truth.items) and rng.random() < 0.5:
        paper.left(scene.label("savings", m=scene.money(sum(i.cut for i in truth.items))))
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def market_us(rng):
    """Prices without tax, sales tax on top, cash and change."""
    paper, scene, truth = start(rng, "grocery", ("us",), low=3, high=12, weighed=0.1, cuts=0.08)
    blocks.single_rate(truth)
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth)
    paper.rule(rng.choice("-=*"))
    rng.choice(rows.TILL)(paper, scene, truth.items, letters=False)
    paper.gap()
    truth.subtotal = truth.goods
    paper.pair(scene.label("subtotal"), scene.money(truth.subtotal))
    added = blocks.taxes_on_top(paper, scene, truth, truth.subtotal)
    blocks.total_line(paper, scene, truth, truth.subtotal + added)
    blocks.payment(paper, scene, truth)
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def restaurant_us(rng):
    """Subtotal, tax, a tip, the total after it; suggested tips are for nobody to add up."""
    paper, scene, truth = start(rng, "restaurant", ("us", "ca"), low=2, high=7)
    blocks.single_rate(truth)
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth, table=True)
    paper.rule()
    rng.choice(rows.TABLE)(paper, scene, truth.items)
    paper.rule()
    truth.subtotal = truth.goods
    paper.pair(scene.label("subtotal"), scene.money(truth.subtotal))
    due = truth.subtotal + blocks.taxes_on_top(paper, scene, truth, truth.subtotal)
    if rng.random() < 0.7:
        truth.tip = rounded(truth.subtotal * rng.choice((15, 18, 20)) / 100)
        paper.pair(scene.label("tip"), scene.money(truth.tip))
    blocks.total_line(paper, scene, truth, due + (truth.tip or 0))
    blocks.payment(paper, scene, truth, cash=False)
    if rng.random() < 0.5 and truth.tip is None:
        paper.gap()
        for percent in (18, 20, 22):
            paper.left(f"Suggested tip {percent}%: {scene.money(rounded(truth.subtotal * percent / 100))}")
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def restaurant_europe(rng):
    """Tax within the prices, quantities in front, sometimes a tip or a service charge."""
    paper, scene, truth = start(rng, "restaurant", EUROPE, low=2, high=7)
    blocks.single_rate(truth, rate=None if rng.random() < 0.5 else scene.place.taxes[-1][0])
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth, table=True)
    paper.rule(rng.choice("-_"))
    rng.choice(rows.TABLE)(paper, scene, truth.items)
    paper.rule(rng.choice("-_="))
    if rng.random() < 0.3:
        truth.subtotal = truth.goods
        paper.pair(scene.label("subtotal"), scene.money(truth.subtotal))
        truth.tip = rounded(truth.goods / 10, 0).quantize(D("0.01"))
        paper.pair(scene.label("tip"), scene.money(truth.tip))
    blocks.total_line(paper, scene, truth, truth.goods + (truth.tip or 0))
    rng.choice((blocks.tax_lines, blocks.tax_table))(paper, scene, truth)
    blocks.payment(paper, scene, truth)
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def restaurant_sg(rng):
    """`++`: 10 % service charge on the subtotal, then GST on both."""
    paper, scene, truth = start(rng, "restaurant", ("sg",), low=2, high=6)
    blocks.single_rate(truth)
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth, table=True)
    paper.rule()
    rng.choice(rows.TABLE)(paper, scene, truth.items)
    paper.rule()
    truth.subtotal = truth.goods
    truth.service = rounded(truth.subtotal / 10)
    paper.pair(scene.label("subtotal"), scene.money(truth.subtotal))
    paper.pair(f"{scene.label('service')} 10%", scene.money(truth.service))
    base = truth.subtotal + truth.service
    blocks.total_line(paper, scene, truth, base + blocks.taxes_on_top(paper, scene, truth, base))
    blocks.payment(paper, scene, truth)
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def cafe(rng):
    """A few things, little else."""
    paper, scene, truth = start(rng, "cafe", (*EUROPE, "my", "au"), columns=(28, 38), low=1, high=5)
    truth.added = False
    blocks.single_rate(truth)
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth)
    paper.rule(rng.choice("-_. "))
    rng.choice(rows.TABLE)(paper, scene, truth.items)
    paper.gap()
    blocks.total_line(paper, scene, truth, truth.goods)
    if rng.random() < 0.7:
        blocks.tax_lines(paper, scene, truth)
    blocks.payment(paper, scene, truth)
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def bakery_rates(rng):
    """A café with two rates, eat-in and take-away, told apart by letters and a table."""
    paper, scene, truth = start(rng, "cafe", ("de", "at", "fr", "es"), low=2, high=6)
    for n, item in enumerate(truth.items):
        item.rate, item.letter = scene.place.taxes[n % 2]
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth)
    paper.rule()
    rng.choice((rows.inline, rows.front, rows.above))(paper, scene, truth.items, letters=True)
    paper.rule("=")
    blocks.total_line(paper, scene, truth, truth.goods)
    paper.gap()
    blocks.tax_table(paper, scene, truth)
    blocks.payment(paper, scene, truth)
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def hardware(rng):
    """Article numbers on lines of their own, a discount on the whole."""
    paper, scene, truth = start(rng, "hardware", (*EUROPE, "au"), low=2, high=7)
    truth.added = False
    blocks.single_rate(truth)
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth)
    paper.rule(rng.choice("-="))
    rows.coded(paper, scene, truth.items)
    paper.rule(rng.choice("-="))
    if rng.random() < 0.5:
        percent = rng.choice((5, 10))
        truth.subtotal, truth.discount = truth.goods, rounded(truth.goods * percent / 100)
        paper.pair(scene.label("subtotal"), scene.money(truth.subtotal))
        paper.pair(f"{scene.label('discount')} {percent}%", scene.money(-truth.discount))
    blocks.total_line(paper, scene, truth, truth.goods - (truth.discount or 0))
    rng.choice((blocks.tax_lines, blocks.tax_table))(paper, scene, truth)
    blocks.payment(paper, scene, truth)
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def pharmacy(rng):
    """Two rates, points, a card of the house: many numbers that are no amounts."""
    paper, scene, truth = start(rng, "pharmacy", (*EUROPE, "ch"), low=1, high=6, cuts=0.15)
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth)
    paper.rule()
    rng.choice(rows.TILL)(paper, scene, truth.items, letters=True)
    paper.rule()
    total = truth.goods
    if scene.place.currency == "CHF":
        total = stepped(total, "0.05")
        if total != truth.goods:
            truth.rounding = total - truth.goods
            paper.pair(scene.label("rounding"), scene.money(truth.rounding))
    blocks.total_line(paper, scene, truth, total)
    blocks.payment(paper, scene, truth)
    paper.left(scene.label("points", n=rng.randint(10, 9000)))
    blocks.tax_lines(paper, scene, truth)
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def kiosk(rng):
    """Small and bare: no tax, often no number."""
    paper, scene, truth = start(rng, "kiosk", (*EUROPE, "my", "ch", "sg"), columns=(24, 32), low=1, high=4)
    truth.added = False
    blocks.header(paper, scene, truth, logo=False)
    paper.left(f"{scene.date()} {scene.time}")
    paper.gap()
    rng.choice((rows.inline, rows.behind, rows.front))(paper, scene, truth.items)
    paper.rule(rng.choice("-="))
    blocks.total_line(paper, scene, truth, truth.goods)
    blocks.payment(paper, scene, truth, cash=True)
    paper.center(scene.label("thanks"))
    return Receipt(paper, truth)


def malaysia(rng):
    """GST or SST as a summary at the end, the total before and after rounding."""
    paper, scene, truth = start(rng, rng.choice(("grocery", "restaurant", "hardware")), ("my",), low=1, high=7)
    included = rng.random() < 0.5
    truth.added = not included
    blocks.single_rate(truth, rate=rng.choice(scene.place.taxes)[0])
    for item in truth.items:
        item.letter = rng.choice(("SR", "S"))
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth)
    paper.rule(rng.choice("-="))
    rng.choice((rows.coded, rows.columns, rows.inline))(paper, scene, truth.items, letters=rng.random() < 0.5)
    paper.rule(rng.choice("-="))
    due = truth.goods
    if not included:
        truth.subtotal = due
        paper.pair(scene.label("subtotal"), scene.money(truth.subtotal))
        due += blocks.taxes_on_top(paper, scene, truth, due)
    total = stepped(due, "0.05")
    if total != due or rng.random() < 0.4:
        truth.rounding = total - due
        paper.pair(scene.label("rounding"), scene.money(truth.rounding))
    blocks.total_line(paper, scene, truth, total)
    blocks.payment(paper, scene, truth)
    if included:
        paper.gap()
        blocks.tax_table(paper, scene, truth)
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def japan(rng):
    """No decimals; consumption tax within the prices."""
    paper, scene, truth = start(rng, rng.choice(("restaurant", "cafe", "kiosk")), ("jp",), low=2, high=6)
    blocks.single_rate(truth)
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth)
    paper.rule()
    rng.choice((rows.inline, rows.front, rows.columns))(paper, scene, truth.items)
    paper.rule()
    blocks.total_line(paper, scene, truth, truth.goods)
    blocks.tax_lines(paper, scene, truth)
    blocks.payment(paper, scene, truth)
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def kuwait(rng):
    """Three decimals and no tax."""
    paper, scene, truth = start(rng, rng.choice(("grocery", "cafe")), ("kw",), low=2, high=6)
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth)
    paper.rule()
    rng.choice(rows.TILL)(paper, scene, truth.items)
    paper.rule()
    blocks.total_line(paper, scene, truth, truth.goods)
    blocks.payment(paper, scene, truth)
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def canada(rng):
    """Federal and provincial tax, each on a line."""
    paper, scene, truth = start(rng, rng.choice(("grocery", "hardware", "pharmacy")), ("ca",), low=1, high=7)
    for item in truth.items:
        item.rate = item.letter = ""
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth)
    paper.rule()
    rng.choice(rows.TILL)(paper, scene, truth.items)
    paper.rule()
    truth.subtotal = truth.goods
    paper.pair(scene.label("subtotal"), scene.money(truth.subtotal))
    due = truth.subtotal
    for name, rate in rng.choice(((("GST", "5"), ("PST", "7")), (("GST/TPS", "5"), ("QST/TVQ", "9.975")), (("HST", "13"),))):
        amount = rounded(truth.subtotal * D(rate) / 100)
        truth.taxes.append((rate, amount))
        paper.pair(f"{name} {scene.rate(rate)}", scene.money(amount))
        due += amount
    blocks.total_line(paper, scene, truth, due)
    blocks.payment(paper, scene, truth, cash=False)
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def australia(rng):
    """GST within the total, told in one line; an asterisk marks taxed goods."""
    paper, scene, truth = start(rng, rng.choice(("grocery", "cafe", "hardware")), ("au",), low=1, high=7)
    blocks.single_rate(truth)
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth)
    paper.rule()
    for item in truth.items:
        item.letter = "*"
    rng.choice(rows.TILL[:3])(paper, scene, truth.items, letters=rng.random() < 0.5)
    paper.rule()
    blocks.total_line(paper, scene, truth, truth.goods)
    amount = inside(truth.goods, "10")
    truth.taxes.append((None, amount))
    paper.pair(rng.choice(("GST included in total", "Includes GST of", "Total includes GST")), scene.money(amount))
    blocks.payment(paper, scene, truth)
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def petrol(rng):
    """Litres times the price of one, sometimes something from the shop."""
    paper, scene, truth = start(rng, "fuel", (*EUROPE, "au"), columns=(28, 40))
    truth.added = False
    description, low, high = rng.choice(GOODS[scene.place.language]["fuel"])
    unit = D(str(round(rng.uniform(low, high), 3)))
    litres = D(rng.randint(1200, 6200)) / 100
    rate, letter = scene.place.taxes[0]
    truth.items.append(Item(description, litres, unit, rounded(litres * unit), rate, letter))
    if rng.random() < 0.4:
        description, low, high = rng.choice(GOODS[scene.place.language]["extra"])
        unit_price = blocks.price(rng, low, high, scene.place)
        truth.items.append(Item(description, D(1), unit_price, unit_price, rate, letter, unit_shown=False))
    fuel = truth.items[0]
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth)
    paper.rule()
    quantity, per = f"{scene.number_of(litres, 2)} {rng.choice(('l', 'L', 'Ltr'))}", scene.number_of(unit, 3)
    if rng.random() < 0.5:
        paper.pair(fuel.description, scene.money(fuel.price))
        paper.left(f"{scene.label('pump')} {rng.randint(1, 12)}   {quantity} x {per}")
    else:
        paper.left(f"{scene.label('pump')} {rng.randint(1, 12)}")
        paper.left(fuel.description)
        paper.pair(f"  {quantity} x {per}", scene.money(fuel.price))
    for item in truth.items[1:]:
        paper.pair(item.description, scene.money(item.price))
    paper.rule()
    blocks.total_line(paper, scene, truth, truth.goods)
    blocks.tax_lines(paper, scene, truth)
    blocks.payment(paper, scene, truth, cash=False)
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def taxi(rng):
    """A fare, what came on top, a tip."""
    paper, scene, truth = start(rng, "taxi", (*EUROPE, "us", "sg", "my"), columns=(24, 34))
    truth.added = False
    fare, *more = GOODS[scene.place.language]["taxi"]
    for description, low, high in (fare, *rng.sample(more, rng.randint(0, 2))):
        amount = blocks.price(rng, low, high, scene.place)
        truth.items.append(Item(description, D(1), amount, amount, unit_shown=False))
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth)
    if rng.random() < 0.6:
        paper.pair(rng.choice(("km", "Distance km")), scene.number_of(D(rng.randint(20, 400)) / 10, 1))
    paper.rule(rng.choice("-_"))
    rows.inline(paper, scene, truth.items)
    if rng.random() < 0.5:
        truth.tip = D(rng.randint(1, 8)).quantize(D("0.01"))
        paper.pair(scene.label("tip"), scene.money(truth.tip))
    blocks.total_line(paper, scene, truth, truth.goods + (truth.tip or 0))
    blocks.payment(paper, scene, truth)
    if rng.random() < 0.5:
        paper.left(scene.label("thanks"))
    return Receipt(paper, truth)


def parking(rng):
    """In, out, one amount; the dates of both are on it."""
    paper, scene, truth = start(rng, "parking", (*EUROPE, "ch", "my"), columns=(24, 34))
    truth.added = False
    description, low, high = GOODS[scene.place.language]["parking"][0]
    amount = stepped(blocks.price(rng, low, high, scene.place), "0.10")
    rate = scene.place.taxes[0][0]
    truth.items.append(Item(description, D(1), amount, amount, rate, "", unit_shown=False))
    blocks.header(paper, scene, truth)
    blocks.particulars(paper, scene, truth)
    truth.settled_date |= scene.day.day > 12
    hours = rng.randint(1, 3)
    paper.pair(scene.label("entry"), f"{scene.date()} {rng.randint(7, 11):02}:{rng.randint(0, 59):02}")
    paper.pair(scene.label("exit"), f"{scene.date()} {rng.randint(12, 18):02}:{rng.randint(0, 59):02}")
    paper.rule("-" if hours % 2 else "_")
    paper.pair(description, scene.money(amount))
    blocks.total_line(paper, scene, truth, amount)
    if rng.random() < 0.7:
        blocks.tax_lines(paper, scene, truth)
    blocks.payment(paper, scene, truth)
    return Receipt(paper, truth)


def refund(rng):
    """Goods brought back: every amount with a minus."""
    paper, scene, truth = start(rng, rng.choice(("grocery", "hardware")), (*EUROPE, "ch"), low=1, high=3, multiples=0.2)
    blocks.single_rate(truth)
    for item in truth.items:
        item.price = -item.price
        if item.quantity == 1:
            item.unit = -item.unit
        else:
            item.quantity = -item.quantity
    blocks.header(paper, scene, truth)
    paper.center(scene.label("credit"), bold=True, scale=1.3)
    blocks.particulars(paper, scene, truth)
    paper.rule()
    for item in truth.items:
        if item.quantity == 1:
            item.unit_shown = False
            rows.described(paper, scene, item.description, scene.money(item.price))
        else:
            rows.described(paper, scene, item.description, "")
            paper.pair(f"{item.quantity:f} x {scene.money(item.unit)}", scene.money(item.price), indent=0.06)
    paper.rule()
    blocks.total_line(paper, scene, truth, truth.goods, key="refund_total")
    blocks.tax_lines(paper, scene, truth)
    paper.pair(scene.label("refunded"), scene.money(truth.total))
    truth.amount_paid = truth.total
    blocks.footer(paper, scene)
    return Receipt(paper, truth)


def hotel(rng):
    """A folio: nights, breakfast, the dates of arrival and departure beside the bill's."""
    paper, scene, truth = start(rng, "hotel", (*EUROPE, "ch"), columns=(46, 66), proportional=0.7)
    nights, place = D(rng.randint(1, 5)), scene.place
    first = blocks.price(rng, 69, 190, place)
    high, low = place.taxes[0][0], place.taxes[-1][0]
    truth.items.append(Item(scene.label("per_night"), nights, first, rounded(nights * first), low))
    for description, cheap, dear in rng.sample(GOODS[place.language]["hotel"], rng.randint(1, 3)):
        unit, count = blocks.price(rng, cheap, dear, place), nights if rng.random() < 0.5 else D(1)
        truth.items.append(Item(description, count, unit, rounded(count * unit), high))
    blocks.header(paper, scene, truth)
    paper.gap()
    paper.left(rng.choice(("Ms A. Brandvogt", "Mr T. Okonjo", "Annelie Brandvogt", "R. Castellanos")))
    paper.left(f"{scene.label('invoice')} {scene.number}", bold=True, scale=1.2)
    truth.receipt_id = scene.number
    paper.pair(scene.label("invoice_date"), scene.date())
    arrived = scene.day - timedelta(days=int(nights))
    truth.settled_date |= arrived.day > 12 or scene.day.day > 12
    paper.pair({"de": "Anreise", "fr": "Arrivée", "es": "Llegada"}.get(place.language, "Arrival"), scene.date(arrived))
    paper.pair({"de": "Abreise", "fr": "Départ", "es": "Salida"}.get(place.language, "Departure"), scene.date())
    paper.gap()
    rows.columns(paper, scene, truth.items, order=rng.choice(("qiua", "iqua")))
    paper.rule("_")
    blocks.total_line(paper, scene, truth, truth.goods)
    paper.gap()
    blocks.tax_table(paper, scene, truth)
    blocks.payment(paper, scene, truth, cash=False)
    paper.center(scene.label("thanks"))
    return Receipt(paper, truth)


def invoice(rng):
    """A4: letterhead, whom it is for, number and dates beside it, a table, net, tax and gross, terms below."""
    paper, scene, truth = start(rng, "services", (*EUROPE, "ch", "us", "sg", "my"), columns=(70, 92), proportional=1.0, low=1, high=5, multiples=0.5)
    truth.paper = paper = Paper(1200, rng.randint(70, 92), rng.choice(tuple(PROPORTIONAL)), leading=1.45, margin=0.07)
    truth.added = True
    blocks.single_rate(truth)
    blocks.header(paper, scene, truth)
    paper.gap(2)
    number, day, due = scene.label("invoice"), scene.label("invoice_date"), scene.label("due_date")
    later = scene.day + timedelta(days=rng.choice((14, 30)))
    truth.settled_date |= later.day > 12
    rows_right = [(number, scene.number), (day, scene.date()), (due, scene.date(later))]
    rows_left = [scene.label("bill_to"), rng.choice(("Okonjo & Daughters", "Castellanos Studio", "Brandvogt Atelier")), "7 Larch Row", rng.choice(("Anytown", "8099 Niederlinden"))]
    for n, left in enumerate(rows_left):
        cells = [(left, 0, "l")]
        if n < 3:
            label, value = rows_right[n]
            cells += [(label, 0.6, "l"), (value, 1, "r")]
        paper.cells(cells)
    truth.receipt_id = scene.number
    paper.gap(2)
    rows.columns(paper, scene, truth.items, order=rng.choice(("qiua", "iqua")))
    paper.rule("_")
    truth.subtotal = truth.goods
    net_label = scene.label("subtotal")
    paper.cells([(net_label, 0.6, "l"), (scene.money(truth.subtotal), 1, "r")])
    for rate, (net, _) in blocks.by_rate(truth).items():
        amount = rounded(net * D(rate) / 100)
        truth.taxes.append((rate, amount))
        paper.cells([(f"{scene.tax_name} {scene.rate(rate)}", 0.6, "l"), (scene.money(amount), 1, "r")])
    truth.total = truth.subtotal + sum(amount for _, amount in truth.taxes)
    paper.cells([(scene.label("total"), 0.6, "l"), (scene.money(truth.total, symbol=True), 1, "r")], bold=True, scale=1.15)
    paper.gap(2)
    paper.left(f"{scene.label('account')} {scene.place.name.upper()}00 0000 0000 {rng.randint(1000, 9999)} {rng.randint(1000, 9999)}")
    paper.gap(4)
    paper.center(scene.label("page"))
    return Receipt(paper, truth)


TEMPLATES = (
    supermarket, restaurant_us, restaurant_europe, cafe, hardware, malaysia, invoice, market_us, petrol, pharmacy, hotel, bakery_rates,
    taxi, restaurant_sg, canada, kiosk, australia, parking, japan, refund, kuwait,
)  # fmt: skip
