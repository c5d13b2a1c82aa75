//! Keyed, counter-based random numbers.
//!
//! There is no state: a `Key` and an index give the number. Keys are derived by label, so a new random tensor
//! never changes the others. Bits come from ChaCha8 (element i of a tensor is word i of the key's stream) and are
//! part of the language: a change here changes every published number, and the fixed values in the tests fail.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use super::error::{Error, Result, code};
use super::simd;
use super::tensor::{Aligned, Element, Tensor, checked_count};
use crate::base::axis::Axis;

mod batch;
pub use batch::batch_indices;

/// A 256-bit key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// The root key of a program's seed.
    pub fn from_seed(seed: u64) -> Key {
        Key(blake3::derive_key("locus random root, version 1", &seed.to_le_bytes()))
    }

    /// The sub-key of a label.
    pub fn derive(&self, label: &str) -> Key {
        self.child(b"label", label.as_bytes())
    }

    /// The sub-key of a number; differs from that of the number's digits as a label.
    pub fn derive_int(&self, number: i64) -> Key {
        self.child(b"number", &number.to_le_bytes())
    }

    fn child(&self, kind: &[u8], content: &[u8]) -> Key {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(kind).update(&[0]).update(content);
        Key(*hasher.finalize().as_bytes())
    }
}

/// Elements that one task makes; also the unit in which the stream is entered, a multiple of ChaCha's 64 words.
const CHUNK: usize = 1 << 14;

/// The generator of a key from 32-bit word `word` of stream `stream` on.
fn stream(key: Key, stream: u64, word: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::from_seed(key.0);
    rng.set_stream(stream);
    rng.set_word_pos(word as u128);
    rng
}

/// Fills a tensor chunk by chunk; `make` gets the number of the chunk's first element.
fn fill<T: Element>(axes: &[(Axis, usize)], make: impl Fn(usize, &mut [T]) + Sync) -> Result<Tensor> {
    let mut values = Aligned::<T>::zeros(checked_count(axes)?);
    values.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, out)| make(chunk * CHUNK, out));
    Tensor::dense(axes, values)
}

/// The words of a key's first stream from `first` on.
fn words(key: Key, first: usize, out: &mut [u32]) {
    let mut rng = stream(key, 0, first as u64);
    for word in out {
        *word = rng.next_u32();
    }
}

/// Standard normal numbers: the inverse cumulative function of 32 bits each.
pub fn normal(key: Key, axes: &[(Axis, usize)]) -> Result<Tensor> {
    fill(axes, |first, out: &mut [f32]| {
        let mut bits = [0u32; 1024];
        for (part, out) in out.chunks_mut(1024).enumerate() {
            words(key, first + part * 1024, &mut bits[..out.len()]);
            simd::normals(&bits[..out.len()], out);
        }
    })
}

/// Uniform numbers in [0, 1): the upper 24 of 32 bits each, so that every value is exact.
pub fn uniform(key: Key, axes: &[(Axis, usize)]) -> Result<Tensor> {
    fill(axes, |first, out: &mut [f32]| {
        let mut rng = stream(key, 0, first as u64);
        for value in out {
            *value = (rng.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0);
        }
    })
}

/// A number below `bound` from 64 uniform bits, or `None` where the bits must be drawn again to be fair.
/// (Multiply and take the upper half; the lower half tells whether the value is over-represented.)
fn below(bits: u64, bound: u64) -> Option<u64> {
    let product = bits as u128 * bound as u128;
    (product as u64 >= bound.wrapping_neg() % bound).then_some((product >> 64) as u64)
}

/// Fair integers in [lo, hi). Element i uses words 2i and 2i + 1; a redraw uses the same words of the next stream.
pub fn uniform_int(key: Key, axes: &[(Axis, usize)], lo: i64, hi: i64) -> Result<Tensor> {
    if lo >= hi {
        let message = format!("`uniform_int` needs a range with at least one number, but {lo}..{hi} is empty");
        return Err(Error::new(code::ARGUMENT, message));
    }
    let bound = hi.wrapping_sub(lo) as u64;
    fill(axes, |first, out: &mut [i64]| {
        let mut rng = stream(key, 0, 2 * first as u64);
        for (i, value) in out.iter_mut().enumerate() {
            let drawn = below(rng.next_u64(), bound).unwrap_or_else(|| redraw(key, first + i, bound));
            *value = lo.wrapping_add(drawn as i64);
        }
    })
}

fn redraw(key: Key, index: usize, bound: u64) -> u64 {
    let mut attempt = 1;
    loop {
        if let Some(value) = below(stream(key, attempt, 2 * index as u64).next_u64(), bound) {
            return value;
        }
        attempt += 1;
    }
}

/// A fair permutation of 0..n over `axis` (Fisher and Yates, from the key's stream in order).
pub fn permutation(key: Key, axis: Axis, n: i64) -> Result<Tensor> {
    let n = usize::try_from(n)
        .map_err(|_| Error::new(code::ARGUMENT, format!("a permutation of {n} things does not exist")))?;
    let mut values = Aligned::<i64>::zeros(checked_count(&[(axis, n)])?);
    values.iter_mut().enumerate().for_each(|(i, value)| *value = i as i64);
    let mut rng = stream(key, 0, 0);
    for last in (1..n).rev() {
        let drawn = loop {
            if let Some(drawn) = below(rng.next_u64(), last as u64 + 1) {
                break drawn as usize;
            }
        };
        values.swap(last, drawn);
    }
    Tensor::dense(&[(axis, n)], values)
}

#[cfg(test)]
mod tests;
