//! Writing to the terminal: answers to standard output, messages to standard error, never a panic.

use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::path::PathBuf;
use std::sync::Mutex;

use super::{CLOSED, FAILED};
use crate::base::diag::Diagnostic;
use crate::base::render::render;
use crate::base::span::Sources;
use crate::rt::files::reason;
use crate::session::folder::Claim;

/// Where the last fault of our own happened.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// A line of an answer. A reader that has gone ends the process, as it would end any Unix tool.
pub fn say(text: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) {
        leave(closed(error.kind()));
    }
}

/// The exit code where standard output takes no more. Only a reader that has gone needs no word.
pub fn closed(why: io::ErrorKind) -> u8 {
    if why == io::ErrorKind::BrokenPipe {
        return CLOSED;
    }
    complain(&format!("error: cannot write to standard output: {}", reason(&why.into())));
    FAILED
}

/// A temporary folder that must not outlive the process, however it ends.
static TEMPORARY: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Names the folder that `leave` removes; nothing, once it is gone.
pub fn temporary(folder: Option<PathBuf>) {
    if let Ok(mut known) = TEMPORARY.lock() {
        *known = folder;
    }
}

/// The output folder of the command, given up when it ends, however it ends.
static CLAIM: Mutex<Option<Claim>> = Mutex::new(None);

/// Keeps the claim on an output folder; nothing, once the command has ended.
pub fn hold(claim: Option<Claim>) {
    if let Ok(mut held) = CLAIM.lock() {
        *held = claim;
    }
}

/// Ends the process at once, with nothing left behind.
pub fn leave(code: u8) -> ! {
    drop(CLAIM.try_lock().ok().and_then(|mut held| held.take()));
    // A lock that is held means that the folder is being named or forgotten right now.
    if let Some(folder) = TEMPORARY.try_lock().ok().and_then(|mut known| known.take()) {
        let _ = std::fs::remove_dir_all(folder);
    }
    std::process::exit(code.into())
}

/// A message to the person. If nobody can read it there is nothing left to do.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
}

pub fn report(diagnostic: &Diagnostic, sources: &Sources) {
    complain(&render(diagnostic, sources, colors(io::stderr().is_terminal())));
}

/// A message that has no place in a program.
pub fn report_plain(diagnostic: &Diagnostic) {
    report(diagnostic, &Sources::default());
}

pub fn report_all<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>, sources: &Sources) {
    let all: Vec<&Diagnostic> = diagnostics.into_iter().collect();
    // More than a screen of errors is read by nobody.
    for diagnostic in all.iter().take(10) {
        report(diagnostic, sources);
    }
    if all.len() > 10 {
        complain(&format!("... and {} more", all.len() - 10));
    }
}

/// Colors on a stream that is a terminal (or not), as https://no-color.org asks.
pub fn colors(terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    terminal && !set("NO_COLOR") && !dumb
}

pub fn stdout_colors() -> bool {
    colors(io::stdout().is_terminal())
}

pub fn remember_panic(about: &PanicHookInfo<'_>) {
    if let Ok(mut last) = LAST_PANIC.lock() {
        *last = Some(about.to_string());
    }
}

/// Where the last fault of our own happened, once.
pub fn take_panic() -> Option<String> {
    LAST_PANIC.lock().ok().and_then(|mut last| last.take())
}

/// The last resort: a fault of our own that no layer below caught.
pub fn internal_fault() -> u8 {
    let place = take_panic().unwrap_or_else(|| "no details".to_string());
    let fault = Diagnostic::plain("R099", "locus itself failed; this is a fault of locus and not of your program")
        .note("note", place)
        .help("please report it with the program that caused it");
    report_plain(&fault);
    FAILED
}
