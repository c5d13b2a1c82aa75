//! `run`, `check`, `verify` and `bless`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::cli::{BlessArgs, CheckArgs, Common, RunArgs, Shown, VerifyArgs};
use super::output::{closed, complain, report, report_all, report_plain, say, stdout_colors};
use super::profile;
use super::{CLOSED, FAILED, INTERRUPTED, OK, REFUSED, TERMINATED, bundle, interrupt};
use crate::base::diag::Diagnostic;
use crate::check::Unit;
use crate::rt::ctx::World;
use crate::rt::kernels;
use crate::session::bless::is_repaired;
use crate::session::explain::conditions;
use crate::session::folder::OutputFolder;
use crate::session::journal::SharedJournal;
use crate::session::limits::{Limits, shown_time};
use crate::session::load::{DiskLoader, Script, read_script};
use crate::session::provenance::{self, Record};
use crate::session::remember::loops::Stop;
use crate::session::report::{PageWorld, Pieces};
use crate::session::world::{Show, TerminalWorld};
use crate::session::{Failure, Output, Remember, Session, Settings, verify as verdicts};

/// What of a run is shown, remembered, measured, and kept for a page.
pub struct How {
    pub show: Show,
    pub remember: Remember,
    pub profile: bool,
    pub page: Option<Pieces>,
}

impl How {
    pub fn plain(show: Show, remember: Remember) -> How {
        How { show, remember, profile: false, page: None }
    }

    /// As a person asked to see it.
    pub fn shown(args: &Shown) -> How {
        let loud = !args.quiet;
        let show = Show { prints: loud, expectations: loud, progress: loud, color: stdout_colors() };
        How::plain(show, if args.fresh { Remember::Fresh } else { Remember::On })
    }
}

/// What a signal sets and a running program looks at.
#[derive(Clone, Default)]
pub struct Handles {
    pub interrupt: Arc<AtomicBool>,
    pub stop: Arc<Stop>,
}

impl Handles {
    /// Handles that Ctrl-C and polite requests to end reach.
    pub fn listening() -> Handles {
        let handles = Handles::default();
        interrupt::listen(&handles.interrupt, &handles.stop);
        handles
    }
}

/// A session for a script.
pub fn session(common: &Common, folder: &Path, how: How) -> Session {
    session_with(common, folder, how, &Handles::listening())
}

/// The same with handles that others share: a prompt has one pair for all its sessions.
pub fn session_with(common: &Common, folder: &Path, how: How, handles: &Handles) -> Session {
    kernels::set_threads(common.threads.map(usize::from));
    let mut overrides = BTreeMap::new();
    overrides.extend(common.overrides.iter().cloned());
    let settings = Settings {
        engine: common.engine.into(),
        overrides,
        strict: false,
        check_finite: common.check_finite,
        folder: folder.to_path_buf(),
        memory: common.memory.map(|bytes| bytes as usize),
        disk: common.disk,
        remember: how.remember,
        profile: how.profile,
        read: common.read.clone(),
        reads_everywhere: common.kernel_alone,
        limits: Limits { time: common.time, stuck: Some(stuck), ..Limits::default() }.with_output(common.max_output),
        account: None,
    };
    let journal = SharedJournal::default();
    let world = terminal(common, how.show, &journal, handles);
    let world: Box<dyn World> = match how.page {
        Some(pieces) => Box::new(PageWorld { inner: world, pieces }),
        None => world,
    };
    let Handles { interrupt, stop } = handles.clone();
    let output = Output { world, journal, interrupt, stop };
    Session::new(Box::new(DiskLoader::new(folder)), settings, output)
}

/// A program that does not stop at its next step, long after its time: the process is given up. Files are whole or not
/// there at all, at any moment.
fn stuck(time: Duration) {
    complain(&format!("error: the program takes longer than {} and does not stop; it was ended", shown_time(time)));
    super::output::leave(FAILED);
}

/// The world of a person's terminal.
pub fn terminal(common: &Common, show: Show, journal: &SharedJournal, handles: &Handles) -> Box<dyn World> {
    let (folder, interrupt) = (OutputFolder::new(&common.out), handles.interrupt.clone());
    Box::new(TerminalWorld::new(show, folder, journal.clone(), interrupt))
}

/// A session that will not run `script`, and the items of the script, ready to run; or the exit code after a complaint.
pub fn prepared(script: &Script, overrides: &[(String, String)], read: &[PathBuf]) -> Result<(Session, Vec<Unit>), u8> {
    let overrides = overrides.iter().cloned().collect();
    let settings = Settings { folder: script.folder(), overrides, read: read.to_vec(), ..Settings::default() };
    let output = Output::buffer(&Default::default());
    let mut session = Session::new(Box::new(DiskLoader::new(&script.folder())), settings, output);
    match session.prepare(&script.name, &script.text) {
        Ok(units) => Ok((session, units)),
        Err(failure) => {
            report_failure(&failure, session.sources());
            Err(REFUSED)
        }
    }
}

/// A script that has run, well or not.
pub struct Ran {
    pub session: Session,
    pub script: Script,
    pub failure: Option<Failure>,
    pub seconds: f64,
}

impl Ran {
    pub fn start(path: &Path, common: &Common, how: How) -> Result<Ran, Diagnostic> {
        Ok(Ran::of(read_script(path)?, common, how))
    }

    pub fn of(script: Script, common: &Common, how: How) -> Ran {
        let mut session = session(common, &script.folder(), how);
        let start = Instant::now();
        let failure = session.run_script(&script).err();
        Ran { session, script, failure, seconds: start.elapsed().as_secs_f64() }
    }

    /// Shows warnings and the failure, if any; the exit code so far.
    pub fn report(&self) -> u8 {
        let sources = self.session.sources();
        let silenced = self.session.journal.lock().closed;
        let code = match &self.failure {
            None => OK,
            Some(Failure::Check(_)) => REFUSED,
            Some(Failure::Run(_)) => FAILED,
            Some(Failure::Interrupted(_)) => {
                if let Some(why) = silenced {
                    return closed(why);
                }
                interrupt::exit_code(self.session.memory.stop.signal.load(Ordering::Relaxed))
            }
        };
        report_all(&self.session.checker.warnings, sources);
        if let Some(failure) = &self.failure {
            report_failure(failure, sources);
        }
        code
    }

    /// The record of the run, which is kept, and the recorded run that it is held against.
    pub fn record(&self, common: &Common) -> (Record, Option<Record>) {
        let folder = OutputFolder::new(&common.out);
        let mut record = provenance::record(&self.session, &self.script, self.seconds, self.failure.is_none());
        let earlier = Record::earlier(&folder, &self.script);
        record.follows(earlier.as_ref());
        if record.is_worth_keeping()
            && let Err(error) = record.write(&folder, &self.script)
        {
            complain(&format!("warning: no record of this run was kept: {}", error.message));
        }
        (record, earlier.map(|earlier| earlier.standard().clone()))
    }

    /// Keeps the record, and says what was remembered and which expectations do not hold.
    pub fn close(&self, common: &Common, loud: bool) {
        if matches!(self.failure, Some(Failure::Check(_))) {
            return;
        }
        let (record, recorded) = self.record(common);
        if let (true, Some(saved)) = (loud, self.session.memory.tally.shown()) {
            complain(&saved);
        }
        let (held, judged) = self.session.journal.tally();
        if loud && held < judged {
            complain(&format!("{} of {judged} expectations do not hold", judged - held));
            let lines = conditions(&record, recorded.as_ref());
            lines.iter().for_each(|(key, words)| complain(&format!("  {key:<8} {words}")));
        }
    }
}

/// Shows why an entry failed; a fault of our own asks for a report.
pub fn report_failure(failure: &Failure, sources: &crate::base::span::Sources) {
    report_all(failure.diagnostics(), sources);
    if failure.diagnostics().iter().any(|shown| shown.code == "R099" || shown.code == "E099") {
        let place = super::output::take_panic().map_or(String::new(), |place| format!("\n{place}"));
        complain(&format!("this is a fault of locus; please report it with the program that caused it{place}"));
    }
}

pub fn run(args: &RunArgs) -> u8 {
    let shown = &args.shown;
    let how = How { profile: args.profile.is_some(), ..How::shown(shown) };
    let ran = match Ran::start(&shown.file, &shown.common, how) {
        Ok(ran) => ran,
        Err(diagnostic) => return refuse(&diagnostic),
    };
    let code = ran.report();
    if ran.session.journal.lock().closed.is_some() {
        return code;
    }
    if let Some(file) = &args.profile
        && let Err(error) = profile::show(&ran.session, ran.seconds, file)
    {
        complain(&format!("warning: the profile was not written: {error}"));
    }
    ran.close(&shown.common, !shown.quiet);
    code
}

pub fn check(args: &CheckArgs) -> u8 {
    let mut code = OK;
    for path in &args.files {
        let script = match read_script(path) {
            Ok(script) => script,
            Err(diagnostic) => {
                code = refuse(&diagnostic);
                continue;
            }
        };
        let settings = Settings { strict: args.strict, folder: script.folder(), ..Settings::default() };
        let output = Output::buffer(&Default::default());
        let mut session = Session::new(Box::new(DiskLoader::new(&script.folder())), settings, output);
        let outcome = session.prepare(&script.name, &script.text);
        report_all(&session.checker.warnings, session.sources());
        match outcome {
            Ok(_) => say(&format!("{}: ok", script.name)),
            Err(failure) => {
                report_failure(&failure, session.sources());
                code = REFUSED;
            }
        }
    }
    code
}

pub fn verify(args: &VerifyArgs) -> u8 {
    let mut worst = OK;
    if (args.unpack.is_some() || !args.inputs.is_empty()) && args.files.len() != 1 {
        complain("error: --unpack and --input are for one bundle");
        return REFUSED;
    }
    for path in &args.files {
        say(&path.display().to_string());
        let code = match bundle::is_one(path) {
            true => bundle::verify(path, args),
            false => verify_script(path, args),
        };
        if matches!(code, INTERRUPTED | TERMINATED | CLOSED) {
            return code;
        }
        worst = worst.max(code);
    }
    worst
}

/// Expectations are what is shown of a run that is judged.
pub fn judging(remembered: bool) -> How {
    let show = Show { prints: false, expectations: true, progress: true, color: stdout_colors() };
    How::plain(show, if_asked(remembered))
}

fn verify_script(path: &Path, args: &VerifyArgs) -> u8 {
    if args.unpack.is_some() || !args.inputs.is_empty() {
        complain(&format!("error: `{}` is no bundle, and --unpack and --input are for bundles", path.display()));
        return REFUSED;
    }
    match Ran::start(path, &args.common, judging(args.remembered)) {
        Ok(ran) => judge(&ran, &args.common, None),
        Err(diagnostic) => refuse(&diagnostic),
    }
}

/// What judges a program computes it, unless the person says otherwise.
fn if_asked(remembered: bool) -> Remember {
    if remembered { Remember::On } else { Remember::Off }
}

/// The verdict on a program that has run, held against a recorded run: that of a bundle, else the one in the output folder.
pub fn judge(ran: &Ran, common: &Common, recorded: Option<Record>) -> u8 {
    let code = ran.report();
    if code != OK {
        return code;
    }
    let (record, earlier) = ran.record(common);
    let recorded = recorded.or(earlier);
    let verdict = verdicts::verdict(&ran.session, &record, recorded.as_ref());
    for failure in &verdict.failures {
        report(failure, ran.session.sources());
    }
    match verdict.judged {
        0 => say(&format!("{}: states no expectations ({:.1} s)", ran.script.name, ran.seconds)),
        judged => say(&format!("{}: {} of {judged} hold ({:.1} s)", ran.script.name, verdict.held, ran.seconds)),
    }
    if verdict.is_good() { OK } else { FAILED }
}

pub fn bless(args: &BlessArgs) -> u8 {
    let show = Show { prints: false, expectations: false, progress: true, color: false };
    let ran = match Ran::start(&args.file, &args.common, How::plain(show, if_asked(args.remembered))) {
        Ok(ran) => ran,
        Err(diagnostic) => return refuse(&diagnostic),
    };
    let code = ran.report();
    if code != OK {
        complain("nothing was blessed");
        return code;
    }
    if !args.common.overrides.is_empty() {
        complain("warning: these numbers were found under --set, and the script says nothing of it");
    }
    match verdicts::bless(&ran.session, &ran.script) {
        Ok(changes) if changes.is_empty() => say(&format!("{}: nothing to change", ran.script.name)),
        Ok(changes) => {
            for change in &changes {
                say(&format!("{}:{}", ran.script.name, change.line));
                say(&format!("  - {}", change.before));
                say(&format!("  + {}", change.after));
            }
        }
        Err(diagnostic) => {
            report_plain(&diagnostic);
            return FAILED;
        }
    }
    // Blessing writes numbers, not claims: what cannot be repaired so is said.
    let (held, judged) = ran.session.journal.tally();
    let left = judged - held - repaired(&ran);
    if left > 0 {
        complain(&format!(
            "{left} of the expectations still do not hold: they state no number that could be written anew"
        ));
        return FAILED;
    }
    OK
}

/// How many failed expectations have a number that `bless` writes.
fn repaired(ran: &Ran) -> usize {
    let journal = ran.session.journal.lock();
    let sites = &ran.session.checker.expectations;
    let failed = journal.expectations.iter().filter(|outcome| !outcome.held);
    failed.filter(|outcome| sites.get(outcome.number).is_some_and(|site| is_repaired(site, outcome))).count()
}

pub fn refuse(diagnostic: &Diagnostic) -> u8 {
    report_plain(diagnostic);
    REFUSED
}
