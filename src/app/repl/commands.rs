//! The colon commands of the prompt.

use std::path::Path;
use std::time::{Duration, Instant};

use super::super::output::{complain, say};
use super::super::pages;
use super::{Prompt, view};
use crate::check::UnitKind;
use crate::ir::print;
use crate::jit;
use crate::session::folder::write_atomically;

/// Names and one line of help, in the order in which `:help` lists them.
pub const COMMANDS: &[(&str, &str)] = &[
    ("help", "this list; with a name, the documentation of that function or module"),
    ("type", "the type of an expression, without running it"),
    ("names", "your own names and their types"),
    ("axes", "the axes that are declared"),
    ("time", "how long an expression takes"),
    ("ir", "what runs for an expression"),
    ("clif", "the code generator's input for an expression"),
    ("load", "run a file as if it had been typed"),
    ("save", "write what was accepted so far as a program"),
    ("undo", "forget the last entry and run the others again"),
    ("quit", "leave (also Ctrl-D)"),
];

impl Prompt {
    /// Runs a command without its colon; false to leave.
    pub(super) fn command(&mut self, text: &str) -> bool {
        let (name, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        let rest = rest.trim();
        match name {
            "quit" | "q" | "exit" => return false,
            "help" | "h" | "?" => help(rest),
            "type" | "t" => self.show_type(rest),
            "names" => self.show_names(),
            "axes" => say(&self.session.checker.visible_axes().join(" ")),
            "time" => self.time(rest),
            "ir" => self.show_code(rest, false),
            "clif" => self.show_code(rest, true),
            "load" => {
                let _ = self.load(Path::new(rest));
            }
            "save" => self.save(rest),
            "undo" => self.undo(),
            _ => complain(&format!("error: no command is called `:{name}`; `:help` lists them")),
        }
        true
    }

    fn show_type(&mut self, text: &str) {
        let name = self.next_name();
        match self.session.prepare(&name, text) {
            Ok(units) => match units.last() {
                Some(unit) if unit.kind == UnitKind::Expression => say(unit.shown.as_deref().unwrap_or("nothing")),
                _ => complain("error: `:type` takes an expression"),
            },
            Err(failure) => {
                self.fail(&failure);
            }
        }
    }

    fn show_names(&self) {
        let names = self.session.checker.visible_names();
        let own = names.iter().filter(|(_, ty)| ty != "fn" && ty != "module");
        for (name, ty) in own {
            say(&format!("{name} : {ty}"));
        }
    }

    /// Runs the expression until a second has passed, at least three and at most a hundred times.
    fn time(&mut self, text: &str) {
        let name = self.next_name();
        let units = match self.session.prepare(&name, text) {
            Ok(units) => units,
            Err(failure) => {
                self.fail(&failure);
                return;
            }
        };
        let (start, mut times) = (Instant::now(), Vec::new());
        while times.len() < 3 || (times.len() < 100 && start.elapsed() < Duration::from_secs(1)) {
            let mut total = Duration::ZERO;
            for unit in &units {
                match self.session.run_unit(unit) {
                    Ok(outcome) => total += outcome.time,
                    Err(failure) => {
                        self.fail(&failure);
                        return;
                    }
                }
            }
            times.push(total);
        }
        times.sort();
        let (fastest, median) = (times[0], times[times.len() / 2]);
        let runs = times.len();
        say(&format!("median {} of {runs} runs, fastest {}", view::duration(median), view::duration(fastest)));
    }

    fn show_code(&mut self, text: &str, clif: bool) {
        let name = self.next_name();
        let units = match self.session.prepare(&name, text) {
            Ok(units) => units,
            Err(failure) => {
                self.fail(&failure);
                return;
            }
        };
        for unit in units {
            let module = self.session.optimised();
            if !clif {
                say(print::function(module, unit.func).trim_end());
                continue;
            }
            match jit::dump(module, unit.func, false) {
                Ok(text) => say(text.trim_end()),
                Err(why) => complain(&format!("error: no code was made: {why}")),
            }
        }
    }

    fn save(&self, path: &str) {
        if path.is_empty() {
            complain("error: `:save` needs the name of a file, such as `:save session.exp`");
            return;
        }
        let mut text = self.accepted.join("\n");
        text.push('\n');
        match write_atomically(Path::new(path), text.as_bytes()) {
            Ok(()) => say(&format!("{} entries written to {path}", self.accepted.len())),
            Err(error) => complain(&format!("error: cannot write `{path}`: {error}")),
        }
    }

    /// Nothing is taken back in place: the session is built again from what remains, so that no trace is left.
    fn undo(&mut self) {
        let Some(last) = self.accepted.pop() else {
            complain("error: there is nothing to undo");
            return;
        };
        let entries = std::mem::take(&mut self.accepted);
        let folder = self.session.ctx.folder.clone();
        let mut fresh = Prompt::new(&self.common, self.session.settings.remember);
        fresh.session.ctx.folder = folder;
        fresh.words = self.words.clone();
        let quiet = fresh.replay(&entries);
        fresh.count = self.count;
        *self = fresh;
        self.learn();
        if quiet {
            say(&format!("undone: {}", last.lines().next().unwrap_or("")));
        }
    }

    /// Runs entries again; true if all of them went as before.
    fn replay(&mut self, entries: &[String]) -> bool {
        entries.iter().all(|entry| self.enter(entry))
    }
}

fn help(name: &str) {
    if name.is_empty() {
        for (name, text) in COMMANDS {
            say(&format!("  :{name:<6} {text}"));
        }
        return;
    }
    let found = pages::find(name);
    if found.is_empty() {
        complain(&format!("error: the standard library has no `{name}`"));
    } else {
        say(&found.join("\n\n"));
    }
}
