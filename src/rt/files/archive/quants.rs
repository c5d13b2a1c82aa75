//! ggml's types of numbers: blocks of 32 or 256 that share scales, to f32. The layouts are those of `ggml-common.h`
//! and `ggml-quants.c` of ggml; the values agree to the bit with the `gguf` package's (fixtures in
//! `tests/reference/gguf`).
//!
//! `decode` must never read beyond whole blocks, whatever the lengths it is given.

use super::super::decode::Stored;
use super::Encoding;

/// Numbers in blocks that share a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quant {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
    Q8K,
}

/// One of ggml's types: its number, how many numbers a block holds, in how many bytes.
pub struct Kind {
    number: u32,
    pub name: &'static str,
    pub block: usize,
    pub bytes: usize,
    read: Read,
}

#[derive(Clone, Copy)]
enum Read {
    As(Stored),
    Blocks(Quant),
    Not,
}

const fn kind(number: u32, name: &'static str, block: usize, bytes: usize, read: Read) -> Kind {
    Kind { number, name, block, bytes, read }
}

/// The types of ggml's `ggml.h`; sizes as `GGML_QUANT_SIZES` of the `gguf` package has them.
const KINDS: &[Kind] = &[
    kind(0, "F32", 1, 4, Read::As(Stored::F32)),
    kind(1, "F16", 1, 2, Read::As(Stored::F16)),
    kind(2, "Q4_0", 32, 18, Read::Blocks(Quant::Q4_0)),
    kind(3, "Q4_1", 32, 20, Read::Blocks(Quant::Q4_1)),
    kind(6, "Q5_0", 32, 22, Read::Blocks(Quant::Q5_0)),
    kind(7, "Q5_1", 32, 24, Read::Blocks(Quant::Q5_1)),
    kind(8, "Q8_0", 32, 34, Read::Blocks(Quant::Q8_0)),
    kind(9, "Q8_1", 32, 40, Read::Not),
    kind(10, "Q2_K", 256, 84, Read::Blocks(Quant::Q2K)),
    kind(11, "Q3_K", 256, 110, Read::Blocks(Quant::Q3K)),
    kind(12, "Q4_K", 256, 144, Read::Blocks(Quant::Q4K)),
    kind(13, "Q5_K", 256, 176, Read::Blocks(Quant::Q5K)),
    kind(14, "Q6_K", 256, 210, Read::Blocks(Quant::Q6K)),
    kind(15, "Q8_K", 256, 292, Read::Blocks(Quant::Q8K)),
    kind(16, "IQ2_XXS", 256, 66, Read::Not),
    kind(17, "IQ2_XS", 256, 74, Read::Not),
    kind(18, "IQ3_XXS", 256, 98, Read::Not),
    kind(19, "IQ1_S", 256, 50, Read::Not),
    kind(20, "IQ4_NL", 32, 18, Read::Not),
    kind(21, "IQ3_S", 256, 110, Read::Not),
    kind(22, "IQ2_S", 256, 82, Read::Not),
    kind(23, "IQ4_XS", 256, 136, Read::Not),
    kind(24, "I8", 1, 1, Read::As(Stored::I8)),
    kind(25, "I16", 1, 2, Read::As(Stored::I16)),
    kind(26, "I32", 1, 4, Read::As(Stored::I32)),
    kind(27, "I64", 1, 8, Read::As(Stored::I64)),
    kind(28, "F64", 1, 8, Read::As(Stored::F64)),
    kind(29, "IQ1_M", 256, 56, Read::Not),
    kind(30, "BF16", 1, 2, Read::As(Stored::BF16)),
    kind(34, "TQ1_0", 256, 54, Read::Not),
    kind(35, "TQ2_0", 256, 66, Read::Not),
    kind(39, "MXFP4", 32, 17, Read::Not),
];

impl Kind {
    pub fn of(number: u32) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| kind.number == number)
    }

    pub fn encoding(&self) -> Encoding {
        match self.read {
            Read::As(stored) => Encoding::Plain(stored),
            Read::Blocks(quant) => Encoding::Blocks(quant),
            Read::Not => Encoding::Foreign(self.name.to_string()),
        }
    }
}

impl Quant {
    fn kind(self) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| matches!(kind.read, Read::Blocks(quant) if quant == self))
    }

    pub fn name(self) -> &'static str {
        self.kind().map_or("", |kind| kind.name)
    }
}

/// Block by block to f32.
pub fn decode(quant: Quant, bytes: &[u8], values: &mut [f32]) {
    let Some(kind) = quant.kind() else { return };
    let work = match quant {
        Quant::Q4_0 => q4_0,
        Quant::Q4_1 => q4_1,
        Quant::Q5_0 => q5_0,
        Quant::Q5_1 => q5_1,
        Quant::Q8_0 => q8_0,
        Quant::Q2K => q2_k,
        Quant::Q3K => q3_k,
        Quant::Q4K => q4_k,
        Quant::Q5K => q5_k,
        Quant::Q6K => q6_k,
        Quant::Q8K => q8_k,
    };
    for (block, out) in bytes.chunks_exact(kind.bytes).zip(values.chunks_exact_mut(kind.block)) {
        work(block, out);
    }
}

fn half(block: &[u8], at: usize) -> f32 {
    half::f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Low halves of the bytes are the first 16 numbers, high halves the others; `number` makes one of its four bits and its
/// place.
fn halves(packed: &[u8], out: &mut [f32], number: impl Fn(u8, usize) -> f32) {
    for (at, &byte) in packed.iter().enumerate() {
        out[at] = number(byte & 15, at);
        out[at + 16] = number(byte >> 4, at + 16);
    }
}

fn q4_0(block: &[u8], out: &mut [f32]) {
    let scale = half(block, 0);
    halves(&block[2..], out, |bits, _| scale * (bits as i32 - 8) as f32);
}

fn q4_1(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half(block, 0), half(block, 2));
    halves(&block[4..], out, |bits, _| scale * bits as f32 + least);
}

/// The fifth bits of 32 numbers stand in a word of their own.
fn fifth(block: &[u8], from: usize, number: usize) -> u8 {
    (block[from + number / 8] >> (number % 8) & 1) << 4
}

fn q5_0(block: &[u8], out: &mut [f32]) {
    let scale = half(block, 0);
    halves(&block[6..], out, |bits, at| scale * ((bits | fifth(block, 2, at)) as i32 - 16) as f32);
}

fn q5_1(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half(block, 0), half(block, 2));
    halves(&block[8..], out, |bits, at| scale * (bits | fifth(block, 4, at)) as f32 + least);
}

fn q8_0(block: &[u8], out: &mut [f32]) {
    let scale = half(block, 0);
    for (slot, &byte) in out.iter_mut().zip(&block[2..]) {
        *slot = scale * (byte as i8) as f32;
    }
}

/// 16 groups of 16 with a 4-bit scale and a 4-bit minimum each: scales[16], two bits a number[64], scale, minimum.
fn q2_k(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half(block, 80), half(block, 82));
    for (at, slot) in out.iter_mut().enumerate() {
        let packed = block[at / 16];
        let (group, low) = (scale * (packed & 15) as f32, least * (packed >> 4) as f32);
        let bits = block[16 + at / 128 * 32 + at % 32] >> (at % 128 / 32 * 2) & 3;
        *slot = group * bits as f32 - low;
    }
}

/// 16 groups of 16 with a 6-bit scale: high bits[32], low bits[64], scales[12], scale.
fn q3_k(block: &[u8], out: &mut [f32]) {
    let scale = half(block, 108);
    let scales = &block[96..108];
    for (at, slot) in out.iter_mut().enumerate() {
        let group = at / 16;
        let low = if group < 8 { scales[group] & 15 } else { scales[group - 8] >> 4 };
        let high = scales[8 + group % 4] >> (group / 4 * 2) & 3;
        let factor = scale * ((low | high << 4) as i32 - 32) as f32;
        let bits = block[32 + at / 128 * 32 + at % 32] >> (at % 128 / 32 * 2) & 3;
        // The high bit is stored turned around: where it is not set, 4 is taken away.
        let missing = if block[at % 32] >> (at / 32) & 1 == 0 { 4 } else { 0 };
        *slot = factor * (bits as i32 - missing) as f32;
    }
}

/// The 6-bit scale and minimum of group `group` of 8, packed into 12 bytes.
fn six_bits(packed: &[u8], group: usize) -> (u8, u8) {
    if group < 4 {
        return (packed[group] & 63, packed[group + 4] & 63);
    }
    let last = packed[group + 4];
    ((last & 15) | packed[group - 4] >> 6 << 4, (last >> 4) | packed[group] >> 6 << 4)
}

/// 8 groups of 32: scale, minimum, scales and minima[12], four bits a number[128].
fn q4_k(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half(block, 0), half(block, 2));
    for (group, part) in out.chunks_exact_mut(32).enumerate() {
        let (factor, low) = six_bits(&block[4..16], group);
        let (factor, low) = (scale * factor as f32, least * low as f32);
        let bytes = &block[16 + group / 2 * 32..][..32];
        for (slot, &byte) in part.iter_mut().zip(bytes) {
            *slot = factor * (byte >> (group % 2 * 4) & 15) as f32 - low;
        }
    }
}

/// As Q4_K, with the fifth bits[32] before the others[128].
fn q5_k(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half(block, 0), half(block, 2));
    for (group, part) in out.chunks_exact_mut(32).enumerate() {
        let (factor, low) = six_bits(&block[4..16], group);
        let (factor, low) = (scale * factor as f32, least * low as f32);
        let bytes = &block[48 + group / 2 * 32..][..32];
        for (at, (slot, &byte)) in part.iter_mut().zip(bytes).enumerate() {
            let high = (block[16 + at] >> group & 1) << 4;
            *slot = factor * (byte >> (group % 2 * 4) & 15 | high) as f32 - low;
        }
    }
}

/// 16 groups of 16 with an 8-bit scale: low four bits[128], high two bits[64], scales[16], scale.
fn q6_k(block: &[u8], out: &mut [f32]) {
    let scale = half(block, 208);
    for (at, slot) in out.iter_mut().enumerate() {
        let (side, place) = (at / 128, at % 128);
        let low = block[side * 64 + place % 64] >> (place / 64 * 4) & 15;
        let high = block[128 + side * 32 + place % 32] >> (place / 32 * 2) & 3;
        let factor = scale * (block[192 + at / 16] as i8) as f32;
        *slot = factor * ((low | high << 4) as i32 - 32) as f32;
    }
}

/// A scale in f32, then the numbers[256]; the sums of groups behind them serve products only.
fn q8_k(block: &[u8], out: &mut [f32]) {
    let scale = f32::from_le_bytes([block[0], block[1], block[2], block[3]]);
    for (slot, &byte) in out.iter_mut().zip(&block[4..260]) {
        *slot = scale * (byte as i8) as f32;
    }
}
