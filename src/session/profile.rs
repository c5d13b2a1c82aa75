//! The measurements of a run as a table of source lines: what `locus run --profile` shows.
//!
//! A line of the standard library counts for the line of the script that called it, and is listed below it. Here
//! places become lines and lines become text or JSON; nothing is measured and nothing printed.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::Session;
use crate::base::span::{FileId, Sources, Span};
use crate::rt::profile::Row;

#[derive(Serialize)]
pub struct Report {
    /// Seconds from the start of the script's reading to its end.
    pub seconds: f64,
    /// Of these, seconds in which its statements ran.
    pub running: f64,
    /// The most memory that the process had, if the system tells.
    pub peak_bytes: Option<u64>,
    pub lines: Vec<Line>,
    /// Kinds of operations.
    pub operations: Vec<Kind>,
}

#[derive(Serialize)]
pub struct Line {
    pub file: String,
    pub line: usize,
    pub text: String,
    #[serde(flatten)]
    pub cost: Cost,
    /// Lines of the library that ran for this one; their cost is part of its.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub library: Vec<Line>,
}

#[derive(Serialize)]
pub struct Kind {
    pub operation: String,
    #[serde(flatten)]
    pub cost: Cost,
}

#[derive(Clone, Copy, Serialize)]
pub struct Cost {
    pub seconds: f64,
    /// Of the time in which statements ran.
    pub share: f64,
    pub calls: u64,
    pub largest_bytes: u64,
    pub allocated_bytes: u64,
}

/// A file and a line in it.
type Place = (FileId, usize);

/// What was seen in a session; nothing if it was not asked to measure.
pub fn report(session: &Session, seconds: f64) -> Option<Report> {
    let rows = session.ctx.profile.as_ref()?.rows();
    let sources = session.sources();
    let total: Duration = rows.iter().map(|(_, _, row)| row.time).sum();
    let mut lines: BTreeMap<Place, (Row, BTreeMap<Place, Row>)> = BTreeMap::new();
    let mut kinds: BTreeMap<&str, Row> = BTreeMap::new();
    for (span, word, row) in rows {
        kinds.entry(word).or_default().add(row);
        let (own, inner) = places(sources, span);
        let entry = lines.entry(own).or_default();
        entry.0.add(row);
        if let Some(inner) = inner {
            entry.1.entry(inner).or_default().add(row);
        }
    }
    let made = lines.into_iter().map(|(place, (row, inner))| {
        let inner = inner.into_iter().map(|(place, row)| line(sources, place, row, total, Vec::new()));
        line(sources, place, row, total, sorted(inner.collect(), |line| line.cost))
    });
    let kinds = kinds.into_iter().map(|(word, row)| Kind { operation: word.to_string(), cost: cost(row, total) });
    Some(Report {
        seconds,
        running: total.as_secs_f64(),
        peak_bytes: super::machine::peak_memory(),
        lines: sorted(made.collect(), |line| line.cost),
        operations: sorted(kinds.collect(), |kind| kind.cost),
    })
}

/// The line that a place counts for, and its own line if that is one of the library.
fn places(sources: &Sources, span: Span) -> (Place, Option<Place>) {
    let here = (sources.original(span.file), sources.line_column(span).0);
    match sources.caller(span.file) {
        Some(from) => ((from.file, sources.line_column(from).0), Some(here)),
        None => (here, None),
    }
}

fn line(sources: &Sources, (file, line): Place, row: Row, total: Duration, library: Vec<Line>) -> Line {
    let source = sources.get(file);
    let text = source.text.lines().nth(line - 1).unwrap_or("").trim().to_string();
    Line { file: source.name.clone(), line, text, cost: cost(row, total), library }
}

fn cost(row: Row, total: Duration) -> Cost {
    let seconds = row.time.as_secs_f64();
    let share = if total.is_zero() { 0.0 } else { seconds / total.as_secs_f64() };
    Cost { seconds, share, calls: row.calls, largest_bytes: row.largest, allocated_bytes: row.bytes }
}

fn sorted<T>(mut all: Vec<T>, cost: fn(&T) -> Cost) -> Vec<T> {
    all.sort_by(|a, b| cost(b).seconds.total_cmp(&cost(a).seconds));
    all
}

/// Lines, library lines for each of them, and kinds of operations that are shown.
const SHOWN: usize = 25;
const LIBRARY_SHOWN: usize = 6;
const KINDS_SHOWN: usize = 10;
/// Smaller shares of the time are not shown, unless memory asks for it.
const SMALLEST: f64 = 0.002;
/// Narrower terminals see fewer columns.
const NARROW: usize = 80;

impl Report {
    pub fn json(&self) -> Result<String, String> {
        serde_json::to_string_pretty(self).map_err(|error| error.to_string())
    }

    /// The table, at most `width` characters wide.
    pub fn text(&self, width: usize) -> String {
        let mut out = format!("profile: {} in all, {} running", shown_time(self.seconds), shown_time(self.running));
        if let Some(peak) = self.peak_bytes {
            let _ = write!(out, ", {} at most in memory", shown_bytes(peak));
        }
        let narrow = width < NARROW;
        out.push_str(&format!("\n\n{}  line\n", headings(narrow)));
        let notable = |line: &&Line| line.cost.share >= SMALLEST || line.cost.largest_bytes >= 1 << 20;
        let all: Vec<&Line> = self.lines.iter().filter(notable).collect();
        for line in all.iter().take(SHOWN) {
            self.row(&mut out, line, 0, width);
            let inner = line.library.iter().filter(|inner| inner.cost.share >= SMALLEST);
            inner.take(LIBRARY_SHOWN).for_each(|inner| self.row(&mut out, inner, 2, width));
        }
        if self.lines.len() > all.len().min(SHOWN) {
            let _ = writeln!(out, "... and {} lines that took less", self.lines.len() - all.len().min(SHOWN));
        }
        out.push_str(&format!("\n{}  operation\n", headings(narrow)));
        for kind in self.operations.iter().take(KINDS_SHOWN) {
            let _ = writeln!(out, "{}  {}", columns(kind.cost, narrow), kind.operation);
        }
        out
    }

    fn row(&self, out: &mut String, line: &Line, indent: usize, width: usize) {
        let head = columns(line.cost, width < NARROW);
        let text = format!("{:indent$}{}:{}  {}", "", line.file, line.line, line.text);
        let room = width.saturating_sub(head.chars().count() + 2).max(16);
        let _ = writeln!(out, "{head}  {}", cut(&text, room));
    }
}

fn headings(narrow: bool) -> String {
    match narrow {
        true => format!("{:>8} {:>5}", "time", "share"),
        false => format!("{:>8} {:>5} {:>8} {:>9} {:>9}", "time", "share", "calls", "largest", "allocated"),
    }
}

fn columns(cost: Cost, narrow: bool) -> String {
    let share = format!("{:.1}%", cost.share * 100.0);
    let head = format!("{:>8} {share:>5}", shown_time(cost.seconds));
    if narrow {
        return head;
    }
    let made = |bytes: u64| if bytes == 0 { "-".to_string() } else { shown_bytes(bytes) };
    let (largest, all) = (made(cost.largest_bytes), made(cost.allocated_bytes));
    format!("{head} {:>8} {largest:>9} {all:>9}", cost.calls)
}

/// At most `room` characters, with dots where something is missing.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_string();
    }
    let kept: String = text.chars().take(room.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

fn shown_time(seconds: f64) -> String {
    match seconds {
        s if s >= 100.0 => format!("{s:.0} s"),
        s if s >= 1.0 => format!("{s:.2} s"),
        s => format!("{:.1} ms", s * 1e3),
    }
}

/// `1.5 MB`, in powers of 1000.
pub fn shown_bytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b >= 1e12 => format!("{:.2} TB", b / 1e12),
        b if b >= 1e9 => format!("{:.2} GB", b / 1e9),
        b if b >= 1e6 => format!("{:.1} MB", b / 1e6),
        b if b >= 1e3 => format!("{:.1} kB", b / 1e3),
        b => format!("{b} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::load::DiskLoader;
    use crate::session::world::BufferWorld;
    use crate::session::{EngineKind, Output, Settings};

    fn profiled(engine: EngineKind, text: &str) -> Report {
        let world = BufferWorld::default();
        let settings = Settings { engine, profile: true, ..Settings::default() };
        let loader = Box::new(DiskLoader::new(std::path::Path::new(".")));
        let mut session = Session::new(loader, settings, Output::buffer(&world));
        assert!(session.enter("a.exp", text).is_ok());
        report(&session, 1.0).unwrap()
    }

    const TEXT: &str = "use std.random: normal\naxis m = 300, k = 300, n = 300\nlet a = normal[m, k](root, \"a\")\n\
                        let b = normal[k, n](root, \"b\")\nlet c = a @[k] b\nlet d = softmax[n](c)\nlet z = zeros[m]()\n";

    #[test]
    fn both_engines_name_the_same_lines() {
        for engine in [EngineKind::Jit, EngineKind::Interp] {
            let report = profiled(engine, TEXT);
            let at = |line: usize| report.lines.iter().find(|found| found.line == line && found.file == "a.exp");
            // Bytes are counted for the whole process, so only `tests/cli.rs` can look at them.
            assert!(at(5).is_some_and(|line| line.cost.calls > 0));
            let softmax = at(6).unwrap();
            // What a softmax is made of runs as one sweep, which stands for its last line.
            assert!(softmax.library.iter().all(|line| line.file.starts_with("std.")));
            assert!(!softmax.library.is_empty(), "what softmax is made of is listed below it");
            assert!(report.operations.iter().any(|kind| kind.operation == "product" && kind.cost.calls == 1));
            let shares: f64 = report.lines.iter().map(|line| line.cost.share).sum();
            assert!((shares - 1.0).abs() < 1e-9, "{shares}");
        }
    }

    #[test]
    fn the_table_keeps_to_its_width() {
        let report = profiled(EngineKind::Jit, TEXT);
        for width in [50, 80, 120] {
            let text = report.text(width);
            assert!(text.contains("a.exp:5"), "{text}");
            assert!(text.lines().skip(1).all(|line| line.chars().count() <= width), "{text}");
        }
        assert!(!report.text(50).contains("allocated") && report.text(80).contains("allocated"));
    }
}
