//! Real pictures, whichever way they lie, through both networks to the fields.

mod models;

use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, RgbImage, imageops};
use slipstream_reader::ReadPage as _;
use slipstream_reader::extract::{Kind, expense};
use slipstream_reader::page::projection::Projection;
use slipstream_reader::page::{Page, Point, Quad};

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/receipts").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn picture(name: &str) -> RgbImage {
    image::load_from_memory(&fixture(name)).expect("decodes").into_rgb8()
}

fn png(picture: &RgbImage) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png).expect("encodes");
    file.into_inner()
}

fn read(file: &[u8]) -> Page {
    models::engine().read_page(file).expect("reads")
}

/// The total as printed, and the middle of it on the picture, as shares.
fn total(page: &Page) -> (String, Point) {
    let found = expense(page);
    let field = found.fields.iter().find(|f| f.kind == Kind::Total).unwrap_or_else(|| panic!("no total: {page:#?}"));
    (field.value.text.clone(), Quad(page.on_picture(&field.value.quad)).centre())
}

fn assert_near(found: Point, expected: Point) {
    assert!(found.distance(expected) < 0.01, "{found:?} is not {expected:?}");
}

#[test]
fn a_receipt_is_read_whichever_way_it_lies() {
    let upright = picture("taxi-gbp.png");
    let page = read(&png(&upright));
    let (text, place) = total(&page);
    assert!(text.contains("34.00"), "{text}");
    assert!(page.width < page.height);
    for (turned, expected) in [
        (imageops::rotate90(&upright), Point::new(1.0 - place.y, place.x)),
        (imageops::rotate180(&upright), Point::new(1.0 - place.x, 1.0 - place.y)),
        (imageops::rotate270(&upright), Point::new(place.y, 1.0 - place.x)),
    ] {
        let page = read(&png(&turned));
        let (text, place) = total(&page);
        assert!(text.contains("34.00"), "{text}");
        assert_near(place, expected);
        assert!(page.width < page.height, "the page is upright, whatever its picture is");
    }
}

/// The picture as a camera that is not straight above sees it, on a dark table.
fn seen_askew(picture: &RgbImage) -> (RgbImage, Projection) {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let corners = [
        Point::new(0.16 * width, 0.10 * height),
        Point::new(1.06 * width, 0.05 * height),
        Point::new(1.14 * width, 1.11 * height),
        Point::new(0.03 * width, 1.03 * height),
    ];
    let seen = Projection::of_rectangle(width, height, &corners).expect("a proper quadrilateral");
    let back = seen.inverse().expect("can be undone");
    let (wide, high) = (picture.width() * 6 / 5, picture.height() * 7 / 6);
    let photo = RgbImage::from_fn(wide, high, |x, y| {
        let p = back.apply(Point::new(x as f32, y as f32));
        imageops::interpolate_bilinear(picture, p.x, p.y).unwrap_or(image::Rgb([60, 50, 45]))
    });
    (photo, Projection::scaling(1.0 / wide as f32, 1.0 / high as f32).after(&seen))
}

#[test]
fn a_receipt_seen_askew_becomes_level_and_its_places_are_those_of_the_photo() {
    let flat = picture("cafe-eur.jpg");
    let (text, place) = total(&read(&png(&flat)));
    let (photo, seen) = seen_askew(&flat);
    let page = read(&png(&photo));
    let (text_askew, place_askew) = total(&page);
    assert!(text.contains("1.152,60"), "{text}");
    assert_eq!(text_askew, text);
    assert_near(place_askew, seen.apply(Point::new(place.x * flat.width() as f32, place.y * flat.height() as f32)));
    let long = page.lines.iter().filter(|line| line.quad.width() > 8.0 * line.quad.height());
    let mut slopes: Vec<f32> = long
        .map(|line| {
            let [tl, tr, ..] = line.quad.0;
            ((tr.y - tl.y) / (tr.x - tl.x)).abs()
        })
        .collect();
    slopes.sort_by(f32::total_cmp);
    assert!(slopes[slopes.len() / 2] < 0.01, "{slopes:?}");
}

#[test]
fn a_phones_orientation_mark_is_honoured_and_its_loss_made_up_for() {
    let marked = fixture("phone-photo.jpg");
    let page = read(&marked);
    assert!(page.width < page.height);
    let expected = expense(&page);
    // `image` hands out the pixels as stored, on their side; PNG without the mark.
    let stored = picture("phone-photo.jpg");
    assert!(stored.width() > stored.height());
    let unmarked = expense(&read(&png(&imageops::thumbnail(&stored, 2000, 1500))));
    for kind in [Kind::Total, Kind::Date] {
        assert!(expected.value(kind).is_some());
        assert_eq!(unmarked.value(kind), expected.value(kind), "{kind:?}");
    }
}

#[test]
fn words_are_apart_and_amounts_whole() {
    let page = read(&fixture("supermarket-usd.jpg"));
    let lines: Vec<&str> = page.lines.iter().map(|line| line.text.as_str()).collect();
    let glued = lines.iter().filter(|text| text.split(' ').any(|word| word.chars().count() > 24));
    assert_eq!(glued.count(), 0, "{lines:#?}");
    assert!(lines.iter().all(|text| !text.contains(". ") || text.chars().any(char::is_alphabetic)), "{lines:#?}");
    for line in &page.lines {
        assert_eq!(line.offsets.len(), line.text.chars().count(), "{line:?}");
        assert!(line.offsets.is_sorted(), "{line:?}");
    }
}
