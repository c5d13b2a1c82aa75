//! What a softmax and its gradient do to one row that lies in cache.
//!
//! Sums are kept in sixteen 64-bit lanes that are added in order, so that the bits do not follow the vector width.
//! These functions only touch the row they are given and know nothing of tensors.

use super::formulas as f;
use super::{Level, level};

const LANES: usize = 16;

macro_rules! rows {
    ($type:ty, $exp:path, $largest:ident, $raise:ident, $scale:ident, $slope:ident) => {
        versions! {
            /// The largest element, NaN aside.
            pub fn $largest(row: &[$type]) -> $type {
                let mut most = [<$type>::NEG_INFINITY; LANES];
                let (chunks, rest) = row.as_chunks::<LANES>();
                for chunk in chunks {
                    for i in 0..LANES {
                        most[i] = if chunk[i] > most[i] { chunk[i] } else { most[i] };
                    }
                }
                for (i, &x) in rest.iter().enumerate() {
                    most[i] = if x > most[i] { x } else { most[i] };
                }
                most.iter().fold(<$type>::NEG_INFINITY, |most, &x| if x > most { x } else { most })
            }
        }

        versions! {
            /// Replaces each x by exp(x - shift) and gives the sum.
            pub fn $raise(row: &mut [$type], shift: $type) -> f64 {
                let mut sums = [0f64; LANES];
                let (chunks, rest) = row.as_chunks_mut::<LANES>();
                for chunk in chunks {
                    for x in chunk.iter_mut() {
                        *x = $exp(*x - shift);
                    }
                    for i in 0..LANES {
                        sums[i] += f64::from(chunk[i]);
                    }
                }
                for (i, x) in rest.iter_mut().enumerate() {
                    *x = $exp(*x - shift);
                    sums[i] += f64::from(*x);
                }
                sums.iter().fold(0.0, |sum, x| sum + x)
            }
        }

        versions! {
            /// Multiplies each element.
            pub fn $scale(row: &mut [$type], factor: $type) {
                for x in row.iter_mut() {
                    *x *= factor;
                }
            }
        }

        versions! {
            /// The gradient of a softmax whose result is `p`: `dp` becomes p (dp - sum p dp) factor.
            pub fn $slope(p: &[$type], dp: &mut [$type], factor: $type) {
                let mut sums = [0f64; LANES];
                let (chunks, rest) = p.as_chunks::<LANES>();
                let (slopes, last) = dp.as_chunks::<LANES>();
                for (chunk, slope) in chunks.iter().zip(slopes) {
                    for i in 0..LANES {
                        sums[i] += f64::from(chunk[i] * slope[i]);
                    }
                }
                for (i, (x, y)) in rest.iter().zip(last).enumerate() {
                    sums[i] += f64::from(x * y);
                }
                let total = sums.iter().fold(0.0, |sum, x| sum + x) as $type;
                for (x, y) in p.iter().zip(dp.iter_mut()) {
                    *y = x * (*y - total) * factor;
                }
            }
        }
    };
}
rows!(f32, f::exp_f32, largest_f32, raise_f32, scale_f32, slope_f32);
rows!(f64, f::exp_f64, largest_f64, raise_f64, scale_f64, slope_f64);

#[cfg(test)]
mod tests {
    use super::super::limit_level;
    use super::*;

    #[test]
    fn the_same_bits_at_every_width() {
        let row: Vec<f32> = (0..77).map(|i| ((i * 37) % 61) as f32 / 7.0 - 4.0).collect();
        let run = |level| {
            limit_level(level);
            let most = largest_f32(&row);
            let mut p = row.clone();
            let sum = raise_f32(&mut p, most);
            scale_f32(&mut p, (1.0 / sum) as f32);
            let mut slopes = row.clone();
            slope_f32(&p, &mut slopes, 0.5);
            let bits: Vec<u32> = p.iter().chain(&slopes).map(|x| x.to_bits()).collect();
            (most.to_bits(), sum.to_bits(), bits)
        };
        let plain = run(Level::Plain);
        assert_eq!(plain.0, 4.571_428_3f32.to_bits());
        assert_eq!(plain, run(Level::Avx2));
        assert_eq!(plain, run(Level::Avx512));
        assert_eq!(largest_f32(&[0.0, f32::NAN]), 0.0);
    }
}
