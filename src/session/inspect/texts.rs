//! Texts, JSON lines, tables and tokenizers: how many lines, which fields, how many tokens. A corpus may be larger than
//! memory, so it is read in pieces.

use serde_json::Value;

use super::{row, section, tensors};
use crate::rt::error::Result;
use crate::rt::files::FileHandle;
use crate::rt::tokens::Tokenizer;

/// Special tokens that are named.
const SHOWN: usize = 8;

/// What is counted in a text.
#[derive(Default)]
struct Counts {
    lines: u128,
    letters: u128,
    /// Does the last line end without a line feed?
    open: bool,
}

fn count(file: &FileHandle) -> Result<Counts> {
    let (mut counts, mut piece, mut reader) = (Counts::default(), vec![0; 1 << 20], file.reader()?);
    loop {
        let read = reader.read(&mut piece)?;
        let Some(last) = piece[..read].last() else { break };
        counts.lines += piece[..read].iter().filter(|&&byte| byte == b'\n').count() as u128;
        // Every letter of UTF-8 has one byte that does not continue another.
        counts.letters += piece[..read].iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u128;
        counts.open = *last != b'\n';
    }
    counts.lines += counts.open as u128;
    Ok(counts)
}

pub fn plain(out: &mut String, file: &FileHandle) -> Result<()> {
    let counts = count(file)?;
    section(out, "text");
    row(out, "lines", &tensors::grouped(counts.lines));
    row(out, "letters", &tensors::grouped(counts.letters));
    Ok(())
}

/// The fields of a file of JSON lines, by its first line; `false` if it is none.
pub fn lines(out: &mut String, file: &FileHandle) -> Result<bool> {
    let first = file.bytes.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    let Some(Ok(Value::Object(fields))) = first.map(serde_json::from_slice::<Value>) else { return Ok(false) };
    let counts = count(file)?;
    section(out, "JSON lines");
    row(out, "lines", &tensors::grouped(counts.lines));
    for (name, value) in &fields {
        let kind = match value {
            Value::Null => "nothing in the first line",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        row(out, &name.escape_debug().to_string(), kind);
    }
    Ok(true)
}

/// A table of which only its kind is told here; its columns are read by name.
pub fn table(out: &mut String) {
    section(out, "a table");
    row(out, "columns", "not listed here; a program reads one by its name");
}

/// What a tokenizer is, as it was read.
pub fn tokenizer(out: &mut String, tokenizer: &Tokenizer) {
    section(out, "tokenizer, as read");
    row(out, "tokens", &tensors::grouped(tokenizer.size() as u128));
    let special = tokenizer.special();
    let mut shown: Vec<String> = special.iter().take(SHOWN).map(|name| name.escape_debug().to_string()).collect();
    if special.len() > SHOWN {
        shown.push(format!("and {} more", special.len() - SHOWN));
    }
    row(out, "special tokens", &if shown.is_empty() { "none".to_string() } else { shown.join(" ") });
}
