//! The rules of the house, checked by reading the sources: layers, file length, `unsafe`, printing, error pages.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each layer and the layers that its files may name.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("syntax", &["base"]),
    ("ir", &["base"]),
    ("rt", &["base"]),
    ("check", &["base", "syntax", "ir"]),
    ("pass", &["base", "ir"]),
    ("exec", &["base", "ir", "rt"]),
    ("jit", &["base", "ir", "rt", "exec"]),
    ("session", &["base", "syntax", "ir", "rt", "check", "pass", "exec", "jit"]),
    ("embed", &["base", "syntax", "ir", "rt", "check", "pass", "exec", "jit", "session"]),
    ("app", &["base", "syntax", "ir", "rt", "check", "pass", "exec", "jit", "session"]),
];

/// Files may be this long, their tests included.
const LONGEST_FILE: usize = 600;

/// The only places where `unsafe` may stand.
const UNSAFE_PLACES: &[&str] = &["jit/", "rt/simd.rs", "rt/simd/", "rt/blas.rs"];

struct Source {
    /// Relative to `src`.
    path: String,
    text: String,
}

impl Source {
    fn layer(&self) -> &str {
        self.path.split('/').next().unwrap_or("").trim_end_matches(".rs")
    }

    /// Lines that are neither comments nor part of the tests at the end, with their numbers from 1.
    fn code(&self) -> Vec<(usize, &str)> {
        let inline = self.text.match_indices("#[cfg(test)]\n").find(|(place, _)| {
            let item = self.text[place + "#[cfg(test)]\n".len()..].lines().next().unwrap_or("");
            item.contains("mod ") && item.ends_with('{')
        });
        let text = &self.text[..inline.map_or(self.text.len(), |(place, _)| place)];
        text.lines()
            .enumerate()
            .map(|(n, line)| (n + 1, line))
            .filter(|(_, l)| !l.trim_start().starts_with("//"))
            .collect()
    }

    /// The modules in files of their own that exist in tests only, as path prefixes.
    fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.strip_suffix("mod.rs") {
            Some(folder) => folder.to_string(),
            None => format!("{}/", self.path.trim_end_matches(".rs")),
        };
        let mut found = Vec::new();
        for part in self.text.split("#[cfg(test)]\n").skip(1) {
            let item = part.lines().find(|line| !line.starts_with("#[")).unwrap_or("");
            if let Some((_, name)) = item.strip_suffix(';').and_then(|item| item.rsplit_once("mod ")) {
                found.extend([format!("{folder}{name}.rs"), format!("{folder}{name}/")]);
            }
        }
        found
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut found = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(&src).unwrap().display().to_string();
                found.push(Source { path: relative, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    let tests: Vec<String> = found.iter().flat_map(Source::test_modules).collect();
    found.retain(|source| !tests.iter().any(|test| source.path.starts_with(test)));
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 50, "the sources were not found");
    found
}

fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// The first names after `crate::` in a line, `use crate::{a, b}` included.
fn named_modules(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for rest in line.split("crate::").skip(1) {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        found.push(&rest[..end]);
    }
    found
}

#[test]
fn layers_import_downwards_only() {
    let allowed: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let mut faults = Vec::new();
    for source in sources() {
        let Some(below) = allowed.get(source.layer()) else { continue };
        for (number, line) in source.code() {
            for module in named_modules(line) {
                if allowed.contains_key(module) && module != source.layer() && !below.contains(&module) {
                    faults.push(format!("src/{}:{number}: `{}` must not name `{module}`", source.path, source.layer()));
                }
            }
        }
    }
    none(faults);
}

#[test]
fn every_folder_is_a_layer_that_this_test_knows() {
    let known: BTreeSet<&str> = LAYERS.iter().map(|(name, _)| *name).chain(["lib", "main"]).collect();
    none(
        sources()
            .iter()
            .filter(|s| !known.contains(s.layer()))
            .map(|s| format!("src/{}: which layer?", s.path))
            .collect(),
    );
}

#[test]
fn files_are_short() {
    let long = |source: &Source| {
        let lines = source.text.lines().count();
        (lines > LONGEST_FILE).then(|| format!("src/{}: {lines} lines, at most {LONGEST_FILE}", source.path))
    };
    none(sources().iter().filter_map(long).collect());
}

#[test]
fn files_say_what_they_are_for() {
    let silent = |source: &&Source| !source.text.starts_with("//!");
    let fault = |source: &Source| format!("src/{}: does not open with a `//!` paragraph", source.path);
    none(sources().iter().filter(silent).map(fault).collect());
}

#[test]
fn unsafe_stands_in_few_places_with_a_reason() {
    let mut faults = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in source.code() {
            let code = line.split("//").next().unwrap_or("");
            let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
            // The type of a function promises nothing; whoever makes or calls one does.
            let is_type =
                code.contains("type ") || code.contains("extern \"C\" fn(") || code.ends_with("extern \"C\" {");
            if is_type || !words.into_iter().any(|word| word == "unsafe") {
                continue;
            }
            if !UNSAFE_PLACES.iter().any(|place| source.path.starts_with(place)) {
                faults.push(format!("src/{}:{number}: `unsafe` may not stand here", source.path));
            }
            if !is_explained(&lines, number) && !is_explained_at_its_trait(&lines, code) {
                faults.push(format!("src/{}:{number}: `unsafe` without a SAFETY comment beside it", source.path));
            }
        }
    }
    none(faults);
}

/// A comment above the line, or first thing inside.
fn is_explained(lines: &[&str], number: usize) -> bool {
    let around = &lines[number.saturating_sub(9)..(number + 2).min(lines.len())];
    around.iter().any(|line| line.contains("SAFETY") || line.contains("# Safety"))
}

/// A method states its obligations once, where the trait declares it.
fn is_explained_at_its_trait(lines: &[&str], code: &str) -> bool {
    let Some((_, rest)) = code.split_once("unsafe fn ") else { return false };
    let declaration = format!("unsafe fn {}(", rest.split('(').next().unwrap_or(""));
    let mut places = (1..=lines.len()).filter(|number| lines[number - 1].contains(&declaration));
    places.any(|number| lines[number - 1].ends_with(';') && is_explained(lines, number))
}

#[test]
fn only_the_command_line_prints() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| source.layer() != "app") {
        for (number, line) in source.code() {
            for word in ["println!", "print!", "eprintln!", "eprint!", "dbg!"] {
                if line.trim_start().starts_with(word) || line.contains(&format!(" {word}")) {
                    faults.push(format!("src/{}:{number}: {word}", source.path));
                }
            }
        }
    }
    none(faults);
}

#[test]
fn the_compiler_opens_no_files() {
    let compiler = ["base", "syntax", "ir", "check", "pass", "exec", "jit"];
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| compiler.contains(&source.layer())) {
        for (number, line) in source.code() {
            if line.contains("std::fs") || line.contains("fs::read") || line.contains("File::open") {
                faults.push(format!("src/{}:{number}: opens a file", source.path));
            }
        }
    }
    none(faults);
}

#[test]
fn nothing_is_left_to_do() {
    let mut faults = Vec::new();
    for source in sources() {
        for (number, line) in source.code() {
            for word in ["todo!", "unimplemented!", "panic!(", "unreachable!("] {
                if line.contains(word) {
                    faults.push(format!("src/{}:{number}: {word}", source.path));
                }
            }
        }
    }
    none(faults);
}

/// All texts `"E012"` and `"R003"` of the sources.
fn codes_in_use() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources() {
        for (_, line) in source.code() {
            for part in line.split('"') {
                let mut chars = part.chars();
                if part.len() == 4 && matches!(chars.next(), Some('E' | 'R')) && chars.all(|c| c.is_ascii_digit()) {
                    found.insert(part.to_string());
                }
            }
        }
    }
    found
}

fn pages() -> BTreeMap<String, String> {
    let folder = root().join("docs/errors");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let code = path.file_stem().unwrap().to_string_lossy().into_owned();
        found.insert(code, fs::read_to_string(&path).unwrap());
    }
    found
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let (codes, pages) = (codes_in_use(), pages());
    assert!(codes.len() > 20, "the codes were not found: {codes:?}");
    let mut faults = Vec::new();
    faults.extend(
        codes.iter().filter(|code| !pages.contains_key(*code)).map(|code| format!("docs/errors/{code}.md is missing")),
    );
    faults.extend(
        pages.keys().filter(|code| !codes.contains(*code)).map(|code| format!("docs/errors/{code}.md: no such code")),
    );
    none(faults);
}

#[test]
fn pages_have_a_title_and_show_the_repair() {
    // Nothing a program does can be wrong or right about these.
    let without = ["E051", "E099", "R013", "R014", "R099"];
    let mut faults = Vec::new();
    for (code, page) in pages() {
        if !page.starts_with(&format!("# {code}: ")) {
            faults.push(format!("{code}: the page does not open with `# {code}: `"));
        }
        let shows = (page.contains("```exp wrong") || page.contains("```exp fails")) && page.contains("```exp right");
        if !shows && !without.contains(&code.as_str()) {
            faults.push(format!("{code}: the page needs a wrong example and the repair"));
        }
    }
    none(faults);
}

#[test]
fn the_tree_of_the_map_exists() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for (layer, _) in LAYERS {
        assert!(map.contains(&format!("src/{layer}")), "ARCHITECTURE.md does not mention src/{layer}");
    }
    for word in map.split(|c: char| c.is_whitespace() || "()`,;|".contains(c)) {
        let file = word.trim_end_matches('.');
        let looks_like_a_file = file.starts_with("tests/") || file.starts_with("src/") || file.starts_with("docs/");
        if looks_like_a_file && !file.contains('*') && !file.contains('<') {
            assert!(Path::new(&root().join(file)).exists(), "ARCHITECTURE.md names {file}, which does not exist");
        }
    }
}
