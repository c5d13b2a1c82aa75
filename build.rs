//! Writes the tables of texts that the binary carries: the standard library, the programs of its reference, and the pages
//! of `locus explain`; and a number for what the binary is built from.
//!
//! Must never fail on a missing folder: a checkout without documentation still builds, with an empty table.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let target = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?).join("embedded.rs");
    let mut text = String::new();
    text.push_str(&table(&root, "STDLIB", "stdlib", "exp", "The standard library: `models.gpt2` and its text.")?);
    text.push_str(&table(&root, "EXAMPLES", "docs/library", "exp", "A program that shows each module of it.")?);
    text.push_str(&table(&root, "PROGRAMS", "examples", "exp", "The programs of `examples`.")?);
    text.push_str(&table(&root, "ERROR_PAGES", "docs/errors", "md", "The pages of `locus explain`, by code.")?);
    println!("cargo::rustc-env=LOCUS_BUILD={:016x}", fingerprint(&root)?);
    fs::write(target, text)
}

/// What the runtime is made of, as a number: results of another build are never taken for those of this one.
fn fingerprint(root: &Path) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    for (folder, extension) in [("src", "rs"), ("grammar", "pest")] {
        println!("cargo::rerun-if-changed={folder}");
        let mut found = Vec::new();
        collect(&root.join(folder), "", extension, &mut found)?;
        found.sort();
        for (_, path) in found {
            path.hash(&mut hasher);
            fs::read(root.join(folder).join(&path))?.hash(&mut hasher);
        }
    }
    println!("cargo::rerun-if-changed=Cargo.lock");
    fs::read(root.join("Cargo.lock")).unwrap_or_default().hash(&mut hasher);
    let compiler = env::var_os("RUSTC").and_then(|rustc| Command::new(rustc).arg("-V").output().ok());
    compiler.map(|output| output.stdout).hash(&mut hasher);
    for variable in ["TARGET", "PROFILE", "CARGO_ENCODED_RUSTFLAGS", "OPT_LEVEL"] {
        env::var_os(variable).hash(&mut hasher);
    }
    Ok(hasher.finish())
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
