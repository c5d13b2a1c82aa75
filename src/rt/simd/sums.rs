//! Float sums in f64: neighbouring totals side by side, and one tile of a row in sixteen lanes.
//!
//! The order of the additions is that of `rt::reduce`; this is the same arithmetic over wider vectors, with the same
//! bits. It must never regroup a sum.

use super::{Level, level};

/// Independent accumulators of a tile.
pub const LANES: usize = 16;

macro_rules! sums {
    ($add:ident, $tile:ident, $type:ty) => {
        versions! {
            /// Adds each element to the total beside it.
            pub fn $add(totals: &mut [f64], items: &[$type]) {
                totals.iter_mut().zip(items).for_each(|(total, &x)| *total += f64::from(x));
            }
        }
        versions! {
            /// The sum of the items: lane by position modulo 16, then lanes 0 and 8, 1 and 9, ...; 0 and 4, ...; and so on.
            pub fn $tile(items: &[$type]) -> f64 {
                let mut lanes = [0f64; LANES];
                let mut groups = items.chunks_exact(LANES);
                for group in &mut groups {
                    for lane in 0..LANES {
                        lanes[lane] += f64::from(group[lane]);
                    }
                }
                for (lane, &x) in lanes.iter_mut().zip(groups.remainder()) {
                    *lane += f64::from(x);
                }
                // A lane without items is 0, which changes no sum: none of the others can be -0.
                for half in [8, 4, 2, 1] {
                    for lane in 0..half {
                        lanes[lane] += lanes[lane + half];
                    }
                }
                lanes[0]
            }
        }
    };
}
sums!(add_f32, tile_f32, f32);
sums!(add_f64, tile_f64, f64);

#[cfg(test)]
mod tests {
    use super::super::limit_level;
    use super::*;

    #[test]
    fn all_widths_give_the_same_bits() {
        let items: Vec<f32> = (0..1000).map(|i| ((i * 7919) % 1009) as f32 / 1e3 - 0.5).collect();
        let run = |most: Level| {
            limit_level(most);
            let mut totals = vec![0.1f64; items.len()];
            add_f32(&mut totals, &items);
            let tiles = [1000, 37, 16, 5, 0].map(|n| tile_f32(&items[..n]).to_bits());
            limit_level(Level::Avx512);
            (totals.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), tiles)
        };
        assert_eq!(run(Level::Plain), run(Level::Avx512));
        assert_eq!(run(Level::Plain), run(Level::Avx2));
    }

    #[test]
    fn a_tile_is_summed_lane_by_lane() {
        let items: Vec<f64> = (0..40).map(|i| 1.0 / (i + 1) as f64).collect();
        let mut lanes: Vec<f64> = (0..16).map(|lane| items.iter().skip(lane).step_by(16).sum()).collect();
        while lanes.len() > 1 {
            let high = lanes.split_off(lanes.len() / 2);
            lanes.iter_mut().zip(high).for_each(|(low, x)| *low += x);
        }
        assert_eq!(tile_f64(&items).to_bits(), lanes[0].to_bits());
    }
}
