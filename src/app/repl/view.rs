//! What the prompt shows of a value: its type, a short view of its numbers, and the time it took.

use std::time::Duration;

use super::super::output::say;
use crate::check::{Unit, UnitKind};
use crate::ir::Type;
use crate::rt::format::short_view;
use crate::rt::value::Value;
use crate::session::world::printable;
use crate::session::{Outcome, Session};

/// Statements faster than this are not worth a line.
const WORTH_SAYING: Duration = Duration::from_millis(100);
/// A head and a view that together are longer stand on lines of their own, if nobody knows how wide the terminal is.
const WIDTH: usize = 90;
/// So many leaves of a record are shown one by one.
const LEAVES: usize = 12;

pub fn show(session: &Session, unit: &Unit, outcome: &Outcome, columns: usize) {
    for (name, ty, globals) in &outcome.names {
        value(&format!("{name} : {ty}"), &session.leaves(globals), outcome.time, columns);
    }
    result("", session, unit, outcome, columns);
    if outcome.names.is_empty() && unit.kind != UnitKind::Expression && outcome.time > WORTH_SAYING {
        say(&format!("  ({})", duration(outcome.time)));
    }
}

/// The result of asking for a name.
pub fn show_as(name: &str, session: &Session, unit: &Unit, outcome: &Outcome, columns: usize) {
    result(&format!("{name} "), session, unit, outcome, columns);
}

fn result(before: &str, session: &Session, unit: &Unit, outcome: &Outcome, columns: usize) {
    if let Some((ty, values)) = &outcome.result {
        let types = &session.module().function(unit.func).results;
        let leaves: Vec<(Type, Value)> = types.iter().cloned().zip(values.iter().cloned()).collect();
        value(&format!("{before}: {ty}"), &leaves, outcome.time, columns);
    }
}

/// One value: on one line if that is short enough.
fn value(head: &str, leaves: &[(Type, Value)], time: Duration, columns: usize) {
    let time = duration(time);
    match leaves {
        // A function, a model: nothing to see.
        [] => say(head),
        [(_, one)] => {
            let view = fitted(&printable(&short_view(one)), columns.saturating_sub(2));
            let width = if columns == 0 { WIDTH } else { columns.min(WIDTH) };
            let long = head.chars().count() + view.chars().count() + time.chars().count() + 8 > width;
            if view.contains('\n') || long {
                say(&format!("{head}   ({time})\n{}", indented(&view)));
            } else {
                say(&format!("{head} = {view}   ({time})"));
            }
        }
        many => {
            say(&format!("{head}   ({time})"));
            for (ty, leaf) in many.iter().take(LEAVES) {
                let view = fitted(&printable(&short_view(leaf)), columns.saturating_sub(4));
                say(&format!("  {ty}\n{}", indented(&indented(&view))));
            }
            if many.len() > LEAVES {
                say(&format!("  ... and {} more", many.len() - LEAVES));
            }
        }
    }
}

/// Lines that are wider than the terminal are broken between their parts; 0 columns are none to keep to.
pub fn fitted(text: &str, columns: usize) -> String {
    if columns == 0 {
        return text.to_string();
    }
    let mut lines = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let (mut now, mut used) = (" ".repeat(indent), indent);
        for part in parts(line.trim_start(), columns) {
            let letters = part.trim_end().chars().count();
            if used + letters > columns && used > indent {
                lines.push(now.trim_end().to_string());
                now = " ".repeat(indent);
                used = indent;
            }
            now.push_str(part);
            used += part.chars().count();
        }
        lines.push(now.trim_end().to_string());
    }
    lines.join("\n")
}

/// What stays together: a number with its name, a histogram; words, where that is too long.
fn parts(line: &str, columns: usize) -> Vec<&str> {
    let (head, histogram) = line.split_at(line.find('\u{2595}').unwrap_or(line.len()));
    let mut found = Vec::new();
    for part in head.split_inclusive("  ") {
        match part.trim_end().chars().count() > columns {
            true => found.extend(part.split_inclusive(' ')),
            false => found.push(part),
        }
    }
    found.extend((!histogram.is_empty()).then_some(histogram));
    found
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Three digits and a unit.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let (number, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "us"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    let decimals = if number < 10.0 {
        2
    } else if number < 100.0 {
        1
    } else {
        0
    };
    format!("{number:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_lines_are_broken_between_words() {
        assert_eq!(
            fitted("f32[a = 3]  1 2 3\n  min 1  mean 2  max 3", 12),
            "f32[a = 3]\n1 2 3\n  min 1\n  mean 2\n  max 3"
        );
        assert_eq!(fitted("a b c", 0), "a b c");
    }

    #[test]
    fn times_have_three_digits() {
        let text = |seconds: f64| duration(Duration::from_secs_f64(seconds));
        assert_eq!([text(0.0000123), text(0.0045), text(0.25), text(90.0)], ["12.3 us", "4.50 ms", "250 ms", "90.0 s"]);
    }
}
