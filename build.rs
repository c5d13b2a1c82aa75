//! Writes the tables of texts that the binary carries: the standard library and the pages of `locus explain`.
//!
//! Must never fail on a missing folder: a checkout without documentation still builds, with an empty table.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let target = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?).join("embedded.rs");
    let mut text = String::new();
    text.push_str(&table(&root, "STDLIB", "stdlib", "exp", "The standard library: `models.gpt2` and its text.")?);
    text.push_str(&table(&root, "ERROR_PAGES", "docs/errors", "md", "The pages of `locus explain`, by code.")?);
    fs::write(target, text)
}

/// One table of (name, text), sorted by name; folders become dots in the name.
fn table(root: &Path, constant: &str, folder: &str, extension: &str, doc: &str) -> io::Result<String> {
    println!("cargo::rerun-if-changed={folder}");
    let mut found = Vec::new();
    collect(&root.join(folder), "", extension, &mut found)?;
    found.sort();
    let mut text = format!("/// {doc}\npub static {constant}: &[(&str, &str)] = &[\n");
    for (name, path) in found {
        text.push_str(&format!(
            "    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{folder}/{path}\"))),\n"
        ));
    }
    text.push_str("];\n");
    Ok(text)
}

fn collect(folder: &Path, prefix: &str, extension: &str, found: &mut Vec<(String, String)>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), extension, found)?;
        } else if let Some(stem) = name.strip_suffix(&format!(".{extension}")) {
            let path = format!("{prefix}{name}");
            found.push((format!("{prefix}{stem}").replace('/', "."), path));
        }
    }
    Ok(())
}
