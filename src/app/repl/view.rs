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
            let view = printable(&short_view(one));
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
                say(&format!("  {ty}\n{}", indented(&indented(&printable(&short_view(leaf))))));
            }
            if many.len() > LEAVES {
                say(&format!("  ... and {} more", many.len() - LEAVES));
            }
        }
    }
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
    fn times_have_three_digits() {
        let text = |seconds: f64| duration(Duration::from_secs_f64(seconds));
        assert_eq!([text(0.0000123), text(0.0045), text(0.25), text(90.0)], ["12.3 us", "4.50 ms", "250 ms", "90.0 s"]);
    }
}
