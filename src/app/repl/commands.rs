//! The colon commands of the prompt.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::output::{complain, report_all, say};
use super::super::pages;
use super::super::run::{prepared, terminal};
use super::{Prompt, view};
use crate::check::{Length, Unit, UnitKind};
use crate::ir::print;
use crate::jit;
use crate::rt::files::reason;
use crate::rt::value::Value;
use crate::session::folder::{sha256, write_atomically};
use crate::session::load::Script;
use crate::session::prompt::is_expression;
use crate::session::world::Show;
use crate::session::{Failure, profile};

pub struct Command {
    pub name: &'static str,
    /// What it takes, as `:help` shows it.
    pub takes: &'static str,
    pub help: &'static str,
}

const fn command(name: &'static str, takes: &'static str, help: &'static str) -> Command {
    Command { name, takes, help }
}

/// In the order in which `:help` lists them.
pub const COMMANDS: &[Command] = &[
    command("help", "[NAME]", "this list; or the documentation of what has that name"),
    command("type", "EXPR", "the type of an expression, without running it"),
    command("names", "", "your own names and their types"),
    command("axes", "", "the axes, and the lengths of those that you declared"),
    command("time", "EXPR", "how long an expression takes"),
    command("profile", "EXPR", "where its time and memory go, line by line"),
    command("ir", "EXPR", "what runs for an expression"),
    command("clif", "EXPR", "the code generator's input for an expression"),
    command("explain", "[CODE]", "the page of an error; without a code, of the last one"),
    command("load", "FILE", "run a file as if it had been typed"),
    command("save", "FILE", "write the session as a program (:save! over any file)"),
    command("undo", "", "forget the last entry and run the others again"),
    command("quit", "", "leave (also Ctrl-D)"),
];

/// Where nothing tells how wide the terminal is.
const WIDTH: usize = 100;

impl Prompt {
    /// Runs a command without its colon; false to leave.
    pub(super) fn command(&mut self, text: &str) -> bool {
        let (name, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        let rest = rest.trim();
        self.calm();
        let takes = COMMANDS.iter().find(|command| command.name == name).map(|command| command.takes);
        if takes == Some("") && !rest.is_empty() {
            self.refuse(&format!("`:{name}` takes nothing"));
            return true;
        }
        match name {
            "quit" | "q" | "exit" => return false,
            "help" | "h" | "?" => self.help(rest),
            "type" | "t" => self.show_type(rest),
            "names" => self.show_names(),
            "axes" => self.show_axes(),
            "time" => self.time(rest),
            "profile" => self.profile(rest),
            "ir" => self.show_code(rest, false),
            "clif" => self.show_code(rest, true),
            "explain" => self.explain(rest),
            "load" if rest.is_empty() => self.refuse("`:load` needs the name of a file, such as `:load session.exp`"),
            "load" => {
                let _ = self.load(Path::new(rest));
            }
            "save" => self.save(rest, false),
            "save!" => self.save(rest, true),
            "undo" => self.undo(),
            _ => self.unknown(name),
        }
        self.calm();
        true
    }

    fn unknown(&mut self, name: &str) {
        let near = crate::base::suggest::closest(name, COMMANDS.iter().map(|command| command.name));
        let help = near.map_or("`:help` lists them".to_string(), |near| format!("did you mean `:{near}`?"));
        self.refuse(&format!("no command is called `:{name}`; {help}"));
    }

    /// Prepares an expression, works on it, and leaves no trace of it. The commands that look at code take nothing else:
    /// a statement would have to happen.
    fn with_expression(&mut self, command: &str, text: &str, work: impl FnOnce(&mut Prompt, &[Unit])) {
        if !is_expression(text) {
            self.refuse(&format!("`:{command}` takes an expression, such as `:{command} 1 + 2`"));
            return;
        }
        let name = self.next_name();
        let globals = self.session.globals.clone();
        match self.session.prepare(&name, text) {
            Ok(units) => {
                report_all(&std::mem::take(&mut self.session.checker.warnings), self.session.sources());
                work(self, &units);
                self.session.checker.forget_last_entry();
                self.session.globals = globals;
            }
            Err(failure) => {
                self.fail(&failure);
            }
        }
    }

    fn show_type(&mut self, text: &str) {
        let known = self.words.known().shown(&[text]);
        self.with_expression("type", text, |_, units| match units.last() {
            Some(unit) if unit.kind == UnitKind::Expression => say(unit.shown.as_deref().unwrap_or("nothing")),
            Some(unit) if unit.shown.is_some() => say(known.as_deref().or(unit.shown.as_deref()).unwrap_or("nothing")),
            _ => say("nothing"),
        });
    }

    fn show_names(&self) {
        let known = self.words.known();
        let own: Vec<String> =
            known.names.iter().filter(|name| name.own).map(|name| named(&name.name, &name.shown)).collect();
        say(if own.is_empty() { "you have given no names yet".to_string() } else { own.join("\n") }.as_str());
    }

    fn show_axes(&self) {
        let own = self.session.checker.own_axes();
        let length = |length: &Option<Length>| match length {
            Some(Length::Known(length)) => format!(" = {length}"),
            Some(Length::Held(global)) => match self.session.globals.get(global.0 as usize) {
                Some(Value::Int(length)) => format!(" = {length}"),
                _ => String::new(),
            },
            None => String::new(),
        };
        if !own.is_empty() {
            let shown: Vec<String> = own.iter().map(|(name, size)| format!("{name}{}", length(size))).collect();
            say(&format!("yours:    {}", shown.join(", ")));
        }
        let all = self.session.checker.visible_axes();
        let library: Vec<String> = all.into_iter().filter(|name| !own.iter().any(|(known, _)| known == name)).collect();
        let all = format!("library:  {}", library.join(" "));
        say(&view::fitted(&all, self.columns));
    }

    /// Runs the units once.
    fn run_once(&mut self, units: &[Unit]) -> Result<Duration, Failure> {
        units.iter().try_fold(Duration::ZERO, |total, unit| Ok(total + self.session.run_unit(unit)?.time))
    }

    /// Runs the expression until a second has passed, at least three and at most a hundred times.
    fn time(&mut self, text: &str) {
        self.with_expression("time", text, |prompt, units| {
            let (start, mut times) = (Instant::now(), Vec::new());
            while times.len() < 3 || (times.len() < 100 && start.elapsed() < Duration::from_secs(1)) {
                match prompt.run_once(units) {
                    Ok(time) => times.push(time),
                    Err(failure) => {
                        prompt.fail(&failure);
                        return;
                    }
                }
            }
            times.sort();
            let (fastest, median) = (times[0], times[times.len() / 2]);
            let runs = times.len();
            say(&format!("median {} of {runs} runs, fastest {}", view::duration(median), view::duration(fastest)));
        });
    }

    fn profile(&mut self, text: &str) {
        self.with_expression("profile", text, |prompt, units| {
            prompt.session.ctx.profile = Some(Default::default());
            let start = Instant::now();
            let ran = prompt.run_once(units);
            let report = profile::report(&prompt.session, start.elapsed().as_secs_f64());
            prompt.session.ctx.profile = None;
            match (ran, report) {
                (Ok(_), Some(report)) => {
                    let width = if prompt.columns == 0 { WIDTH } else { prompt.columns };
                    say(report.text(width).trim_end());
                }
                (Ok(_), None) => {}
                (Err(failure), _) => {
                    prompt.fail(&failure);
                }
            }
        });
    }

    fn show_code(&mut self, text: &str, clif: bool) {
        let command = if clif { "clif" } else { "ir" };
        self.with_expression(command, text, |prompt, units| {
            let module = prompt.session.optimised();
            for unit in units.iter().filter(|unit| unit.kind != UnitKind::Statement || unit.shown.is_none()) {
                if !clif {
                    say(print::function(module, unit.func).trim_end());
                    continue;
                }
                match jit::dump(module, unit.func, false) {
                    Ok(text) => say(text.trim_end()),
                    Err(why) => complain(&format!("error: no code was made: {why}")),
                }
            }
            if units.iter().any(|unit| unit.kind == UnitKind::Statement && unit.shown.is_some()) {
                let name = text.trim();
                prompt.refuse(&format!("a function has no code of its own; `:{command} {name}(...)` shows a call"));
            }
        });
    }

    fn explain(&mut self, code: &str) {
        match (code.is_empty(), self.last_code) {
            (true, None) => self.refuse("nothing has failed yet; `:explain E012` shows the page of that error"),
            (true, Some(code)) => {
                pages::explain(Some(code));
            }
            (false, _) => {
                pages::explain(Some(code.split_whitespace().next().unwrap_or(code)));
            }
        }
    }

    /// Writes the session as a program, if that program checks. A file that this session did not write stays.
    fn save(&mut self, path: &str, over: bool) {
        if path.is_empty() {
            return self.refuse("`:save` needs the name of a file, such as `:save session.exp`");
        }
        let target = PathBuf::from(path);
        if target.is_dir() {
            return self.refuse(&format!("`{path}` is a folder; name a file in it, such as `{path}/session.exp`"));
        }
        let same = |known: &String| std::fs::read(&target).is_ok_and(|content| *known == sha256(&content));
        // Only what was written here is read: a device might never end.
        let ours = target.is_file() && self.saved.get(&target).is_some_and(same);
        if !over && target.symlink_metadata().is_ok() && !ours {
            return self.refuse(&format!("`{path}` is there already; `:save! {path}` writes over it"));
        }
        let reads = |path: PathBuf| self.session.journal.lock().read.contains(&path);
        if target.canonicalize().is_ok_and(reads) {
            return self.refuse(&format!("`{path}` is an input of this session; save it under another name"));
        }
        let script = Script { name: path.to_string(), path: target.clone(), text: String::new() };
        let text = match self.log.program(&script.folder(), &self.session.checker.library_names()) {
            Ok(text) if text.is_empty() => return self.refuse("nothing was accepted yet, so there is nothing to save"),
            Ok(text) => text,
            Err(why) => return self.refuse(&why),
        };
        if prepared(&Script { text: text.clone(), ..script }, &[], &[]).is_err() {
            return self.refuse("the session cannot be written as one program, for the reason above");
        }
        match write_atomically(&target, text.as_bytes()) {
            Ok(()) => {
                self.saved.insert(target, sha256(text.as_bytes()));
                say(&format!("{} entries written to {path}", self.log.entries.len()));
                if !self.common.overrides.is_empty() {
                    complain("note: the program says nothing of --set; give it again to get the same values");
                }
            }
            Err(error) => self.refuse(&format!("cannot write `{path}`: {}", reason(&error))),
        }
    }

    /// Nothing is taken back in place: the session is built again from what remains, so that no trace is left.
    fn undo(&mut self) {
        let Some(last) = self.log.entries.pop() else {
            return self.refuse("there is nothing to undo");
        };
        let entries = std::mem::take(&mut self.log.entries);
        let silent = Show { prints: false, expectations: false, progress: true, color: false };
        let mut fresh = Prompt::new(&self.common, self.session.settings.remember, self.handles.clone(), silent);
        fresh.quiet = true;
        fresh.columns = self.columns;
        let good = entries.iter().filter(|entry| !fresh.again(entry)).count() == 0;
        let world = terminal(&self.common, Prompt::show(), &fresh.session.journal, &self.handles);
        fresh.session.set_world(world);
        fresh.quiet = false;
        (fresh.count, fresh.failed, fresh.last_code) = (self.count, self.failed || !good, self.last_code);
        (fresh.words, fresh.saved) = (self.words.clone(), std::mem::take(&mut self.saved));
        *self = fresh;
        self.learn();
        if good {
            say(&format!("undone: {}", last.text.lines().next().unwrap_or("")));
        }
    }

    fn help(&mut self, name: &str) {
        if name.is_empty() {
            say(&table());
            say("\nTab completes, Ctrl-R searches what was typed before, Ctrl-C stops what runs.");
            return;
        }
        if let Some(command) = name.strip_prefix(':').and_then(|name| COMMANDS.iter().find(|known| known.name == name))
        {
            say(&row(command, 0));
            return;
        }
        let found = pages::find(name);
        let own = self.words.known().find(name).filter(|known| known.own).map(|known| named(name, &known.shown));
        match (own, found.is_empty()) {
            (Some(own), true) => say(&own),
            (Some(own), false) => say(&format!("{own}\n\n{}", found.join("\n\n"))),
            (None, false) => say(&found.join("\n\n")),
            (None, true) => self.refuse(&format!("nothing is called `{name}`; `locus doc` lists the library")),
        }
    }
}

fn named(name: &str, shown: &str) -> String {
    if shown.starts_with(&format!("fn {name}")) { shown.to_string() } else { format!("{name} : {shown}") }
}

/// What `:help` lists.
fn table() -> String {
    let width = COMMANDS.iter().map(|command| command.name.len() + command.takes.len() + 1).max().unwrap_or(0);
    COMMANDS.iter().map(|command| row(command, width)).collect::<Vec<_>>().join("\n")
}

fn row(command: &Command, width: usize) -> String {
    let head = format!("{} {}", command.name, command.takes);
    format!("  :{:<width$}  {}", head.trim_end(), command.help)
}
