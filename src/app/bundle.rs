//! `locus bundle`, and `verify` of what it wrote.
//!
//! A bundle is a stranger's: everything of it is checked before its program runs, in the one session that is made here,
//! which reads below the unpacked folder and writes beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::cli::{BundleArgs, Common, VerifyArgs};
use super::output::{complain, report, report_all, report_plain, say, temporary};
use super::run::{Ran, judge, judging, prepared, refuse};
use super::{FAILED, OK, REFUSED, fence, interrupt};
use crate::base::span::Sources;
use crate::rt::error::{Error, code};
use crate::session::bundle::{self as bundles, Input, Manifest, Told, Unpacked, Wish};
use crate::session::fault::plain;
use crate::session::load::{Script, read_script};
use crate::session::provenance::{Record, record};
use crate::session::remember::loops::Stop;
use crate::session::{Session, profile::shown_bytes, verify as verdicts};

pub fn bundle(args: &BundleArgs) -> u8 {
    let code = if args.no_run { unrun(args) } else { run_first(args) };
    if code != OK {
        complain("no bundle was written");
    }
    code
}

/// A bundle of a program as it stands.
fn unrun(args: &BundleArgs) -> u8 {
    let script = match read_script(&args.file) {
        Ok(script) => script,
        Err(diagnostic) => return refuse(&diagnostic),
    };
    match prepared(&script, &args.common.overrides, &args.common.read) {
        Ok((session, _)) => write(args, &session, &script, None, &listening().1),
        Err(code) => code,
    }
}

/// A bundle of a program and its run, if everything held.
fn run_first(args: &BundleArgs) -> u8 {
    let script = match read_script(&args.file) {
        Ok(script) => script,
        Err(diagnostic) => return refuse(&diagnostic),
    };
    let checked = match prepared(&script, &args.common.overrides, &args.common.read) {
        Ok((session, _)) => bundles::check_wish(&session, &script, &wish(args)),
        Err(code) => return code,
    };
    if let Err(error) = checked {
        return failed(error);
    }
    let ran = Ran::of(script, &args.common, judging(args.remembered));
    let code = ran.report();
    if code != OK {
        return code;
    }
    let (own, earlier) = ran.record(&args.common);
    let verdict = verdicts::verdict(&ran.session, &own, earlier.as_ref());
    verdict.failures.iter().for_each(|failure| report(failure, ran.session.sources()));
    if !verdict.is_good() {
        complain(&format!(
            "{} of {} expectations do not hold; --no-run bundles the program as it is",
            verdict.failures.len(),
            verdict.judged
        ));
        return FAILED;
    }
    if verdict.judged == 0 {
        complain("warning: the program states no expectations, so there is nothing to judge it by");
    }
    let own = record(&ran.session, &ran.script, ran.seconds, true);
    let told = Told { record: &own, out: &args.common.out };
    write(args, &ran.session, &ran.script, Some(&told), &ran.session.ctx.interrupt)
}

fn write(args: &BundleArgs, session: &Session, script: &Script, told: Option<&Told>, stop: &AtomicBool) -> u8 {
    let to = args.to.clone().unwrap_or_else(|| args.common.out.join(format!("{}.zip", script.stem())));
    let own = told.is_some_and(|told| told.record.files.iter().any(|file| Path::new(&file.path) == to));
    if own || session.journal.lock().keeps(&to) {
        complain(&format!("error: `{}` is what this program reads or writes; name another with --to", to.display()));
        return FAILED;
    }
    match bundles::write(session, script, &wish(args), told, &to, stop) {
        Ok(manifest) => {
            told_of(&manifest, &to);
            OK
        }
        Err(error) => failed(error),
    }
}

fn wish(args: &BundleArgs) -> Wish {
    Wish { without: args.without.clone(), largest: args.largest, from: args.from.clone() }
}

fn told_of(manifest: &Manifest, to: &Path) {
    let missing: Vec<&Input> = manifest.missing().collect();
    if !missing.is_empty() {
        say("not enclosed:");
        say_left_out(&missing);
    }
    let bytes = std::fs::metadata(to).map_or(0, |about| about.len());
    say(&format!("identity {}", manifest.identity()));
    say(&format!("wrote {}, {} files, {}", to.display(), manifest.files.len(), shown_bytes(bytes)));
}

fn say_left_out(inputs: &[&Input]) {
    inputs.iter().flat_map(|input| bundles::left_out(input)).for_each(|line| say(&format!("  {line}")));
}

fn failed(error: Error) -> u8 {
    let stopped = error.code == code::INTERRUPTED;
    report_plain(&plain(error));
    if stopped { super::INTERRUPTED } else { FAILED }
}

/// Ctrl-C, heard before any program runs.
fn listening() -> (Arc<Stop>, Arc<AtomicBool>) {
    let (stop, flag): (Arc<Stop>, Arc<AtomicBool>) = (Arc::default(), Arc::default());
    interrupt::listen(&flag, &stop);
    (stop, flag)
}

/// Does `verify` judge a bundle here, packed or not, and no program?
pub fn is_one(path: &Path) -> bool {
    bundles::is_archive(path) || bundles::is_unpacked(path)
}

pub fn verify(path: &Path, args: &VerifyArgs) -> u8 {
    let (_, flag) = listening();
    let code = match ready(path, args, &flag) {
        Ok(unpacked) => verify_unpacked(path, args, &unpacked, &flag),
        Err(code) => code,
    };
    temporary(None);
    code
}

fn verify_unpacked(path: &Path, args: &VerifyArgs, unpacked: &Unpacked, flag: &AtomicBool) -> u8 {
    let manifest = &unpacked.checked.manifest;
    if let Err(faults) = bundles::check(manifest, &unpacked.root) {
        report_all(&faults, &Sources::default());
        return REFUSED;
    }
    say(&format!("{}: a sound bundle, identity {}", path.display(), manifest.identity()));
    for (name, value) in &manifest.program.overrides {
        say(&format!("bundled with --set {name}={value}"));
    }
    if flag.load(Ordering::Relaxed) {
        return super::INTERRUPTED;
    }
    let script = match bundles::script(manifest, &unpacked.root, &path.display().to_string()) {
        Ok(script) => script,
        Err(diagnostic) => return refuse(&diagnostic),
    };
    within_a_closer_fence(args, unpacked, move |common| {
        let ran = Ran::of(script, common, judging(args.remembered));
        let code = judge(&ran, common, manifest.record(unpacked.checked.machine.clone()));
        if code == OK {
            compare_results(unpacked, &ran, common);
        }
        code
    })
}

/// The one place where a program from a bundle runs: in a thread of its own, around which the fence is closer than around
/// the rest of the command, which has to remove the folder. A fence cannot be taken down; where other programs are judged by the
/// same threads after it, the one around the whole command has to do.
fn within_a_closer_fence(args: &VerifyArgs, unpacked: &Unpacked, work: impl FnOnce(&Common) -> u8 + Send) -> u8 {
    let common = common(args, unpacked);
    let alone = args.files.len() == 1;
    let fenced = || {
        if alone {
            fence::around_bundle(&unpacked.root, &common);
        }
        work(&common)
    };
    let builder = std::thread::Builder::new().stack_size(super::STACK_BYTES);
    std::thread::scope(|scope| match builder.spawn_scoped(scope, fenced).map(|thread| thread.join()) {
        Ok(Ok(code)) => code,
        Ok(Err(_)) => super::output::internal_fault(),
        Err(error) => {
            complain(&format!("error: cannot start: {error}"));
            FAILED
        }
    })
}

/// A bundle in a folder, whole: or the exit code after a complaint.
fn ready(path: &Path, args: &VerifyArgs, stop: &AtomicBool) -> Result<Unpacked, u8> {
    let refused = |error: Error| match error.code {
        code::INTERRUPTED => failed(error),
        _ => refuse(&plain(error)),
    };
    let unpacked = match path.is_dir() {
        true if args.unpack.is_some() => {
            complain(&format!("error: `{}` is unpacked already", path.display()));
            return Err(REFUSED);
        }
        true => bundles::open_folder(path, stop),
        false => bundles::unpack(path, args.unpack.as_deref(), stop),
    };
    let unpacked = unpacked.map_err(refused)?;
    temporary(unpacked.temporary().map(Path::to_path_buf));
    if let Some(folder) = &args.unpack {
        say(&format!("unpacked into {}", folder.display()));
    }
    for (name, from) in &args.inputs {
        unpacked.supply(name, Path::new(from), stop).map_err(refused)?;
    }
    let missing = unpacked.missing();
    if missing.is_empty() {
        return Ok(unpacked);
    }
    complain(
        "error: the bundle only describes some inputs; give each with --input NAME=PATH, and its hash is compared",
    );
    let lines = missing.iter().flat_map(|input| bundles::left_out(input));
    lines.for_each(|line| complain(&format!("  {line}")));
    Err(REFUSED)
}

/// How a bundle's program runs: as it was bundled, unless the person says otherwise, with its results beside its files.
fn common(args: &VerifyArgs, unpacked: &Unpacked) -> Common {
    let mut common = args.common.clone();
    let own = &args.common.overrides;
    let recorded = unpacked.checked.manifest.program.overrides.iter();
    common.overrides =
        recorded.filter(|(name, _)| !own.iter().any(|(other, _)| other == name)).chain(own).cloned().collect();
    if common.out == PathBuf::from("out") {
        common.out = unpacked.root.join("out");
    }
    // Its own paths may lead to other folders of its tree.
    common.read.push(unpacked.root.clone());
    common
}

/// How much of what was recorded is the same to the bit: numbers that were judged, and files.
fn compare_results(unpacked: &Unpacked, ran: &Ran, common: &Common) {
    let Some(recorded) = &unpacked.checked.manifest.run else { return };
    let own = record(&ran.session, &ran.script, ran.seconds, true);
    let pairs = recorded.expectations.iter().zip(&own.expectations);
    let numbers = pairs.filter_map(|(then, now)| Some((then.found?, now.found)));
    let same: Vec<bool> = numbers.map(|(then, now)| now.is_some_and(|now| now.to_bits() == then.to_bits())).collect();
    let mut words = Vec::new();
    if !same.is_empty() {
        words.push(format!("{} of {} numbers", same.iter().filter(|same| **same).count(), same.len()));
    }
    let others = other_files(&recorded.written, &own, common);
    let files = recorded.written.len();
    if files > 0 {
        words.push(format!("{} of {files} written files", files - others.len()));
    }
    if words.is_empty() {
        return;
    }
    let but = if others.is_empty() { String::new() } else { format!("; not {}", others.join(", ")) };
    say(&format!("{}: {} are the same to the bit{but}", ran.script.name, words.join(", ")));
}

/// The names of recorded files that this run did not write, or not with the same bytes.
fn other_files<'a>(recorded: &'a [bundles::Listed], own: &Record, common: &Common) -> Vec<&'a str> {
    let name = |path: &str| Path::new(path).strip_prefix(&common.out).map(Path::to_path_buf).unwrap_or_default();
    let differs = |file: &&bundles::Listed| {
        // Of a file that was written twice the last counts.
        let found = own.files.iter().rev().find(|own| name(&own.path) == Path::new(&file.path));
        found.is_none_or(|own| own.sha256 != file.sha256)
    };
    recorded.iter().filter(differs).map(|file| file.path.as_str()).collect()
}
