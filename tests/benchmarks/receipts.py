#!/usr/bin/env python3
"""Draws receipts together with what is printed on them, to measure reading against.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python receipts.py --out DIR --count N --seed S

Writes the pictures and `labels.jsonl`, one JSON object a receipt, into DIR. The same seed gives the same receipts (and, with
the pinned packages, the same bytes). Seeds below 100 are to develop with; those from 100 up are held out: they are scored,
never looked at.

A label has amounts as decimal strings, dates as ISO 8601, and `null` for what is not printed:

- `vendor`, `address` (its lines joined by `, `), `phone`, `tax_id`, `receipt_id` and descriptions are as printed.
- `date_ambiguous`: the digits of the date alone can be read day first and month first, and no other date settles it.
- `subtotal`, `discount` (on the whole), `service_charge`, `tip`, `rounding`, `taxes` (one a rate), `total` (what is due,
  after rounding), `amount_paid` (cash given, or what the card was charged).
- `items`: `price` is the line's amount, before a discount printed under it (`item_discounts`); `unit_price` is `null` where
  only the line's amount stands there.
"""

import argparse
import json
import pathlib
import random

from PIL import Image

from rendered.paper import TooNarrow, matrix, scanned
from rendered.shops import TEMPLATES


def drawn(template, name):
    """One receipt: its picture, how to save it, and its label. The name decides everything."""
    for attempt in range(50):
        rng = random.Random(f"{name}/{attempt}")
        try:
            receipt = template(rng)
            break
        except TooNarrow:  # this text does not fit on this roll: another roll
            continue
    else:
        raise SystemExit(f"{name}: nothing fits on the paper of {template.__name__}")
    ink = printed(receipt.paper, rng)
    picture = scanned(ink, rng.randrange(2**32), rng.choice((0.0, 0.3, 0.5, 0.7, 1.0)))
    if rng.random() < 0.3:
        picture = picture.convert("L")
    how = {"format": "PNG"} if rng.random() < 0.08 else {"format": "JPEG", "quality": rng.randint(45, 92)}
    return picture, how, receipt.truth


def printed(paper, rng):
    """The ink of a page, from a laser or thermal printer, or from needles."""
    ink = paper.ink()
    if paper.fixed and paper.width < 900 and rng.random() < 0.15:
        # Twice as coarse as the eye wants it: a letter is about sixteen dots high.
        share = min(1.0, 17 / paper.size)
        coarse = ink.resize((round(ink.width * share), round(ink.height * share)), Image.Resampling.LANCZOS)
        dots = matrix(coarse, 3)
        return dots.resize((paper.width, round(dots.height * paper.width / dots.width)), Image.Resampling.LANCZOS)
    return ink


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--count", type=int, default=42)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--template", choices=[t.__name__ for t in TEMPLATES], help="only receipts of this layout")
    args = parser.parse_args()
    templates = [t for t in TEMPLATES if args.template in (None, t.__name__)]
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "labels.jsonl").open("w", encoding="utf-8") as labels:
        for n in range(args.count):
            template = templates[n % len(templates)]
            picture, how, truth = drawn(template, f"{args.seed}/{n}/{template.__name__}")
            name = f"{args.seed}-{n:04}.{how['format'].lower().replace('jpeg', 'jpg')}"
            picture.save(args.out / name, **how)
            labels.write(json.dumps(truth.row(name, template.__name__), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
