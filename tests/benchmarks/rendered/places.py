"""Countries: how amounts and dates are printed, which taxes there are, and invented merchants with invented addresses."""

import dataclasses
from datetime import date

from rendered.money import shown
from rendered.words import LABELS, MONTHS


@dataclasses.dataclass(frozen=True)
class Place:
    """A country's manners. In `tax_id` the number itself stands between bars; `taxes` are (rate, letter), the usual one first; `added`: tax comes on top of the prices."""

    name: str
    language: str
    currency: str
    symbols: tuple
    style: str
    dates: tuple
    tax_name: tuple
    taxes: tuple
    added: bool
    towns: tuple
    streets: tuple
    address: str
    phone: str
    tax_id: tuple
    decimals: int = 2


NUMERIC = ("%d/%m/%Y", "%d/%m/%y", "%d-%m-%Y", "%d %b %Y", "%Y-%m-%d")
DOTTED = ("%d.%m.%Y", "%d.%m.%y", "%d.%m.%Y", "%d. %B %Y", "%Y-%m-%d")

PLACES = {
    p.name: p
    for p in (
        Place("de", "de", "EUR", ("EUR", "€", ""), "1.234,56", DOTTED, ("MwSt", "MwSt.", "USt", "MWST"), (("19", "A"), ("7", "B")), False,
              ("10999 Berlin", "50667 Köln", "80469 München", "04109 Leipzig", "20359 Hamburg"),
              ("Ambossgasse", "Quittenweg", "Am Kranichhof", "Nebelstraße", "Hollerplatz"), "{street} {n}|{town}", "0{2}0 000 {4}",
              ("USt-IdNr. |DE000{6}", "Steuer-Nr. |00/{3}/00{3}", "UST-ID: |DE000{6}")),
        Place("at", "de", "EUR", ("EUR", "€", ""), "1.234,56", DOTTED, ("USt", "MwSt", "MWSt."), (("20", "A"), ("10", "B")), False,
              ("1070 Wien", "5020 Salzburg", "8010 Graz"), ("Nebelgasse", "Lindwurmgasse", "Zirbenweg"), "{street} {n}|{town}", "01 000 {4}",
              ("UID |ATU000{5}", "UID-Nr.: |ATU000{5}")),
        Place("ch", "de", "CHF", ("CHF", "Fr.", ""), "1'234.56", DOTTED, ("MWST", "MwSt."), (("8.1", "1"), ("2.6", "2")), False,
              ("8004 Zürich", "3011 Bern", "6003 Luzern"), ("Quittenhof", "Steinbockgasse", "Seerosenweg"), "{street} {n}|{town}", "044 000 {2} {2}",
              ("|CHE-000.{3}.{3}| MWST", "MWST-Nr. |CHE-000.{3}.{3}")),
        Place("fr", "fr", "EUR", ("EUR", "€", ""), "1 234,56", ("%d/%m/%Y", "%d/%m/%y", "%d/%m/%Y", "%d %B %Y"), ("TVA",), (("20", "A"), ("5.5", "B"), ("10", "C")), False,
              ("75011 Paris", "69002 Lyon", "31000 Toulouse", "44000 Nantes"), ("rue des Alouettes", "quai du Héron", "allée des Tilleuls", "place du Puits"),
              "{n} {street}|{town}", "01 99 00 {2} {2}", ("TVA |FR00 000{6}", "N° TVA : |FR00000{6}", "TVA intracom. |FR00000{6}")),
        Place("es", "es", "EUR", ("EUR", "€", ""), "1.234,56", ("%d/%m/%Y", "%d/%m/%y", "%d-%m-%Y", "%d de %B de %Y"), ("IVA", "I.V.A."), (("21", "A"), ("10", "B"), ("4", "C")), False,
              ("28012 Madrid", "08003 Barcelona", "41001 Sevilla", "46001 Valencia"), ("Calle del Alcotán", "Avenida de la Noria", "Plaza del Olmo", "Calle Retama"),
              "{street}, {n}|{town}", "910 00 {2} {2}", ("NIF |B000{5}", "CIF: |B-000{5}", "N.I.F. |B000{5}")),
        Place("uk", "en", "GBP", ("£", "GBP ", "£"), "1,234.56", NUMERIC, ("VAT",), (("20", "A"), ("5", "B")), False,
              ("Bristol BS1 9ZZ", "Leeds LS2 9ZZ", "London E8 9ZZ", "Norwich NR1 9ZZ"), ("Saltglass Lane", "Heron Quay Row", "Thimble Street", "Old Kiln Road"),
              "{n} {street}|{town}", "020 7946 0{3}", ("VAT No |GB 000 {4} {2}", "VAT Reg No: |000 {4} {2}")),
        Place("ie", "en", "EUR", ("€", "EUR ", "€"), "1,234.56", NUMERIC, ("VAT",), (("23", "A"), ("13.5", "B")), False,
              ("Dublin 8", "Galway H91 ZZ00", "Cork T12 ZZ00"), ("Saltmarsh Row", "Curlew Street", "Mill Weir Road"), "{n} {street}|{town}", "020 91{1} {4}",
              ("VAT No |IE000{4}AA",)),
        Place("us", "en", "USD", ("$", "", "$"), "1,234.56", ("%m/%d/%Y", "%m/%d/%y", "%b %d, %Y", "%m-%d-%Y"), ("Sales Tax", "TAX", "Tax"), (("8.25", "T"), ("7", "T"), ("6.5", "T")), True,
              ("Asheville, NC 28899", "Duluth, MN 55899", "Boise, ID 83799", "Tulsa, OK 74199"), ("Alder Hollow Ave", "Copper Wren Blvd", "W 4th Street", "Juniper Rd"),
              "{n}{n} {street}|{town}", "({3}) 555-01{2}", ("",)),
        Place("ca", "en", "CAD", ("$", "CAD ", "$"), "1,234.56", ("%Y-%m-%d", "%Y/%m/%d", "%b %d, %Y", "%d-%b-%Y"), ("GST", "HST"), (("5", ""), ("13", "")), True,
              ("Halifax, NS B3J 0Z0", "Calgary, AB T2P 0Z0", "Toronto, ON M5V 0Z0"), ("Loon Lake Road", "Birchbark Street", "Harbour Row"), "{n}{n} {street}|{town}",
              "({3}) 555-01{2}", ("GST# |000{6} RT0001", "HST Reg |000{6}RT0001")),
        Place("au", "en", "AUD", ("$", "AUD ", "$"), "1,234.56", NUMERIC, ("GST",), (("10", "*"),), False,
              ("Fremantle WA 6160", "Geelong VIC 3220", "Newtown NSW 2042"), ("Currawong Parade", "Banksia Street", "Wattlebird Road"), "{n} {street}|{town}",
              "(02) 5550 {4}", ("ABN |00 000 {3} {3}", "A.B.N. |00 000 {3} {3}")),
        Place("sg", "en", "SGD", ("$", "S$", "SGD "), "1,234.56", NUMERIC, ("GST",), (("9", ""),), True,
              ("Singapore 049999", "Singapore 238899", "Singapore 169899"), ("Kingfisher Road", "Pandan Walk", "Jalan Selasih"), "{n} {street} #01-{n}|{town}",
              "6000 {4}", ("GST Reg No. |M0-000{4}-0", "GST REG: |M0-000{4}-0")),
        Place("my", "ms", "MYR", ("RM", "RM ", ""), "1,234.56", ("%d/%m/%Y", "%d-%m-%Y", "%d/%m/%y", "%d %b %Y", "%Y-%m-%d"), ("SST", "Cukai SST", "GST"), (("6", "S"), ("8", "SR")), True,
              ("50450 Kuala Lumpur", "10200 Pulau Pinang", "80100 Johor Bahru", "75200 Melaka"), ("Jalan Kenanga", "Lorong Merbah", "Jalan Pandan Wangi", "Persiaran Bayu"),
              "No. {n}, {street}|{town}", "0{1}-0000 {4}", ("SST ID: |W10-0000-{8}", "GST ID: |000{9}", "No. Pendaftaran SST |B00-0000-{8}")),
        Place("jp", "en", "JPY", ("¥", "JPY ", "¥"), "1,234.56", ("%Y/%m/%d", "%Y-%m-%d", "%b %d, %Y"), ("Tax", "Consumption tax"), (("10", ""), ("8", "*")), False,
              ("Taito-ku, Tokyo 110-0000", "Naka-ku, Yokohama 231-0000", "Kita-ku, Osaka 530-0000"), ("Kumoi-cho", "Hoshikawa", "Tsubaki-dori"), "4-{n}-2 {street}|{town}",
              "03-0000-{4}", ("Reg. No. |T0000000{6}",), 0),
        Place("kw", "en", "KWD", ("KD ", "KWD ", ""), "1,234.56", ("%d/%m/%Y", "%d-%b-%Y", "%Y-%m-%d"), ("",), (), False,
              ("Kuwait City 13000", "Salmiya 22000"), ("Falcon Street", "Pearl Divers Road"), "Block {n}, {street}|{town}", "+965 0000 {4}", ("",), 3),
    )
}

NAMES = {
    "en": (("Quillfeather", "Copper Wren", "Thistle & Oak", "Saltglass", "Harrow Lane", "Bramblewick", "Old Lantern", "Fennimore", "Corrigan & Flint", "Blue Kettle", "Marrowby"), "{name} {kind}"),
    "de": (("Kranich", "Ambosshof", "Zum Silbernen Hecht", "Brandvogt", "Hollerbusch", "Lindwurm", "Nebelkrähe", "Quittenbaum", "Wetterhahn", "Steinbeißer"), "{kind} {name}"),
    "fr": (("du Héron Gris", "des Alouettes", "Chez Odilon", "du Vieux Puits", "Saint-Aubrac", "de la Mésange", "Au Grand Tilleul", "Berthelin"), "{kind} {name}"),
    "es": (("El Alcotán", "La Noria Vieja", "Casa Retama", "El Olmo Azul", "Los Vencejos", "Doña Celinda", "La Garza"), "{kind} {name}"),
    "ms": (("Kenanga Biru", "Merbah Jaya", "Selasih", "Bayu Timur", "Tok Penghulu", "Rimba Hijau", "Seri Pandan"), "{kind} {name}"),
}
KINDS = {
    "en": {"grocery": ("Market", "Foods", "Grocers"), "restaurant": ("Kitchen", "Grill", "Dining Room"), "cafe": ("Coffee", "Cafe", "Bakery"), "hardware": ("Hardware", "DIY Supplies", "Tool Depot"),
           "pharmacy": ("Pharmacy", "Chemist"), "kiosk": ("Kiosk", "Newsagent", "Corner Shop"), "fuel": ("Service Station", "Fuels"), "taxi": ("Taxis", "Cabs"), "parking": ("Car Park", "Parking"),
           "hotel": ("Hotel", "Inn", "Lodge"), "services": ("Consulting Ltd", "Systems Ltd", "Engineering Ltd")},
    "de": {"grocery": ("Markt", "Frischemarkt"), "restaurant": ("Gasthaus", "Restaurant", "Wirtshaus"), "cafe": ("Café", "Bäckerei", "Kaffeehaus"), "hardware": ("Baumarkt", "Eisenwaren"),
           "pharmacy": ("Apotheke", "Drogerie"), "kiosk": ("Kiosk", "Trafik"), "fuel": ("Tankstelle",), "taxi": ("Taxi", "Funktaxi"), "parking": ("Parkhaus", "Tiefgarage"), "hotel": ("Hotel", "Pension"),
           "services": ("Ingenieurbüro", "IT-Service", "Technik GmbH")},
    "fr": {"grocery": ("Épicerie", "Marché"), "restaurant": ("Restaurant", "Brasserie", "Bistrot"), "cafe": ("Café", "Boulangerie"), "hardware": ("Quincaillerie",), "pharmacy": ("Pharmacie",),
           "kiosk": ("Kiosque", "Tabac"), "fuel": ("Station",), "taxi": ("Taxi",), "parking": ("Parking",), "hotel": ("Hôtel",), "services": ("Atelier", "Bureau d'études")},
    "es": {"grocery": ("Supermercado", "Alimentación"), "restaurant": ("Restaurante", "Taberna"), "cafe": ("Cafetería", "Panadería"), "hardware": ("Ferretería",), "pharmacy": ("Farmacia",),
           "kiosk": ("Quiosco",), "fuel": ("Estación de Servicio",), "taxi": ("Taxi",), "parking": ("Aparcamiento",), "hotel": ("Hotel", "Hostal"), "services": ("Servicios", "Ingeniería")},
    "ms": {"grocery": ("Pasaraya", "Kedai Runcit"), "restaurant": ("Restoran", "Warung"), "cafe": ("Kopitiam", "Kafe"), "hardware": ("Perniagaan", "Kedai Besi"), "pharmacy": ("Farmasi",),
           "kiosk": ("Kedai",), "fuel": ("Stesen Minyak",), "taxi": ("Teksi",), "parking": ("Parkir",), "hotel": ("Hotel",), "services": ("Teknologi", "Khidmat")},
}
LEGAL = {"en": ("", "", " Ltd"), "de": ("", "", " GmbH", " e.K."), "fr": ("", "", " SARL"), "es": ("", "", " S.L."), "ms": (" Sdn Bhd", " Enterprise", " Sdn. Bhd.", "")}


def digits(rng, pattern):
    """`pattern` with each `{n}` replaced by n random digits."""
    for count in "123456789":
        while f"{{{count}}}" in pattern:
            pattern = pattern.replace(f"{{{count}}}", "".join(rng.choice("123456789") if i == 0 else rng.choice("0123456789") for i in range(int(count))), 1)
    return pattern


@dataclasses.dataclass
class Scene:
    """One merchant on one day: what all parts of a receipt agree on."""

    place: Place
    kind: str
    rng: object

    def __post_init__(self):
        rng, place = self.rng, self.place
        language = place.language
        names, order = NAMES[language]
        self.vendor = order.format(name=rng.choice(names), kind=rng.choice(KINDS[language][self.kind]))
        if self.kind not in ("taxi", "parking", "kiosk"):
            self.vendor += rng.choice(LEGAL[language]) if not self.vendor.endswith(("Ltd", "GmbH")) else ""
        lines = place.address.replace("{street}", rng.choice(place.streets)).replace("{town}", rng.choice(place.towns))
        while "{n}" in lines:
            lines = lines.replace("{n}", str(rng.randint(2, 98)), 1)
        self.address = lines.split("|")
        self.phone = digits(rng, place.phone)
        self.tax_line = digits(rng, rng.choice(place.tax_id)).split("|")
        self.day = date(rng.choice((2024, 2025, 2026)), rng.randint(1, 12), rng.randint(1, 28))
        self.time = f"{rng.randint(7, 21):02}:{rng.randint(0, 59):02}"
        self.date_style = rng.choice(place.dates)
        self.number = digits(rng, rng.choice(("{4}", "{6}", "{3}-{4}", "A{5}", "{2}/{5}", "INV-{6}", "{8}", "R{2}-{4}")))
        self.words = {key: rng.choice(choices) for key, choices in LABELS[language].items()}
        self.tax_name = rng.choice(place.tax_name)
        self.symbol = rng.choice(place.symbols)
        self.amount_last = rng.random() < 0.3
        self.negative = rng.choice(("-{}", "-{}", "-{}", "{}-"))

    def label(self, key, **values):
        return self.words[key].format(**values)

    def money(self, value, symbol=False):
        """An amount as it stands in a column; with the currency where `symbol`."""
        text = shown(abs(value), self.place.decimals, self.place.style)
        if symbol and self.symbol.strip():
            behind = self.place.style.endswith(",56") and self.place.language != "en"
            gap = " " if len(self.symbol) == 3 or self.symbol == "Fr." else ""
            text = f"{text} {self.symbol}" if behind else f"{self.symbol}{gap}{text}"
        return self.negative.format(text) if value < 0 else text

    def number_of(self, value, places):
        """A number that is no amount: weights, rates, litres."""
        return shown(value, places, self.place.style)

    def rate(self, value):
        """A tax rate as printed: `19%`, `19,00 %`, `8.1%`."""
        places = len(value.partition(".")[2])
        wide = self.rng.random() < 0.3
        return self.number_of(value, max(places, 2) if wide else places) + self.rng.choice(("%", "%", " %"))

    def date(self, day=None, style=None):
        """A date in the receipt's style."""
        day, style = day or self.day, style or self.date_style
        months = MONTHS[self.place.language]
        style = style.replace("%B", months[day.month - 1]).replace("%b", months[day.month - 1])
        return day.strftime(style)

    @property
    def ambiguous(self):
        """Whether the digits alone can be read day first and month first."""
        open_style = self.date_style.startswith(("%d/%m", "%m/%d", "%d-%m", "%m-%d"))
        return open_style and self.day.day <= 12 and self.day.day != self.day.month
