//! A session as a program that gives the same values when it is run.
//!
//! In a program a function holds from the first line, and a function that reads a value reads the latest. Where a
//! session gave a name a second meaning, the earlier one therefore gets a name of its own: `f_1`. What no name leads to
//! and no value came from is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use super::meaning::{Meanings, Place, World};
use super::{Entry, PartKind};
use crate::syntax::free::{DefKind, Space};
use crate::syntax::words;

/// A replacement of a part of a text.
pub type Edit = (Range<usize>, String);

/// The text with its parts replaced; where something changed, no rows of blank lines stay behind.
pub fn edited(text: &str, mut edits: Vec<Edit>) -> String {
    if edits.is_empty() {
        return text.to_string();
    }
    edits.sort_by_key(|(range, _)| std::cmp::Reverse((range.start, range.end)));
    let mut out = text.to_string();
    for (range, new) in edits {
        if out.get(range.clone()).is_some() {
            out.replace_range(range, &new);
        }
    }
    let mut lines: Vec<&str> = Vec::new();
    for line in out.lines() {
        let blank = line.trim().is_empty();
        if !(blank && lines.last().is_none_or(|last| last.is_empty())) {
            lines.push(if blank { "" } else { line.trim_end() });
        }
    }
    lines.join("\n").trim_end().to_string()
}

/// What is cut when an item goes: the item, and the `;` that parts it from the next.
pub fn cut(text: &str, range: &Range<usize>) -> Edit {
    let after = text.get(range.end..).unwrap_or("");
    let spaces = after.len() - after.trim_start_matches([' ', '\t']).len();
    let parted = after[spaces..].starts_with(';');
    (range.start..range.end + if parted { spaces + 1 } else { 0 }, String::new())
}

/// A declaration as it was used: with all that it led to then.
struct Version {
    place: Place,
    used: usize,
    world: World,
    name: String,
}

struct Writer<'a> {
    entries: &'a [Entry],
    meanings: Meanings<'a>,
    versions: Vec<Version>,
    /// Values that a function goes on to read after their name got another meaning, with their second names.
    kept_values: BTreeMap<(Place, String), String>,
    /// Names that are read as those of the library.
    outside: BTreeSet<(Space, String)>,
    taken: BTreeSet<String>,
}

pub fn program(entries: &[Entry], folder: &Path, library: &BTreeSet<String>) -> Result<String, String> {
    check_paths(entries, folder)?;
    check_imports(entries)?;
    let taken = entries.iter().flat_map(|entry| words(&entry.text)).map(|(_, word)| word.to_string()).collect();
    let mut writer = Writer {
        entries,
        meanings: Meanings::new(entries, Some(library)),
        versions: Vec::new(),
        kept_values: BTreeMap::new(),
        outside: BTreeSet::new(),
        taken,
    };
    writer.collect();
    writer.name_versions();
    let texts = (0..entries.len()).map(|entry| writer.entry(entry)).filter(|text| !text.trim().is_empty());
    let text = texts.collect::<Vec<_>>().join("\n");
    Ok(if text.is_empty() { text } else { format!("{text}\n") })
}

/// Files and neighbours are found from the folder of the program.
fn check_paths(entries: &[Entry], folder: &Path) -> Result<(), String> {
    let whole = |folder: &Path| {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf())
    };
    for entry in entries.iter().filter(|entry| whole(&entry.folder) != whole(folder)) {
        for part in entry.items.iter().filter(|part| part.kept) {
            let (PartKind::Input(path) | PartKind::Neighbour(path)) = &part.kind else { continue };
            if Path::new(path).is_relative() {
                let from = if entry.folder.as_os_str().is_empty() { Path::new(".") } else { &entry.folder };
                return Err(format!(
                    "`{path}` lies in `{}`, and a program looks for its files where it lies itself; save it there",
                    from.display()
                ));
            }
        }
    }
    Ok(())
}

/// Two imports of one name cannot stand in one program.
fn check_imports(entries: &[Entry]) -> Result<(), String> {
    let mut sources: BTreeMap<&str, &str> = BTreeMap::new();
    for part in entries.iter().flat_map(|entry| &entry.items).filter(|part| part.kept) {
        let (PartKind::Use(source) | PartKind::Neighbour(source)) = &part.kind else { continue };
        for def in part.names.defs.iter().filter(|def| def.kind == DefKind::Import) {
            if let Some(other) = sources.insert(&def.name, source)
                && other != source
            {
                return Err(format!(
                    "`{}` was imported from `{other}` and then from `{source}`, and a program can have only one of them",
                    def.name
                ));
            }
        }
    }
    Ok(())
}

impl Writer<'_> {
    fn last(&self) -> usize {
        self.entries.len().saturating_sub(1)
    }

    /// Finds the versions that are needed: what code used, and what names mean at the end.
    fn collect(&mut self) {
        for (entry, found) in self.entries.iter().enumerate() {
            for (item, part) in found.items.iter().enumerate().filter(|(_, part)| part.kept) {
                let place = Place { entry, item };
                if part.kind == PartKind::Declared {
                    let final_meaning = part.names.defs.iter().any(|def| {
                        let space = if def.kind == DefKind::Type { Space::Type } else { Space::Value };
                        self.meanings.current(&def.name, space, self.last(), None) == Some(place)
                    });
                    if final_meaning {
                        self.version(place, self.last());
                    }
                } else if !part.silent {
                    self.reads(place, entry);
                }
            }
        }
    }

    /// Follows what an item reads, if it is used in entry `used`.
    fn reads(&mut self, place: Place, used: usize) {
        let Some(part) = self.meanings.part(place) else { return };
        for (number, read) in part.names.reads.iter().enumerate() {
            match self.meanings.meaning(place, number, used) {
                Some(target) if self.meanings.is_declared(target) => {
                    self.version(target, used);
                }
                Some(target) if self.meanings.is_declared(place) => self.keep_value(target, &read.name),
                Some(_) => {}
                None => {
                    self.outside.insert((read.space, read.name.clone()));
                }
            }
        }
    }

    fn version(&mut self, place: Place, used: usize) -> usize {
        let world = self.meanings.world(place, used);
        let known = self.versions.iter().position(|known| known.place == place && known.world == world);
        known.unwrap_or_else(|| {
            self.versions.push(Version { place, used, world, name: String::new() });
            let number = self.versions.len() - 1;
            self.reads(place, used);
            number
        })
    }

    /// A function reads this value; if its name means another one later, it needs a second name.
    fn keep_value(&mut self, place: Place, name: &str) {
        let shadowed = self
            .meanings
            .all(name, Space::Value)
            .iter()
            .any(|other| *other > place && !self.meanings.is_declared(*other));
        if shadowed && !self.kept_values.contains_key(&(place, name.to_string())) {
            let second = self.new_name(name);
            self.kept_values.insert((place, name.to_string()), second);
        }
    }

    fn new_name(&mut self, name: &str) -> String {
        let free = (1..).map(|number| format!("{name}_{number}")).find(|new| !self.taken.contains(new));
        let free = free.unwrap_or_else(|| name.to_string());
        self.taken.insert(free.clone());
        free
    }

    fn name_versions(&mut self) {
        for number in 0..self.versions.len() {
            let place = self.versions[number].place;
            let Some((name, space)) = self.declared_name(place) else { continue };
            let is_last = self.meanings.current(&name, space, self.last(), None) == Some(place)
                && self.versions[number].world == self.meanings.world(place, self.last());
            let is_value = self.meanings.all(&name, space).iter().any(|other| !self.meanings.is_declared(*other));
            let plain = is_last && !is_value && !self.outside.contains(&(space, name.clone()));
            self.versions[number].name = if plain { name } else { self.new_name(&name) };
        }
    }

    fn declared_name(&self, place: Place) -> Option<(String, Space)> {
        let def = self.meanings.part(place)?.names.defs.first()?;
        Some((def.name.clone(), if def.kind == DefKind::Type { Space::Type } else { Space::Value }))
    }

    fn entry(&self, entry: usize) -> String {
        let found = &self.entries[entry];
        let mut edits: Vec<Edit> = Vec::new();
        for (item, part) in found.items.iter().enumerate() {
            let place = Place { entry, item };
            if !part.kept || part.silent {
                edits.push(cut(&found.text, &part.range));
            } else if part.kind == PartKind::Declared {
                edits.extend(self.declaration(place, &found.text));
            } else {
                edits.extend(self.renamed(place, entry));
                let second = |def: &crate::syntax::free::Def| {
                    let new = self.kept_values.get(&(place, def.name.clone()))?;
                    Some(format!("\nlet {new} = {}", def.name))
                };
                let added: String = part.names.defs.iter().filter_map(second).collect();
                if !added.is_empty() {
                    edits.push((part.range.end..part.range.end, added));
                }
            }
        }
        edited(&found.text, edits)
    }

    /// A declaration once for each of its versions.
    fn declaration(&self, place: Place, text: &str) -> Option<Edit> {
        let part = self.meanings.part(place)?;
        let own = text.get(part.range.clone())?;
        let start = part.range.start;
        let mut texts = Vec::new();
        for version in self.versions.iter().filter(|version| version.place == place) {
            let mut edits = self.renamed(place, version.used);
            let def = part.names.defs.first()?;
            if def.name != version.name {
                edits.push((def.span.start as usize..def.span.end as usize, version.name.clone()));
            }
            let inside = |(range, new): Edit| (range.start - start..range.end - start, new);
            texts.push(edited(own, edits.into_iter().map(inside).collect()));
        }
        let new = texts.join("\n");
        match new.is_empty() {
            true => Some(cut(text, &part.range)),
            false => (new != own).then(|| (part.range.clone(), new)),
        }
    }

    /// The edits of an item's text, if it is used in entry `used`.
    fn renamed(&self, place: Place, used: usize) -> Vec<Edit> {
        let Some(part) = self.meanings.part(place) else { return Vec::new() };
        let mut edits = Vec::new();
        for (number, read) in part.names.reads.iter().enumerate() {
            let Some(target) = self.meanings.meaning(place, number, used) else { continue };
            let new = if self.meanings.is_declared(target) {
                let world = self.meanings.world(target, used);
                let version = self.versions.iter().find(|known| known.place == target && known.world == world);
                version.map(|version| version.name.clone())
            } else if self.meanings.is_declared(place) {
                self.kept_values.get(&(target, read.name.clone())).cloned()
            } else {
                None
            };
            let Some(new) = new.filter(|new| *new != read.name) else { continue };
            let new = if read.short_field { format!("{}: {new}", read.name) } else { new };
            edits.push((read.span.start as usize..read.span.end as usize, new));
        }
        edits
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Entry, Log};
    use std::path::Path;

    fn saved(entries: &[&str]) -> String {
        let entries = entries.iter().map(|text| Entry::new("<repl>", text, Path::new("."))).collect();
        Log { entries }.program(Path::new("."), &["norm".to_string()].into()).unwrap()
    }

    #[test]
    fn what_means_one_thing_is_written_as_it_was_typed() {
        assert_eq!(
            saved(&["let x = 3 # three", "fn f(n: int) -> int { n + x }", "print(\"{f(x)}\")"]),
            "let x = 3 # three\nfn f(n: int) -> int { n + x }\nprint(\"{f(x)}\")\n"
        );
        assert_eq!(saved(&["let x = 3", "let x = x + 1"]), "let x = 3\nlet x = x + 1\n");
    }

    #[test]
    fn a_function_that_a_value_came_from_keeps_a_name() {
        let entries = [
            "fn f(n: int) -> int { n + 1 }",
            "fn g(n: int) -> int { f(n) }",
            "let a = g(1)",
            "fn f(n: int) -> int { n + 10 }",
            "let b = g(1)",
        ];
        assert_eq!(
            saved(&entries),
            "fn f_1(n: int) -> int { n + 1 }\nfn g(n: int) -> int { f(n) }\n\
             fn g_1(n: int) -> int { f_1(n) }\nlet a = g_1(1)\nfn f(n: int) -> int { n + 10 }\nlet b = g(1)\n"
        );
        // Nothing came from the first meaning.
        assert_eq!(
            saved(&["fn f() -> int { 1 }", "fn f() -> int { 2 }", "let a = f()"]),
            "fn f() -> int { 2 }\nlet a = f()\n"
        );
    }

    #[test]
    fn a_value_that_a_function_goes_on_to_read_gets_a_second_name() {
        assert_eq!(
            saved(&["let x = 1", "fn g() -> int { x }", "let x = 2", "print(\"{g()} {x}\")"]),
            "let x = 1\nlet x_1 = x\nfn g() -> int { x_1 }\nlet x = 2\nprint(\"{g()} {x}\")\n"
        );
    }

    #[test]
    fn a_name_of_the_library_stays_one() {
        assert_eq!(
            saved(&["let a = norm(v)", "fn norm(x) { x }", "let b = norm(v)"]),
            "let a = norm(v)\nfn norm_1(x) { x }\nlet b = norm_1(v)\n"
        );
    }
}
