//! Places in source text.

use std::collections::HashMap;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Default)]
pub struct FileId(pub u32);

/// Bytes `start..end` of one file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Default)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(file: FileId, start: usize, end: usize) -> Span {
        Span { file, start: start as u32, end: end as u32 }
    }

    /// The smallest span that covers both (of one file).
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// One text: a file, a module of the standard library, or an entry typed at the prompt.
#[derive(Clone, Debug)]
pub struct Source {
    /// As shown to people: `examples/demo.exp`, `std.sae`, `<repl 3>`.
    pub name: String,
    pub text: String,
}

/// All texts of a session.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Entry>,
    called: HashMap<(FileId, Span), FileId>,
}

#[derive(Clone, Debug)]
enum Entry {
    Text(Source),
    /// The text of another entry, as it was read for one call: the same places, told apart by who called.
    Called {
        file: FileId,
        from: Span,
    },
}

impl Sources {
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        self.files.push(Entry::Text(Source { name: name.into(), text: text.into() }));
        FileId(self.files.len() as u32 - 1)
    }

    /// Another number for `file`, which says that its code stands there because of the call at `from`.
    pub fn called(&mut self, file: FileId, from: Span) -> FileId {
        if let Some(&known) = self.called.get(&(file, from)) {
            return known;
        }
        self.files.push(Entry::Called { file, from });
        let id = FileId(self.files.len() as u32 - 1);
        self.called.insert((file, from), id);
        id
    }

    /// The call because of which code stands there, if it was noted.
    pub fn caller(&self, file: FileId) -> Option<Span> {
        match self.files.get(file.0 as usize) {
            Some(Entry::Called { from, .. }) => Some(*from),
            _ => None,
        }
    }

    /// The number that `file` was added under.
    pub fn original(&self, file: FileId) -> FileId {
        match self.files.get(file.0 as usize) {
            Some(Entry::Called { file, .. }) => self.original(*file),
            _ => file,
        }
    }

    pub fn get(&self, file: FileId) -> &Source {
        match &self.files[file.0 as usize] {
            Entry::Text(source) => source,
            Entry::Called { file, .. } => self.get(*file),
        }
    }

    /// Is the text a module of the standard library?
    pub fn is_library(&self, file: FileId) -> bool {
        self.get(file).name.starts_with("std.")
    }

    /// The other texts that are files, in the order in which they were added; modules of the library are none.
    pub fn neighbours(&self, file: FileId) -> impl Iterator<Item = &Source> {
        let texts = self.files.iter().enumerate().filter(move |(number, _)| *number != file.0 as usize);
        texts.filter_map(|(_, entry)| match entry {
            Entry::Text(source) if source.name.ends_with(".exp") => Some(source),
            _ => None,
        })
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The text under a span.
    pub fn slice(&self, span: Span) -> &str {
        self.get(span.file).text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// Line and column, both from 1, of a span's start; columns count characters.
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        let text = &self.get(span.file).text;
        let before = text.get(..span.start as usize).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
        (line, column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_read_for_a_call_is_the_same_text_and_knows_the_call() {
        let mut sources = Sources::default();
        let library = sources.add("std.x", "fn f() { 1 }");
        let user = sources.add("a.exp", "let x = f()");
        let call = Span::new(user, 8, 11);
        let copy = sources.called(library, call);
        assert_eq!(copy, sources.called(library, call));
        assert_ne!(copy, library);
        assert_eq!((sources.caller(copy), sources.caller(library)), (Some(call), None));
        assert_eq!(sources.original(copy), library);
        assert_eq!(sources.slice(Span::new(copy, 9, 10)), "1");
        assert!(sources.is_library(copy) && !sources.is_library(user));
    }
}
