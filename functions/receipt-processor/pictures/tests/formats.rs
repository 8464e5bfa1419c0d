//! Every format becomes the same upright picture.

#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "all of it is a test, with small pictures")]

mod common;

use common::{
    CORNERS, corners, exif, file, gif, heic, jpeg, pdf, png, rows, scan_pdf, stream, text_pdf, tiff, webp, zlib,
};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use moxcms::ColorProfile;
use slipstream_pictures::{Format, MAX_PAGES, Prepared, prepare, thumbnail};

fn colours(bytes: &[u8]) -> ((u32, u32), [[u8; 3]; 4]) {
    let picture = image::load_from_memory(bytes).unwrap().to_rgb8();
    let (width, height) = picture.dimensions();
    let at = |x, y| picture.get_pixel(width * x / 4, height * y / 4).0;
    ((width, height), [at(1, 1), at(3, 1), at(1, 3), at(3, 3)])
}

fn near(got: [[u8; 3]; 4], expected: [[u8; 3]; 4], within: u8) -> bool {
    got.iter().flatten().zip(expected.iter().flatten()).all(|(a, b)| a.abs_diff(*b) <= within)
}

#[track_caller]
fn shows(name: &str, bytes: &[u8], format: Format, expected: [[u8; 3]; 4], within: u8) -> Prepared {
    let prepared = prepare(bytes).unwrap_or_else(|reason| panic!("{name}: {reason}"));
    assert_eq!(prepared.format, format, "{name}");
    for page in &prepared.pages {
        for picture in [&page.reading, &page.preview, &page.thumbnail] {
            let (size, got) = colours(picture);
            assert!(near(got, expected, within), "{name} of {size:?}: {got:?} instead of {expected:?}");
            assert!(picture.starts_with(b"\xff\xd8\xff"), "{name}: all are JPEG");
            assert!(!picture.windows(4).any(|window| window == b"Exif" || window == b"ICC_"), "{name}: no metadata");
        }
    }
    prepared
}

/// The corners of the picture as stored, when the Exif orientation is applied (CIPA DC-008, 4.6.4).
fn turned(orientation: u8) -> [[u8; 3]; 4] {
    let [a, b, c, d] = CORNERS;
    match orientation {
        2 => [b, a, d, c],
        3 => [d, c, b, a],
        4 => [c, d, a, b],
        5 => [a, c, b, d],
        6 => [c, a, d, b],
        7 => [d, b, c, a],
        8 => [b, d, a, c],
        _ => [a, b, c, d],
    }
}

#[test]
fn jpeg_in_every_sampling_and_coding() {
    use SamplingFactor::{F_1_1, F_1_2, F_1_4, F_2_1, F_2_2, F_2_4, F_4_1, F_4_2};
    for sampling in [F_1_1, F_1_2, F_1_4, F_2_1, F_2_2, F_2_4, F_4_1, F_4_2] {
        for progressive in [false, true] {
            let bytes = jpeg(97, 63, |encoder| {
                encoder.set_sampling_factor(sampling);
                encoder.set_progressive(progressive);
            });
            shows(&format!("{sampling:?}, progressive {progressive}"), &bytes, Format::Jpeg, CORNERS, 8);
        }
    }
    shows("restarts", &jpeg(96, 64, |encoder| encoder.set_restart_interval(2)), Format::Jpeg, CORNERS, 8);
}

#[test]
fn jpeg_of_inks_and_of_grey() {
    shows("Adobe's CMYK", &file("cmyk.jpg"), Format::Jpeg, CORNERS, 12);
    for colour in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let inks: Vec<u8> = corners(96, 64).chunks(3).flat_map(|p| [255 - p[0], 255 - p[1], 255 - p[2], 0]).collect();
        let mut bytes = Vec::new();
        Encoder::new(&mut bytes, 95).encode(&inks, 96, 64, colour).unwrap();
        shows(&format!("{colour:?}"), &bytes, Format::Jpeg, CORNERS, 12);
    }
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, 95).encode(&[77; 96 * 64], 96, 64, ColorType::Luma).unwrap();
    shows("grey", &bytes, Format::Jpeg, [[77; 3]; 4], 2);
}

/// A printer's profile (ICC.1, 10.10) in which cyan is a middle grey and the other inks are nothing.
fn strange_inks() -> Vec<u8> {
    let identity: Vec<u8> = (0..=255).collect();
    let mut table = b"mft1\0\0\0\0\x04\x03\x02\0".to_vec();
    table.extend([1, 0, 0, 0, 1, 0, 0, 0, 1].map(|one: u32| (one << 16).to_be_bytes()).concat());
    table.extend(identity.repeat(4));
    // Lightness and two colours for each corner of the inks, the last of which changes first.
    table.extend((0..16).flat_map(|corner| if corner & 8 == 0 { [255, 128, 128] } else { [128, 128, 128] }));
    table.extend(identity.repeat(3));
    let mut profile = vec![0; 128];
    profile[..4].copy_from_slice(&(144 + table.len() as u32).to_be_bytes());
    profile[8..24].copy_from_slice(b"\x02\x40\0\0prtrCMYKLab ");
    profile[36..40].copy_from_slice(b"acsp");
    profile[68..80].copy_from_slice(b"\0\0\xf6\xd6\0\x01\0\0\0\0\xd3\x2d");
    profile.extend(b"\0\0\0\x01A2B0\0\0\0\x90");
    profile.extend((table.len() as u32).to_be_bytes());
    profile.extend(table);
    profile
}

#[test]
fn jpeg_of_inks_with_a_profile() {
    let profile = strange_inks();
    let inks: Vec<u8> =
        (0..64 * 96).flat_map(|at| if at < 32 * 96 { [255, 0, 0, 0] } else { [0, 255, 0, 0] }).collect();
    for colour in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 95);
        encoder.add_icc_profile(&profile).unwrap();
        encoder.encode(&inks, 96, 64, colour).unwrap();
        let expected = [[119; 3], [119; 3], [255; 3], [255; 3]];
        shows(&format!("{colour:?} with a profile"), &bytes, Format::Jpeg, expected, 4);
    }
}

#[test]
fn all_eight_orientations_in_every_format_that_has_them() {
    for orientation in 1..=8 {
        let expected = turned(orientation);
        let photo = jpeg(96, 64, |encoder| encoder.add_exif_metadata(&exif(orientation)).unwrap());
        let prepared = shows("JPEG", &photo, Format::Jpeg, expected, 8);
        let (size, _) = colours(&prepared.pages[0].reading);
        assert_eq!(size, if orientation >= 5 { (64, 96) } else { (96, 64) });
        let drawing = png(96, 64, 8, 2, false, &rows(&corners(96, 64), 96, 3), &[(b"eXIf", exif(orientation))]);
        shows("PNG", &drawing, Format::Png, expected, 8);
        shows("WebP", &webp(96, 64, Some(exif(orientation)), None), Format::WebP, expected, 8);
        let prefixed = [b"Exif\0\0".to_vec(), exif(orientation)].concat();
        shows("WebP with a prefix", &webp(96, 64, Some(prefixed), None), Format::WebP, expected, 8);
        shows("TIFF", &tiff(96, 64, u16::from(orientation)), Format::Tiff, expected, 8);
    }
}

#[test]
fn heic_plain_turned_and_as_a_grid() {
    shows("another encoder's", &file("plain.heic"), Format::Heic, CORNERS, 14);
    // The container turns it; the Exif orientation beside it must not turn it again.
    let prepared = shows("turned", &file("turned.heic"), Format::Heic, turned(6), 14);
    assert_eq!(colours(&prepared.pages[0].reading).0, (64, 96));
    let prepared = shows("several tiles", &heic(1100, 700), Format::Heic, CORNERS, 14);
    assert_eq!(colours(&prepared.pages[0].reading).0, (1100, 700));
}

#[test]
fn heic_whose_tile_refers_back_to_the_grid() {
    let metadata = heifer::Metadata { exif: Some(exif(1)), ..heifer::Metadata::default() };
    let picture = heifer::Image::filled(600, 100, 8, [240, 240, 240, 255]);
    let mut bytes = heifer::encode_with_metadata(&picture, &metadata, &heifer::EncodeOptions::default()).unwrap();
    let place = |kind: &[u8]| bytes.windows(4).position(|window| window == kind).unwrap();
    // Behind the kind: who refers, how many there are, and to whom (8.11.12).
    let (to_tiles, to_grid) = (place(b"dimg"), place(b"cdsc"));
    let (grid, tile) = (bytes[to_tiles + 4..to_tiles + 6].to_vec(), bytes[to_tiles + 8..to_tiles + 10].to_vec());
    assert_eq!(bytes[to_grid + 8..to_grid + 10], grid);
    bytes[to_grid..to_grid + 4].copy_from_slice(b"dimg");
    bytes[to_grid + 4..to_grid + 6].copy_from_slice(&tile);
    // Who looks for a colour profile must not go round and round.
    shows("a loop", &bytes, Format::Heic, [[240; 3]; 4], 3);
}

#[test]
fn png_in_every_depth_and_colour() {
    let pixels = corners(96, 64);
    let wide: Vec<u8> = pixels.iter().flat_map(|value| [*value, 7]).collect();
    shows("16 bits", &png(96, 64, 16, 2, false, &rows(&wide, 96, 6), &[]), Format::Png, CORNERS, 8);
    shows("interlaced", &png(96, 64, 8, 2, true, &common::adam7(&pixels, 96, 64, 3), &[]), Format::Png, CORNERS, 8);
    let clear: Vec<u8> = pixels.chunks(3).flat_map(|p| [p[0], p[1], p[2], if p[0] == 220 { 0 } else { 255 }]).collect();
    let mut expected = CORNERS;
    expected[0] = [255; 3];
    shows("alpha is paper", &png(96, 64, 8, 6, false, &rows(&clear, 96, 4), &[]), Format::Png, expected, 8);
    let indices: Vec<u8> = pixels.chunks(3).map(|p| CORNERS.iter().position(|c| c == p).unwrap() as u8).collect();
    let packed: Vec<u8> = indices.chunks(4).map(|four| four.iter().fold(0, |byte, index| byte << 2 | index)).collect();
    let palette: &[(&[u8; 4], Vec<u8>)] = &[(b"PLTE", CORNERS.concat())];
    shows("palette", &png(96, 64, 2, 3, false, &rows(&packed, 24, 1), palette), Format::Png, CORNERS, 8);
    shows("grey", &png(96, 64, 8, 0, false, &rows(&[90; 96 * 64], 96, 1), &[]), Format::Png, [[90; 3]; 4], 2);
}

#[test]
fn tiff_gif_and_webp_of_other_encoders() {
    let black_and_white = prepare(&file("fax.tif")).unwrap();
    let (_, got) = colours(&black_and_white.pages[0].reading);
    assert!(got[3][0] > 200 && got[2][0] < 80, "white stays white, and blue is dark: {got:?}");
    // Faxes count ink, not light: the same bits under PhotometricInterpretation (262) 0 are the negative.
    let mut fax = file("fax.tif");
    let entry = fax.windows(8).position(|entry| entry == [6, 1, 3, 0, 1, 0, 0, 0]).unwrap();
    fax[entry + 8] = 0;
    let (_, got) = colours(&prepare(&fax).unwrap().pages[0].reading);
    assert!(got[3][0] < 80 && got[2][0] > 200, "white is zero: {got:?}");
    shows("JPEG in TIFF", &file("jpeg.tif"), Format::Tiff, CORNERS, 16);
    shows("lossy WebP", &file("lossy.webp"), Format::WebP, CORNERS, 20);
    shows("GIF", &gif(96, 64, 3), Format::Gif, CORNERS, 8);
}

#[test]
fn profiles_are_converted_to_srgb() {
    let convert = |profile: &ColorProfile| {
        let options = moxcms::TransformOptions::default();
        let layout = moxcms::Layout::Rgb;
        let transform = profile.create_transform_8bit(layout, &ColorProfile::new_srgb(), layout, options).unwrap();
        CORNERS.map(|colour| {
            let mut out = [0; 3];
            transform.transform(&colour, &mut out).unwrap();
            out
        })
    };
    for (name, profile) in
        [("Display P3", ColorProfile::new_display_p3()), ("Adobe RGB", ColorProfile::new_adobe_rgb())]
    {
        let expected = convert(&profile);
        assert!(!near(expected, CORNERS, 8), "{name} makes a difference");
        let icc = profile.encode().unwrap();
        let photo = jpeg(96, 64, |encoder| encoder.add_icc_profile(&icc).unwrap());
        shows(name, &photo, Format::Jpeg, expected, 8);
        shows(name, &webp(96, 64, None, Some(icc.clone())), Format::WebP, expected, 8);
        let chunk = [b"x\0\0".to_vec(), zlib(&icc)].concat();
        let drawing = png(96, 64, 8, 2, false, &rows(&corners(96, 64), 96, 3), &[(b"iCCP", chunk)]);
        shows(name, &drawing, Format::Png, expected, 8);
    }
    let icc = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 95);
    encoder.add_icc_profile(&icc).unwrap();
    encoder.encode(&[55; 96 * 64], 96, 64, ColorType::Luma).unwrap();
    // 55/255 of light is 128 in sRGB (IEC 61966-2-1).
    shows("linear grey", &bytes, Format::Jpeg, [[128; 3]; 4], 3);
    let broken = jpeg(96, 64, |encoder| encoder.add_icc_profile(b"no profile").unwrap());
    shows("a profile that is none", &broken, Format::Jpeg, CORNERS, 8);
}

#[test]
fn pdf_of_text_of_scans_and_of_several_pages() {
    let prepared = prepare(&text_pdf(7, "200 100")).unwrap();
    assert_eq!((prepared.format, prepared.page_count, prepared.pages.len()), (Format::Pdf, 7, MAX_PAGES));
    let page = image::load_from_memory(&prepared.pages[4].reading).unwrap().to_luma8();
    assert_eq!(page.dimensions(), (555, 277), "200 dots per inch");
    let dark = page.pixels().filter(|pixel| pixel.0[0] < 100).count();
    assert!((1000..20_000).contains(&dark), "the text is there: {dark}");
    let picture = "/Width 96 /Height 64 /BitsPerComponent 8 /ColorSpace /DeviceRGB /Filter /DCTDecode";
    shows("scan", &scan_pdf(picture, &jpeg(96, 64, |_| {})), Format::Pdf, CORNERS, 12);
    let junk = [b"junk\n\n".to_vec(), text_pdf(1, "200 100")].concat();
    assert_eq!(prepare(&junk).unwrap().page_count, 1, "junk before the header");
    assert_eq!(prepare(&file("restricted.pdf")).unwrap().page_count, 1, "restricted, but no password to open it");
    let turned_page = pdf(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /Rotate 90 /MediaBox [0 0 72 144] /Contents 4 0 R >>".to_vec(),
        stream("", b"0 0 10 10 re f"),
    ]);
    let page = image::load_from_memory(&prepare(&turned_page).unwrap().pages[0].reading).unwrap();
    assert!(page.width() > page.height() && page.width() >= 399, "as it prints");
}

#[test]
fn large_pictures_are_reduced_in_proportion() {
    let bytes = jpeg(4100, 1000, |encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2));
    let prepared = shows("wide", &bytes, Format::Jpeg, CORNERS, 8);
    let page = &prepared.pages[0];
    assert_eq!(colours(&page.reading).0, (2000, 488));
    assert_eq!(colours(&page.preview).0, (1024, 250));
    assert_eq!(colours(&page.thumbnail).0, (160, 39));
    assert_eq!(colours(&thumbnail(&bytes, 320).unwrap()).0, (320, 78));
    let drawing = png(4100, 1000, 8, 2, false, &rows(&corners(4100, 1000), 4100, 3), &[]);
    assert_eq!(colours(&shows("PNG", &drawing, Format::Png, CORNERS, 8).pages[0].reading).0, (2000, 488));
}

#[test]
fn data_after_the_picture_does_not_matter_and_missing_data_does() {
    let photo = jpeg(640, 480, |encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2));
    // As motion photos have it: a film, and a whole picture in it.
    let motion = [photo.clone(), b"\0\0\0\x18ftypmp42".to_vec(), photo[..500].to_vec()].concat();
    shows("a motion photo", &motion, Format::Jpeg, CORNERS, 8);
    shows("without its end marker", &photo[..photo.len() - 2], Format::Jpeg, CORNERS, 8);
    let with_thumbnail = jpeg(640, 480, |encoder| {
        encoder.add_app_segment(1, [b"Exif\0\0".to_vec(), exif(1), jpeg(16, 16, |_| {})].concat()).unwrap();
    });
    shows("with a thumbnail", &with_thumbnail, Format::Jpeg, CORNERS, 8);
    let progressive = jpeg(640, 480, |encoder| encoder.set_progressive(true));
    for (name, whole) in [("plain", &photo), ("with a thumbnail", &with_thumbnail), ("progressive", &progressive)] {
        for share in [30, 60, 90, 99] {
            let cut = &whole[..whole.len() * share / 100];
            assert!(prepare(cut).is_err(), "{name}: {share} % of it are not the whole");
        }
    }
}
