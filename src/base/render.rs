//! Diagnostics as text: the message, the lines of source with carets and labels, aligned notes, the help.
//!
//! The layout of source lines is `annotate-snippets`' own. The result depends on nothing but the arguments, and a
//! span that does not fit its text is cut to fit, because a fault in a message must not hide the message.

use super::diag::{Diagnostic, Label, Severity};
use super::span::{FileId, Sources, Span};
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use std::borrow::Cow;
use std::ops::Range;

/// Lines wider than this are cut around the labels.
const WIDTH: usize = 140;

/// The message as people see it, with a line end at its end.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let message = shortened(&diagnostic.message);
    let title = level.primary_title(message.as_ref()).id(diagnostic.code);
    let mut group = Group::with_title(title);
    let files = files(diagnostic, sources);
    let placed = !files.is_empty();
    for file in files {
        group = group.element(snippet(diagnostic, sources, file));
    }
    for line in note_lines(&diagnostic.notes) {
        group = group.element(Level::NOTE.no_name().message(line));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(shortened(help)));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    tidied(&renderer.term_width(WIDTH).render(&[group]), placed)
}

/// A message may quote what a program made, which has no end: then so many letters of its start and of its end are shown,
/// where the reason often stands.
const SHOWN: (usize, usize) = (1_500, 400);

fn shortened(message: &str) -> Cow<'_, str> {
    let count = message.chars().count();
    if count <= SHOWN.0 + SHOWN.1 {
        return message.into();
    }
    let start: String = message.chars().take(SHOWN.0).collect();
    let end: String = message.chars().skip(count - SHOWN.1).collect();
    format!("{start} ... ({count} letters in all) ... {end}").into()
}

/// The renderer draws a line for a text even where none is shown, and lets through the control characters behind ASCII, one of
/// which begins the commands of a terminal.
fn tidied(text: &str, placed: bool) -> String {
    let is_bar = |line: &str| strip(line).trim() == "|";
    let bar = text.lines().position(is_bar).filter(|_| !placed);
    let lines = text.lines().enumerate().filter(|(number, _)| Some(*number) != bar);
    let mut tidy: String = lines.flat_map(|(_, line)| [line, "\n"]).collect();
    if tidy.contains(is_high_control) {
        tidy = tidy.replace(is_high_control, "\u{fffd}");
    }
    tidy
}

fn is_high_control(letter: char) -> bool {
    ('\u{80}'..='\u{9f}').contains(&letter)
}

/// A line without what colors it: `\x1b[`, numbers, `m`.
fn strip(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| part.split_once('m').map_or(part, |(_, text)| text));
    std::iter::once(first).chain(rest).collect()
}

/// Several messages, a blank line between them.
pub fn render_all(diagnostics: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let texts: Vec<String> = diagnostics.iter().map(|diagnostic| render(diagnostic, sources, color)).collect();
    texts.join("\n")
}

/// The files that labels stand in, the primary one first.
fn files(diagnostic: &Diagnostic, sources: &Sources) -> Vec<FileId> {
    let mut found: Vec<FileId> = Vec::new();
    for label in diagnostic.primary.iter().chain(&diagnostic.labels) {
        let file = label.span.file;
        if !found.contains(&file) && (file.0 as usize) < sources.len() {
            found.push(file);
        }
    }
    found
}

fn snippet<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources, file: FileId) -> Snippet<'a, Annotation<'a>> {
    let source = sources.get(file);
    let annotation = |kind: AnnotationKind, label: &'a Label| {
        let text = Some(label.text.as_str()).filter(|text| !text.is_empty());
        kind.span(within(&source.text, label.span)).label(text)
    };
    let primary = diagnostic.primary.iter().filter(|label| label.span.file == file);
    let others = diagnostic.labels.iter().filter(|label| label.span.file == file);
    Snippet::source(source.text.as_str())
        .path(source.name.as_str())
        .annotations(primary.map(|label| annotation(AnnotationKind::Primary, label)))
        .annotations(others.map(|label| annotation(AnnotationKind::Context, label)))
}

/// The part of a span that can be shown: on characters of the text, and of its first line only.
fn within(text: &str, span: Span) -> Range<usize> {
    let start = boundary(text, span.start as usize);
    let end = boundary(text, span.end as usize).max(start);
    let first_line = text[start..end].find('\n').map_or(end, |length| start + length);
    start..first_line
}

fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// `found   f32[feature]` under `needed  f32[pos]`: the texts start in one column.
fn note_lines(notes: &[(&'static str, String)]) -> Vec<String> {
    let width = notes.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
    let line = |key: &str, text: &str| if width == 0 { text.to_string() } else { format!("{key:<width$}  {text}") };
    notes.iter().map(|(key, text)| line(key, &shortened(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> (Sources, FileId) {
        let mut sources = Sources::default();
        sources.add("other.exp", "axis pos\n");
        let text = "let a = 1\nlet flat = acts |> mean[batch, pos]\nlet v = flat |> var[pos]\n";
        let file = sources.add("demo.exp", text);
        (sources, file)
    }

    #[test]
    fn a_message_without_a_place_has_no_empty_line_of_text() {
        let help = Diagnostic::plain("E043", "cannot read `z.exp`").help("scripts there: a.exp");
        let text = render(&help, &Sources::default(), false);
        assert_eq!(text, "error[E043]: cannot read `z.exp`\n = help: scripts there: a.exp\n");
        let colored = render(&help, &Sources::default(), true);
        assert_eq!(colored.lines().map(|line| strip(line) + "\n").collect::<String>(), text);
    }

    #[test]
    fn what_a_program_made_is_shown_without_harm() {
        let long = render(&Diagnostic::plain("R011", "a".repeat(5_000)), &Sources::default(), false);
        assert!(long.len() < 2_000 && long.contains("(5000 letters in all)"), "{}", long.len());
        let sly = render(&Diagnostic::plain("R008", "there is no `a\u{9b}2Jb`"), &Sources::default(), false);
        assert_eq!(sly, "error[R008]: there is no `a\u{fffd}2Jb`\n");
    }

    #[test]
    fn a_full_message() {
        let (sources, file) = sources();
        let diagnostic = Diagnostic::error("E012", Span::new(file, 66, 69), "`flat` has no axis `pos`")
            .here("the variance needs this axis")
            .label(Span::new(file, 29, 45), "`pos` was averaged away here")
            .label(Span::new(FileId(0), 5, 8), "declared here")
            .note("found", "f32[feature]")
            .note("needed", "f32[feature, pos, ..]")
            .help("average over the batch only:  acts |> mean[batch] |> var[pos]");
        let expected = "\
error[E012]: `flat` has no axis `pos`
 --> demo.exp:3:21
  |
2 | let flat = acts |> mean[batch, pos]
  |                    ---------------- `pos` was averaged away here
3 | let v = flat |> var[pos]
  |                     ^^^ the variance needs this axis
  |
 ::: other.exp:1:6
  |
1 | axis pos
  |      --- declared here
  |
  = found   f32[feature]
  = needed  f32[feature, pos, ..]
  = help: average over the batch only:  acts |> mean[batch] |> var[pos]
";
        assert_eq!(render(&diagnostic, &sources, false), expected);
        assert!(render(&diagnostic, &sources, true).contains("\u{1b}["));
    }

    #[test]
    fn without_a_place() {
        let diagnostic = Diagnostic::plain("E011", "no axis is called `featrue`").help("did you mean `feature`?");
        let expected = "error[E011]: no axis is called `featrue`\n = help: did you mean `feature`?\n";
        assert_eq!(render(&diagnostic, &Sources::default(), false), expected);
    }

    #[test]
    fn spans_that_do_not_fit_are_cut() {
        let mut sources = Sources::default();
        let file = sources.add("x.exp", "let é = 1");
        for (start, end) in [(0, 99), (5, 6), (9, 2), (50, 60), (10, 10), (0, 0)] {
            let diagnostic = Diagnostic::error("E001", Span::new(file, start, end), "odd");
            assert!(render(&diagnostic, &sources, false).contains("x.exp:1:"), "{start}..{end}");
        }
        let diagnostic = Diagnostic::error("E001", Span::new(FileId(7), 0, 1), "no such file");
        assert!(render(&diagnostic, &sources, false).starts_with("error[E001]: no such file"));
    }
}
