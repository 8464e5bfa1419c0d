//! Plane projective maps: how a level page lies in the picture it was read from.

use super::Point;

/// A map of the plane that keeps straight lines straight: nine numbers, row by row, the last one scaling the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projection([f32; 9]);

impl Projection {
    /// Leaves every point where it is.
    pub const IDENTITY: Self = Self([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);

    /// Stretches both directions.
    #[must_use]
    pub const fn scaling(x: f32, y: f32) -> Self {
        Self([x, 0.0, 0.0, 0.0, y, 0.0, 0.0, 0.0, 1.0])
    }

    /// Linear with an offset: `x' = a·x + b·y + c`, `y' = d·x + e·y + f`.
    #[must_use]
    pub const fn affine([a, b, c]: [f32; 3], [d, e, f]: [f32; 3]) -> Self {
        Self([a, b, c, d, e, f, 0.0, 0.0, 1.0])
    }

    /// The general map, row by row: the first two give `x'` and `y'`, both divided by what the third gives.
    #[must_use]
    pub const fn rows([a, b, c]: [f32; 3], [d, e, f]: [f32; 3], [g, h, i]: [f32; 3]) -> Self {
        Self([a, b, c, d, e, f, g, h, i])
    }

    /// The map that takes the rectangle from the origin to `width`, `height` to four corners, clockwise from the origin
    /// (Heckbert 1989, "Fundamentals of Texture Mapping and Image Warping", section 2.2.3); `None` if three of the
    /// corners lie on one line.
    #[must_use]
    pub fn of_rectangle(width: f32, height: f32, corners: &[Point; 4]) -> Option<Self> {
        let [a, b, c, d] = corners;
        let (dx1, dx2, sx) = (b.x - c.x, d.x - c.x, a.x - b.x + c.x - d.x);
        let (dy1, dy2, sy) = (b.y - c.y, d.y - c.y, a.y - b.y + c.y - d.y);
        let area = dx1 * dy2 - dx2 * dy1;
        if area.abs() < f32::EPSILON {
            return None;
        }
        let g = (sx * dy2 - dx2 * sy) / area;
        let h = (dx1 * sy - sx * dy1) / area;
        let square = Self([
            b.x - a.x + g * b.x,
            d.x - a.x + h * d.x,
            a.x,
            b.y - a.y + g * b.y,
            d.y - a.y + h * d.y,
            a.y,
            g,
            h,
            1.0,
        ]);
        Some(square.after(&Self::scaling(1.0 / width, 1.0 / height)))
    }

    /// This map applied after `first`.
    #[must_use]
    pub fn after(&self, first: &Self) -> Self {
        let (m, n) = (&self.0, &first.0);
        Self(std::array::from_fn(|at| {
            let (row, column) = (at / 3 * 3, at % 3);
            m[row] * n[column] + m[row + 1] * n[column + 3] + m[row + 2] * n[column + 6]
        }))
    }

    /// The map back; `None` if this one flattens the plane.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        let [a, b, c, d, e, f, g, h, i] = self.0;
        let cofactors = [
            e * i - f * h,
            c * h - b * i,
            b * f - c * e,
            f * g - d * i,
            a * i - c * g,
            c * d - a * f,
            d * h - e * g,
            b * g - a * h,
            a * e - b * d,
        ];
        let determinant = a * cofactors[0] + b * cofactors[3] + c * cofactors[6];
        (determinant.abs() > f32::MIN_POSITIVE).then(|| Self(cofactors.map(|v| v / determinant)))
    }

    /// Where a point goes.
    #[must_use]
    pub fn apply(&self, p: Point) -> Point {
        let [a, b, c, d, e, f, g, h, i] = self.0;
        let scale = g * p.x + h * p.y + i;
        Point::new((a * p.x + b * p.y + c) / scale, (d * p.x + e * p.y + f) / scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORNERS: [Point; 4] =
        [Point::new(40.0, 30.0), Point::new(220.0, 50.0), Point::new(260.0, 390.0), Point::new(10.0, 400.0)];

    fn assert_near(a: Point, b: Point) {
        assert!(a.distance(b) < 0.01, "{a:?} is not {b:?}");
    }

    #[test]
    fn a_rectangle_goes_to_its_corners_and_back() {
        let map = Projection::of_rectangle(200.0, 300.0, &CORNERS).expect("a proper quadrilateral");
        let back = map.inverse().expect("can be undone");
        let rectangle =
            [Point::new(0.0, 0.0), Point::new(200.0, 0.0), Point::new(200.0, 300.0), Point::new(0.0, 300.0)];
        for (from, to) in rectangle.into_iter().zip(CORNERS) {
            assert_near(map.apply(from), to);
            assert_near(back.apply(to), from);
        }
        assert_near(back.after(&map).apply(Point::new(70.0, 80.0)), Point::new(70.0, 80.0));
    }

    #[test]
    fn maps_are_applied_from_right_to_left() {
        let move_right = Projection::affine([1.0, 0.0, 5.0], [0.0, 1.0, 0.0]);
        let double = Projection::scaling(2.0, 2.0);
        assert_near(double.after(&move_right).apply(Point::new(1.0, 1.0)), Point::new(12.0, 2.0));
        assert_near(move_right.after(&double).apply(Point::new(1.0, 1.0)), Point::new(7.0, 2.0));
    }

    #[test]
    fn what_cannot_be_undone_is_refused() {
        let line = [Point::new(0.0, 0.0), Point::new(1.0, 0.0), Point::new(2.0, 0.0), Point::new(3.0, 0.0)];
        assert_eq!(Projection::of_rectangle(1.0, 1.0, &line), None);
        assert_eq!(Projection::scaling(0.0, 1.0).inverse(), None);
    }
}
