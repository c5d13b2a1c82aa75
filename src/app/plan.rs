//! `locus plan`: what a program will need, before anything runs.

use super::cli::PlanArgs;
use super::output::{complain, report_all, report_plain, say};
use super::run::prepared;
use super::{OK, REFUSED};
use crate::rt::kernels;
use crate::session::load::read_script;
use crate::session::plan as plans;

pub fn plan(args: &PlanArgs) -> u8 {
    let script = match read_script(&args.file) {
        Ok(script) => script,
        Err(diagnostic) => {
            report_plain(&diagnostic);
            return REFUSED;
        }
    };
    kernels::set_threads(None);
    let (mut session, units) = match prepared(&script, &args.overrides, &args.read) {
        Ok(ready) => ready,
        Err(code) => return code,
    };
    report_all(&session.checker.warnings, session.sources());
    let text = plans::text(&mut session, &units, args.memory);
    if text.is_empty() {
        complain("there is nothing to run");
    }
    say(text.trim_end());
    OK
}
