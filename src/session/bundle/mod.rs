//! Bundles: one archive with a program, what it imports and reads, and what came of running it, to be judged elsewhere.
//!
//! `gather` decides what goes in, `archive` is the form of the bytes, `manifest` says what they are, `names` which names
//! are safe, `read` takes a stranger's archive apart, `unpack` gives it a folder, `list` shows it. Whatever is written
//! here was read again by `read` before it got its name. Nothing here runs a program.

mod archive;
mod gather;
mod list;
mod manifest;
mod names;
mod read;
mod unpack;

pub use gather::{Told, Wish, check_wish};
pub use list::{left_out, text};
pub use manifest::{File as Listed, Input, Manifest};
pub use read::{Checked, is_archive, is_bundle};
pub use unpack::{Unpacked, is_unpacked, open_folder, unpack};

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use archive::Writer;
use gather::{Part, Source};

use super::load::{DiskLoader, Script, read_script};
use super::machine::Machine;
use super::run::{Output, Session, Settings};
use crate::base::diag::Diagnostic;
use crate::rt::error::{Error, Result, code};
use crate::rt::files::{folder_members, folder_of, reason, write_whole};
use crate::rt::guard::quoted;

/// An input of more bytes is not enclosed unless a person says so.
pub const LARGEST: u64 = 200_000_000;

/// Writes a bundle of a program that was checked in `session`, and of the run that it is told of.
pub fn write(
    session: &Session,
    script: &Script,
    wish: &Wish,
    told: Option<&Told>,
    to: &Path,
    stop: &AtomicBool,
) -> Result<Manifest> {
    let (manifest, parts) = gather::gather(session, script, wish, told, stop)?;
    let machine = told.map(|told| &told.record.machine);
    let shown = to.display();
    let cannot = |error: &io::Error| Error::new(code::FILE, format!("cannot write `{shown}`: {}", reason(error)));
    let folder = folder_of(to);
    std::fs::create_dir_all(folder).map_err(|error| cannot(&error))?;
    let mut trouble = None;
    let written = write_whole(to, 0o666, |file| {
        let mut fill = || {
            fill(file, &manifest, machine, &parts, stop)?;
            try_out(file, &manifest, stop)
        };
        fill().map_err(|error| {
            trouble = Some(error);
            io::Error::other("not a bundle")
        })
    });
    match (written, trouble) {
        (_, Some(error)) => Err(error),
        (Err(error), None) => Err(cannot(&error)),
        (Ok(()), None) => Ok(manifest),
    }
}

fn fill(
    file: &mut File,
    manifest: &Manifest,
    machine: Option<&Machine>,
    parts: &[Part],
    stop: &AtomicBool,
) -> Result<()> {
    let cannot = |error: io::Error| match archive::was_stopped(&error) {
        true => Error::new(code::INTERRUPTED, "stopped by Ctrl-C"),
        false => Error::new(code::FILE, format!("no bundle was written: {error}")),
    };
    let mut out = io::BufWriter::with_capacity(1 << 16, file);
    let mut writer = Writer::new(&mut out);
    let text = |writer: &mut Writer, name: &str, text: &str| {
        let known = archive::copy(&mut text.as_bytes(), &mut io::sink(), u64::MAX, stop)?;
        writer.put(name, &mut text.as_bytes(), &known, stop)
    };
    text(&mut writer, manifest::MANIFEST, &manifest.text()).map_err(cannot)?;
    for part in parts {
        let mut source: Box<dyn io::Read> = match &part.source {
            Source::Text(text) => Box::new(text.as_bytes()),
            Source::Disk(path) => Box::new(File::open(path).map_err(cannot)?),
        };
        if !writer.put(&part.path, &mut source, &part.digest, stop).map_err(cannot)? {
            return Err(Error::new(code::FILE, format!("`{}` changed while it was bundled", part.path)));
        }
    }
    if let Some(machine) = machine {
        let mut words = serde_json::to_string_pretty(machine).unwrap_or_default();
        words.push('\n');
        text(&mut writer, manifest::CONDITIONS, &words).map_err(cannot)?;
    }
    writer.finish().map_err(cannot)?;
    out.flush().map_err(cannot)
}

/// What was written must be accepted, and its program must be whole, before it gets its name.
fn try_out(file: &mut File, manifest: &Manifest, stop: &AtomicBool) -> Result<()> {
    let cannot = |error: io::Error| Error::new(code::FILE, format!("no bundle was written: {error}"));
    file.rewind().map_err(cannot)?;
    let folder = unpack::temporary().map_err(cannot)?;
    let checked = read::read_from(file, "the new bundle", Some(folder.path()), stop)?;
    if checked.manifest != *manifest {
        return Err(Error::new(code::INTERNAL, "a bundle does not read as it was written"));
    }
    check(&checked.manifest, folder.path()).map_err(|faults| {
        let why = faults.first().map_or(String::new(), |fault| fault.message.clone());
        Error::new(code::FILE, format!("no bundle was written, because its program would not check elsewhere: {why}"))
            .help("a module or an input that is reached by a link must be a file of its own")
    })
}

/// The program of an unpacked bundle, under a name that tells people where it came from.
pub fn script(manifest: &Manifest, root: &Path, shown: &str) -> std::result::Result<Script, Diagnostic> {
    let script = read_script(&root.join(&manifest.program.path))?;
    Ok(Script { name: format!("{shown}/{}", manifest.program.path), ..script })
}

/// The folder that the program's own paths are relative to.
pub fn folder(manifest: &Manifest, root: &Path) -> PathBuf {
    root.join(manifest.folder())
}

/// Does the program check, and does it import and read what the manifest says, and nothing else? Nothing of it runs.
pub fn check(manifest: &Manifest, root: &Path) -> std::result::Result<(), Vec<Diagnostic>> {
    let script = script(manifest, root, "bundle").map_err(|fault| vec![fault])?;
    let overrides = manifest.program.overrides.iter().cloned().collect();
    let settings = Settings { folder: folder(manifest, root), overrides, ..Settings::default() };
    let loader = DiskLoader::new(&settings.folder);
    let mut session = Session::new(Box::new(loader), settings, Output::buffer(&Default::default()));
    if let Err(failure) = session.prepare(&script.name, &script.text) {
        return Err(failure.diagnostics().into_iter().cloned().collect());
    }
    agrees(manifest, root, &session, &script)
        .map_err(|why| vec![Diagnostic::plain(code::FILE, format!("the bundle is not sound: its program {why}"))])
}

fn agrees(manifest: &Manifest, root: &Path, session: &Session, script: &Script) -> std::result::Result<(), String> {
    for (name, _) in super::provenance::modules(session, script) {
        let path = names::resolve(manifest.folder(), &name)?;
        if !manifest.program.modules.contains(&path) {
            return Err(format!("imports `{}`, which the manifest does not list", quoted(&name)));
        }
    }
    for site in &session.checker.inputs {
        let path = names::resolve(manifest.folder(), &site.path)
            .map_err(|why| format!("reads `{}`, a path that {why}", quoted(&site.path)))?;
        let same = |input: &&Input| input.path == path && input.name == site.name && input.folder == site.folder;
        let Some(input) = manifest.inputs.iter().find(same) else {
            return Err(format!("reads `{}`, which the manifest does not list", quoted(&site.path)));
        };
        if input.folder && input.is_enclosed() && members(&root.join(&path)) != name_set(&input.files) {
            return Err(format!("reads other files in `{}` than the manifest lists", quoted(&site.path)));
        }
    }
    Ok(())
}

/// The names of the files of a folder that count.
fn members(folder: &Path) -> BTreeSet<String> {
    folder_members(folder).unwrap_or_default().into_iter().collect()
}

fn name_set(paths: &[String]) -> BTreeSet<String> {
    paths.iter().map(|path| path.rsplit('/').next().unwrap_or("").to_string()).collect()
}
