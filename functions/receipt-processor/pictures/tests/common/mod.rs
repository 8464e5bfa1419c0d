//! Files made for the tests: four coloured corners in every format.

#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "all of it is a test, with small pictures")]
#![allow(dead_code, clippy::allow_attributes, reason = "each test uses some of it")]

use std::{borrow::Cow, fs, io::Cursor, path::Path};

use flate2::{Compression, write::ZlibEncoder};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// The corners: top left, top right, bottom left, bottom right.
pub const CORNERS: [[u8; 3]; 4] = [[220, 30, 30], [30, 200, 30], [30, 30, 220], [240, 240, 240]];

/// The picture, as RGB.
pub fn corners(width: usize, height: usize) -> Vec<u8> {
    let pixel = |x: usize, y: usize| CORNERS[usize::from(x >= width / 2) + 2 * usize::from(y >= height / 2)];
    (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect()
}

/// A file of `tests/files`.
pub fn file(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)).unwrap()
}

/// What a TIFF structure with nothing but an orientation is.
pub fn exif(orientation: u8) -> Vec<u8> {
    let mut bytes = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    bytes.extend([orientation, 0, 0, 0, 0, 0, 0]);
    bytes
}

/// A JPEG, as `adjust` wants it.
pub fn jpeg(width: usize, height: usize, adjust: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 92);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    adjust(&mut encoder);
    encoder.encode(&corners(width, height), width as u16, height as u16, ColorType::Rgb).unwrap();
    bytes
}

/// A PNG of rows without filters.
pub fn png(
    width: u32,
    height: u32,
    depth: u8,
    colour: u8,
    interlaced: bool,
    raw: &[u8],
    extra: &[(&[u8; 4], Vec<u8>)],
) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, colour, 0, 0, u8::from(interlaced)]);
    let mut chunks = vec![(b"IHDR", header)];
    chunks.extend(extra.iter().cloned());
    chunks.push((b"IDAT", zlib(raw)));
    chunks.push((b"IEND", Vec::new()));
    png_of(&chunks)
}

/// A PNG of chunks.
pub fn png_of(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, content) in chunks {
        bytes.extend((content.len() as u32).to_be_bytes());
        let mut sum = flate2::Crc::new();
        sum.update(*name);
        sum.update(content);
        bytes.extend(*name);
        bytes.extend(content);
        bytes.extend(sum.sum().to_be_bytes());
    }
    bytes
}

/// Compressed.
pub fn zlib(raw: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(raw).unwrap();
    encoder.finish().unwrap()
}

/// Rows of PNG without filters, from pixels of `each` bytes.
pub fn rows(pixels: &[u8], width: usize, each: usize) -> Vec<u8> {
    pixels.chunks(width * each).flat_map(|row| [&[0], row].concat()).collect()
}

/// The seven passes of an interlaced PNG (8.2).
pub fn adam7(pixels: &[u8], width: usize, height: usize, each: usize) -> Vec<u8> {
    let passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];
    let mut raw = Vec::new();
    for (x0, y0, dx, dy) in passes {
        for y in (y0..height).step_by(dy) {
            if x0 < width {
                raw.push(0);
            }
            for x in (x0..width).step_by(dx) {
                raw.extend(&pixels[(y * width + x) * each..][..each]);
            }
        }
    }
    raw
}

/// A lossless WebP.
pub fn webp(width: u32, height: u32, exif: Option<Vec<u8>>, icc: Option<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = image_webp::WebPEncoder::new(&mut bytes);
    if let Some(exif) = exif {
        encoder.set_exif_metadata(exif);
    }
    if let Some(icc) = icc {
        encoder.set_icc_profile(icc);
    }
    encoder.encode(&corners(width as usize, height as usize), width, height, image_webp::ColorType::Rgb8).unwrap();
    bytes
}

/// A TIFF with a value for the orientation.
pub fn tiff(width: u32, height: u32, orientation: u16) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut bytes).unwrap();
    let mut image = encoder.new_image::<tiff::encoder::colortype::RGB8>(width, height).unwrap();
    image.encoder().write_tag(tiff::tags::Tag::Orientation, orientation).unwrap();
    image.write_data(&corners(width as usize, height as usize)).unwrap();
    bytes.into_inner()
}

/// A GIF with `frames` frames.
pub fn gif(width: u16, height: u16, frames: usize) -> Vec<u8> {
    let palette: Vec<u8> = CORNERS.concat();
    let (w, h) = (usize::from(width), usize::from(height));
    let indices: Vec<u8> =
        (0..h).flat_map(|y| (0..w).map(move |x| u8::from(x >= w / 2) + 2 * u8::from(y >= h / 2))).collect();
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, width, height, &palette).unwrap();
    for _ in 0..frames {
        let frame = gif::Frame { width, height, buffer: Cow::Borrowed(&indices), ..gif::Frame::default() };
        encoder.write_frame(&frame).unwrap();
    }
    drop(encoder);
    bytes
}

/// A HEIC.
pub fn heic(width: u32, height: u32) -> Vec<u8> {
    let options = heifer::EncodeOptions::default();
    heifer::encode_rgb8(width, height, &corners(width as usize, height as usize), &options).unwrap()
}

/// A box of a HEIC (ISO/IEC 14496-12, 4.2).
pub fn heic_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32 + 8).to_be_bytes(), kind.as_slice(), content].concat()
}

/// A HEIC without a picture, of what stands in its description.
pub fn heic_of(boxes: &[Vec<u8>]) -> Vec<u8> {
    let handler = heic_box(b"hdlr", b"\0\0\0\0\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let primary = heic_box(b"pitm", &[0, 0, 0, 0, 0, 1]);
    let entry = heic_box(b"infe", b"\x02\0\0\0\0\x01\0\0hvc1\0");
    let items = heic_box(b"iinf", &[b"\0\0\0\0\0\x01".to_vec(), entry].concat());
    let description = [vec![0; 4], handler, primary, items, boxes.concat()].concat();
    [heic_box(b"ftyp", b"heic\0\0\0\0mif1heic"), heic_box(b"meta", &description)].concat()
}

/// A PDF of objects numbered from one; the first is the catalogue.
pub fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        places.push(bytes.len());
        bytes.extend(format!("{} 0 obj\n", index + 1).bytes());
        bytes.extend(object);
        bytes.extend(b"\nendobj\n");
    }
    let start = bytes.len();
    bytes.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for place in places {
        bytes.extend(format!("{place:010} 00000 n \n").bytes());
    }
    bytes.extend(format!("trailer << /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1).bytes());
    bytes
}

/// A stream object.
pub fn stream(dictionary: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = format!("<< {dictionary} /Length {} >>\nstream\n", content.len()).into_bytes();
    bytes.extend(content);
    bytes.extend(b"\nendstream");
    bytes
}

/// A PDF of one page of 595×842 that draws `content`; `resources` may name what stands in `objects`, from 5 on.
pub fn drawing_pdf(resources: &str, content: &[u8], objects: &[Vec<u8>]) -> Vec<u8> {
    let page =
        format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << {resources} >> >>");
    let mut all = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        page.into_bytes(),
        stream("", content),
    ];
    all.extend(objects.iter().cloned());
    pdf(&all)
}

/// A PDF of `pages` pages with text on them.
pub fn text_pdf(pages: usize, size: &str) -> Vec<u8> {
    let kids: String = (0..pages).map(|page| format!("{} 0 R ", 5 + page)).collect();
    let text = b"BT /F1 18 Tf 20 60 Td (TOTAL 12.34) Tj ET 0.9 0.1 0.1 rg 0 0 40 20 re f".to_vec();
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!("<< /Type /Pages /Kids [{kids}] /Count {pages} >>").into_bytes(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
        stream("", &text),
    ];
    for _ in 0..pages {
        objects.push(
            format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size}] /Contents 4 0 R /Resources << /Font << /F1 3 0 R >> >> >>")
                .into_bytes(),
        );
    }
    pdf(&objects)
}

/// A PDF of one page with a picture on it.
pub fn scan_pdf(dictionary: &str, picture: &[u8]) -> Vec<u8> {
    pdf(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 96 64] /Contents 4 0 R /Resources << /XObject << /P 5 0 R >> >> >>"
            .to_vec(),
        stream("", b"96 0 0 64 0 0 cm /P Do"),
        stream(&format!("/Type /XObject /Subtype /Image {dictionary}"), picture),
    ])
}

/// One of everything, small.
pub fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let pixels = corners(96, 64);
    let scan = "/Width 96 /Height 64 /BitsPerComponent 8 /ColorSpace /DeviceRGB";
    vec![
        ("baseline.jpg", jpeg(96, 64, |encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2))),
        ("restarts.jpg", jpeg(96, 64, |encoder| encoder.set_restart_interval(3))),
        ("progressive.jpg", jpeg(96, 64, |encoder| encoder.set_progressive(true))),
        ("cmyk.jpg", file("cmyk.jpg")),
        ("rgb.png", png(96, 64, 8, 2, false, &rows(&pixels, 96, 3), &[(b"eXIf", exif(6))])),
        ("interlaced.png", png(96, 64, 8, 2, true, &adam7(&pixels, 96, 64, 3), &[])),
        ("lossless.webp", webp(96, 64, Some(exif(3)), None)),
        ("lossy.webp", file("lossy.webp")),
        ("rgb.tif", tiff(96, 64, 1)),
        ("fax.tif", file("fax.tif")),
        ("jpeg.tif", file("jpeg.tif")),
        ("one.gif", gif(96, 64, 1)),
        ("plain.heic", file("plain.heic")),
        ("turned.heic", file("turned.heic")),
        ("text.pdf", text_pdf(2, "100 70")),
        ("scan.pdf", scan_pdf(&format!("{scan} /Filter /DCTDecode"), &jpeg(96, 64, |_| {}))),
        ("flate.pdf", scan_pdf(&format!("{scan} /Filter /FlateDecode"), &zlib(&pixels))),
        ("restricted.pdf", file("restricted.pdf")),
    ]
}
