//! `locus tokenize`: how a tokenizer cuts a text, and ids back to text.

use std::io::Read;
use std::path::Path;

use super::cli::TokenizeArgs;
use super::output::{report_plain, say};
use super::{FAILED, OK};
use crate::base::diag::Diagnostic;
use crate::rt::error::{Error, Result, code};
use crate::rt::files;
use crate::rt::tokens::{MAX_TEXT, Tokenizer, shown};

pub fn tokenize(args: &TokenizeArgs) -> u8 {
    match answer(args) {
        Ok(lines) => {
            say(&lines);
            OK
        }
        Err(error) => {
            let mut diagnostic = Diagnostic::plain(error.code, error.message);
            (diagnostic.notes, diagnostic.help) = (error.notes, error.help);
            report_plain(&diagnostic);
            FAILED
        }
    }
}

fn answer(args: &TokenizeArgs) -> Result<String> {
    // A model's folder stands for the tokenizer in it.
    let inside = args.tokenizer.join("tokenizer.json");
    let path: &Path = if args.tokenizer.is_dir() { &inside } else { &args.tokenizer };
    let file = files::open(path, "", "")?;
    let tokenizer = file.tokenizer()?;
    let text = match args.text.as_deref() {
        None | Some("-") => standard_input()?,
        Some(text) => text.to_string(),
    };
    if args.decode {
        return tokenizer.decode(&numbers(tokenizer, &text)?);
    }
    let ids = tokenizer.encode(&text)?;
    if args.ids {
        return Ok(ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
    }
    Ok(table(tokenizer, &ids))
}

/// A line for each token: its index, its id, what it stands for.
fn table(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let width = |largest: usize| largest.to_string().len();
    let (first, second) = (width(ids.len().max(1) - 1), width(ids.iter().copied().max().unwrap_or(0) as usize));
    let line = |(index, &id): (usize, &u32)| {
        let piece = tokenizer.piece(id).filter(|piece| !piece.is_empty());
        let piece = piece.unwrap_or_else(|| tokenizer.name(id).unwrap_or_default().into_bytes());
        format!("{index:first$}  {id:second$}  {}", shown(&piece))
    };
    ids.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn standard_input() -> Result<String> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MAX_TEXT as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|cause| Error::new(code::FILE, format!("cannot read standard input: {cause}")))?;
    String::from_utf8(bytes)
        .map_err(|cause| Error::new(code::FILE, format!("standard input is not UTF-8 text: {}", cause.utf8_error())))
}

/// Ids between spaces, commas or brackets, as programs print them.
fn numbers(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
    let words = text.split(|letter: char| letter.is_whitespace() || matches!(letter, ',' | '[' | ']'));
    let number = |word: &str| {
        let id: i64 = word.parse().map_err(|_| {
            Error::new(code::ARGUMENT, format!("`{}` is not a token id", word.escape_debug()))
                .help("ids are whole numbers with spaces between them, such as 403 407 261")
        })?;
        u32::try_from(id).map_err(|_| tokenizer.outside(id))
    };
    words.filter(|word| !word.is_empty()).map(number).collect()
}
