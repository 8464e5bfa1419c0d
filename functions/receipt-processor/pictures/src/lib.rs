//! From the bytes of a file to upright pictures: what is shown, and what is read. Decided by content, never by name
//! or declared type; sizes are checked in the header before anything is decoded; nothing of the file's metadata
//! survives.

use std::io::Cursor;

use hayro::{
    PixmapSettings, RenderCache, RenderSettings,
    hayro_interpret::InterpreterSettings,
    hayro_syntax::{LoadPdfError, Pdf},
    vello_cpu::color::palette::css::WHITE,
};
use image::{
    DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, RgbaImage, codecs::jpeg::JpegEncoder,
    imageops::FilterType, metadata::Orientation,
};
use slipstream_events::FailureReason;

/// The most pixels that are decoded: a phone's best camera, with room.
const MAX_PIXELS: u64 = 50_000_000;
/// The most memory that a decoder may ask for, in bytes.
const MAX_ALLOCATION: u64 = 512 * 1024 * 1024;
/// The long side of what is sent to be read, in pixels: finer detail costs time and does not help.
const READING_SIDE: u32 = 2000;
/// The long side of the preview, in pixels.
const PREVIEW_SIDE: u32 = 1024;
/// The long side of the thumbnail, in pixels.
const THUMBNAIL_SIDE: u32 = 160;
/// The JPEG quality of what is sent to be read.
const READING_QUALITY: u8 = 90;
/// The JPEG quality of what is shown.
const SHOWN_QUALITY: u8 = 80;
/// Pixels per inch at which a page of a PDF is rendered; a PDF's own unit is 1/72 inch (ISO 32000-1, 8.3.2.3).
const PDF_DPI: f32 = 200.0;

/// How many pages of a document are made pictures of; each may be a receipt of its own.
pub const MAX_PAGES: usize = 5;

/// What the bytes turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG (ITU-T T.81), baseline or progressive.
    Jpeg,
    /// PNG (ISO/IEC 15948).
    Png,
    /// WebP (RFC 9649), the first frame.
    WebP,
    /// TIFF 6.0, the first page.
    Tiff,
    /// GIF89a, the first frame.
    Gif,
    /// HEIC (ISO/IEC 23008-12), the primary picture.
    Heic,
    /// PDF (ISO 32000-1).
    Pdf,
}

/// The pictures of a file.
#[derive(Debug)]
pub struct Prepared {
    /// What the file is.
    pub format: Format,
    /// The first [`MAX_PAGES`] pages; a picture is one page. Never empty.
    pub pages: Vec<Page>,
    /// How many pages the file has.
    pub page_count: u32,
}

/// One page: upright sRGB pictures without metadata.
#[derive(Debug)]
pub struct Page {
    /// What is sent to be read: a JPEG.
    pub reading: Vec<u8>,
    /// For looking at: a JPEG of at most 1024 px a side.
    pub preview: Vec<u8>,
    /// For lists: a JPEG of at most 160 px a side.
    pub thumbnail: Vec<u8>,
}

/// Makes the pictures. It computes for a second or so: not for an async thread.
///
/// # Errors
/// The reason why the file cannot be shown.
pub fn prepare(bytes: &[u8]) -> Result<Prepared, FailureReason> {
    if bytes.is_empty() {
        return Err(FailureReason::Empty);
    }
    if is_pdf(bytes) {
        return render_pdf(bytes);
    }
    let (format, upright) = decode(bytes)?;
    Ok(Prepared { format, pages: vec![page(upright)?], page_count: 1 })
}

fn page(upright: DynamicImage) -> Result<Page, FailureReason> {
    let reading = shrink(upright, READING_SIDE);
    let preview = shrink(reading.clone(), PREVIEW_SIDE);
    let thumbnail = shrink(preview.clone(), THUMBNAIL_SIDE);
    Ok(Page {
        reading: jpeg(reading, READING_QUALITY)?,
        preview: jpeg(preview, SHOWN_QUALITY)?,
        thumbnail: jpeg(thumbnail, SHOWN_QUALITY)?,
    })
}

/// A PDF may have junk before its header, within the first kilobyte (ISO 32000-1, annex H, note 13).
fn is_pdf(bytes: &[u8]) -> bool {
    bytes.iter().take(1024).copied().collect::<Vec<_>>().windows(5).any(|window| window == b"%PDF-")
}

fn decode(bytes: &[u8]) -> Result<(Format, DynamicImage), FailureReason> {
    let reader = || ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let format = reader().ok().and_then(|reader| reader.format()).ok_or(FailureReason::UnsupportedFormat)?;
    let own = match format {
        ImageFormat::Jpeg => Format::Jpeg,
        ImageFormat::Png => Format::Png,
        ImageFormat::WebP => Format::WebP,
        ImageFormat::Tiff => Format::Tiff,
        ImageFormat::Gif => Format::Gif,
        _ => return Err(FailureReason::UnsupportedFormat),
    };
    let (width, height) = reader().map_err(|_| FailureReason::Damaged)?.into_dimensions().map_err(reason)?;
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(FailureReason::TooLarge);
    }
    let mut reader = reader().map_err(|_| FailureReason::Damaged)?;
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MAX_ALLOCATION);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(reason)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(reason)?;
    if format == ImageFormat::Jpeg && !ends_as_jpeg(bytes) {
        // The decoder fills what is missing of a JPEG with grey; a total that is cut off must not go unnoticed.
        return Err(FailureReason::Damaged);
    }
    picture.apply_orientation(orientation);
    Ok((own, flatten(picture)))
}

/// Whether the end marker follows on the last scan (ITU-T T.81, B.1.1.3). One before it may be that of a thumbnail in
/// the metadata; some cameras append data after it.
fn ends_as_jpeg(bytes: &[u8]) -> bool {
    let last = |marker: [u8; 2]| bytes.windows(2).rposition(|window| window == marker);
    last([0xff, 0xd9]).is_some_and(|end| last([0xff, 0xda]).is_some_and(|scan| scan < end))
}

fn reason(error: ImageError) -> FailureReason {
    match error {
        ImageError::Limits(_) => FailureReason::TooLarge,
        ImageError::Unsupported(_) => FailureReason::UnsupportedFormat,
        ImageError::Decoding(_) | ImageError::Encoding(_) | ImageError::Parameter(_) | ImageError::IoError(_) => {
            FailureReason::Damaged
        }
    }
}

/// On white where it is transparent, as paper is.
fn flatten(picture: DynamicImage) -> DynamicImage {
    if !picture.color().has_alpha() {
        return DynamicImage::ImageRgb8(picture.into_rgb8());
    }
    let mut rgba = picture.into_rgba8();
    for pixel in rgba.pixels_mut() {
        let alpha = u16::from(pixel.0[3]);
        for channel in &mut pixel.0[..3] {
            let mixed = (u16::from(*channel) * alpha + 255 * (255 - alpha)) / 255;
            *channel = u8::try_from(mixed).unwrap_or(u8::MAX);
        }
        pixel.0[3] = 255;
    }
    DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(rgba).into_rgb8())
}

/// The first pages, as they print.
fn render_pdf(bytes: &[u8]) -> Result<Prepared, FailureReason> {
    let pdf = Pdf::new(bytes.to_vec()).map_err(|error| match error {
        LoadPdfError::Decryption(_) => FailureReason::Encrypted,
        LoadPdfError::Invalid => FailureReason::Damaged,
    })?;
    let sheets = pdf.pages();
    let page_count = u32::try_from(sheets.len()).map_err(|_| FailureReason::TooLarge)?;
    let pages =
        sheets.iter().take(MAX_PAGES).map(|sheet| page(render(sheet)?)).collect::<Result<Vec<_>, FailureReason>>()?;
    if pages.is_empty() {
        return Err(FailureReason::Damaged);
    }
    Ok(Prepared { format: Format::Pdf, pages, page_count })
}

fn render(page: &hayro::hayro_syntax::page::Page<'_>) -> Result<DynamicImage, FailureReason> {
    let (width, height) = page.render_dimensions();
    let longest = width.max(height);
    if !(longest.is_finite() && width.min(height) >= 1.0) {
        return Err(FailureReason::Damaged);
    }
    #[expect(clippy::cast_precision_loss, reason = "a small constant")]
    let scale = (PDF_DPI / 72.0).min(READING_SIDE as f32 * 2.0 / longest);
    let settings = PixmapSettings { x_scale: scale, y_scale: scale, bg_color: WHITE };
    let cache = RenderCache::new();
    let pixmap = hayro::render(page, &cache, &InterpreterSettings::default(), &RenderSettings::default(), &settings);
    let (width, height) = (u32::from(pixmap.width()), u32::from(pixmap.height()));
    let pixels = RgbaImage::from_raw(width, height, pixmap.data_as_u8_slice().to_vec());
    Ok(flatten(DynamicImage::ImageRgba8(pixels.ok_or(FailureReason::Damaged)?)))
}

fn shrink(picture: DynamicImage, side: u32) -> DynamicImage {
    if picture.width().max(picture.height()) <= side {
        return picture;
    }
    picture.resize(side, side, FilterType::Triangle)
}

fn jpeg(picture: DynamicImage, quality: u8) -> Result<Vec<u8>, FailureReason> {
    let mut bytes = Vec::new();
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality)).map_err(reason)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    fn fixture(name: &str) -> Vec<u8> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/receipts");
        fs::read(folder.join(name)).unwrap()
    }

    #[test]
    fn a_phone_photo_becomes_upright_and_loses_its_metadata() {
        let original = fixture("phone-photo.jpg");
        assert!(original.windows(4).any(|window| window == b"Exif"), "the fixture carries metadata");
        let page = &prepare(&original).unwrap().pages[0];
        for (bytes, side) in
            [(&page.reading, READING_SIDE), (&page.preview, PREVIEW_SIDE), (&page.thumbnail, THUMBNAIL_SIDE)]
        {
            let picture = image::load_from_memory(bytes).unwrap();
            assert_eq!(picture.height(), side, "stored landscape, shown portrait");
            assert!(picture.width() < picture.height());
            assert!(!bytes.windows(4).any(|window| window == b"Exif"));
        }
    }

    #[test]
    fn every_fixture_becomes_pictures() {
        for name in ["cafe-eur.jpg", "taxi-gbp.png", "parking.pdf", "dark-photo.jpg", "unreadable.jpg"] {
            let prepared = prepare(&fixture(name)).unwrap_or_else(|reason| panic!("{name}: {reason}"));
            let reading = image::load_from_memory(&prepared.pages[0].reading).unwrap();
            assert!(reading.width().max(reading.height()) <= READING_SIDE, "{name}");
            assert!(reading.width().max(reading.height()) >= 1000, "{name}");
        }
    }

    #[test]
    fn transparency_is_paper() {
        let picture = DynamicImage::ImageRgba8(RgbaImage::from_pixel(8, 8, image::Rgba([0, 0, 0, 0])));
        assert_eq!(flatten(picture).to_rgb8().get_pixel(3, 3).0, [255, 255, 255]);
    }

    #[test]
    fn what_cannot_be_shown_has_a_reason() {
        let photo = fixture("cafe-eur.jpg");
        // Metadata with an end marker of its own, as that of an embedded thumbnail.
        let mut thumbnailed = vec![0xff, 0xd8, 0xff, 0xe1, 0x00, 0x08, 0xff, 0xda, 0x00, 0x00, 0xff, 0xd9];
        thumbnailed.extend(&photo[2..]);
        assert!(prepare(&thumbnailed).is_ok(), "a whole photo with a thumbnail");
        let mut huge = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff\x08\x02\0\0\0".to_vec();
        huge.extend([0x0c, 0x9f, 0x2d, 0x4a]);
        for (name, bytes, expected) in [
            ("nothing", Vec::new(), vec![FailureReason::Empty]),
            ("text", b"hello, this is not a picture".to_vec(), vec![FailureReason::UnsupportedFormat]),
            ("half a photo", photo[..photo.len() / 2].to_vec(), vec![FailureReason::Damaged]),
            (
                "half a photo with a thumbnail",
                thumbnailed[..thumbnailed.len() / 2].to_vec(),
                vec![FailureReason::Damaged],
            ),
            ("a photo's first bytes", photo[..64].to_vec(), vec![FailureReason::Damaged]),
            ("a page-less PDF", b"%PDF-1.4\n%%EOF".to_vec(), vec![FailureReason::Damaged]),
            ("a huge PNG", huge, vec![FailureReason::TooLarge, FailureReason::Damaged]),
        ] {
            let outcome = prepare(&bytes).map(|_| ()).unwrap_err();
            assert!(expected.contains(&outcome), "{name}: {outcome}");
        }
    }
}
