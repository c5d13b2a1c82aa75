//! Tokenizers: text to token ids and back, from the files that models come with.
//!
//! A file is read once, whole, and believed in nothing: its size is limited, what would make a text grow without bound
//! is refused, and a fault inside the crate that reads `tokenizer.json` ends here as an error of the file. Nothing here
//! adds tokens that nobody asked for: a start token, padding and truncation are the program's business.

mod bytes;
mod gguf;
mod hugging;
mod llama2c;
mod pieces;

use super::error::{Error, Result, code};
use super::files::{self, FileHandle};
use hugging::Hugging;
use pieces::Pieces;

/// The largest known `tokenizer.json` has 33 MB.
const MAX_FILE: u64 = 64 << 20;

/// The longest text that is encoded at once, in bytes: what works on it takes some 50 times as much.
pub const MAX_TEXT: usize = 8 << 20;

/// A tokenizer that was read.
#[derive(Debug)]
pub enum Tokenizer {
    /// A `tokenizer.json`.
    Hugging(Box<Hugging>),
    /// Pieces with scores, as SentencePiece's BPE models have them.
    Pieces(Pieces),
}

/// The tokenizer that a file is. Which kind follows from its first bytes.
pub fn read(file: &FileHandle) -> Result<Tokenizer> {
    if file.is_folder() {
        let inside = file.member("tokenizer.json").ok_or_else(|| file.fault("has no `tokenizer.json`"))?;
        return read(inside);
    }
    if file.bytes.starts_with(b"GGUF") {
        return gguf::read(files::document(file)?).map_err(|why| file.fault(why));
    }
    if file.length > MAX_FILE {
        return Err(file.fault(format!("is too large for a tokenizer: {} bytes", file.length)));
    }
    let bytes = &file.bytes[..];
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{') {
        return Hugging::read(bytes).map(|read| Tokenizer::Hugging(Box::new(read))).map_err(|why| file.fault(why));
    }
    llama2c::read(bytes).map(Tokenizer::Pieces).map_err(|why| {
        file.fault("is not a tokenizer: it is no JSON, no GGUF, and no table of pieces as llama2.c has them")
            .note("found", why)
            .help("a model's tokenizer stands in its tokenizer.json")
    })
}

impl Tokenizer {
    /// The ids of a text. Special tokens in the text become their own ids where the format does so (`tokenizer.json`),
    /// and nothing is put in front or behind.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        if text.len() > MAX_TEXT {
            let message = format!("a text of {} bytes cannot be encoded at once; the limit is {MAX_TEXT}", text.len());
            return Err(Error::new(code::ARGUMENT, message));
        }
        match self {
            Tokenizer::Hugging(own) => own.encode(text),
            Tokenizer::Pieces(own) => Ok(own.encode(text)),
        }
    }

    /// The text of ids; bytes that are not UTF-8 together become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        if let Some(id) = ids.iter().find(|&&id| self.name(id).is_none()) {
            return Err(self.outside(*id as i64));
        }
        match self {
            Tokenizer::Hugging(own) => own.decode(ids),
            Tokenizer::Pieces(own) => Ok(own.decode(ids)),
        }
    }

    /// The error about an id that the tokenizer does not have.
    pub fn outside(&self, id: i64) -> Error {
        Error::new(code::BOUNDS, format!("token {id} is not one of the tokenizer's {}", self.size()))
    }

    /// The id of a token by its name as the file has it, special tokens included.
    pub fn id(&self, name: &str) -> Option<u32> {
        match self {
            Tokenizer::Hugging(own) => own.id(name),
            Tokenizer::Pieces(own) => own.id(name),
        }
    }

    /// The name of a token as the file has it.
    pub fn name(&self, id: u32) -> Option<String> {
        match self {
            Tokenizer::Hugging(own) => own.name(id),
            Tokenizer::Pieces(own) => own.name(id),
        }
    }

    /// What a token stands for, byte by byte.
    pub fn piece(&self, id: u32) -> Option<Vec<u8>> {
        match self {
            Tokenizer::Hugging(own) => own.piece(id),
            Tokenizer::Pieces(own) => own.piece(id),
        }
    }

    /// How many tokens there are.
    pub fn size(&self) -> usize {
        match self {
            Tokenizer::Hugging(own) => own.size(),
            Tokenizer::Pieces(own) => own.size(),
        }
    }

    /// The names of special tokens, in the order of their ids.
    pub fn special(&self) -> Vec<String> {
        match self {
            Tokenizer::Hugging(own) => own.special(),
            Tokenizer::Pieces(own) => own.special(),
        }
    }
}

/// Bytes for a person to read: quoted, spaces as they are, and what is not text in hexadecimal.
pub fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("\"{}\"", text.escape_debug()),
        Err(_) => {
            let parts: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("<{}>", parts.join(" "))
        }
    }
}

#[cfg(test)]
mod tests;
