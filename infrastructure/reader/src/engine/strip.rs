//! A line of the picture as the recogniser wants it: an upright strip of a fixed height.

use image::{Rgb, RgbImage, imageops};

use crate::page::{Point, Quad};

/// The height the network was trained on.
pub const HEIGHT: u32 = 48;
/// Longer strips are squeezed: few printed lines are that long.
const LONGEST: f32 = 1_600.0;
const SHORTEST: f32 = 16.0;

/// A place of the picture as an upright strip of [`HEIGHT`]; `None` if it has no extent.
#[must_use]
pub fn strip(picture: &RgbImage, quad: &Quad) -> Option<RgbImage> {
    let (width, height) = (quad.width(), quad.height());
    if width < 2.0 || height < 2.0 {
        return None;
    }
    let length = (HEIGHT as f32 * width / height).ceil().clamp(SHORTEST, LONGEST);
    Some(imageops::resize(&cut(picture, quad), length as u32, HEIGHT, imageops::FilterType::Triangle))
}

/// The quad of the picture as an upright strip, at the picture's own resolution.
fn cut(picture: &RgbImage, quad: &Quad) -> RgbImage {
    let (width, height) = (quad.width().ceil().max(1.0), quad.height().ceil().max(1.0));
    let [tl, tr, br, bl] = quad.0;
    let source = picture.as_raw();
    let (w, h) = (picture.width() as usize, picture.height() as usize);
    let stride = w * 3;
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let (s, t) = ((x as f32 + 0.5) / width, (y as f32 + 0.5) / height);
        let p: Point = tl.towards(tr, s).towards(bl.towards(br, s), t);
        let (px, py) = (p.x - 0.5, p.y - 0.5);
        // Past the edge there is more paper.
        if px < -1.0 || py < -1.0 || px > w as f32 || py > h as f32 {
            return Rgb([255, 255, 255]);
        }
        let (x0, y0) = (px.floor(), py.floor());
        let (fx, fy) = (px - x0, py - y0);
        let clamp = |v: f32, n: usize| (v.max(0.0) as usize).min(n - 1);
        let (xa, xb) = (clamp(x0, w) * 3, clamp(x0 + 1.0, w) * 3);
        let (ya, yb) = (clamp(y0, h) * stride, clamp(y0 + 1.0, h) * stride);
        Rgb([0, 1, 2].map(|c| {
            let at = |row: usize, column: usize| f32::from(source[row + column + c]);
            let above = at(ya, xa) * (1.0 - fx) + at(ya, xb) * fx;
            let below = at(yb, xa) * (1.0 - fx) + at(yb, xb) * fx;
            (above * (1.0 - fy) + below * fy).round() as u8
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upright_cut_is_a_copy() {
        let picture = RgbImage::from_fn(8, 6, |x, y| Rgb([x as u8 * 10, y as u8 * 10, 7]));
        let strip = cut(&picture, &Quad::upright(2.0, 1.0, 6.0, 4.0));
        assert_eq!(strip.dimensions(), (4, 3));
        assert_eq!(strip.get_pixel(0, 0), picture.get_pixel(2, 1));
        assert_eq!(strip.get_pixel(3, 2), picture.get_pixel(5, 3));
    }

    #[test]
    fn a_strip_has_the_networks_height_and_an_empty_place_none() {
        let picture = RgbImage::new(100, 50);
        let found = strip(&picture, &Quad::upright(0.0, 0.0, 80.0, 24.0)).expect("has an extent");
        assert_eq!(found.dimensions(), (160, HEIGHT));
        assert!(strip(&picture, &Quad::upright(5.0, 5.0, 6.0, 30.0)).is_none());
    }
}
