//! `locus plan`: what a program will need, before anything runs.

use super::cli::PlanArgs;
use super::output::{complain, report_all, report_plain, say};
use super::run::report_failure;
use super::{OK, REFUSED};
use crate::rt::kernels;
use crate::session::load::{DiskLoader, read_script};
use crate::session::{Output, Session, Settings, plan as plans};

pub fn plan(args: &PlanArgs) -> u8 {
    let script = match read_script(&args.file) {
        Ok(script) => script,
        Err(diagnostic) => {
            report_plain(&diagnostic);
            return REFUSED;
        }
    };
    kernels::set_threads(None);
    let overrides = args.overrides.iter().cloned().collect();
    let settings = Settings { folder: script.folder(), overrides, ..Settings::default() };
    let output = Output::buffer(&Default::default());
    let mut session = Session::new(Box::new(DiskLoader::new(&script.folder())), settings, output);
    let units = match session.prepare(&script.name, &script.text) {
        Ok(units) => units,
        Err(failure) => {
            report_failure(&failure, session.sources());
            return REFUSED;
        }
    };
    report_all(&session.checker.warnings, session.sources());
    let text = plans::text(&mut session, &units, args.memory);
    if text.is_empty() {
        complain("there is nothing to run");
    }
    say(text.trim_end());
    OK
}
