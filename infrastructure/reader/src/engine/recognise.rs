//! What a line says: a CTC recogniser over a strip 48 pixels high.

use std::sync::Arc;

use image::{Rgb, RgbImage, imageops};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use super::{ModelError, planes};
use crate::page::{Point, Quad, TextLine};

/// The height the network was trained on.
const HEIGHT: f32 = 48.0;
/// Longer strips are squeezed: memory grows with the length times the alphabet, and few printed lines are that long.
const LONGEST: f32 = 1_600.0;
/// A gap between two characters is a space if the network gave a space at least this.
const SPACE: f32 = 0.12;
/// The same between two letters: recognisers run words together, and a space too many there splits no number.
const SPACE_IN_WORDS: f32 = 0.03;
/// A sign outside the scripts we read is replaced by the best one inside if that has at least this.
const SECOND_CHOICE: f32 = 0.05;

/// A letter with an accent loses it if the bare letter has at least this share of its score.
const ACCENT: f32 = 0.05;

/// The recognition network and its alphabet.
pub struct Recogniser {
    model: rten::Model,
    /// What each class (from 1; 0 is the blank) stands for.
    alphabet: Vec<char>,
    space: usize,
}

impl Recogniser {
    /// Takes the alphabet from the network's metadata; `None` if there is none.
    #[must_use]
    pub fn new(model: rten::Model) -> Option<Self> {
        let alphabet: Vec<char> =
            model.metadata().get("character")?.lines().map(|line| line.chars().next().map_or(' ', plain)).collect();
        // Models list the space, or mean it by the class after the last.
        let space = alphabet.iter().position(|&c| c == ' ').unwrap_or(alphabet.len()) + 1;
        Some(Self { model, alphabet, space })
    }

    /// Reads one place; `None` if there is nothing to read.
    ///
    /// # Errors
    /// If the network fails to run.
    pub fn read(
        &self,
        picture: &RgbImage,
        place: &Quad,
        pool: &Arc<rten::ThreadPool>,
    ) -> Result<Option<TextLine>, ModelError> {
        let (width, height) = (place.width(), place.height());
        if width < 2.0 || height < 2.0 {
            return Ok(None);
        }
        // Text that runs upwards: turn it.
        let quad = if height > 1.5 * width {
            let [tl, tr, br, bl] = place.0;
            Quad([tr, br, bl, tl])
        } else {
            *place
        };
        let (width, height) = (quad.width(), quad.height());
        let strip = cut(picture, &quad);
        let length = (HEIGHT * width / height).ceil().clamp(16.0, LONGEST);
        let strip = imageops::resize(&strip, length as u32, HEIGHT as u32, imageops::FilterType::Triangle);
        let mut options = rten::RunOptions::default();
        options.thread_pool = Some(Arc::clone(pool));
        let out: NdTensor<f32, 3> = self
            .model
            .run_one(planes(&strip).into(), Some(options))
            .map_err(|e| ModelError(e.to_string()))?
            .try_into()
            .map_err(|_| ModelError("the recogniser's output has the wrong shape".to_owned()))?;
        let (steps, classes) = (out.size(1), out.size(2));
        // 18 000 classes per step: a copy would cost tens of megabytes.
        let scores = out.data().ok_or_else(|| ModelError("the recogniser's output is not in one piece".to_owned()))?;
        Ok(self.decode(scores, steps, classes).map(|Decoded { text, confidence, offsets }| TextLine {
            text,
            confidence,
            quad,
            offsets,
        }))
    }

    /// Greedy CTC decoding, with two repairs: spaces the network was unsure of, and signs of scripts no receipt here uses,
    /// which it sees in rules and stamps.
    fn decode(&self, scores: &[f32], steps: usize, classes: usize) -> Option<Decoded> {
        let mut text: Vec<char> = Vec::new();
        let mut offsets = Vec::new();
        let mut sure = Vec::new();
        let (mut last, mut gap) = (0, 0.0f32);
        for (step, row) in scores.chunks_exact(classes).enumerate() {
            let (class, score) =
                row.iter().enumerate().fold((0, f32::MIN), |best, (n, &s)| if s > best.1 { (n, s) } else { best });
            gap = gap.max(row.get(self.space).copied().unwrap_or(0.0));
            if class == 0 || class == last {
                last = class;
                continue;
            }
            last = class;
            let mut sign = self.sign(class);
            let mut score = score;
            if !readable(sign) {
                let second = row
                    .iter()
                    .enumerate()
                    .skip(1)
                    .filter(|&(n, _)| readable(self.sign(n)))
                    .max_by(|a, b| a.1.total_cmp(b.1));
                match second {
                    Some((n, &s)) if s >= SECOND_CHOICE => (sign, score) = (self.sign(n), s),
                    _ => {
                        sure.push(0.0);
                        continue;
                    }
                }
            }
            // Accents that the network barely prefers are specks of dirt.
            if let Some(base) = without_accent(sign)
                && let Some((_, &s)) = row.iter().enumerate().skip(1).find(|&(n, _)| self.sign(n) == base)
                && s >= ACCENT * score
            {
                (sign, score) = (base, score + s);
            }
            let offset = (step as f32 + 0.5) / steps as f32;
            let both_letters = sign.is_alphabetic() && text.last().is_some_and(|c| c.is_alphabetic());
            let enough = if both_letters { SPACE_IN_WORDS } else { SPACE };
            if sign != ' ' && gap >= enough && text.last().is_some_and(|&c| c != ' ') {
                let before = offsets.last().copied().unwrap_or(0.0);
                text.push(' ');
                offsets.push(f32::midpoint(before, offset));
            }
            gap = 0.0;
            if sign == ' ' && text.last().is_none_or(|&c| c == ' ') {
                continue;
            }
            text.push(sign);
            offsets.push(offset);
            sure.push(score);
        }
        while text.last() == Some(&' ') {
            text.pop();
            offsets.pop();
        }
        if text.is_empty() {
            return None;
        }
        let confidence = (sure.iter().sum::<f32>() / sure.len() as f32).clamp(0.0, 1.0);
        Some(Decoded { text: text.into_iter().collect(), confidence, offsets })
    }

    fn sign(&self, class: usize) -> char {
        self.alphabet.get(class - 1).copied().unwrap_or(' ')
    }
}

struct Decoded {
    text: String,
    confidence: f32,
    offsets: Vec<f32>,
}

/// Full-width forms and look-alikes as plain signs.
fn plain(sign: char) -> char {
    match sign {
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(sign as u32 - 0xfee0).unwrap_or(sign),
        '。' => '.',
        '、' => ',',
        '【' | '〔' => '[',
        '】' | '〕' => ']',
        '−' | '–' | '—' | '―' | '‐' | '‑' => '-',
        '‘' | '’' | '′' => '\'',
        '“' | '”' | '″' => '"',
        _ => sign,
    }
}

/// The bare letter under an accent that dirt can draw.
fn without_accent(sign: char) -> Option<char> {
    let at = "àáâãäåèéêëìíîïòóôõöùúûüÀÁÂÃÄÅÈÉÊËÌÍÎÏÒÓÔÕÖÙÚÛÜ".chars().position(|c| c == sign)?;
    "aaaaaaeeeeiiiiooooouuuuAAAAAAEEEEIIIIOOOOOUUUU".chars().nth(at)
}

/// Latin, Greek and Cyrillic letters, digits, punctuation and currency signs.
fn readable(sign: char) -> bool {
    matches!(sign,
        ' '..='~' | '\u{a1}'..='\u{24f}' | '\u{370}'..='\u{52f}' | '\u{1e00}'..='\u{1fff}'
        | '\u{2010}'..='\u{2026}' | '\u{2030}' | '\u{20a0}'..='\u{20cf}' | '\u{2100}'..='\u{2122}' | '\u{2190}'..='\u{2193}')
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
    fn accents_have_bare_letters() {
        assert_eq!(without_accent('Á'), Some('A'));
        assert_eq!(without_accent('ü'), Some('u'));
        assert_eq!(without_accent('ß'), None);
    }

    #[test]
    fn stray_signs_are_not_readable_and_wide_ones_become_plain() {
        assert!(!readable('米') && !readable('一'));
        assert!("Łódź Ærø Ελλάς Київ 12,50 € £ № ™".chars().all(readable));
        assert_eq!("：（１，２）".chars().map(plain).collect::<String>(), ":(1,2)");
    }
}
