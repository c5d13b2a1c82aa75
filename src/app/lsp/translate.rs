//! The session's data in the protocol's words, and back: places, addresses, problems.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use lsp_types::{
    CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString, Position,
    Range, Uri,
};
use serde_json::json;

use super::library::LibraryFolder;
use crate::base::diag;
use crate::base::span::Span;
use crate::session::editor::places::{Lines, Place};
use crate::session::editor::{Findings, problem_text};

pub fn place(position: Position) -> Place {
    Place { line: position.line, column: position.character }
}

pub fn position(lines: &Lines, offset: usize) -> Position {
    let place = lines.place(offset);
    Position { line: place.line, character: place.column }
}

pub fn range(lines: &Lines, start: usize, end: usize) -> Range {
    Range { start: position(lines, start), end: position(lines, end.max(start)) }
}

pub fn span(lines: &Lines, span: Span) -> Range {
    range(lines, span.start as usize, span.end as usize)
}

/// The file that an address names; its bytes need not be text.
pub fn path(uri: &Uri) -> Option<PathBuf> {
    let rest = uri.as_str().strip_prefix("file://")?;
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    if !rest.starts_with('/') {
        return None;
    }
    let bytes = rest.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let coded = rest.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match coded.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    Some(PathBuf::from(OsString::from_vec(out)))
}

/// The address of a file.
pub fn uri(path: &Path) -> Option<Uri> {
    let whole = std::path::absolute(path).ok()?;
    let mut text = "file://".to_string();
    for &byte in whole.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    Uri::from_str(&text).ok()
}

/// The problems of a text, with the pages that explain them.
pub fn diagnostics(found: &Findings, uri: &Uri, library: &LibraryFolder) -> Vec<Diagnostic> {
    let lines = Lines::new(&found.sources.get(found.file).text);
    found.problems.iter().map(|problem| diagnostic(found, &lines, problem, uri, library)).collect()
}

fn diagnostic(
    found: &Findings,
    lines: &Lines,
    problem: &diag::Diagnostic,
    uri: &Uri,
    library: &LibraryFolder,
) -> Diagnostic {
    let place = problem.primary.as_ref().map_or(Span::default(), |label| label.span);
    let related = problem.labels.iter().filter_map(|label| {
        let location = location(found, label.span, uri, library)?;
        let message = if label.text.is_empty() { "here".to_string() } else { label.text.clone() };
        Some(DiagnosticRelatedInformation { location, message })
    });
    let related: Vec<_> = related.collect();
    Diagnostic {
        range: span(lines, place),
        severity: Some(match problem.severity {
            diag::Severity::Error => DiagnosticSeverity::ERROR,
            diag::Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(problem.code.to_string())),
        code_description: library.page(problem.code).map(|href| CodeDescription { href }),
        source: Some("locus".to_string()),
        message: problem_text(problem),
        related_information: (!related.is_empty()).then_some(related),
        tags: None,
        data: Some(json!({ "explain": format!("locus explain {}", problem.code) })),
    }
}

/// A place in this text, in a module of the library, or in a neighbour.
fn location(found: &Findings, at: Span, home: &Uri, library: &LibraryFolder) -> Option<Location> {
    let source = found.sources.get(at.file);
    let uri = match source.name.strip_prefix("std.") {
        _ if at.file == found.file => home.clone(),
        Some(name) => library.module(name)?,
        None => uri(Path::new(&source.name))?,
    };
    Some(Location { uri, range: span(&Lines::new(&source.text), at) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths() {
        let there = |text: &str| path(&Uri::from_str(text).unwrap());
        assert_eq!(there("file:///a%20b/%C3%A9.exp"), Some(PathBuf::from("/a b/\u{e9}.exp")));
        assert_eq!(there("file://localhost/a.exp"), Some(PathBuf::from("/a.exp")));
        assert_eq!(there("file://elsewhere/a.exp"), None);
        assert_eq!(there("untitled:Untitled-1"), None);
        for name in ["/a b/c.exp", "/\u{e9}#?%.exp"] {
            assert_eq!(path(&uri(Path::new(name)).unwrap()), Some(PathBuf::from(name)));
        }
        let odd = PathBuf::from(OsString::from_vec(b"/x\xff.exp".to_vec()));
        let address = uri(&odd).unwrap();
        assert_eq!(address.as_str(), "file:///x%FF.exp");
        assert_eq!(path(&address), Some(odd));
    }
}
