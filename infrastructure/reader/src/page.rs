//! What is seen on a page: lines of text and where they are, in pixels, `y` downwards.

pub mod projection;

use projection::Projection;

/// A point in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// From the left edge.
    pub x: f32,
    /// From the top edge.
    pub y: f32,
}

impl Point {
    /// A point at `x`, `y`.
    #[must_use]
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// The distance to another point.
    #[must_use]
    pub fn distance(self, other: Self) -> f32 {
        (self.x - other.x).hypot(self.y - other.y)
    }

    /// The point at `share` of the way to another.
    #[must_use]
    pub fn towards(self, other: Self, share: f32) -> Self {
        Self::new(self.x + (other.x - self.x) * share, self.y + (other.y - self.y) * share)
    }
}

/// Four corners: top left, top right, bottom right, bottom left, as the text is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quad(pub [Point; 4]);

impl Quad {
    /// An upright rectangle.
    #[must_use]
    pub const fn upright(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        Self([Point::new(left, top), Point::new(right, top), Point::new(right, bottom), Point::new(left, bottom)])
    }

    fn fold(&self, of: fn(&Point) -> f32, pick: fn(f32, f32) -> f32) -> f32 {
        let [a, b, c, d] = &self.0;
        pick(pick(of(a), of(b)), pick(of(c), of(d)))
    }

    /// The leftmost x.
    #[must_use]
    pub fn left(&self) -> f32 {
        self.fold(|p| p.x, f32::min)
    }

    /// The rightmost x.
    #[must_use]
    pub fn right(&self) -> f32 {
        self.fold(|p| p.x, f32::max)
    }

    /// The topmost y.
    #[must_use]
    pub fn top(&self) -> f32 {
        self.fold(|p| p.y, f32::min)
    }

    /// The lowest y.
    #[must_use]
    pub fn bottom(&self) -> f32 {
        self.fold(|p| p.y, f32::max)
    }

    /// The length along the reading direction.
    #[must_use]
    pub fn width(&self) -> f32 {
        self.0[0].distance(self.0[1]).max(self.0[3].distance(self.0[2]))
    }

    /// The length across the reading direction.
    #[must_use]
    pub fn height(&self) -> f32 {
        self.0[0].distance(self.0[3]).max(self.0[1].distance(self.0[2]))
    }

    /// The middle.
    #[must_use]
    pub fn centre(&self) -> Point {
        let sum = self.0.iter().fold((0.0, 0.0), |s, p| (s.0 + p.x, s.1 + p.y));
        Point::new(sum.0 / 4.0, sum.1 / 4.0)
    }

    /// The part between two shares (0 to 1) of the reading direction.
    #[must_use]
    pub fn slice(&self, from: f32, to: f32) -> Self {
        let [tl, tr, br, bl] = self.0;
        Self([tl.towards(tr, from), tl.towards(tr, to), bl.towards(br, to), bl.towards(br, from)])
    }

    /// The upright rectangle around several quads; `None` if there are none.
    #[must_use]
    pub fn around<'a>(quads: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        quads.into_iter().fold(None, |whole: Option<Self>, quad| {
            let (mut l, mut t, mut r, mut b) = (quad.left(), quad.top(), quad.right(), quad.bottom());
            if let Some(w) = whole {
                (l, t, r, b) = (l.min(w.left()), t.min(w.top()), r.max(w.right()), b.max(w.bottom()));
            }
            Some(Self::upright(l, t, r, b))
        })
    }
}

/// One line of text as the engine found it: often only part of a printed row.
#[derive(Debug, Clone, PartialEq)]
pub struct TextLine {
    /// What it says.
    pub text: String,
    /// How sure the recogniser is, 0 to 1.
    pub confidence: f32,
    /// Where it is.
    pub quad: Quad,
    /// Where each character of `text` stands along the line, 0 to 1; empty if unknown.
    pub offsets: Vec<f32>,
}

impl TextLine {
    /// A line without known character positions.
    #[must_use]
    pub fn new(text: impl Into<String>, confidence: f32, quad: Quad) -> Self {
        Self { text: text.into(), confidence, quad, offsets: Vec::new() }
    }

    /// Where the characters `from..to` (counted in characters, not bytes) of the text are.
    #[must_use]
    pub fn part(&self, from: usize, to: usize) -> Quad {
        let count = self.text.chars().count().max(1);
        let even = |n: usize| n as f32 / count as f32;
        if from == 0 && to >= count {
            return self.quad;
        }
        if self.offsets.len() != count {
            return self.quad.slice(even(from), even(to.min(count)));
        }
        // A character's offset is its middle: cut half-way between neighbours.
        let cut = |n: usize| match n {
            0 => 0.0,
            n if n >= count => 1.0,
            n => f32::midpoint(self.offsets[n - 1], self.offsets[n]),
        };
        self.quad.slice(cut(from), cut(to))
    }
}

/// A page of text, level: its text runs from left to right and its rows are horizontal, however the picture lay.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// In level pixels.
    pub width: f32,
    /// In level pixels.
    pub height: f32,
    /// From top to bottom, in level pixels.
    pub lines: Vec<TextLine>,
    /// From level pixels to shares of the file's own picture.
    to_picture: Projection,
}

impl Page {
    /// A page that fills its picture as it is.
    #[must_use]
    pub fn new(width: f32, height: f32, lines: Vec<TextLine>) -> Self {
        let to_picture = Projection::scaling(1.0 / width.max(1.0), 1.0 / height.max(1.0));
        Self { width, height, lines, to_picture }
    }

    /// A page that was levelled: `to_picture` takes its pixels to shares (0 to 1) of the picture's width and height.
    #[must_use]
    pub fn levelled(width: f32, height: f32, lines: Vec<TextLine>, to_picture: Projection) -> Self {
        Self { width, height, lines, to_picture }
    }

    /// The corners of a place in the file's own picture, as shares (0 to 1) of its width and height, in the order of the
    /// quad: the first one is where the text begins, also when the picture lies on its side.
    #[must_use]
    pub fn on_picture(&self, quad: &Quad) -> [Point; 4] {
        quad.0.map(|corner| {
            let p = self.to_picture.apply(corner);
            Point::new(p.x.clamp(0.0, 1.0), p.y.clamp(0.0, 1.0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_as_it_is_lies_on_its_picture_as_shares() {
        let page = Page::new(400.0, 200.0, Vec::new());
        let corners = page.on_picture(&Quad::upright(100.0, 50.0, 200.0, 250.0));
        assert_eq!(corners[0], Point::new(0.25, 0.25));
        assert_eq!(corners[2], Point::new(0.5, 1.0));
    }

    #[test]
    fn a_page_read_from_a_picture_on_its_side_is_found_there() {
        // Turned by 90° clockwise, the page's top left is the picture's top right.
        let to_picture = Projection::affine([0.0, -1.0 / 200.0, 1.0], [1.0 / 400.0, 0.0, 0.0]);
        let page = Page::levelled(400.0, 200.0, Vec::new(), to_picture);
        let corners = page.on_picture(&Quad::upright(0.0, 0.0, 400.0, 50.0));
        assert_eq!(corners[0], Point::new(1.0, 0.0));
        assert_eq!(corners[1], Point::new(1.0, 1.0));
        assert_eq!(corners[3], Point::new(0.75, 0.0));
    }
}
