//! The prompt: entries go to one session, whose values stay until the prompt ends.
//!
//! An entry that fails changes nothing but what its finished statements did. Ctrl-C while a statement runs stops
//! that statement; Ctrl-C while typing drops the line. Nothing here parses or computes.

mod commands;
mod helper;
mod view;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::cli::{Common, ReplArgs};
use super::output::{complain, report_all, report_plain, say, stdout_colors};
use super::run::{How, report_failure, session};
use super::{CLOSED, FAILED, OK, REFUSED};
use crate::base::span::FileId;
use crate::check::Unit;
use crate::session::load::read_script;
use crate::session::world::Show;
use crate::session::{Failure, Remember, Session};
use crate::syntax::ast::{Item, ItemKind, Pattern, Stmt, StmtKind};
use crate::syntax::parse;
use helper::{PromptHelper, Words};

/// The state of a prompt.
pub(super) struct Prompt {
    session: Session,
    common: Common,
    words: Words,
    /// What was accepted so far, for `:save` and `:undo`.
    accepted: Vec<String>,
    /// Numbers the entries in messages.
    count: usize,
    failed: bool,
}

type LineEditor = Editor<PromptHelper, FileHistory>;

pub fn repl(args: &ReplArgs) -> u8 {
    let mut prompt = Prompt::new(&args.common, if args.fresh { Remember::Fresh } else { Remember::On });
    if let Some(path) = &args.file
        && let Err(code) = prompt.load(path)
    {
        return code;
    }
    let mut editor = match line_editor(&prompt.words) {
        Ok(editor) => editor,
        Err(error) => {
            complain(&format!("error: the terminal cannot be used: {error}"));
            return FAILED;
        }
    };
    let interactive = io::stdin().is_terminal();
    if interactive {
        say(&format!("locus {}   :help for help, Ctrl-D to leave", env!("CARGO_PKG_VERSION")));
    }
    let history = history_file();
    if let Some(path) = &history {
        // There is none the first time.
        let _ = editor.load_history(path);
    }
    let code = prompt.serve(&mut editor);
    if let (Some(path), true) = (&history, interactive) {
        keep_history(&mut editor, path);
    }
    // A person saw what failed; a script that pipes into the prompt looks at the exit code.
    if code == OK && prompt.failed && !interactive { FAILED } else { code }
}

fn line_editor(words: &Words) -> rustyline::Result<LineEditor> {
    let config = Config::builder()
        .history_ignore_space(true)
        .auto_add_history(true)
        .completion_type(CompletionType::List)
        .build();
    let mut editor = LineEditor::with_config(config)?;
    editor.set_helper(Some(PromptHelper::new(words.clone())));
    Ok(editor)
}

fn history_file() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("LOCUS_HISTORY").or_else(|| {
        let state = named("XDG_STATE_HOME").or_else(|| named("HOME").map(|home| home.join(".local/state")))?;
        Some(state.join("locus/history"))
    })
}

/// A history that cannot be kept is no reason to trouble anybody.
fn keep_history(editor: &mut LineEditor, path: &Path) {
    if let Some(folder) = path.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    let _ = editor.save_history(path);
}

impl Prompt {
    fn new(common: &Common, remember: Remember) -> Prompt {
        let show = Show { prints: true, expectations: true, progress: true, color: stdout_colors() };
        let mut prompt = Prompt {
            session: session(common, Path::new("."), How::plain(show, remember)),
            common: common.clone(),
            words: Words::default(),
            accepted: Vec::new(),
            count: 0,
            failed: false,
        };
        prompt.learn();
        prompt
    }

    /// Reads and runs entries until the end of input; gives the exit code.
    fn serve(&mut self, editor: &mut LineEditor) -> u8 {
        loop {
            match editor.readline("> ") {
                Ok(entry) if entry.trim().is_empty() => {}
                Ok(entry) => {
                    let go_on = match entry.trim().strip_prefix(':') {
                        Some(command) => self.command(command),
                        None => {
                            self.enter(&entry);
                            true
                        }
                    };
                    if self.session.journal.lock().closed {
                        return CLOSED;
                    }
                    if !go_on {
                        return OK;
                    }
                }
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return OK,
                Err(error) => {
                    complain(&format!("error: the line cannot be read: {error}"));
                    return FAILED;
                }
            }
        }
    }

    fn next_name(&mut self) -> String {
        self.count += 1;
        format!("<repl {}>", self.count)
    }

    /// Runs one entry and shows what it gave.
    fn enter(&mut self, text: &str) -> bool {
        let name = self.next_name();
        let good = self.run_text(&name, text);
        if good {
            self.accepted.push(text.trim_end().to_string());
        }
        good
    }

    fn run_text(&mut self, name: &str, text: &str) -> bool {
        self.calm();
        let good = match self.session.prepare(name, text) {
            Err(failure) => self.fail(&failure),
            Ok(units) => {
                report_all(&std::mem::take(&mut self.session.checker.warnings), self.session.sources());
                let good = self.run_units(&units);
                if good {
                    self.show_constants(text, &units);
                }
                good
            }
        };
        self.calm();
        self.learn();
        good
    }

    /// Whatever asked for an end asked for that of the entry before.
    fn calm(&self) {
        self.session.memory.stop.soon.store(false, Ordering::Relaxed);
        self.session.ctx.interrupt.store(false, Ordering::Relaxed);
    }

    fn run_units(&mut self, units: &[Unit]) -> bool {
        for (place, unit) in units.iter().enumerate() {
            match self.session.run_unit(unit) {
                Ok(outcome) => view::show(&self.session, unit, &outcome),
                Err(failure) => {
                    // If nothing of the entry ran, its names mean again what they meant before.
                    if place == 0 {
                        self.session.checker.forget_last_entry();
                    }
                    return self.fail(&failure);
                }
            }
        }
        true
    }

    /// What the checker worked out by itself has no unit: `let x = 20`. A question for the name shows it.
    fn show_constants(&mut self, text: &str, units: &[Unit]) {
        let (program, _) = parse::parse_program(FileId(0), text);
        let shown = |name: &String| units.iter().any(|unit| unit.names.iter().any(|(known, ..)| known == name));
        let names: Vec<String> = program.items.iter().flat_map(let_names).filter(|name| !shown(name)).collect();
        for name in names {
            let Ok(asked) = self.session.prepare("<repl>", &name) else { continue };
            for unit in &asked {
                if let Ok(outcome) = self.session.run_unit(unit) {
                    view::show_as(&name, &self.session, unit, &outcome);
                }
            }
        }
    }

    fn fail(&mut self, failure: &Failure) -> bool {
        self.failed = true;
        report_failure(failure, self.session.sources());
        false
    }

    /// Runs a file as one entry.
    fn load(&mut self, path: &Path) -> Result<(), u8> {
        let script = read_script(path).map_err(|diagnostic| {
            report_plain(&diagnostic);
            REFUSED
        })?;
        self.session.ctx.folder = script.folder();
        if self.run_text(&script.name, &script.text) {
            self.accepted.push(script.text.trim_end().to_string());
            Ok(())
        } else {
            Err(FAILED)
        }
    }

    /// Tells the helper which names exist now.
    fn learn(&mut self) {
        self.words.set(self.session.checker.visible_names(), self.session.checker.visible_axes());
    }
}

fn let_names(item: &Item) -> Vec<String> {
    match &item.kind {
        ItemKind::Stmt(Stmt { kind: StmtKind::Let { pattern: Pattern::Name(name), .. }, .. }) => {
            vec![name.name.clone()]
        }
        ItemKind::Stmt(Stmt { kind: StmtKind::Let { pattern: Pattern::Record(names), .. }, .. }) => {
            names.iter().map(|name| name.name.clone()).collect()
        }
        _ => Vec::new(),
    }
}
