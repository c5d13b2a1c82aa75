//! From documents to one flat stream of tokens, and where each document begins in it.
//!
//! Documents are encoded side by side, a batch at a time, and written in their order; the batches, and the tiles of the
//! stream, do not depend on the number of threads. In memory are one batch, the tiles that the store keeps there, and
//! eight bytes for each document.

use super::Document;
use crate::base::axis::Axis;
use crate::rt::aligned::Aligned;
use crate::rt::chunked::Growing;
use crate::rt::ctx::Ctx;
use crate::rt::error::{Error, Result, code};
use crate::rt::tensor::Tensor;
use crate::rt::tokens::Tokenizer;
use crate::rt::value::Value;
use rayon::prelude::*;

/// Tokens in a tile of the stream.
const TILE: usize = 1 << 18;
/// A batch is full at so many bytes of text, or at so many documents.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_DOCUMENTS: usize = 4096;

/// The stream, over one axis, and for each document where it begins, over another.
pub struct Flat {
    pub tokens: Value,
    pub begins: Value,
}

/// Where a stream comes from and goes to.
pub struct Plan<'a> {
    /// Encodes texts; ids need none.
    pub tokenizer: Option<&'a Tokenizer>,
    /// A token in front of each document.
    pub start: Option<i64>,
    pub stream: Axis,
    pub document: Axis,
    /// For progress: what is read, and about how many bytes it has.
    pub label: &'a str,
    pub bytes: u64,
}

/// The flat stream of all documents.
pub fn flat(ctx: &mut Ctx, documents: impl Iterator<Item = Result<Document>>, plan: &Plan) -> Result<Flat> {
    let mut growing = Growing::new(plan.stream, TILE);
    let (mut begins, mut tile, mut total): (Vec<i64>, Vec<i64>, usize) = (Vec::new(), Vec::with_capacity(TILE), 0);
    let (mut batch, mut bytes, mut done) = (Vec::new(), 0, 0u64);
    let mut documents = documents.peekable();
    while let Some(document) = documents.next() {
        let document = document?;
        bytes += match &document {
            Document::Text(text) => text.len(),
            Document::Ids(ids) => ids.len() * 8,
        };
        batch.push(document);
        if bytes < BATCH_BYTES && batch.len() < BATCH_DOCUMENTS && documents.peek().is_some() {
            continue;
        }
        ctx.check_interrupt()?;
        for ids in encoded(&batch, plan.tokenizer, begins.len())? {
            begins.push(total as i64);
            for id in plan.start.iter().chain(&ids) {
                tile.push(*id);
                if tile.len() == TILE {
                    growing.push(tensor(plan.stream, &tile)?)?;
                    tile.clear();
                }
            }
            total += ids.len() + usize::from(plan.start.is_some());
        }
        done += bytes as u64;
        // How much of the file that was is known only at its end.
        let shown = if documents.peek().is_some() { done.min(plan.bytes.saturating_sub(1)) } else { plan.bytes };
        ctx.world.progress(plan.label, shown, plan.bytes, "million tokens", total as f64 / 1e6);
        batch.clear();
        bytes = 0;
    }
    if !tile.is_empty() || growing.is_empty() {
        growing.push(tensor(plan.stream, &tile)?)?;
    }
    Ok(Flat { tokens: growing.finish()?, begins: tensor(plan.document, &begins)? })
}

/// The ids of the documents of a batch; `before` documents came before it.
fn encoded(batch: &[Document], tokenizer: Option<&Tokenizer>, before: usize) -> Result<Vec<Vec<i64>>> {
    let one = |(number, document): (usize, &Document)| match (document, tokenizer) {
        (Document::Ids(ids), _) => Ok(ids.clone()),
        (Document::Text(text), Some(tokenizer)) => {
            let ids = tokenizer.encode(text);
            let ids = ids.map_err(|error| error.note("document", (before + number).to_string()))?;
            Ok(ids.into_iter().map(i64::from).collect())
        }
        (Document::Text(_), None) => Err(Error::new(code::INTERNAL, "a text without a tokenizer")),
    };
    batch.par_iter().enumerate().map(one).collect()
}

fn tensor(axis: Axis, values: &[i64]) -> Result<Value> {
    Ok(Value::Tensor(Tensor::dense(&[(axis, values.len())], Aligned::from_slice(values))?))
}
