//! Names of files in a bundle: which are safe on every system, and where a path that a program writes leads.
//!
//! What is written and what is read is held to the same rules, so whatever is bundled can be unpacked. Nothing here
//! looks at a disk.

use crate::rt::guard::quoted;
use std::collections::BTreeMap;
use std::path::{Component, Path};

/// The folder of a bundle that holds the program, its modules and its inputs.
pub const FILES: &str = "files";
/// The folder of a bundle that holds what the program wrote.
pub const RESULTS: &str = "results";

const LONGEST_NAME: usize = 240;
const DEEPEST: usize = 32;

/// What Windows takes for a device, whatever its extension.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Why a path cannot stand in a bundle, as the end of a sentence: relative, with `/`, plain on every system.
pub fn check(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("is empty".to_string());
    }
    if path.len() > LONGEST_NAME {
        return Err(format!("has {} bytes, and a name has at most {LONGEST_NAME}", path.len()));
    }
    if path.starts_with('/') {
        return Err("is an absolute path".to_string());
    }
    if path.ends_with('/') {
        return Err("is a folder, and a bundle holds files only".to_string());
    }
    if let Some(odd) = path.chars().find(|&c| is_odd(c)) {
        return Err(format!("holds the character `{}`", odd.escape_unicode()));
    }
    if let Some(odd) = path.chars().find(|c| "\\:<>\"|?*".contains(*c)) {
        return Err(format!("holds `{odd}`, which is no part of a file's name everywhere"));
    }
    let parts: Vec<&str> = path.split('/').collect();
    if parts.len() > DEEPEST {
        return Err(format!("is {} folders deep, and at most {DEEPEST} are taken", parts.len()));
    }
    parts.iter().try_for_each(|part| check_part(part))
}

fn check_part(part: &str) -> Result<(), String> {
    if part.is_empty() || part == "." {
        return Err("has a part without a name".to_string());
    }
    if part == ".." {
        return Err("leads out of its folder".to_string());
    }
    if part.ends_with(['.', ' ']) || part.starts_with(' ') {
        return Err("has a part that begins or ends with a space, or ends with a dot".to_string());
    }
    let stem = part.split('.').next().unwrap_or(part).to_ascii_lowercase();
    let numbered = |word: &str| {
        stem.strip_prefix(word).is_some_and(|rest| rest.len() == 1 && rest.chars().all(|c| c.is_ascii_digit()))
    };
    if DEVICES.contains(&stem.as_str()) || numbered("com") || numbered("lpt") {
        return Err(format!("is the name of a device, `{stem}`, on some systems"));
    }
    Ok(())
}

/// Control characters, those that turn or hide text, and accents apart from their letter, which some systems join.
fn is_odd(c: char) -> bool {
    let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    c.is_control() || hidden || matches!(c, '\u{300}'..='\u{36f}')
}

/// Why these paths cannot lie in one tree: two are one on systems that do not tell case, or one is a folder of another.
pub fn check_together<'a>(paths: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for path in paths {
        if let Some(other) = known.insert(folded(path), path) {
            return Err(format!("`{}` and `{}` are one name where case does not count", quoted(other), quoted(path)));
        }
    }
    for (key, path) in &known {
        let folder = format!("{key}/");
        if let Some((_, inner)) = known.range(folder.clone()..).next().filter(|(inner, _)| inner.starts_with(&folder)) {
            return Err(format!("`{}` would be a file and the folder of `{}`", quoted(path), quoted(inner)));
        }
    }
    Ok(())
}

/// Up and down again, so that letters with several forms are one: `ß` and `SS`.
fn folded(path: &str) -> String {
    path.to_uppercase().to_lowercase()
}

/// How many folders a path climbs before it goes down, and the rest of it.
pub fn climbs(path: &str) -> Result<(usize, Vec<String>), String> {
    let (mut up, mut parts) = (0, Vec::new());
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if parts.is_empty() => up += 1,
            Component::ParentDir => return Err("goes down and up again; write it without the detour".to_string()),
            Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            Component::RootDir | Component::Prefix(_) => {
                return Err("is absolute, and no other machine has it; write it relative to the script".to_string());
            }
        }
    }
    if parts.is_empty() { Err("names no file".to_string()) } else { Ok((up, parts)) }
}

/// Where a path leads that a program in `folder` (a path in the bundle) writes.
pub fn resolve(folder: &str, path: &str) -> Result<String, String> {
    let (up, parts) = climbs(path)?;
    let own: Vec<&str> = folder.split('/').collect();
    // The folder of all files itself is never left.
    let kept = own.len().checked_sub(up).filter(|&kept| kept > 0);
    let kept = kept.ok_or("leads out of the bundle")?;
    let all: Vec<&str> = own.iter().take(kept).copied().chain(parts.iter().map(String::as_str)).collect();
    Ok(all.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_pass_and_odd_ones_do_not() {
        for good in ["a", "files/a.exp", "files/grün/x y.npy", ".hidden/x", "consul.txt", "com10"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let long = "x".repeat(300);
        let deep = "a/".repeat(40) + "a";
        let bad = [
            "",
            "/etc/x",
            "../x",
            "a/../x",
            "a//b",
            "./a",
            "a/",
            "a\\b",
            "C:/x",
            "a\0b",
            "a\nb",
            "a.",
            " a",
            "a ",
            "nul",
            "sub/CON.txt",
            "com1",
            "a\u{202e}b",
            "e\u{301}",
            &long,
            &deep,
        ];
        for bad in bad {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_that_collide_somewhere_are_found() {
        assert!(check_together(["a/b", "a/c", "ab"]).is_ok());
        assert!(check_together(["a/B", "A/b"]).unwrap_err().contains("one name"));
        assert!(check_together(["straße", "STRASSE"]).is_err());
        assert!(check_together(["a", "A/b"]).unwrap_err().contains("folder of"));
        assert!(check_together(["a", "a!", "a/b"]).is_err());
    }

    #[test]
    fn paths_lead_where_they_lead_on_a_disk() {
        assert_eq!(resolve("files", "./data/x").unwrap(), "files/data/x");
        assert_eq!(resolve("files/p/p", "../../data/x").unwrap(), "files/data/x");
        assert!(resolve("files/p", "../../x").unwrap_err().contains("out of the bundle"));
        assert!(resolve("files", "a/../x").unwrap_err().contains("detour"));
        assert!(resolve("files", "/x").unwrap_err().contains("absolute"));
        assert!(resolve("files/p", "..").is_err());
    }
}
