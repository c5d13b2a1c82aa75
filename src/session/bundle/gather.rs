//! What goes into a bundle: the program, what it imports, what it reads, and what it wrote.
//!
//! A program that reads `../data/x` lies deeper in the tree of its bundle, in folders of one neutral name, so that its
//! own paths lead where they led. No name of a folder above the program leaves the machine, and no program is rewritten.

use std::fs::File as Disk;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::archive::{self, Digest};
use super::manifest::{File, Input, Manifest, Program, Run, SCHEMA, hash_of};
use super::names::{self, FILES, RESULTS};
use crate::base::suggest::closest;
use crate::check::InputSite;
use crate::rt::error::{Error, Result, code};
use crate::rt::files::folder_members;
use crate::rt::guard::quoted;
use crate::session::embedded;
use crate::session::load::Script;
use crate::session::provenance::{Record, modules};
use crate::session::run::{InputRead, Session};
use crate::session::world::printable;

/// So many letters of what a program says about an input are kept.
const LONGEST_ABOUT: usize = 1000;

/// What a person asks of a bundle.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Inputs that are only described.
    pub without: Vec<String>,
    /// An input with more bytes is only described; so is a file that the program wrote.
    pub largest: u64,
    /// Where inputs can be had.
    pub from: Vec<(String, String)>,
}

/// Where the bytes of a file are.
pub enum Source {
    Text(String),
    Disk(PathBuf),
}

/// A file that goes in, as it was found to be.
pub struct Part {
    pub path: String,
    pub source: Source,
    pub digest: Digest,
}

/// The run that a bundle tells of: its record, and the folder that it wrote to.
pub struct Told<'a> {
    pub record: &'a Record,
    pub out: &'a Path,
}

struct Gathering<'a> {
    script: &'a Script,
    wish: &'a Wish,
    told: Option<&'a Told<'a>>,
    stop: &'a AtomicBool,
    /// The folder of the program in the bundle.
    folder: String,
    parts: Vec<Part>,
}

/// The manifest and the files of a bundle, in its order.
pub fn gather(
    session: &Session,
    script: &Script,
    wish: &Wish,
    told: Option<&Told>,
    stop: &AtomicBool,
) -> Result<(Manifest, Vec<Part>)> {
    let sites = &session.checker.inputs;
    known_names(sites, wish)?;
    let mut all = Gathering { script, wish, told, stop, folder: tree(sites)?, parts: Vec::new() };
    let program = all.program(session)?;
    let inputs = sites.iter().map(|site| all.input(session, site)).collect::<Result<_>>()?;
    let run = told.map(|told| all.run(told)).transpose()?;
    all.parts.sort_by(|a, b| a.path.cmp(&b.path));
    all.parts.dedup_by(|a, b| a.path == b.path && a.digest == b.digest);
    let paths = all.parts.iter().map(|part| part.path.as_str());
    names::check_together(paths).map_err(|why| fault(format!("this cannot be bundled: {why}")))?;
    let files = all.parts.iter().map(listed).collect();
    let (locus, library) = (env!("CARGO_PKG_VERSION").to_string(), embedded::library_hash());
    let manifest = Manifest { locus_bundle: SCHEMA, locus, library, program, inputs, run, files };
    Ok((manifest, all.parts))
}

/// What is known to be wrong before the program runs, which may take hours.
///
/// # Errors
/// A name in the wish that no input has, a program or a path that no bundle can hold.
pub fn check_wish(session: &Session, script: &Script, wish: &Wish) -> Result<()> {
    known_names(&session.checker.inputs, wish)?;
    tree(&session.checker.inputs)?;
    program_name(script).map(drop)
}

fn program_name(script: &Script) -> Result<String> {
    let name = script.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.ends_with(".exp") {
        return Ok(name);
    }
    Err(fault(format!("`{}` cannot be bundled: the name of a program ends in `.exp`", script.name)))
}

fn fault(message: String) -> Error {
    Error::new(code::FILE, message)
}

fn listed(part: &Part) -> File {
    File { path: part.path.clone(), bytes: part.digest.bytes, sha256: part.digest.sha256.clone() }
}

/// Names behind `--without` and `--from` that no input has are slips.
fn known_names(sites: &[InputSite], wish: &Wish) -> Result<()> {
    let known = || sites.iter().map(|site| site.name.as_str());
    let mut asked = wish.without.iter().chain(wish.from.iter().map(|(name, _)| name));
    match asked.find(|name| !known().any(|own| own == name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let error = fault(format!("the program has no input `{name}`"));
            let all: Vec<&str> = known().collect();
            let error = if all.is_empty() { error } else { error.note("inputs", all.join(", ")) };
            Err(match closest(name, known()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            })
        }
    }
}

/// The folder of the program in the bundle: as deep as its paths climb, below a name that none of them has.
fn tree(sites: &[InputSite]) -> Result<String> {
    let (mut deepest, mut taken) = (0, Vec::new());
    for site in sites {
        let refuse = |why: String| {
            fault(format!("the input `{}` cannot be bundled: its path `{}` {why}", site.name, quoted(&site.path)))
        };
        let (up, parts) = names::climbs(&site.path).map_err(refuse)?;
        deepest = deepest.max(up);
        taken.extend(parts);
    }
    let mut name = "program".to_string();
    while taken.iter().any(|part| part.eq_ignore_ascii_case(&name)) {
        name.push('_');
    }
    Ok(std::iter::once(FILES.to_string()).chain(std::iter::repeat_n(name, deepest)).collect::<Vec<_>>().join("/"))
}

impl Gathering<'_> {
    fn program(&mut self, session: &Session) -> Result<Program> {
        let name = program_name(self.script)?;
        let path = format!("{}/{name}", self.folder);
        self.text(&path, &self.script.text)?;
        let mut found = Vec::new();
        for (name, text) in modules(session, self.script) {
            let path =
                names::resolve(&self.folder, &name).map_err(|why| fault(format!("the module `{name}` {why}")))?;
            self.text(&path, text)?;
            found.push(path);
        }
        let (experiment, seed) = session.checker.experiment.clone().unzip();
        let overrides = session.settings.overrides.clone().into_iter().collect();
        Ok(Program { path, experiment, seed, overrides, modules: found })
    }

    /// A text goes in as it was checked, whatever the file is by now.
    fn text(&mut self, path: &str, text: &str) -> Result<()> {
        let digest =
            archive::copy(&mut text.as_bytes(), &mut io::sink(), u64::MAX, self.stop).map_err(|e| cannot(path, &e))?;
        self.part(path, Source::Text(text.to_string()), digest)
    }

    fn part(&mut self, path: &str, source: Source, digest: Digest) -> Result<()> {
        names::check(path).map_err(|why| fault(format!("`{}` cannot be bundled: its name {why}", quoted(path))))?;
        self.parts.push(Part { path: path.to_string(), source, digest });
        Ok(())
    }

    fn input(&mut self, session: &Session, site: &InputSite) -> Result<Input> {
        let path = names::resolve(&self.folder, &site.path)
            .map_err(|why| fault(format!("the input `{}` {why}", site.name)))?;
        names::check(&path)
            .map_err(|why| fault(format!("the input `{}` cannot be bundled: its name {why}", site.name)))?;
        let disk = self.script.folder().join(&site.path);
        let asked = self.wish.without.contains(&site.name);
        let known = read(session, site, &disk);
        let from = self.wish.from.iter().find(|(name, _)| *name == site.name).map(|(_, from)| from.clone());
        let (name, about) = (site.name.clone(), about(session, site));
        let mut input = Input { name, path, folder: site.folder, about, from, ..Input::default() };
        match known.filter(|read| asked || read.bytes > self.wish.largest) {
            // What was read needs no second look.
            Some(read) => (input.sha256, input.bytes) = (read.sha256, read.bytes),
            None if asked && !disk.exists() => input.sha256 = stated(site)?,
            None => self.enclose(&mut input, &disk, asked)?,
        }
        self.as_it_was(read(session, site, &disk), &input)?;
        Ok(input)
    }

    /// Hashes an input, and takes its files in unless they are not wanted or too large.
    fn enclose(&mut self, input: &mut Input, disk: &Path, asked: bool) -> Result<()> {
        let members = if input.folder { folder_members(disk)? } else { vec![String::new()] };
        let mut parts = Vec::new();
        for member in members {
            let (path, disk) = match input.folder {
                true => (format!("{}/{member}", input.path), disk.join(&member)),
                false => (input.path.clone(), disk.to_path_buf()),
            };
            let digest = self.hashed(&disk)?;
            parts.push(Part { path, source: Source::Disk(disk), digest });
        }
        let files: Vec<File> = parts.iter().map(listed).collect();
        input.bytes = files.iter().map(|file| file.bytes).sum();
        input.sha256 = hash_of(input.folder, &files.iter().collect::<Vec<_>>());
        if asked || input.bytes > self.wish.largest {
            return Ok(());
        }
        input.files = files.into_iter().map(|file| file.path).collect();
        parts.into_iter().try_for_each(|part| self.part(&part.path, part.source, part.digest))
    }

    fn hashed(&self, disk: &Path) -> Result<Digest> {
        let shown = disk.display().to_string();
        let plain = std::fs::metadata(disk).map_err(|error| cannot(&shown, &error))?.is_file();
        if !plain {
            return Err(fault(format!("`{shown}` is no plain file")));
        }
        let mut file = Disk::open(disk).map_err(|error| cannot(&shown, &error))?;
        archive::copy(&mut file, &mut io::sink(), u64::MAX, self.stop).map_err(|error| cannot(&shown, &error))
    }

    /// The run and the bundle must have had the same bytes.
    fn as_it_was(&self, read: Option<InputRead>, input: &Input) -> Result<()> {
        match read.filter(|read| self.told.is_some() && read.sha256 != input.sha256) {
            None => Ok(()),
            Some(_) => Err(fault(format!("the input `{}` changed while the program ran", input.name))
                .help("bundle it again when nothing writes to it")),
        }
    }

    /// The results of a run, as far as they are the same wherever it is made.
    fn run(&mut self, told: &Told) -> Result<Run> {
        let mut written: Vec<File> = Vec::new();
        // Of a file that was written twice the last is there.
        for file in told.record.files.iter().rev() {
            let disk = Path::new(&file.path);
            let name = disk.strip_prefix(told.out).unwrap_or(disk).to_string_lossy().into_owned();
            if written.iter().any(|known| known.path == name) {
                continue;
            }
            let path = format!("{RESULTS}/{name}");
            names::check(&path)
                .map_err(|why| fault(format!("the result `{}` cannot be bundled: its name {why}", quoted(&name))))?;
            if file.bytes <= self.wish.largest {
                let digest = self.hashed(disk)?;
                if digest.sha256 != file.sha256 {
                    return Err(fault(format!("`{}` changed after the program wrote it", file.path)));
                }
                self.part(&path, Source::Disk(disk.to_path_buf()), digest)?;
            }
            written.push(File { path: name, bytes: file.bytes, sha256: file.sha256.clone() });
        }
        written.sort_by(|a, b| a.path.cmp(&b.path));
        let (engine, kernel) = (told.record.engine.clone(), told.record.machine.kernel.clone());
        Ok(Run { engine, kernel, expectations: told.record.expectations.clone(), written })
    }
}

fn cannot(shown: &str, error: &io::Error) -> Error {
    match archive::was_stopped(error) {
        true => Error::new(code::INTERRUPTED, "stopped by Ctrl-C"),
        false => fault(format!("cannot read `{shown}`: {error}")),
    }
}

/// The hash that the program states of a file that is not here.
fn stated(site: &InputSite) -> Result<String> {
    let hash = site.sha256.clone().filter(|hash| hash.len() == 64).map(|hash| hash.to_ascii_lowercase());
    hash.ok_or_else(|| {
        fault(format!("the input `{}` is neither here nor known by its hash", site.name))
            .help("state its sha256 in the program, or put the file there once")
    })
}

/// What the session read of an input. A name may stand for several files, one after another.
fn read(session: &Session, site: &InputSite, disk: &Path) -> Option<InputRead> {
    let path = disk.display().to_string();
    session.inputs_read().into_iter().find(|read| read.name == site.name && read.path == path)
}

/// The `##` lines above an item: what it is, and where to get it.
fn about(session: &Session, site: &InputSite) -> Option<String> {
    let text = session.sources().get(site.span.file).text.get(..site.span.start as usize)?;
    // The last line is that of the item itself, as far as it was read.
    let above: Vec<&str> = text.lines().rev().skip(1).take_while(|line| line.trim_start().starts_with("##")).collect();
    let words: Vec<&str> = above.into_iter().rev().map(|line| line.trim().trim_start_matches('#').trim()).collect();
    let words: String = printable(&words.join("\n")).chars().take(LONGEST_ABOUT).collect();
    (!words.trim().is_empty()).then_some(words)
}
