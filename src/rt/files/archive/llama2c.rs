//! Models in the format of llama2.c's `export.py` (version 0): seven whole numbers, then f32 tensors in a fixed order.
//! No mark tells the format, so a file is taken for one only if its size is exactly what its header asks for.

use super::super::super::error::{Error, Result};
use super::super::FileHandle;
use super::super::decode::Stored;
use super::{Archive, Encoding, Entry, Order, Place};
use serde_json::{Value, json};

/// The header in bytes.
const HEADER: usize = 28;

/// The header: lengths, and whether the unembedding has a table of its own.
struct Header {
    dim: usize,
    hidden: usize,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    vocab: usize,
    context: usize,
    own_classifier: bool,
}

impl Header {
    /// `None` if the numbers cannot be those of a model.
    fn of(bytes: &[u8]) -> Option<Header> {
        let word = |at: usize| Some(i32::from_le_bytes(bytes.get(at * 4..at * 4 + 4)?.try_into().ok()?));
        let length = |at: usize| word(at).filter(|&n| n > 0).map(|n| n as usize);
        let vocab = word(5)?;
        let header = Header {
            dim: length(0)?,
            hidden: length(1)?,
            layers: length(2)?,
            heads: length(3)?,
            kv_heads: length(4)?,
            vocab: vocab.unsigned_abs() as usize,
            context: length(6)?,
            // The sign of the vocabulary's size says it.
            own_classifier: vocab < 0,
        };
        let whole = header.dim % header.heads == 0 && header.heads % header.kv_heads == 0;
        let even = whole && (header.dim / header.heads).is_multiple_of(2);
        (even && header.vocab > 0).then_some(header)
    }

    /// The tensors in the order of the file. Every layer's matrices stand together.
    fn tensors(&self) -> Vec<(&'static str, Vec<usize>)> {
        let Header { dim, hidden, layers, heads, kv_heads, vocab, context, .. } = *self;
        let (kv, half) = (dim / heads * kv_heads, dim / heads / 2);
        let mut tensors = vec![
            ("token_embedding_table", vec![vocab, dim]),
            ("rms_att_weight", vec![layers, dim]),
            ("wq", vec![layers, dim, dim]),
            ("wk", vec![layers, kv, dim]),
            ("wv", vec![layers, kv, dim]),
            ("wo", vec![layers, dim, dim]),
            ("rms_ffn_weight", vec![layers, dim]),
            ("w1", vec![layers, hidden, dim]),
            ("w2", vec![layers, dim, hidden]),
            ("w3", vec![layers, hidden, dim]),
            ("rms_final_weight", vec![dim]),
            ("freq_cis_real", vec![context, half]),
            ("freq_cis_imag", vec![context, half]),
        ];
        if self.own_classifier {
            tensors.push(("wcls", vec![vocab, dim]));
        }
        tensors
    }

    /// The size of the whole file; `None` beyond what a machine can hold.
    fn bytes(&self) -> Option<usize> {
        self.tensors().iter().try_fold(HEADER, |total, (_, shape)| {
            let bytes = shape.iter().try_fold(4usize, |bytes, &length| bytes.checked_mul(length))?;
            total.checked_add(bytes)
        })
    }

    fn settings(&self) -> Value {
        json!({
            "dim": self.dim,
            "hidden_dim": self.hidden,
            "n_layers": self.layers,
            "n_heads": self.heads,
            "n_kv_heads": self.kv_heads,
            "vocab_size": self.vocab,
            "seq_len": self.context,
            "shared_classifier": !self.own_classifier,
        })
    }
}

/// Is the file exactly as long as its header says?
pub fn fits(bytes: &[u8]) -> bool {
    Header::of(bytes).and_then(|header| header.bytes()) == Some(bytes.len())
}

/// The error for a file whose header is plausible and whose size is not the header's.
pub fn near_miss(file: &FileHandle) -> Option<Error> {
    const LARGEST: usize = 1 << 20;
    let header = Header::of(&file.bytes)?;
    let plausible = [header.dim, header.hidden, header.layers, header.vocab, header.context].iter().max()? < &LARGEST;
    let needed = header.bytes().filter(|_| plausible)?;
    let message = format!(
        "holds no named tensors; as a llama2.c model it would be cut short or too long: {} bytes",
        file.bytes.len()
    );
    Some(file.fault(message).note("needed", format!("{needed} bytes, by the header of such a model")))
}

pub fn read(file: &FileHandle) -> Result<Archive> {
    let header = Header::of(&file.bytes).filter(|_| fits(&file.bytes));
    let header = header.ok_or_else(|| file.fault("is not a llama2.c model"))?;
    let mut at = HEADER;
    let mut entry = |(name, shape): (&str, Vec<usize>)| {
        let from = at;
        at += 4 * shape.iter().product::<usize>();
        let encoding = Encoding::Plain(Stored::F32);
        (
            name.to_string(),
            Entry {
                encoding,
                shape,
                order: Order::Rows,
                big_endian: false,
                member: None,
                place: Place::File(from..at),
            },
        )
    };
    let entries = header.tensors().into_iter().map(&mut entry).collect();
    Ok(Archive { format: "llama2c", entries, settings: Some(header.settings()) })
}
