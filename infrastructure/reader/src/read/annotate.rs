//! The boxes of what was found, drawn on the picture, each with its type's name.

use anyhow::Context as _;
use font8x8::{BASIC_FONTS, UnicodeFonts as _};
use image::{Rgb, RgbImage};
use slipstream_reader::textract::{AnalyzeExpenseResponse, Corner, ExpenseField};

/// A letter of the built-in font, in pixels.
const CELL: u32 = 8;

/// The picture with boxes.
///
/// # Errors
/// When it cannot be decoded.
pub fn drawn(picture: &[u8], response: &AnalyzeExpenseResponse) -> anyhow::Result<RgbImage> {
    let mut canvas =
        Canvas::new(image::load_from_memory(picture).context("the picture cannot be decoded")?.into_rgb8());
    for document in &response.expense_documents {
        for line in document.blocks.iter().filter(|b| b.block_type == "LINE") {
            let area = canvas.area(&line.geometry.polygon);
            canvas.taken.push(area);
        }
        let items =
            document.line_item_groups.iter().flat_map(|g| &g.line_items).flat_map(|i| &i.line_item_expense_fields);
        // A row's box would only frame those of its parts.
        for field in items.filter(|f| f.r#type.text != "EXPENSE_ROW") {
            canvas.field(field, false);
        }
        for field in &document.summary_fields {
            // What is told a second time in a group has the same box.
            if field.group_properties.is_empty() || field.r#type.text.starts_with("VENDOR_") {
                canvas.field(field, true);
            }
        }
    }
    Ok(canvas.picture)
}

/// One colour for each kind of thing.
fn colour(kind: &str) -> Rgb<u8> {
    Rgb(match kind {
        "TOTAL" | "AMOUNT_DUE" | "AMOUNT_PAID" => [200, 20, 20],
        "SUBTOTAL" | "DISCOUNT" | "GRATUITY" | "SERVICE_CHARGE" => [190, 90, 0],
        "TAX" => [150, 110, 0],
        "INVOICE_RECEIPT_DATE" | "DUE_DATE" => [20, 70, 210],
        "INVOICE_RECEIPT_ID" => [110, 40, 170],
        "ITEM" | "QUANTITY" | "UNIT_PRICE" | "PRICE" | "PRODUCT_CODE" => [0, 130, 130],
        _ if kind.starts_with("VENDOR") => [0, 125, 40],
        _ => [90, 90, 90],
    })
}

/// An upright rectangle in pixels.
#[derive(Debug, Clone, Copy)]
struct Area {
    left: i64,
    top: i64,
    right: i64,
    bottom: i64,
}

impl Area {
    /// How many pixels both have.
    fn shared(&self, other: &Self) -> i64 {
        let wide = self.right.min(other.right) - self.left.max(other.left);
        let high = self.bottom.min(other.bottom) - self.top.max(other.top);
        wide.max(0) * high.max(0)
    }
}

struct Canvas {
    picture: RgbImage,
    /// Where text or a name stands already.
    taken: Vec<Area>,
    /// How thick lines are and how many pixels one of the font's has.
    scale: u32,
}

impl Canvas {
    fn new(picture: RgbImage) -> Self {
        let scale = (picture.width().max(picture.height()) / 1000).clamp(1, 4);
        Self { picture, taken: Vec::new(), scale }
    }

    /// The upright rectangle around some corners.
    fn area(&self, corners: &[Corner]) -> Area {
        let places: Vec<(f32, f32)> = corners.iter().map(|c| self.place(c)).collect();
        let fold = |of: fn(&(f32, f32)) -> f32, pick: fn(f32, f32) -> f32| places.iter().map(of).reduce(pick);
        let side = |value: Option<f32>| i64::from(pixel(value.unwrap_or_default()));
        Area {
            left: side(fold(|p| p.0, f32::min)),
            top: side(fold(|p| p.1, f32::min)),
            right: side(fold(|p| p.0, f32::max)),
            bottom: side(fold(|p| p.1, f32::max)),
        }
    }

    fn field(&mut self, field: &ExpenseField, named: bool) {
        let colour = colour(&field.r#type.text);
        let corners = &field.value_detection.geometry.polygon;
        self.frame(corners, colour, self.scale + 1);
        if let Some(label) = &field.label_detection {
            self.frame(&label.geometry.polygon, colour, self.scale);
        }
        if named {
            self.name(corners, &field.r#type.text, colour);
        }
    }

    fn place(&self, corner: &Corner) -> (f32, f32) {
        (corner.x * self.picture.width() as f32, corner.y * self.picture.height() as f32)
    }

    fn frame(&mut self, corners: &[Corner], colour: Rgb<u8>, thick: u32) {
        let places: Vec<(f32, f32)> = corners.iter().map(|c| self.place(c)).collect();
        for (n, from) in places.iter().enumerate() {
            self.line(*from, places[(n + 1) % places.len()], colour, thick);
        }
    }

    fn line(&mut self, from: (f32, f32), to: (f32, f32), colour: Rgb<u8>, thick: u32) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).ceil().max(1.0);
        let mut step = 0.0;
        while step <= steps {
            let share = step / steps;
            let (x, y) = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
            self.block(pixel(x), pixel(y), thick, colour);
            step += 1.0;
        }
    }

    /// A square of `side` pixels, cut at the picture's edges.
    fn block(&mut self, left: u32, top: u32, side: u32, colour: Rgb<u8>) {
        for y in top..(top + side).min(self.picture.height()) {
            for x in left..(left + side).min(self.picture.width()) {
                self.picture.put_pixel(x, y, colour);
            }
        }
    }

    /// The type's name, white on its colour: over, beside or under the box, where it covers the least.
    fn name(&mut self, corners: &[Corner], text: &str, colour: Rgb<u8>) {
        let cell = i64::from(CELL * self.scale);
        let gap = i64::from(self.scale) + 1;
        let (wide, high) = (cell * i64::try_from(text.len()).unwrap_or(0), i64::from((CELL + 2) * self.scale));
        let area = self.area(corners);
        let beside = area.top + (area.bottom - area.top - high) / 2;
        let places = [
            (area.left, area.top - high),
            (area.right + 2 * gap, beside),
            (area.left - wide - gap, beside),
            (area.left, area.bottom + gap),
        ];
        let at = |(left, top): (i64, i64)| Area { left, top, right: left + wide, bottom: top + high };
        let canvas =
            Area { left: 0, top: 0, right: i64::from(self.picture.width()), bottom: i64::from(self.picture.height()) };
        let covered = |area: &Area| -> i64 {
            let outside = wide * high - area.shared(&canvas);
            self.taken.iter().map(|t| t.shared(area)).sum::<i64>() + outside
        };
        let Some(chosen) = places.map(at).into_iter().min_by_key(covered) else { return };
        self.taken.push(chosen);
        let (mut left, top) = (chosen.left.max(0), chosen.top.max(0));
        for letter in text.chars() {
            if let (Ok(left), Ok(top)) = (u32::try_from(left), u32::try_from(top)) {
                self.letter(letter, left, top, colour);
            }
            left += cell;
        }
    }

    fn letter(&mut self, letter: char, left: u32, top: u32, colour: Rgb<u8>) {
        let rows = BASIC_FONTS.get(letter).unwrap_or_default();
        for row in 0..CELL + 2 {
            // One empty row over the letter, one under it.
            let bits = row.checked_sub(1).and_then(|n| rows.get(n as usize)).copied().unwrap_or(0);
            for column in 0..CELL {
                let ink = if bits >> column & 1 == 1 { Rgb([255; 3]) } else { colour };
                self.block(left + column * self.scale, top + row * self.scale, self.scale, ink);
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place on a picture of at most some thousand pixels a side, never below 0"
)]
fn pixel(place: f32) -> u32 {
    place.max(0.0).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipstream_reader::extract::expense;
    use slipstream_reader::page::{Page, Quad, TextLine};

    #[test]
    fn the_total_gets_a_red_box_with_its_name() {
        let line =
            |text: &str, left, top: f32, right| TextLine::new(text, 0.99, Quad::upright(left, top, right, top + 20.0));
        let lines = vec![
            line("Gasthaus Wetterhahn", 20.0, 10.0, 240.0),
            line("TOTAL EUR", 20.0, 100.0, 120.0),
            line("4,50", 300.0, 100.0, 340.0),
        ];
        let page = Page::new(400.0, 200.0, lines);
        let response = AnalyzeExpenseResponse::new(&page, &expense(&page));
        let mut white = std::io::Cursor::new(Vec::new());
        RgbImage::from_pixel(400, 200, Rgb([255; 3])).write_to(&mut white, image::ImageFormat::Png).expect("encodes");
        let drawn = drawn(white.get_ref(), &response).expect("draws");
        assert_eq!(drawn.get_pixel(300, 110), &colour("TOTAL"), "left edge of the value");
        assert_eq!(drawn.get_pixel(20, 110), &colour("TOTAL"), "left edge of the label");
        assert_eq!(drawn.get_pixel(320, 110), &Rgb([255; 3]), "inside nothing is covered");
        let name: Vec<_> = (90..100).map(|y| *drawn.get_pixel(303, y)).collect();
        assert!(name.contains(&colour("TOTAL")) && name.contains(&Rgb([255; 3])), "the name stands over the box");
    }

    #[test]
    fn names_make_way_for_text() {
        let mut canvas = Canvas::new(RgbImage::from_pixel(400, 200, Rgb([255; 3])));
        let corner = |x: f32, y: f32| Corner { x: x / 400.0, y: y / 200.0 };
        let corners = [corner(20.0, 100.0), corner(60.0, 100.0), corner(60.0, 120.0), corner(20.0, 120.0)];
        canvas.taken.push(Area { left: 0, top: 80, right: 400, bottom: 100 });
        canvas.name(&corners, "TAX", Rgb([9; 3]));
        assert_eq!(canvas.picture.get_pixel(25, 95), &Rgb([255; 3]), "a line stands over the box");
        assert_eq!(canvas.picture.get_pixel(65, 105), &Rgb([9; 3]), "beside it there is room");
    }

    #[test]
    fn boxes_beyond_the_edge_are_cut() {
        let mut canvas = Canvas::new(RgbImage::new(20, 20));
        canvas.line((-5.0, 10.0), (40.0, 10.0), Rgb([255; 3]), 3);
        canvas.name(&[Corner { x: 0.9, y: 0.0 }, Corner { x: 1.0, y: 0.9 }], "TOTAL", Rgb([9; 3]));
        assert_eq!(canvas.picture.get_pixel(19, 10), &Rgb([255; 3]));
    }
}
