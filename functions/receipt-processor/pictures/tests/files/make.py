"""Makes the files of this folder: `python3 make.py` with pillow, pillow-heif and pypdf."""
from pathlib import Path
import io
from PIL import Image
import pillow_heif
from pypdf import PdfWriter

here = Path(__file__).parent
pillow_heif.register_heif_opener()
# Red, green, blue and white corners, on 96 by 64 pixels.
picture = Image.new("RGB", (96, 64))
for x in range(96):
    for y in range(64):
        left, top = x < 48, y < 32
        picture.putpixel((x, y), (220, 30, 30) if left and top else (30, 200, 30) if top else (30, 30, 220) if left else (240, 240, 240))
picture.save(here / "lossy.webp", quality=80)
picture.convert("CMYK").save(here / "cmyk.jpg", quality=90)
picture.save(here / "plain.heic", quality=80)
exif = Image.Exif()
exif[0x0112] = 6
picture.save(here / "turned.heic", quality=80, exif=exif.tobytes())
picture.convert("1").save(here / "fax.tif", compression="group4")
picture.save(here / "jpeg.tif", compression="jpeg", quality=85)
writer = PdfWriter()
writer.add_blank_page(width=200, height=100)
writer.encrypt("secret", algorithm="RC4-128")
writer.write(here / "encrypted.pdf")
writer = PdfWriter()
writer.add_blank_page(width=200, height=100)
writer.encrypt("", "owner", algorithm="RC4-128")
writer.write(here / "restricted.pdf")
