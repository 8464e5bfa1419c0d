//! What is refused is refused at once: in 10 ms and 16 MB.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

mod common;

use std::time::{Duration, Instant};

use common::{
    drawing_pdf, file, gif, heic_box, heic_of, jpeg, pdf, png, png_of, rows, scan_pdf, stream, text_pdf, tiff, webp,
    zlib,
};
use peak_alloc::PeakAlloc;
use slipstream_events::FailureReason;
use slipstream_pictures::prepare;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The header of a frame (T.81, B.2.2), in a file that goes on.
fn huge_jpeg(width: u16, height: u16, marker: u8) -> Vec<u8> {
    let mut bytes = jpeg(64, 64, |encoder| encoder.set_progressive(marker == 0xc2));
    let frame = bytes.windows(2).position(|pair| pair == [0xff, marker]).unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

/// A TIFF of empty directories, each pointing to the next; the last one to `last`.
fn directories(count: u32, last: u32) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    for index in 0..count {
        let size = |tag: u8| [tag, 1, 3, 0, 1, 0, 0, 0, 8, 0, 0, 0];
        bytes.extend([2, 0]);
        bytes.extend([size(0), size(1)].concat());
        let next = if index + 1 == count { last } else { 8 + (index + 1) * 30 };
        bytes.extend(next.to_le_bytes());
    }
    bytes
}

/// The size that a picture in a HEIC is said to have.
fn heic_size(side: u32) -> Vec<u8> {
    let size = heic_box(b"ispe", &[0, side, side].map(u32::to_be_bytes).concat());
    heic_box(b"iprp", &heic_box(b"ipco", &size))
}

/// Where items are stored: `pieces` pieces each, whose places and sizes take no bytes.
fn heic_locations(items: u16, pieces: u16) -> Vec<u8> {
    let one = [[0, 1], [0, 0], pieces.to_be_bytes()].concat();
    let head = [vec![0; 6], items.to_be_bytes().to_vec()].concat();
    heic_box(b"iloc", &[head, one.repeat(usize::from(items))].concat())
}

/// Forms of which each draws the next one ten times.
fn forms(depth: usize) -> Vec<Vec<u8>> {
    let form = |next: usize| {
        let resources = format!("/Subtype /Form /BBox [0 0 99 99] /Resources << /XObject << /F {next} 0 R >> >>");
        stream(&resources, &b"/F Do ".repeat(10))
    };
    let last = stream("/Subtype /Form /BBox [0 0 99 99]", b"0 0 9 9 re f");
    (0..depth).map(|index| form(6 + index)).chain([last]).collect()
}

#[test]
fn refused_at_once() {
    use FailureReason::{Damaged, Empty, Encrypted, TooLarge, UnsupportedFormat};
    let one_frame = gif(96, 64, 1);
    let mut endless = one_frame[..one_frame.len() - 1].to_vec();
    let frame = endless[endless.iter().position(|byte| *byte == 0x2c).unwrap()..].to_vec();
    endless.extend(frame.repeat(60_000));
    let mut wide_webp = webp(96, 64, Some(common::exif(1)), None);
    let canvas = wide_webp.windows(4).position(|window| window == b"VP8X").unwrap() + 12;
    wide_webp[canvas..canvas + 6].copy_from_slice(&[0xff, 0x3f, 0, 0xff, 0x3f, 0]);
    let mut animated = wide_webp.clone();
    animated[canvas - 4] |= 2;
    let mut far_tag = tiff(96, 64, 1);
    let directory = u32::from_le_bytes(*far_tag[4..].first_chunk().unwrap()) as usize;
    far_tag[directory + 6..directory + 10].fill(0x7f);
    let page = |size: &str| text_pdf(1, size);
    let picture = |width: u64| format!("/Width {width} /Height {width} /BitsPerComponent 8 /ColorSpace /DeviceGray");
    let cases: Vec<(&str, Vec<u8>, &[FailureReason])> = vec![
        ("nothing", Vec::new(), &[Empty]),
        ("text", b"hello, this is not a picture".to_vec(), &[UnsupportedFormat]),
        (
            "a BMP",
            b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0".to_vec(),
            &[UnsupportedFormat],
        ),
        ("an AVIF", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf".to_vec(), &[UnsupportedFormat]),
        ("more than 20 MB", [jpeg(64, 64, |_| {}), vec![0; 20 * 1024 * 1024]].concat(), &[TooLarge]),
        ("a JPEG of 65 500 × 65 500", huge_jpeg(65_500, 65_500, 0xc0), &[TooLarge]),
        ("a JPEG of 200 megapixels without data", huge_jpeg(14_000, 14_000, 0xc0), &[Damaged]),
        ("a progressive JPEG of 41 megapixels", huge_jpeg(6_500, 6_400, 0xc2), &[TooLarge]),
        (
            "a lossless JPEG",
            huge_jpeg(64, 64, 0xc0)
                .iter()
                .scan(0, |last, byte| {
                    let found = *last == 0xff && *byte == 0xc0;
                    *last = *byte;
                    Some(if found { 0xc3 } else { *byte })
                })
                .collect(),
            &[UnsupportedFormat],
        ),
        ("a photo's first bytes", jpeg(64, 64, |_| {})[..64].to_vec(), &[Damaged]),
        ("a PNG of 65 535 × 65 535", png(65_535, 65_535, 8, 2, false, &[0; 1000], &[]), &[TooLarge]),
        ("a PNG without its data", png(5000, 5000, 8, 2, false, &[0; 1000], &[]), &[Damaged]),
        ("a PNG that inflates", png(6000, 6000, 8, 2, false, &vec![0; 6000 * 18_001], &[]), &[TooLarge]),
        (
            "a PNG whose profile inflates",
            png(
                96,
                64,
                8,
                2,
                false,
                &rows(&common::corners(96, 64), 96, 3),
                &[(b"iCCP", [b"x\0\0".to_vec(), zlib(&vec![0; 8 << 20])].concat())],
            ),
            &[TooLarge],
        ),
        ("a PNG of nothing", png_of(&[(b"IEND", Vec::new())]), &[Damaged]),
        ("a TIFF of 300 pages", directories(300, 0), &[TooLarge]),
        ("a TIFF that loops", directories(5, 8), &[Damaged]),
        ("a TIFF that loops at its end", directories(200, 38), &[Damaged]),
        ("a TIFF with a tag of gigabytes", far_tag, &[Damaged]),
        ("an endless GIF", endless, &[TooLarge]),
        ("half a GIF", one_frame[..one_frame.len() / 2].to_vec(), &[Damaged]),
        ("a WebP of 16 384 × 16 384", wide_webp, &[TooLarge]),
        ("an animated WebP", animated, &[UnsupportedFormat]),
        ("half a HEIC", file("plain.heic")[..300].to_vec(), &[Damaged]),
        ("a HEIC of 65 500 × 65 500", heic_of(&[heic_size(65_500)]), &[TooLarge]),
        ("a HEIC without a size", heic_of(&[heic_size(0)]), &[Damaged]),
        ("a HEIC whose items are in gigabytes of pieces", heic_of(&[heic_locations(500, 65_535)]), &[TooLarge]),
        ("a HEIC whose items are all of the file", heic_of(&[heic_locations(100, 1)]), &[TooLarge]),
        ("a HEIC with a box beyond its end", heic_of(&[b"\0\x01\0\0idat".to_vec()]), &[Damaged]),
        (
            "a HEIC with an endless box",
            heic_of(&[b"\0\0\0\x01idat\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()]),
            &[Damaged],
        ),
        ("a HEIC of 100 000 boxes", heic_of(&[heic_box(b"free", b"").repeat(100_000)]), &[TooLarge]),
        (
            "a HEIC with 65 535 references in six bytes",
            heic_of(&[heic_box(b"iref", &[vec![0; 4], heic_box(b"dimg", &[0, 1, 0xff, 0xff, 0, 2])].concat())]),
            &[TooLarge],
        ),
        ("a PDF without pages", b"%PDF-1.4\n%%EOF".to_vec(), &[Damaged]),
        ("a PDF with a page of 1e9 points", page("1000000000 1000000000"), &[TooLarge]),
        ("a PDF with a page of 1e30 points", page("1e30 7"), &[TooLarge, Damaged]),
        ("a PDF that asks for a password", file("encrypted.pdf"), &[Encrypted]),
        ("a PDF with a picture of gigapixels", scan_pdf(&picture(60_000), b"x"), &[TooLarge]),
        (
            "a PDF with a JPEG of gigapixels",
            scan_pdf(&format!("{} /Filter /DCTDecode", picture(96)), &huge_jpeg(65_500, 65_500, 0xc0)),
            &[TooLarge],
        ),
        ("a PDF with a line of a hundred million dashes", drawing_pdf("", b"[0.00001 0.00001] 0 d 0 0 m 595 842 l S", &[]), &[TooLarge]),
        (
            "a PDF that draws a picture on all of a page a hundred times",
            drawing_pdf(
                "/XObject << /P 5 0 R >>",
                &b"q 595 0 0 842 0 0 cm /P Do Q ".repeat(100),
                &[stream(&format!("/Subtype /Image {}", picture(1000)), b"x")],
            ),
            &[TooLarge],
        ),
        (
            "a PDF with a mask for each of a hundred lines",
            drawing_pdf(
                "/ExtGState << /M << /SMask << /S /Alpha /G 5 0 R >> >> >>",
                &(0..100).flat_map(|line| format!("q 1 0 0 1 {line} 0 cm /M gs 0 0 m 9 9 l S Q ").into_bytes()).collect::<Vec<u8>>(),
                &[stream("/Subtype /Form /BBox [0 0 595 842] /Group << /S /Transparency >>", b"0 0 9 9 re f")],
            ),
            &[TooLarge],
        ),
        (
            "a PDF with a pattern of a million cells over each other",
            drawing_pdf(
                "/Pattern << /T 5 0 R >>",
                b"/Pattern cs /T scn 0 0 595 842 re f",
                &[stream(
                    "/PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 9 9] /XStep 0.01 /YStep 0.01 /Resources << >>",
                    b"0 0 1 1 re f",
                )],
            ),
            &[TooLarge],
        ),
        (
            "a PDF with a fax of four billion columns",
            scan_pdf("/Width 96 /Height 64 /BitsPerComponent 1 /ColorSpace /DeviceGray /Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns 4000000000 >>", b"x"),
            &[TooLarge],
        ),
        (
            "a PDF with a JBIG2 page of gigapixels",
            scan_pdf(
                "/Width 96 /Height 64 /BitsPerComponent 1 /ColorSpace /DeviceGray /Filter /JBIG2Decode",
                b"\0\0\0\0\x30\0\x01\0\0\0\x13\0\0\xff\xff\0\0\xff\xff\0\0\0\0\0\0\0\0\0\0\0",
            ),
            &[TooLarge],
        ),
        (
            "a PDF with a small JPEG 2000 of gigapixels",
            scan_pdf(
                "/Width 96 /Height 64 /Filter /JPXDecode",
                b"\xff\x4f\xff\x51\0\x2f\0\0\0\0\xff\xff\0\0\xff\xff\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0\xff\xff\0\0\0\0\0\0\0\0\0\x03",
            ),
            &[TooLarge],
        ),
        (
            "a PDF that refers to itself",
            pdf(&[
                b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
                b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>".to_vec(),
                stream("", b""),
            ]),
            &[Damaged],
        ),
    ];
    for (name, bytes, expected) in cases {
        let mut fastest = Duration::MAX;
        let mut most = 0;
        for _ in 0..5 {
            MEMORY.reset_peak_usage();
            let before = MEMORY.current_usage();
            let start = Instant::now();
            let outcome = prepare(&bytes);
            fastest = fastest.min(start.elapsed());
            most = most.max(MEMORY.peak_usage().saturating_sub(before));
            let reason = outcome.map(|prepared| prepared.format).expect_err(name);
            assert!(expected.contains(&reason), "{name}: {reason}");
        }
        println!("{name}: {fastest:?}, {} kB", most / 1024);
        assert!(fastest < Duration::from_millis(10), "{name}: {fastest:?}");
        assert!(most < 16 << 20, "{name}: {most} bytes");
    }
    // What inflates, or draws itself, is noticed while it does, in little memory but not in no time.
    let flate = format!("{} /Filter /FlateDecode", picture(96));
    let inflating = scan_pdf(&flate, &zlib(&vec![0; 80 << 20]));
    let drawing = drawing_pdf("/XObject << /F 5 0 R >>", b"/F Do", &forms(10));
    for bomb in [inflating, drawing] {
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        assert_eq!(prepare(&bomb).map(|prepared| prepared.format), Err(TooLarge));
        assert!(MEMORY.peak_usage() - before < 16 << 20);
    }
}
