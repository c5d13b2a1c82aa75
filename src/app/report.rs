//! `locus report`: a run, and a page of it.

use std::path::PathBuf;

use super::cli::ReportArgs;
use super::output::{complain, say};
use super::run::{How, Ran, refuse};
use super::{FAILED, OK};
use crate::rt::files::reason;
use crate::session::folder::write_atomically;
use crate::session::provenance;
use crate::session::report::{Page, Pieces, render};

pub fn report(args: &ReportArgs) -> u8 {
    let (shown, kept) = (&args.shown, Pieces::default());
    let how = How { page: Some(kept.clone()), ..How::shown(shown) };
    let ran = match Ran::start(&shown.file, &shown.common, how) {
        Ok(ran) => ran,
        Err(diagnostic) => return refuse(&diagnostic),
    };
    let code = ran.report();
    if code != OK {
        if ran.failure.is_some() {
            complain("no page was written: the program did not come to its end");
        }
        return code;
    }
    ran.close(&shown.common, !shown.quiet);
    let record = provenance::record(&ran.session, &ran.script, ran.seconds, true);
    let (pieces, numbers) = kept.take();
    let page = render(&Page { script: &ran.script, record: &record, pieces, numbers });
    let to = args.to.clone().unwrap_or_else(|| default_name(args, &ran));
    if ran.session.journal.lock().keeps(&to) {
        complain(&format!("error: no page was written: `{}` is what this run reads", to.display()));
        return FAILED;
    }
    if let Err(error) = write_atomically(&to, page.as_bytes()) {
        complain(&format!("error: cannot write `{}`: {}", to.display(), reason(&error)));
        return FAILED;
    }
    say(&format!("wrote {}", to.display()));
    OK
}

/// `positional_variance.html`, beside what the program wrote.
fn default_name(args: &ReportArgs, ran: &Ran) -> PathBuf {
    args.shown.common.out.join(format!("{}.html", ran.script.stem()))
}
