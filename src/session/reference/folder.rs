//! The folder of a reference: whole files only, and nothing in it that is not ours is ever touched.
//!
//! `SHA256SUMS` says what was written, in the form of `sha256sum`. A folder that holds anything else is refused. The list is written
//! before the pages, with what stands there and what will, so that an interrupt leaves a folder that can be written again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use crate::rt::files::reason;
use crate::session::folder::{sha256, write_atomically};

const LIST: &str = "SHA256SUMS";

/// Writes the pages, and removes pages of an earlier time that are no more; or says why not, in a sentence.
pub fn write(folder: &Path, pages: &BTreeMap<String, String>) -> Result<(), String> {
    let before = ours(folder)?;
    let fault = |name: &str| {
        let shown = folder.join(name).display().to_string();
        move |error: io::Error| format!("cannot write `{shown}`: {}", reason(&error))
    };
    let lines: BTreeSet<(String, String)> =
        pages.iter().map(|(name, text)| (name.clone(), sha256(text.as_bytes()))).collect();
    let both = before.union(&lines).cloned().collect();
    write_atomically(&folder.join(LIST), list(&both).as_bytes()).map_err(fault(LIST))?;
    for (name, text) in pages {
        write_atomically(&folder.join(name), text.as_bytes()).map_err(fault(name))?;
    }
    for (name, _) in before.iter().filter(|(name, _)| !pages.contains_key(name)) {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fault(name)(error)),
            _ => {}
        }
    }
    write_atomically(&folder.join(LIST), list(&lines).as_bytes()).map_err(fault(LIST))
}

fn list(lines: &BTreeSet<(String, String)>) -> String {
    lines.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect()
}

/// What an earlier reference left in the folder, name and hash; an error where something else lies there.
fn ours(folder: &Path) -> Result<BTreeSet<(String, String)>, String> {
    let shown = folder.display();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(format!("`{shown}` is a file: name a folder that does not exist yet"));
        }
        Err(error) => return Err(format!("cannot read the folder `{shown}`: {error}")),
    };
    let text = fs::read_to_string(folder.join(LIST)).unwrap_or_default();
    let known: BTreeSet<(String, String)> = text
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(hash, name)| (name.to_string(), hash.to_string()))
        .collect();
    let mut found = BTreeSet::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("cannot read the folder `{shown}`: {error}"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == LIST && entry.file_type().is_ok_and(|kind| kind.is_file()) && is_list(&text) {
            continue;
        }
        let plain = entry.file_type().is_ok_and(|kind| kind.is_file());
        let listed = known.iter().any(|(known, _)| *known == name);
        // Only files that are listed are read.
        let bytes = if plain && listed { fs::read(entry.path()).ok() } else { None };
        match bytes.map(|bytes| (name.clone(), sha256(&bytes))).filter(|line| known.contains(line)) {
            Some(line) => drop(found.insert(line)),
            None => {
                return Err(format!(
                    "`{shown}` holds `{name}`, which the reference did not write: name an empty folder, or one that does not exist yet"
                ));
            }
        }
    }
    Ok(found)
}

/// Is every line a hash and the name of a page?
fn is_list(text: &str) -> bool {
    let line =
        |line: &str| line.split_once("  ").is_some_and(|(hash, name)| hash.len() == 64 && name.ends_with(".html"));
    text.lines().all(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(names: &[&str]) -> BTreeMap<String, String> {
        names.iter().map(|name| (format!("{name}.html"), format!("<p>{name}"))).collect()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_reference_is_written_again_and_leaves_no_old_page() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &pages(&["a", "b"])).unwrap();
        write(folder.path(), &pages(&["b", "c"])).unwrap();
        assert_eq!(names(folder.path()), ["SHA256SUMS", "b.html", "c.html"]);
    }

    #[test]
    fn what_is_not_ours_is_refused_and_left() {
        for (name, text) in [("notes.txt", "mine"), ("a.html", "mine"), ("SHA256SUMS", "mine"), (".hidden", "")] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(name), text).unwrap();
            let why = write(folder.path(), &pages(&["a"])).unwrap_err();
            assert!(why.contains(name), "{why}");
            assert_eq!(names(folder.path()), [name]);
        }
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &pages(&["a"])).unwrap();
        fs::write(folder.path().join("a.html"), "<p>changed by hand").unwrap();
        assert!(write(folder.path(), &pages(&["a"])).unwrap_err().contains("a.html"));
        assert_eq!(fs::read_to_string(folder.path().join("a.html")).unwrap(), "<p>changed by hand");
    }

    #[test]
    fn an_interrupted_reference_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &pages(&["a", "b"])).unwrap();
        let half = list(&pages(&["a", "b", "c"]).iter().map(|(n, t)| (n.clone(), sha256(t.as_bytes()))).collect());
        fs::write(folder.path().join(LIST), half).unwrap();
        fs::remove_file(folder.path().join("a.html")).unwrap();
        write(folder.path(), &pages(&["c"])).unwrap();
        assert_eq!(names(folder.path()), ["SHA256SUMS", "c.html"]);
        assert!(write(&folder.path().join("c.html"), &pages(&["a"])).unwrap_err().contains("is a file"));
    }
}
