//! What drawing a page takes, counted before it is drawn. A few hundred bytes can ask for a line of a billion dashes, or
//! for a form that draws itself ten times over, ten deep; the renderer would do it, and keep all of it until the end.

use std::{
    collections::{HashMap, HashSet},
    panic::{self, AssertUnwindSafe},
};

use hayro::{
    hayro_interpret::{
        BlendMode, CacheKey, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache,
        InterpreterSettings, Paint, SoftMask, StrokeProps,
        font::{Glyph, GlyphRun},
        interpret_page,
        pattern::Pattern,
        util::x_y_advances,
    },
    hayro_syntax::page::Page,
    kurbo::{Affine, BezPath, PathEl, Point, Rect, Shape},
};
use slipstream_events::FailureReason;

use super::picture;

/// The most that is drawn: paths, glyphs, pictures, groups. A page dense with text has some ten thousand.
const MAX_CALLS: f64 = 500_000.0;
/// The most pixels along all edges. The renderer keeps some bytes for each; a dense map has a few millions.
const MAX_EDGES: f64 = 16_000_000.0;
/// The most bytes of pictures, masks and textures, which the renderer keeps to the end: four whole pages.
const MAX_TEXTURE_BYTES: f64 = 64.0 * 1024.0 * 1024.0;
/// The most pixels that are decoded.
const MAX_DECODED_PIXELS: f64 = 200_000_000.0;
/// How deep masks, patterns and glyphs made of drawings may stand in each other.
const MAX_DEPTH: u32 = 4;
/// What a piece of a path takes even if it is short, in pixels.
const PIECE: f64 = 16.0;

/// Counting has stopped, by unwinding: what is drawn cannot return an error.
struct Beyond;

/// Looks at what a page draws on so many pixels across and down; `file` is how large the document is.
///
/// # Errors
/// [`FailureReason::TooLarge`] if it is more than the limits, [`FailureReason::Damaged`] if the interpreter has a fault.
pub fn check(
    page: &Page<'_>,
    transform: Affine,
    (width, height): (f64, f64),
    file: usize,
) -> Result<(), FailureReason> {
    let cache = InterpreterCache::new();
    let target = Rect::new(0.0, 0.0, width, height);
    let counted = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut context = Context::new(transform, target, &cache, page.xref(), InterpreterSettings::default());
        interpret_page(page, &mut context, &mut Budget::new(target, file));
    }));
    counted.map_err(|fault| if fault.is::<Beyond>() { FailureReason::TooLarge } else { FailureReason::Damaged })
}

/// How long a path is.
#[derive(Clone, Copy, Default)]
struct Extent {
    pieces: f64,
    /// In its own units.
    length: f64,
    /// In pixels, as far as they can be on the page.
    edges: f64,
}

struct Budget {
    target: Rect,
    file: usize,
    /// How often what is drawn now is drawn.
    times: f64,
    depth: u32,
    calls: f64,
    edges: f64,
    textures: f64,
    decoded: f64,
    masks: HashSet<u128>,
    glyphs: HashMap<u128, Extent>,
}

/// Pixels for each unit, in the direction where there are more.
fn scale(transform: Affine) -> f64 {
    let (x, y) = x_y_advances(&transform);
    x.length().max(y.length())
}

impl Budget {
    fn new(target: Rect, file: usize) -> Self {
        Self {
            target,
            file,
            times: 1.0,
            depth: 0,
            calls: 0.0,
            edges: 0.0,
            textures: 0.0,
            decoded: 0.0,
            masks: HashSet::new(),
            glyphs: HashMap::new(),
        }
    }

    /// Adds up. What is not a number is beyond, too.
    fn spend(&mut self, edges: f64, textures: f64, decoded: f64) {
        self.calls += self.times;
        self.edges += edges * self.times;
        self.textures += textures * self.times;
        self.decoded += decoded * self.times;
        let within = self.calls <= MAX_CALLS
            && self.edges <= MAX_EDGES
            && self.textures <= MAX_TEXTURE_BYTES
            && self.decoded <= MAX_DECODED_PIXELS;
        if !within {
            panic::resume_unwind(Box::new(Beyond));
        }
    }

    /// Counts what is drawn inside of something else.
    fn inside(&mut self, times: f64, draw: impl FnOnce(&mut Self)) {
        if self.depth == MAX_DEPTH {
            panic::resume_unwind(Box::new(Beyond));
        }
        let outer = self.times;
        self.times *= times.max(1.0);
        self.depth += 1;
        self.spend(0.0, 0.0, 0.0);
        draw(self);
        self.depth -= 1;
        self.times = outer;
    }

    /// The furthest that an edge can go on the page.
    fn reach(&self) -> f64 {
        self.target.width() + self.target.height()
    }

    fn extent(&self, path: &BezPath, transform: Affine) -> Extent {
        let mut extent = Extent::default();
        let (mut start, mut last) = (Point::ZERO, Point::ZERO);
        let reach = self.reach();
        for element in path.elements() {
            let points = match *element {
                PathEl::MoveTo(point) => {
                    (start, last) = (point, point);
                    continue;
                }
                PathEl::LineTo(point) => [point, point, point],
                PathEl::QuadTo(control, point) => [control, point, point],
                PathEl::CurveTo(first, second, point) => [first, second, point],
                PathEl::ClosePath => [start; 3],
            };
            let (mut length, mut pixels) = (0.0, 0.0);
            for point in points {
                length += last.distance(point);
                pixels += (transform * last).distance(transform * point);
                last = point;
            }
            extent.pieces += 1.0;
            extent.length += length;
            // A long curve is drawn in short pieces, also beyond the page.
            extent.edges += PIECE + pixels.min(reach) + pixels.sqrt();
        }
        extent
    }

    fn path(&mut self, extent: Extent, transform: Affine, mode: &DrawMode) {
        let stroked = |stroke: &StrokeProps| {
            // Two sides of it, with a join or a cap for each piece.
            let joint = (f64::from(stroke.line_width) * scale(transform)).min(self.reach()) * 2.0;
            let mut edges = 2.0 * extent.edges + extent.pieces * joint;
            if !stroke.dash_array.is_empty() {
                let period: f64 = stroke.dash_array.iter().map(|part| f64::from(*part)).sum();
                // Every other part is drawn.
                let dashes = extent.length / period * stroke.dash_array.len().div_ceil(2) as f64;
                edges += if period > 0.0 { dashes * (2.0 * PIECE + joint) } else { f64::NAN };
            }
            edges
        };
        let edges = match mode {
            DrawMode::Fill(_) => extent.edges,
            DrawMode::Stroke(stroke) => stroked(stroke),
            DrawMode::FillAndStroke(_, stroke) => extent.edges + stroked(stroke),
            DrawMode::Invisible => 0.0,
        };
        self.spend(edges, 0.0, 0.0);
    }

    /// The pixels of a box that are on the page.
    fn visible(&self, bounds: Rect) -> f64 {
        let seen = bounds.intersect(self.target);
        if bounds.is_finite() { seen.width().max(0.0) * seen.height().max(0.0) } else { self.target.area() }
    }

    fn paint<'a>(&mut self, paint: &Paint<'a>, bounds: Rect, stroke: bool)
    where
        Self: Device<'a>,
    {
        let Paint::Pattern(pattern) = paint else { return };
        let area = self.visible(bounds);
        match pattern.as_ref() {
            Pattern::Shading(_) => self.spend(0.0, 4.0 * area, area),
            Pattern::Tiling(tiling) => {
                self.spend(0.0, 4.0 * area.max(1.0), 0.0);
                // How many cells lie over one step, or over all of the page if a cell is larger.
                let over = |cell: f64, step: f32| (cell / f64::from(step.abs())).ceil() + 1.0;
                let copies = over(tiling.bbox.width(), tiling.x_step) * over(tiling.bbox.height(), tiling.y_step);
                let matrix = tiling.matrix;
                self.inside(copies, |budget| {
                    tiling.interpret(budget, matrix, stroke);
                });
            }
        }
    }

    /// A mask is as large as the page, and kept.
    fn mask<'a>(&mut self, mask: Option<&SoftMask<'a>>)
    where
        Self: Device<'a>,
    {
        if let Some(mask) = mask
            && self.masks.insert(mask.cache_key())
        {
            self.spend(0.0, self.target.area(), 0.0);
            self.inside(1.0, |budget| mask.interpret(budget));
        }
    }
}

impl<'a> Device<'a> for Budget {
    fn draw_path(&mut self, path: &BezPath, props: DrawProps<'a>, mode: &DrawMode) {
        self.path(self.extent(path, props.transform), props.transform, mode);
        self.mask(props.soft_mask.as_ref());
        let (mut bounds, mut stroke) = (props.transform.transform_rect_bbox(path.bounding_box()), false);
        if let DrawMode::Stroke(line) | DrawMode::FillAndStroke(_, line) = mode {
            let width = f64::from(line.line_width) * scale(props.transform);
            (bounds, stroke) = (bounds.inflate(width, width), true);
        }
        self.paint(&props.paint, bounds, stroke);
    }

    fn push_clip_path(&mut self, clip: &ClipPath) {
        self.path(self.extent(&clip.path, Affine::IDENTITY), Affine::IDENTITY, &DrawMode::Fill(clip.fill));
    }

    fn push_transparency_group(&mut self, _: f32, mask: Option<SoftMask<'a>>, _: BlendMode) {
        self.spend(PIECE, 0.0, 0.0);
        self.mask(mask.as_ref());
    }

    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, mode: &DrawMode) {
        self.mask(props.soft_mask.as_ref());
        for glyph in run.glyphs() {
            match &**glyph {
                Glyph::Outline(outline) => {
                    let key = outline.identifier().cache_key();
                    let known = self.glyphs.get(&key).copied();
                    let own = known.unwrap_or_else(|| self.extent(&outline.outline(), Affine::IDENTITY));
                    self.glyphs.insert(key, own);
                    let (placed, reach) = (props.transform * glyph.transform(), self.reach());
                    let pixels = (own.length * scale(placed)).min(own.pieces * reach);
                    // Strokes are measured where the text stands, before the page's own scale.
                    let length = own.length * scale(glyph.transform());
                    let extent = Extent { pieces: own.pieces, length, edges: own.pieces * PIECE + pixels };
                    self.path(extent, props.transform, mode);
                    let bounds = placed.transform_rect_bbox(Rect::new(0.0, -1000.0, 2000.0, 2000.0));
                    self.paint(&props.paint, bounds, false);
                }
                Glyph::Type3(drawn) => self.inside(1.0, |budget| {
                    drawn.interpret(budget, props.transform, glyph.transform(), &props.paint);
                }),
            }
        }
    }

    fn draw_image(&mut self, image: Image<'a, '_>, props: ImageDrawProps<'a>) {
        self.mask(props.soft_mask.as_ref());
        let (width, height) = (f64::from(image.width()), f64::from(image.height()));
        let bounds = props.transform.transform_rect_bbox(Rect::new(0.0, 0.0, width, height));
        if self.visible(bounds.inflate(1.0, 1.0)) == 0.0 {
            return;
        }
        let (across, down) = x_y_advances(&props.transform);
        // It is made smaller before it is drawn, and never larger on both sides.
        let drawn = (width * across.length()).ceil().max(1.0) * (height * down.length()).ceil().max(1.0);
        let enlarged = across.length() >= 1.0 && down.length() >= 1.0;
        let (stream, stencil) = match &image {
            Image::Raster(raster) => (raster.stream(), false),
            Image::Stencil(stencil) => (stencil.stream(), true),
        };
        if picture::check(stream, self.file).is_err() {
            panic::resume_unwind(Box::new(Beyond));
        }
        let mut kept = if enlarged { drawn.min(width * height) } else { drawn };
        let dictionary = stream.dict();
        if [b"SMask".as_slice(), b"Mask"].iter().any(|key| dictionary.contains_key(key)) {
            kept *= 2.0;
        }
        self.spend(0.0, 4.0 * kept, width * height);
        if let (Image::Stencil(stencil), true) = (image, stencil) {
            // Through a pattern a page is drawn, and a mask for it.
            let mut pattern = None;
            stencil.with_stencil(|_, paint| pattern = matches!(paint, Paint::Pattern(_)).then(|| paint.clone()), None);
            if let Some(paint) = pattern {
                self.spend(0.0, 5.0 * self.target.area(), 0.0);
                self.paint(&paint, bounds, false);
            }
        }
    }

    fn pop_clip(&mut self) {}

    fn pop_transparency_group(&mut self) {}
}
