//! How a picture lies: turned by quarters, tilted, seen from the side. Told by the text itself, not by the paper's edges,
//! which photos cut off and white tables hide.

use crate::page::projection::Projection;
use crate::page::{Point, Quad};

/// Boxes longer than this many times their height tell a direction.
const LONG: f32 = 4.0;
/// Fewer such boxes tell nothing.
const ENOUGH: usize = 4;
/// Directions further than this (a slope) from the page's are bent paper or slanted logos, and count less.
const SPREAD: f32 = 0.01;
/// Rows that climb less than this share of the page are level enough.
const LEVEL: f32 = 0.004;
/// The first guess may be off by so much more; each of the following is trusted twice as far.
const FIRST_SPREAD: f32 = 0.32;
/// Perspective may shrink one side against the other to a third, not more: `(1 − n/2) / (1 + n/2)`.
const STRONGEST: f32 = 1.0;

/// Whether most text runs up or down the picture.
#[must_use]
pub fn is_sideways(places: &[Quad]) -> bool {
    let (mut lying, mut standing) = (0.0, 0.0);
    for place in places {
        let (width, height) = (place.width(), place.height());
        if width > 2.0 * height {
            lying += width;
        } else if height > 2.0 * width {
            standing += height;
        }
    }
    standing > lying
}

/// A place of a picture `width` × `height` once that is turned upside down.
#[must_use]
pub fn upside_down(place: &Quad, width: f32, height: f32) -> Quad {
    let [tl, tr, br, bl] = place.0.map(|p| Point::new(width - p.x, height - p.y));
    Quad([br, bl, tl, tr])
}

/// A quarter or half turn that a picture was given, and how its pixels go back to shares of the picture as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Not at all.
    None,
    /// By 90° clockwise.
    Right,
    /// By 180°.
    Half,
    /// By 270° clockwise.
    Left,
}

impl Turn {
    /// This turn and another half turn.
    #[must_use]
    pub const fn and_half(self) -> Self {
        match self {
            Self::None => Self::Half,
            Self::Right => Self::Left,
            Self::Half => Self::None,
            Self::Left => Self::Right,
        }
    }

    /// From pixels of the turned picture, `width` × `height`, to shares of the picture before.
    #[must_use]
    pub const fn back(self, width: f32, height: f32) -> Projection {
        let (x, y) = (1.0 / width, 1.0 / height);
        match self {
            Self::None => Projection::scaling(x, y),
            Self::Right => Projection::affine([0.0, y, 0.0], [-x, 0.0, 1.0]),
            Self::Half => Projection::affine([-x, 0.0, 1.0], [0.0, -y, 1.0]),
            Self::Left => Projection::affine([0.0, -y, 1.0], [x, 0.0, 0.0]),
        }
    }
}

/// How a page is to be levelled.
#[derive(Debug, Clone, Copy)]
pub struct Levelling {
    /// From picture pixels to level ones.
    pub to_level: Projection,
    /// From level pixels to picture ones.
    pub to_picture: Projection,
    /// In level pixels.
    pub width: f32,
    /// In level pixels.
    pub height: f32,
}

/// What makes the rows of a picture `width` × `height` level; `None` if they are, or nothing tells.
///
/// Level rows `y' = k` come from a map `x' = (x + t·y) / (1 + g·x)`, `y' = (y − t·x) / (1 + g·x)` about the middle: in the
/// picture they have the slope `t + g·k`. So a straight line fitted through slopes over heights gives the tilt `t` and the
/// change `g` that perspective makes.
#[must_use]
pub fn levelling(places: &[Quad], width: f32, height: f32) -> Option<Levelling> {
    let (cx, cy) = (width / 2.0, height / 2.0);
    let long: Vec<Slope> = places
        .iter()
        .filter(|q| q.width() > LONG * q.height())
        .map(|q| {
            let ([tl, tr, br, bl], middle) = (q.0, q.centre());
            let (dx, dy) = (tr.x - tl.x + br.x - bl.x, tr.y - tl.y + br.y - bl.y);
            Slope { x: middle.x - cx, y: middle.y - cy, slope: dy / dx, weight: q.width() }
        })
        .filter(|s| s.slope.is_finite())
        .collect();
    if long.len() < ENOUGH {
        return None;
    }
    let (tilt, change) = fit(&long);
    let change = change.clamp(-STRONGEST / width, STRONGEST / width);
    if tilt.abs() < LEVEL && change.abs() * height < LEVEL {
        return None;
    }
    let about_middle = Projection::affine([1.0, 0.0, -cx], [0.0, 1.0, -cy]);
    let straight = Projection::rows([1.0, tilt, 0.0], [-tilt, 1.0, 0.0], [change, 0.0, 1.0]).after(&about_middle);
    let corners = Quad::upright(0.0, 0.0, width, height).0.map(|p| straight.apply(p));
    let around = Quad(corners);
    let to_level = Projection::affine([1.0, 0.0, -around.left()], [0.0, 1.0, -around.top()]).after(&straight);
    Some(Levelling {
        to_picture: to_level.inverse()?,
        to_level,
        width: around.right() - around.left(),
        height: around.bottom() - around.top(),
    })
}

/// The direction of one line of text; its place is counted from the picture's middle.
struct Slope {
    x: f32,
    y: f32,
    slope: f32,
    weight: f32,
}

/// Tilt and its change with the height: weighted least squares, in which what lies far off counts ever less.
fn fit(slopes: &[Slope]) -> (f32, f32) {
    let mut sorted: Vec<f32> = slopes.iter().map(|s| s.slope).collect();
    sorted.sort_by(f32::total_cmp);
    let (mut tilt, mut change) = (sorted[sorted.len() / 2], 0.0);
    let mut spread_of_slopes = FIRST_SPREAD;
    for _ in 0..10 {
        let (mut w, mut wk, mut wkk, mut ws, mut wks) = (0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32);
        for s in slopes {
            let k = (s.y - tilt * s.x) / (1.0 + change * s.x);
            let off = (s.slope - tilt - change * k) / spread_of_slopes;
            let weight = s.weight / (1.0 + off * off);
            w += weight;
            wk += weight * k;
            wkk += weight * k * k;
            ws += weight * s.slope;
            wks += weight * k * s.slope;
        }
        let spread = w * wkk - wk * wk;
        if spread <= f32::EPSILON * w * wkk {
            return (ws / w, 0.0);
        }
        tilt = (ws * wkk - wk * wks) / spread;
        change = (w * wks - wk * ws) / spread;
        spread_of_slopes = (spread_of_slopes / 2.0).max(SPREAD);
    }
    (tilt, change)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twelve rows with a left and a right cell, seen through a map.
    fn rows(seen: &Projection) -> Vec<Quad> {
        (0..12)
            .flat_map(|row| {
                let top = 40.0 + 60.0 * row as f32;
                [Quad::upright(20.0, top, 300.0, top + 24.0), Quad::upright(420.0, top, 560.0, top + 24.0)]
            })
            .map(|q| Quad(q.0.map(|p| seen.apply(p))))
            .collect()
    }

    /// How far apart the two cells of a row are in height, at worst.
    fn unevenness(places: &[Quad]) -> f32 {
        places.chunks_exact(2).map(|row| (row[0].centre().y - row[1].centre().y).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn rows_become_level_again() {
        let corners = [
            [Point::new(60.0, 20.0), Point::new(640.0, 90.0), Point::new(600.0, 900.0), Point::new(10.0, 780.0)],
            [Point::new(0.0, 60.0), Point::new(600.0, 0.0), Point::new(640.0, 760.0), Point::new(40.0, 860.0)],
            [Point::new(40.0, 140.0), Point::new(640.0, 20.0), Point::new(650.0, 880.0), Point::new(20.0, 760.0)],
        ];
        for corners in corners {
            let seen = Projection::of_rectangle(600.0, 800.0, &corners).expect("a proper quadrilateral");
            let places = rows(&seen);
            let before = unevenness(&places);
            let level = levelling(&places, 660.0, 900.0).expect("is not level");
            let after: Vec<Quad> = places.iter().map(|q| Quad(q.0.map(|p| level.to_level.apply(p)))).collect();
            assert!(before > 25.0 && unevenness(&after) < 6.0, "{before} → {}", unevenness(&after));
            let there = Point::new(100.0, 200.0);
            assert!(level.to_picture.apply(level.to_level.apply(there)).distance(there) < 0.05);
            assert!(after.iter().all(|q| q.left() >= 0.0 && q.right() <= level.width && q.bottom() <= level.height));
        }
    }

    #[test]
    fn what_is_level_or_has_no_text_stays() {
        assert!(levelling(&rows(&Projection::IDENTITY), 600.0, 800.0).is_none());
        assert!(levelling(&[], 600.0, 800.0).is_none());
    }

    #[test]
    fn sideways_text_is_told_from_lying_text() {
        let places = rows(&Projection::IDENTITY);
        assert!(!is_sideways(&places) && !is_sideways(&[]));
        let turned = rows(&Projection::affine([0.0, -1.0, 800.0], [1.0, 0.0, 0.0]));
        let standing: Vec<Quad> = turned.iter().filter_map(|q| Quad::around([q])).collect();
        assert!(is_sideways(&standing));
    }

    #[test]
    fn turns_go_back_to_where_they_came_from() {
        // The top left of a picture 200 wide and 100 high, and where it is once that is turned.
        for (turn, width, height, corner) in [
            (Turn::None, 200.0, 100.0, Point::new(0.0, 0.0)),
            (Turn::Right, 100.0, 200.0, Point::new(100.0, 0.0)),
            (Turn::Half, 200.0, 100.0, Point::new(200.0, 100.0)),
            (Turn::Left, 100.0, 200.0, Point::new(0.0, 200.0)),
        ] {
            let origin = turn.back(width, height).apply(corner);
            assert!(origin.distance(Point::new(0.0, 0.0)) < 1e-5, "{turn:?}: {origin:?}");
            assert_eq!(turn.and_half().and_half(), turn);
        }
        let place = upside_down(&Quad::upright(10.0, 20.0, 50.0, 30.0), 200.0, 100.0);
        assert_eq!(place, Quad::upright(150.0, 70.0, 190.0, 80.0));
    }
}
