"""Paper: rows of text drawn with one face, and what a printer and a scanner do to them."""

import functools
import io
import math
import pathlib

import barcode
import font_source_sans_pro
import font_source_serif_pro
import numpy as np
import pymupdf_fonts
from PIL import Image, ImageDraw, ImageFilter, ImageFont

# Fixed pitch, as tills print; the value is (regular, bold).
MONO = {
    "cascadia": ("cascadia", "cascadiab"),
    "fira-mono": ("fimo", "fimbo"),
    "space-mono": ("spacemo", "spacembo"),
    "ubuntu-mono": ("ubuntm", "ubuntmbo"),
    "dejavu-mono": ("DejaVuSansMono", "DejaVuSansMono"),
}
PROPORTIONAL = {
    "fira": ("figo", "figbo"),
    "noto": ("notos", "notosbo"),
    "ubuntu": ("ubuntu", "ubuntubo"),
    "source-sans": ("SourceSansPro-Regular", "SourceSansPro-Bold"),
    "source-serif": ("SourceSerifPro-Regular", "SourceSerifPro-Bold"),
}
FOLDERS = {"DejaVu": barcode, "SourceSans": font_source_sans_pro, "SourceSerif": font_source_serif_pro}


@functools.cache
def font_bytes(name):
    for prefix, package in FOLDERS.items():
        if name.startswith(prefix):
            return next(pathlib.Path(package.__file__).parent.rglob(f"{name}.ttf")).read_bytes()
    return pymupdf_fonts.fontbuffers[name]()


@functools.cache
def font(name, size):
    return ImageFont.truetype(io.BytesIO(font_bytes(name)), size, layout_engine=ImageFont.Layout.BASIC)


class TooNarrow(Exception):
    """A row does not fit on this paper."""


class Paper:
    """Rows of text, `width` pixels wide. Places are shares (0 to 1) of the width between the margins."""

    def __init__(self, width, columns, face, leading=1.3, margin=0.05, upper=False):
        self.width, self.leading, self.upper = width, leading, upper
        self.margin = round(width * margin)
        self.room = width - 2 * self.margin
        self.fixed = face in MONO
        self.regular, self.bold = (MONO | PROPORTIONAL)[face]
        # The size at which `columns` characters fill the room; of proportional letters an ordinary mix.
        sample = "0" if self.fixed else "eiran tonsu 0123456789.,"
        wide = font(self.regular, 100).getlength(sample) / len(sample)
        self.size = max(9, int(self.room / columns / wide * 100))
        self.parts = []

    def face(self, bold=False, scale=1.0):
        return font(self.bold if bold else self.regular, max(8, round(self.size * scale)))

    def length(self, text, bold=False, scale=1.0):
        """The share of the room that `text` takes."""
        return self.face(bold, scale).getlength(self.cased(text)) / self.room

    def cased(self, text):
        return text.upper().replace("ẞ", "SS") if self.upper else text

    def wrap(self, text, share, bold=False, scale=1.0):
        """`text` in lines of at most `share` of the room."""
        lines = []
        for word in text.split():
            if lines and self.length(f"{lines[-1]} {word}", bold, scale) <= share:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
        return lines

    def spans(self, cells, bold, scale):
        """(start, end, text) of each cell, from left to right."""
        found = []
        for text, share, align in cells:
            long = self.length(text, bold, scale)
            left = share - {"l": 0, "r": long, "c": long / 2}[align]
            found.append((left, left + long, self.cased(text)))
        return sorted(found)

    def cells(self, cells, bold=False, scale=1.0):
        """One row of (text, share, alignment) with alignment `l`, `r` or `c`; smaller where it would overlap."""
        while True:
            spans = self.spans(cells, bold, scale)
            apart = all(start - end > 0.025 for (_, end, _), (start, _, _) in zip(spans, spans[1:]))
            if apart and spans[0][0] > -0.03 and spans[-1][1] < 1.03:
                self.parts.append(("row", spans, bold, scale))
                return
            if scale < 0.65:
                raise TooNarrow(" | ".join(text for *_, text in spans))
            scale -= 0.05

    def left(self, text, bold=False, scale=1.0):
        for line in self.wrap(text, 1.0, bold, scale):
            self.cells([(line, 0, "l")], bold, scale)

    def center(self, text, bold=False, scale=1.0):
        for line in self.wrap(text, 1.0, bold, scale):
            self.cells([(line, 0.5, "c")], bold, scale)

    def pair(self, left, right, bold=False, scale=1.0, indent=0.0):
        self.cells([(left, indent, "l"), (right, 1, "r")], bold, scale)

    def rule(self, mark="-"):
        if mark == "_":
            self.parts.append(("line",))
        else:
            count = int(1 / self.length(mark * 10) * 10)
            self.parts.append(("row", [(0, 1, mark * count)], False, 1.0))

    def gap(self, lines=0.5):
        self.parts.append(("gap", lines))

    def barcode(self, seed, height=2.4):
        self.parts.append(("barcode", seed, height))

    def logo(self, seed):
        self.parts.append(("logo", seed, 3.2))

    def ink(self):
        """White ink on black, as an `L` image."""
        line = self.size * self.leading
        heights = {"line": lambda p: line * 0.5, "row": lambda p: line * p[3]}
        high = [heights.get(p[0], lambda p: line * (p[1] if p[0] == "gap" else p[2]))(p) for p in self.parts]
        image = Image.new("L", (self.width, round(sum(high)) + 2 * self.margin + 10), 0)
        draw = ImageDraw.Draw(image)
        y = float(self.margin)
        for part, height in zip(self.parts, high):
            if part[0] == "row":
                _, spans, bold, scale = part
                face = self.face(bold, scale)
                for start, _, text in spans:
                    draw.text((round(self.margin + start * self.room), round(y)), text, 255, font=face)
            elif part[0] == "line":
                draw.line((self.margin, y + height / 2, self.width - self.margin, y + height / 2), 200, 2)
            elif part[0] == "barcode":
                self.bars(draw, part[1], y, height)
            elif part[0] == "logo":
                self.mark(draw, part[1], y, height)
            y += height
        return image

    def bars(self, draw, seed, y, height):
        rng = np.random.default_rng(seed)
        x, end = self.margin + self.room * 0.12, self.margin + self.room * 0.88
        module = max(2, self.width // 240)
        while x + 4 * module < end:
            bar, space = rng.integers(1, 4, 2) * module
            draw.rectangle((x, y + 4, x + bar - 1, y + height - 6), 255)
            x += bar + space

    def mark(self, draw, seed, y, height):
        """A sign of rings and rays over the merchant's name."""
        rng = np.random.default_rng(seed)
        middle, radius = self.width / 2, height * 0.42
        centre = y + height / 2
        for ring in rng.choice(3, 2, replace=False):
            r = radius * (1 - 0.25 * ring)
            draw.ellipse((middle - r, centre - r, middle + r, centre + r), outline=255, width=max(2, self.width // 200))
        for ray in range(int(rng.integers(3, 9))):
            turn = math.tau * ray / 8
            draw.line((middle, centre, middle + radius * math.cos(turn), centre + radius * math.sin(turn)), 255, 3)


def matrix(ink, dot):
    """As needles print it: every pixel of a coarse picture becomes a round dot of `dot` pixels."""
    bits = (np.asarray(ink, np.float32) > 96).astype(np.float32)
    ys, xs = np.mgrid[0:dot, 0:dot] - (dot - 1) / 2
    shape = (np.hypot(xs, ys) <= dot * 0.56).astype(np.float32)
    return Image.fromarray((np.kron(bits, shape) * 255).astype(np.uint8))


def cloud(rng, shape, cells, low, high):
    """Smooth noise of the given (height, width), from a grid of `cells`."""
    grid = Image.fromarray(rng.random(cells).astype(np.float32))
    return low + (high - low) * np.clip(np.asarray(grid.resize((shape[1], shape[0]), Image.Resampling.BICUBIC)), 0, 1)


def scanned(ink, seed, wear):
    """Ink on paper, scanned: uneven strength, streaks, soft edges, grain, a slight turn.

    `wear` from 0 (a clean export) to 1 (an old slip).
    """
    rng = np.random.default_rng(seed)
    blur = 0.25 + 0.5 * wear * rng.random()
    strength = np.asarray(ink.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 255
    height, width = strength.shape
    strength = np.clip(strength * 1.12, 0, 1)
    strength = strength * cloud(rng, strength.shape, (max(4, height // 160), 6), 1 - 0.45 * wear, 1.0)
    strength *= 1 - 0.16 * wear * rng.random((1, width), np.float32)
    black = 15 + 75 * wear * rng.random()
    paper = 255 - 18 * wear * rng.random()
    shade = paper - (paper - black) * strength
    shade += cloud(rng, shade.shape, (max(3, height // 300), 4), -8 * wear, 2 * wear)
    turn = float(rng.normal(0, 0.5 * wear))
    page = Image.fromarray(np.clip(shade, 0, 255).astype(np.uint8))
    page = page.rotate(turn, Image.Resampling.BICUBIC, expand=True, fillcolor=round(paper))
    out = np.asarray(page, np.float32)
    out = out + rng.standard_normal(out.shape, np.float32) * (5 * wear * rng.random())
    tint = np.array((1, 1 - 0.03 * wear * rng.random(), 1 - 0.09 * wear * rng.random()), np.float32)
    return Image.fromarray(np.clip(out[..., None] * tint + 0.5, 0, 255).astype(np.uint8))
