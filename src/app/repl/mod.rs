//! The prompt: entries go to one session, whose values stay until the prompt ends.
//!
//! An entry that fails changes nothing but what its finished statements did. Ctrl-C while a statement runs stops
//! that statement; Ctrl-C while typing drops the line. Nothing here parses or computes.

mod commands;
mod helper;
mod view;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{ColorMode, CompletionType, Config, Editor};

use super::cli::{Common, ReplArgs};
use super::output::{closed, complain, report_all, report_plain, say, stdout_colors};
use super::run::{Handles, How, report_failure, session_with};
use super::{FAILED, OK, REFUSED};
use crate::base::span::FileId;
use crate::check::{Unit, UnitKind};
use crate::ir::Effect;
use crate::rt::ctx;
use crate::rt::reach::Reach;
use crate::session::load::read_script;
use crate::session::prompt::{Entry, Log, begins_experiment};
use crate::session::world::Show;
use crate::session::{Failure, Remember, Session};
use crate::syntax::ast::{Item, ItemKind, Pattern, Stmt, StmtKind};
use crate::syntax::parse;
use helper::{Known, PromptHelper, Words};

/// The state of a prompt.
pub(super) struct Prompt {
    session: Session,
    common: Common,
    handles: Handles,
    words: Words,
    /// What was accepted so far, for `:save` and `:undo`.
    log: Log,
    /// The files that `:save` wrote, with what they held then.
    saved: BTreeMap<PathBuf, String>,
    /// Numbers the entries in messages.
    count: usize,
    failed: bool,
    /// Of the error that was shown last.
    last_code: Option<&'static str>,
    /// Entries run again, and nothing of them is shown.
    quiet: bool,
    /// How wide the terminal is; 0 if there is none.
    columns: usize,
}

type LineEditor = Editor<PromptHelper, FileHistory>;

pub fn repl(args: &ReplArgs) -> u8 {
    let remember = if args.fresh { Remember::Fresh } else { Remember::On };
    let mut prompt = Prompt::new(&args.common, remember, Handles::listening(), Prompt::show());
    prompt.learn();
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
        // The helper is asked in any case, since it also says which hint follows the cursor.
        .color_mode(ColorMode::Forced)
        .build();
    let mut editor = LineEditor::with_config(config)?;
    editor.set_helper(Some(PromptHelper::new(words.clone(), stdout_colors())));
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
    /// What a person sees.
    fn show() -> Show {
        Show { prints: true, expectations: true, progress: true, color: stdout_colors() }
    }

    fn new(common: &Common, remember: Remember, handles: Handles, show: Show) -> Prompt {
        let mut session = session_with(common, Path::new("."), How::plain(show, remember), &handles);
        session.checker.keep_steps = true;
        session.ctx.reach = Reach::everywhere();
        Prompt {
            session,
            common: common.clone(),
            handles,
            words: Words::default(),
            log: Log::default(),
            saved: BTreeMap::new(),
            count: 0,
            failed: false,
            last_code: None,
            quiet: false,
            columns: 0,
        }
    }

    /// Reads and runs entries until the end of input; gives the exit code.
    fn serve(&mut self, editor: &mut LineEditor) -> u8 {
        loop {
            self.measure(editor);
            match editor.readline("> ") {
                Ok(entry) if entry.trim().is_empty() => {}
                Ok(entry) => {
                    self.measure(editor);
                    let go_on = match entry.trim().strip_prefix(':') {
                        Some(command) => self.command(command),
                        None => {
                            self.enter(&entry);
                            true
                        }
                    };
                    let silenced = self.session.journal.lock().closed;
                    if let Some(why) = silenced {
                        return closed(why);
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

    /// A terminal may have been made wider or narrower.
    fn measure(&mut self, editor: &mut LineEditor) {
        self.columns = editor.dimensions().map_or(0, |(columns, _)| usize::from(columns));
        self.session.ctx.columns = if self.columns == 0 { ctx::COLUMNS } else { self.columns.saturating_sub(1) };
        if let Some(helper) = editor.helper() {
            helper.columns.set(self.columns);
        }
    }

    fn next_name(&mut self) -> String {
        self.count += 1;
        format!("<repl {}>", self.count)
    }

    /// Runs what was typed and shows what it gave.
    fn enter(&mut self, text: &str) {
        let name = self.next_name();
        self.run_entry(Entry::new(&name, text, Path::new(".")));
    }

    /// Runs an accepted entry again; true if it went as before.
    fn again(&mut self, entry: &Entry) -> bool {
        self.run_in(&entry.folder, Entry::new(&entry.name, &entry.kept(), &entry.folder))
    }

    /// Runs an entry whose paths are relative to `folder`. A person reads what the person types; a file that is loaded may
    /// be a stranger's, and is held to its folder.
    fn run_in(&mut self, folder: &Path, entry: Entry) -> bool {
        let typed = entry.name.starts_with('<');
        self.session.ctx.folder = folder.to_path_buf();
        if !typed {
            let places = std::iter::once(folder).chain(self.common.read.iter().map(PathBuf::as_path));
            self.session.ctx.reach = Reach::below(places);
        }
        let good = self.run_entry(entry);
        self.session.ctx.folder = PathBuf::from(".");
        self.session.ctx.reach = Reach::everywhere();
        good
    }

    fn run_entry(&mut self, mut entry: Entry) -> bool {
        self.calm();
        if begins_experiment(&entry.text) && !self.log.entries.is_empty() {
            self.refuse("an experiment header sets the seed of everything, so it can only be entered first");
            return false;
        }
        let clock = self.session.clock();
        let good = match clock.and_then(|clock| Ok((clock, self.session.prepare(&entry.name, &entry.text)?))) {
            Err(failure) => self.fail(&failure),
            Ok((_clock, units)) => {
                report_all(&std::mem::take(&mut self.session.checker.warnings), self.session.sources());
                let stale = self.log.made_with_old(&entry);
                let good = self.run_units(&units, &mut entry);
                if good {
                    self.show_constants(&entry.text, &units);
                    self.tell_stale(&stale);
                }
                if !entry.is_empty() {
                    self.log.entries.push(entry);
                }
                self.session.release_nameless();
                good
            }
        };
        self.calm();
        self.learn();
        good
    }

    /// Values are not computed again because a function changed; the person should know which.
    fn tell_stale(&self, stale: &[(String, Vec<String>)]) {
        for (function, values) in stale.iter().filter(|_| !self.quiet) {
            let names: Vec<String> = values.iter().map(|name| format!("`{name}`")).collect();
            let keep = if names.len() == 1 { "keeps" } else { "keep" };
            say(&format!("  {} {keep} what the old `{function}` gave", names.join(", ")));
        }
    }

    /// Whatever asked for an end asked for that of the entry before.
    fn calm(&self) {
        self.session.memory.stop.soon.store(false, Ordering::Relaxed);
        self.session.ctx.interrupt.store(false, Ordering::Relaxed);
        self.session.ctx.reached.clear();
    }

    fn run_units(&mut self, units: &[Unit], entry: &mut Entry) -> bool {
        for unit in units {
            match self.session.run_unit(unit) {
                Ok(outcome) => {
                    self.show_outcome(unit, &outcome, &entry.text);
                    let shows_only = unit.kind == UnitKind::Expression || unit.shown.is_some();
                    if shows_only && self.session.optimised().function(unit.func).effect < Effect::Shows {
                        entry.is_silent(unit.span);
                    }
                }
                Err(failure) => {
                    self.take_back(unit, entry);
                    return self.fail(&failure);
                }
            }
        }
        true
    }

    fn show_outcome(&self, unit: &Unit, outcome: &crate::session::Outcome, text: &str) {
        if self.quiet {
            return;
        }
        match &unit.shown {
            // A function has no value to show, but a signature.
            Some(shown) if unit.kind == UnitKind::Statement => {
                say(self.words.known().shown(&[text.trim()]).as_ref().unwrap_or(shown));
            }
            _ => view::show(&self.session, unit, outcome, self.columns),
        }
    }

    /// After a unit that failed: its names, and those of what was to follow, mean again what they meant before.
    fn take_back(&mut self, unit: &Unit, entry: &mut Entry) {
        if entry.begins_at(unit.span) {
            self.session.checker.forget_last_entry();
            *entry = Entry::new(&entry.name, "", &entry.folder);
            return;
        }
        self.session.checker.forget_from(unit.func);
        let gone = self.session.checker.drop_broken(unit.span.file);
        entry.cut_from(unit.span, &gone);
    }

    /// What the checker worked out by itself has no unit: `let x = 20`. A question for the name shows it.
    fn show_constants(&mut self, text: &str, units: &[Unit]) {
        let (program, _) = parse::parse_program(FileId(0), text);
        let shown = |name: &String| units.iter().any(|unit| unit.names.iter().any(|(known, ..)| known == name));
        let names: Vec<String> = program.items.iter().flat_map(let_names).filter(|name| !shown(name)).collect();
        for name in names {
            let Ok(asked) = self.session.prepare("<repl>", &name) else { continue };
            for unit in &asked {
                if let Ok(outcome) = self.session.run_unit(unit)
                    && !self.quiet
                {
                    view::show_as(&name, &self.session, unit, &outcome, self.columns);
                }
            }
        }
    }

    fn fail(&mut self, failure: &Failure) -> bool {
        self.failed = true;
        self.last_code = failure.diagnostics().first().map(|shown| shown.code).or(self.last_code);
        report_failure(failure, self.session.sources());
        false
    }

    /// A complaint about what was typed, which no program made.
    fn refuse(&mut self, why: &str) {
        self.failed = true;
        complain(&format!("error: {why}"));
    }

    /// Runs a file as one entry; its paths are relative to where it lies.
    fn load(&mut self, path: &Path) -> Result<(), u8> {
        let script = read_script(path).map_err(|diagnostic| {
            self.failed = true;
            self.last_code = Some(diagnostic.code);
            report_plain(&diagnostic);
            REFUSED
        })?;
        let folder = script.folder();
        let good = self.run_in(&folder, Entry::new(&script.name, &script.text, &folder));
        if good { Ok(()) } else { Err(FAILED) }
    }

    /// Tells the helper which names exist now.
    fn learn(&mut self) {
        if self.quiet {
            return;
        }
        let checker = &self.session.checker;
        self.words.set(Known { names: checker.visible(), axes: checker.visible_axes(), folder: PathBuf::from(".") });
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
