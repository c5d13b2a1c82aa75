//! `locus fmt`: programs in one layout.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::cli::FmtArgs;
use super::output::{closed, complain, report_all, report_plain, say, stdout_colors};
use super::{FAILED, OK, REFUSED};
use crate::base::difference::{Line, difference};
use crate::session::layout::{Laid, Left, files, lay_out, lay_out_input};

pub fn fmt(args: &FmtArgs) -> u8 {
    let standard = Path::new("-");
    if args.paths.iter().any(|path| path == standard) {
        return match args.paths.as_slice() {
            [_] => fmt_input(args),
            _ => {
                complain(
                    "error: `-` is standard input, and stands alone\n  = help: name files and folders, or only `-`",
                );
                REFUSED
            }
        };
    }
    let mut tally = Tally { code: OK, seen: 0, changed: 0 };
    let mut done: Vec<PathBuf> = Vec::new();
    for path in &args.paths {
        match files(path) {
            Ok(found) => {
                for file in found.into_iter().filter(|file| !done.contains(file)).collect::<Vec<_>>() {
                    tally.file(&file, args);
                    done.push(file);
                }
            }
            Err(diagnostic) => {
                report_plain(&diagnostic);
                tally.code = REFUSED;
            }
        }
    }
    tally.close(args)
}

struct Tally {
    code: u8,
    seen: usize,
    changed: usize,
}

impl Tally {
    fn file(&mut self, path: &Path, args: &FmtArgs) {
        let laid = match lay_out(path) {
            Ok(laid) => laid,
            Err(left) => {
                self.code = self.code.max(refuse(&left));
                return;
            }
        };
        self.seen += 1;
        if !laid.changed() {
            return;
        }
        self.changed += 1;
        let name = &laid.script.name;
        if args.diff {
            show_difference(&laid);
        } else if args.check {
            say(&format!("{name}: would change"));
        } else if let Err(diagnostic) = laid.write() {
            report_plain(&diagnostic);
            self.code = self.code.max(FAILED);
        } else {
            say(&format!("{name}: changed"));
        }
    }

    fn close(&self, args: &FmtArgs) -> u8 {
        let would = if args.check || args.diff { "would change" } else { "changed" };
        if self.seen > 1 {
            complain(&format!("{} of {} files {would}", self.changed, self.seen));
        }
        if args.check && self.changed > 0 { self.code.max(FAILED) } else { self.code }
    }
}

/// Standard input to standard output. With errors nothing is written, so that an editor keeps what it has.
fn fmt_input(args: &FmtArgs) -> u8 {
    let laid = match lay_out_input(io::stdin().lock()) {
        Ok(laid) => laid,
        Err(left) => return refuse(&left),
    };
    if args.diff {
        show_difference(&laid);
    } else if !args.check {
        let mut out = io::stdout().lock();
        if let Err(error) = out.write_all(laid.after.as_bytes()).and_then(|()| out.flush()) {
            return closed(error.kind());
        }
    } else if laid.changed() {
        say(&format!("{}: would change", laid.script.name));
    }
    if args.check && laid.changed() { FAILED } else { OK }
}

fn refuse(left: &Left) -> u8 {
    report_all(&left.diagnostics, &left.sources);
    // A fault of our own is no fault of the text.
    if left.diagnostics.iter().any(|shown| shown.code == "R099") { FAILED } else { REFUSED }
}

fn show_difference(laid: &Laid) {
    if !laid.changed() {
        return;
    }
    let colors = stdout_colors();
    say(&format!("--- {0}\n+++ {0}", laid.script.name));
    for line in difference(&laid.script.text, &laid.after) {
        let color = match line {
            Line::Old(_) => "\u{1b}[31m",
            Line::New(_) => "\u{1b}[32m",
            Line::Part(..) => "\u{1b}[36m",
            Line::Same(_) => "",
        };
        match colors && !color.is_empty() {
            true => say(&format!("{color}{line}\u{1b}[0m")),
            false => say(&line.to_string()),
        }
    }
}
