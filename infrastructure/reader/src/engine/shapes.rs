//! Plane geometry: connected areas, convex hulls, the smallest rectangle around points.

use crate::page::{Point, Quad};

/// The outline pixels of one connected area of a mask.
pub struct Area {
    /// For every row the area touches: its leftmost and rightmost pixel, which is all a convex hull needs.
    pub points: Vec<Point>,
    /// How many pixels it has.
    pub size: usize,
    /// The sum of `value` over its pixels.
    pub sum: f32,
}

/// The 8-connected areas of `mask` (row by row, `width` wide); `value` gives what is summed for each pixel.
#[must_use]
pub fn areas(mask: &mut [bool], width: usize, value: &[f32]) -> Vec<Area> {
    let height = mask.len() / width.max(1);
    let mut found = Vec::new();
    let mut stack = Vec::new();
    let mut rows: Vec<(usize, usize, usize)> = Vec::new();
    for start in 0..mask.len() {
        if !mask[start] {
            continue;
        }
        mask[start] = false;
        stack.push(start);
        rows.clear();
        let first_row = start / width;
        let (mut size, mut sum) = (0, 0.0);
        while let Some(at) = stack.pop() {
            let (x, y) = (at % width, at / width);
            size += 1;
            sum += value[at];
            // The scan meets an area at its top row, so no pixel lies above it.
            let row = y - first_row;
            while rows.len() <= row {
                rows.push((first_row + rows.len(), usize::MAX, 0));
            }
            rows[row].1 = rows[row].1.min(x);
            rows[row].2 = rows[row].2.max(x);
            for ny in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let next = ny * width + nx;
                    if mask[next] {
                        mask[next] = false;
                        stack.push(next);
                    }
                }
            }
        }
        let points = rows
            .iter()
            .flat_map(|&(y, l, r)| [Point::new(l as f32, y as f32), Point::new(r as f32, y as f32)])
            .collect();
        found.push(Area { points, size, sum });
    }
    found
}

/// The convex hull, counter-clockwise (Andrew's monotone chain).
#[must_use]
pub fn hull(points: &[Point]) -> Vec<Point> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    sorted.dedup();
    if sorted.len() < 3 {
        return sorted;
    }
    let cross = |o: Point, a: Point, b: Point| (a.x - o.x) * (b.y - o.y) - (a.y - o.y) * (b.x - o.x);
    let half = |points: &mut dyn Iterator<Item = Point>| {
        let mut chain: Vec<Point> = Vec::new();
        for p in points {
            while chain.len() >= 2 && cross(chain[chain.len() - 2], chain[chain.len() - 1], p) <= 0.0 {
                chain.pop();
            }
            chain.push(p);
        }
        chain.pop();
        chain
    };
    let mut whole = half(&mut sorted.iter().copied());
    whole.extend(half(&mut sorted.iter().rev().copied()));
    whole
}

/// A rectangle at any angle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rectangle {
    centre: Point,
    /// Unit vector along the reading direction: rightwards, at most 45° up or down, unless the rectangle is tall.
    along: Point,
    /// The side along `along`.
    pub width: f32,
    /// The other side.
    pub height: f32,
}

impl Rectangle {
    /// The smallest rectangle around points: one of its sides lies on a side of the hull.
    #[must_use]
    pub fn around(points: &[Point]) -> Option<Self> {
        let hull = hull(points);
        let first = *hull.first()?;
        let mut best: Option<(f32, Self)> = None;
        for (n, &a) in hull.iter().enumerate() {
            let b = hull[(n + 1) % hull.len()];
            let length = a.distance(b);
            if length == 0.0 {
                continue;
            }
            let u = Point::new((b.x - a.x) / length, (b.y - a.y) / length);
            let (mut lo, mut hi) = ((f32::MAX, f32::MAX), (f32::MIN, f32::MIN));
            for p in &hull {
                let (s, t) = (p.x * u.x + p.y * u.y, p.y * u.x - p.x * u.y);
                lo = (lo.0.min(s), lo.1.min(t));
                hi = (hi.0.max(s), hi.1.max(t));
            }
            let (width, height) = (hi.0 - lo.0, hi.1 - lo.1);
            let area = width * height;
            if best.as_ref().is_none_or(|(least, _)| area < *least) {
                let (s, t) = (f32::midpoint(lo.0, hi.0), f32::midpoint(lo.1, hi.1));
                let centre = Point::new(s * u.x - t * u.y, s * u.y + t * u.x);
                best = Some((area, Self { centre, along: u, width, height }));
            }
        }
        Some(
            best.map_or(Self { centre: first, along: Point::new(1.0, 0.0), width: 0.0, height: 0.0 }, |(_, r)| {
                r.turned()
            }),
        )
    }

    /// The same rectangle with `along` pointing rightwards.
    fn turned(mut self) -> Self {
        if self.along.y.abs() > self.along.x.abs() {
            self.along = Point::new(-self.along.y, self.along.x);
            (self.width, self.height) = (self.height, self.width);
        }
        if self.along.x < 0.0 {
            self.along = Point::new(-self.along.x, -self.along.y);
        }
        self
    }

    /// Grown by `margin` on every side.
    #[must_use]
    pub fn grown(mut self, margin: f32) -> Self {
        self.width += 2.0 * margin;
        self.height += 2.0 * margin;
        self
    }

    /// Its corners, scaled to another resolution.
    #[must_use]
    pub fn corners(&self, scale_x: f32, scale_y: f32) -> Quad {
        let (w, h) = (self.width / 2.0, self.height / 2.0);
        let u = self.along;
        Quad([(-w, -h), (w, -h), (w, h), (-w, h)].map(|(s, t)| {
            Point::new((self.centre.x + s * u.x - t * u.y) * scale_x, (self.centre.y + s * u.y + t * u.x) * scale_y)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_separate_areas() {
        let drawn = ["##..#", "....#", "#...#"].concat();
        let mut mask: Vec<bool> = drawn.chars().map(|c| c == '#').collect();
        let found = areas(&mut mask, 5, &[1.0; 15]);
        let mut sizes: Vec<usize> = found.iter().map(|a| a.size).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [1, 2, 3]);
    }

    #[test]
    fn tilted_rectangle_is_found_again() {
        let (sin, cos) = 0.1f32.sin_cos();
        let points: Vec<Point> = [(0.0, 0.0), (100.0, 0.0), (100.0, 20.0), (0.0, 20.0), (50.0, 10.0)]
            .iter()
            .map(|(x, y)| Point::new(x * cos - y * sin + 40.0, x * sin + y * cos + 40.0))
            .collect();
        let found = Rectangle::around(&points).expect("points");
        assert!((found.width - 100.0).abs() < 0.1 && (found.height - 20.0).abs() < 0.1);
        let corners = found.corners(1.0, 1.0);
        assert!(corners.0[0].distance(points[0]) < 0.1, "{corners:?}");
        assert!(corners.0[2].distance(points[2]) < 0.1, "{corners:?}");
    }

    #[test]
    fn one_point_has_no_size() {
        let found = Rectangle::around(&[Point::new(3.0, 4.0)]).expect("a point");
        assert_eq!((found.width, found.height), (0.0, 0.0));
        assert!(Rectangle::around(&[]).is_none());
    }
}
