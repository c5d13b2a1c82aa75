//! `locus inspect` as text: what a model, dictionary, token or tokenizer file holds, as its bytes and its settings say
//! it. Nothing is guessed: what no setting and no tensor's name says is called unsaid, and what cannot be read is named.

mod settings;
mod tensors;
mod texts;

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use super::profile::shown_bytes;
use crate::rt::error::{Error, Result};
use crate::rt::files::{self, FileHandle, Listed};

/// Opens a file or a folder and describes it.
pub fn text(path: &Path) -> Result<String> {
    let file = if path.is_dir() { files::open_folder(path, "", "")? } else { files::open(path, "", "")? };
    let mut out = String::new();
    head(&mut out, path, &file)?;
    match files::file_format(&file)? {
        "npy" => array(&mut out, &file)?,
        "json" => json(&mut out, &file)?,
        "text" => texts::plain(&mut out, &file)?,
        "parquet" | "arrow" => texts::table(&mut out),
        "folder" => folder(&mut out, &file)?,
        // llama2.c's tokenizers have no mark of their own.
        "unknown" if file.tokenizer().is_ok() => {}
        _ => archive(&mut out, &file)?,
    }
    if let Ok(tokenizer) = file.tokenizer() {
        texts::tokenizer(&mut out, tokenizer);
    }
    Ok(out)
}

fn head(out: &mut String, path: &Path, file: &FileHandle) -> Result<()> {
    let _ = writeln!(out, "{}", path.display());
    let what = match files::file_format(file)? {
        "folder" => format!("a folder, of which {} files count, {}", file.members.len(), shown_bytes(file.size())),
        format => format!("{}, {}", words(format), shown_bytes(file.size())),
    };
    row(out, "what", &what);
    row(out, "sha256", &file.sha256);
    for member in &file.members {
        let what =
            format!("{:>9}  {}", shown_bytes(member.size()), files::file_format(member).map_or("damaged", words));
        row(out, name(member), &what);
    }
    Ok(())
}

fn words(format: &str) -> &str {
    match format {
        "gguf" => "GGUF",
        "torch" => "PyTorch",
        "llama2c" => "a llama2.c model",
        "npy" => "an array of NumPy",
        "npz" => "arrays of NumPy",
        "json" => "JSON",
        "pickle" => "a Python pickle",
        "unknown" => "of no format that is known here",
        other => other,
    }
}

fn name(file: &FileHandle) -> &str {
    file.path.file_name().and_then(|name| name.to_str()).unwrap_or("")
}

/// `label   text`, as every line of the report is set.
fn row(out: &mut String, label: &str, text: &str) {
    let _ = writeln!(out, "  {label:<28} {text}");
}

fn section(out: &mut String, title: &str) {
    let _ = writeln!(out, "\n{title}");
}

/// Settings and tensors of one file. A file without any is an error that says what it is.
fn archive(out: &mut String, file: &FileHandle) -> Result<()> {
    let listed = files::listed(file)?;
    if let Ok(document) = files::document(file) {
        settings::write(out, document, &listed);
    } else {
        settings::write(out, &Value::Null, &listed);
    }
    tensors::write(out, &listed);
    Ok(())
}

fn folder(out: &mut String, file: &FileHandle) -> Result<()> {
    let config = file.member("config.json").or(file.member("cfg.json"));
    let weights = files::listed(file);
    let listed: &[Listed] = weights.as_deref().unwrap_or(&[]);
    match config.map(files::document) {
        Some(Ok(document)) => settings::write(out, document, listed),
        Some(Err(error)) => not_understood(out, &error),
        None => settings::write(out, &Value::Null, listed),
    }
    match weights {
        Ok(listed) => tensors::write(out, &listed),
        Err(error) => {
            not_understood(out, &error);
            one_by_one(out, file);
        }
    }
    if let Some(tokenizer) = file.member("tokenizer.json") {
        match files::document(tokenizer) {
            Ok(document) => settings::tokenizer(out, document),
            Err(error) => not_understood(out, &error),
        }
    }
    let beside = beside(file);
    if !beside.is_empty() {
        section(out, "not looked at");
        row(out, "files", &beside.join(", "));
    }
    Ok(())
}

/// The tensors of each file of a folder that does not say which of them holds the weights.
fn one_by_one(out: &mut String, file: &FileHandle) {
    for member in &file.members {
        if let Ok(listed) = files::listed(member) {
            section(out, name(member));
            tensors::write(out, &listed);
        }
    }
}

/// A part that cannot be read; the others are shown all the same.
fn not_understood(out: &mut String, error: &Error) {
    section(out, "not understood");
    let _ = writeln!(out, "  {error}");
    for (key, note) in &error.notes {
        row(out, key, note);
    }
}

/// What else lies in the folder.
fn beside(file: &FileHandle) -> Vec<String> {
    let entries = std::fs::read_dir(&file.path).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|own| file.member(own).is_none());
    names.sort();
    names
}

fn array(out: &mut String, file: &FileHandle) -> Result<()> {
    let (listed, range) = files::listed_array(file)?;
    section(out, "array");
    row(out, "shape", &tensors::shape(&listed.shape));
    row(out, "elements", &listed.stored);
    if let Some((least, most)) = range {
        row(out, "range", &format!("{least} to {most}"));
        let tokens = if least < 0 { "some are negative, so these are no token ids" } else { "could be token ids" };
        row(out, "whole numbers", tokens);
    }
    Ok(())
}

fn json(out: &mut String, file: &FileHandle) -> Result<()> {
    let document = match files::document(file) {
        Ok(document) => document,
        Err(_) if texts::lines(out, file)? => return Ok(()),
        Err(error) => return Err(error),
    };
    if settings::is_tokenizer(document) {
        settings::tokenizer(out, document);
    } else {
        settings::write(out, document, &[]);
    }
    Ok(())
}
