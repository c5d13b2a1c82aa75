//! The order in which training runs through the data, without storing it.
//!
//! Each epoch has a permutation of 0..n that any position can be looked up in: a Feistel network on the smallest
//! even number of bits that holds n, followed again ("walking the cycle") while the result is not below n. Eight
//! rounds, each keyed by words of the epoch's key. It must need no memory that grows with n.

use super::{Key, stream};
use crate::base::axis::Axis;
use crate::rt::error::{Error, Result, code};
use crate::rt::tensor::{Aligned, Tensor, checked_count};
use rand_chacha::rand_core::Rng;
use rayon::prelude::*;

const ROUNDS: usize = 8;

/// A permutation of 0..n.
struct Shuffle {
    keys: [u64; ROUNDS],
    half: u32,
    n: u64,
}

impl Shuffle {
    fn new(key: Key, n: u64) -> Shuffle {
        let mut rng = stream(key, 0, 0);
        let mut keys = [0; ROUNDS];
        keys.iter_mut().for_each(|key| *key = rng.next_u64());
        let bits = 64 - n.saturating_sub(1).leading_zeros();
        Shuffle { keys, half: bits.div_ceil(2).max(1), n }
    }

    /// Where position `at` (below n) goes.
    fn look_up(&self, at: u64) -> u64 {
        let mut value = at;
        loop {
            value = self.round_trip(value);
            if value < self.n {
                return value;
            }
        }
    }

    fn round_trip(&self, value: u64) -> u64 {
        let mask = (1u64 << self.half) - 1;
        let (mut left, mut right) = (value >> self.half, value & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix(right ^ key) >> (64 - self.half)));
        }
        (left << self.half) | right
    }
}

/// A bijection of 64-bit words that spreads every bit over all: the finaliser of SplitMix64.
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The indices of the examples of one step: positions step*batch .. (step+1)*batch of an endless row of epochs, in
/// each of which every one of the `n` examples comes once.
pub fn batch_indices(key: Key, step: i64, batch: i64, n: i64, axis: Axis) -> Result<Tensor> {
    if n < 1 || batch < 0 || step < 0 {
        let message = format!("no batch of {batch} can be drawn from {n} examples at step {step}");
        return Err(Error::new(code::ARGUMENT, message));
    }
    let axes = [(axis, batch as usize)];
    let mut values = Aligned::<i64>::zeros(checked_count(&axes)?);
    let first = step as u128 * batch as u128;
    values.par_chunks_mut(1024).enumerate().for_each(|(chunk, out)| {
        let mut current: Option<(i64, Shuffle)> = None;
        for (i, value) in out.iter_mut().enumerate() {
            let position = first + (chunk * 1024 + i) as u128;
            // Beyond 2^64 epochs the keys repeat.
            let epoch = (position / n as u128) as i64;
            if current.as_ref().is_none_or(|(number, _)| *number != epoch) {
                current = Some((epoch, Shuffle::new(key.derive("epoch").derive_int(epoch), n as u64)));
            }
            if let Some((_, shuffle)) = &current {
                *value = shuffle.look_up((position % n as u128) as u64) as i64;
            }
        }
    });
    Tensor::dense(&axes, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_gives_a_permutation() {
        for n in [1u64, 2, 3, 4, 5, 16, 17, 100, 255, 256, 257, 5000] {
            let shuffle = Shuffle::new(Key::from_seed(n), n);
            let mut found: Vec<u64> = (0..n).map(|at| shuffle.look_up(at)).collect();
            found.sort_unstable();
            assert!(found.into_iter().eq(0..n), "n = {n}");
        }
    }

    #[test]
    fn every_place_is_as_likely() {
        // Where does position 3 of 10 go, over many keys?
        let mut counts = [0f64; 10];
        for seed in 0..20_000 {
            counts[Shuffle::new(Key::from_seed(seed), 10).look_up(3) as usize] += 1.0;
        }
        let chi: f64 = counts.iter().map(|c| (c - 2000.0) * (c - 2000.0) / 2000.0).sum();
        // 9 degrees of freedom; 34 is passed once in ten thousand.
        assert!(chi < 34.0, "{counts:?}");
    }

    #[test]
    fn neighbours_part() {
        let n = 100_000;
        let shuffle = Shuffle::new(Key::from_seed(1), n);
        let mean = (0..n - 1).map(|at| shuffle.look_up(at).abs_diff(shuffle.look_up(at + 1)) as f64).sum::<f64>()
            / (n - 1) as f64;
        assert!((mean / (n as f64 / 3.0) - 1.0).abs() < 0.02, "{mean}");
    }

    #[test]
    fn steps_run_through_the_epochs() {
        let (axis, key) = (Axis::named("", "batch_test"), Key::from_seed(5));
        let draw = |step, batch| {
            let drawn = batch_indices(key, step, batch, 10, axis).expect("valid arguments");
            drawn.as_dense::<i64>().expect("dense").to_vec()
        };
        // Batches of 4 over 10 examples: 5 steps are two epochs.
        let all: Vec<i64> = (0..5).flat_map(|step| draw(step, 4)).collect();
        for epoch in all.chunks(10) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<i64>>());
        }
        assert_ne!(all[..10], all[10..]);
        // The row of positions does not depend on the batch.
        assert_eq!(draw(0, 20), all);
        assert!(batch_indices(key, 0, 4, 0, axis).is_err() && batch_indices(key, -1, 4, 9, axis).is_err());
    }
}
