//! `locus report`: a run, and a page of it.

use std::path::PathBuf;

use super::cli::ReportArgs;
use super::output::{complain, say, stdout_colors};
use super::run::{How, Ran, refuse};
use super::{FAILED, OK};
use crate::session::Remember;
use crate::session::folder::write_atomically;
use crate::session::provenance;
use crate::session::report::{Page, Pieces, render};
use crate::session::world::Show;

pub fn report(args: &ReportArgs) -> u8 {
    let loud = !args.quiet;
    let show = Show { prints: loud, expectations: loud, progress: loud, color: stdout_colors() };
    let remember = if args.fresh { Remember::Fresh } else { Remember::On };
    let kept = Pieces::default();
    let how = How { page: Some(kept.clone()), ..How::plain(show, remember) };
    let ran = match Ran::start(&args.file, &args.common, how) {
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
    ran.close(&args.common, loud);
    let record = provenance::record(&ran.session, &ran.script, ran.seconds, true);
    let (pieces, numbers) = kept.take();
    let page = render(&Page { script: &ran.script, record: &record, pieces, numbers });
    let to = args.to.clone().unwrap_or_else(|| default_name(args, &ran));
    if let Err(error) = write_atomically(&to, page.as_bytes()) {
        complain(&format!("error: cannot write `{}`: {error}", to.display()));
        return FAILED;
    }
    say(&format!("wrote {}", to.display()));
    OK
}

/// `positional_variance.html`, beside what the program wrote.
fn default_name(args: &ReportArgs, ran: &Ran) -> PathBuf {
    args.common.out.join(format!("{}.html", ran.script.stem()))
}
