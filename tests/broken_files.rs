//! Broken model files: cut short, with flipped bits, with headers that lie, and made with intent. Each is opened and
//! everything in it is read. What comes of it is an error that a person can read, or values that are as sound as the
//! file; never a panic, never much memory, never long. All of it follows from one seed.
//!
//! Nothing else stands in this file, because the memory of the whole process is measured.

mod common {
    pub mod broken;
}

use common::broken::{Case, Made, cases};
use locus::base::axis::Axis;
use locus::rt::error::Error;
use locus::rt::files::{self, FileHandle};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// The least number of broken files that must be refused.
const REFUSED: usize = 1000;
const LONGEST: Duration = Duration::from_secs(2);
/// The whole process, the test itself included.
const LARGEST_KIB: u64 = 200 * 1024;
/// What one file may add: this, and so many times its size.
const SPARE_KIB: u64 = 24 * 1024;
const TIMES: u64 = 40;

/// Reads everything that a file holds; the first error.
fn read_all(path: &Path) -> Result<(), Error> {
    let file = if path.is_dir() { files::open_folder(path, "", "m")? } else { files::open(path, "", "m")? };
    let mut first: Option<Error> = None;
    let mut note = |error: Error| {
        first.get_or_insert(error);
    };
    match files::file_format(&file) {
        Ok("npy") => {
            files::listed_array(&file)
                .map(|(listed, _)| read_array(&file, listed.shape.len()).map_err(&mut note))?
                .ok();
        }
        Ok("json") => drop(files::document(&file).map_err(&mut note)),
        Ok(format) => {
            if matches!(format, "gguf" | "torch" | "llama2c" | "folder") {
                let _ = files::document(&file).map_err(&mut note);
                let _ = files::json_int(&file, "no.such.thing");
            }
            for listed in files::listed(&file)? {
                let axes = axes(listed.shape.len());
                let _ = files::tensor(&file, &listed.name, &axes).map_err(&mut note);
                let _ = files::check_shape(&file, &listed.name, &[1, 2]);
                let of = [&[Axis::named("", "of")], &axes[..]].concat();
                let _ = files::tensor_index(&file, &listed.name, &of);
            }
            let _ = files::check_tensors(&file, &["w.*".to_string()], &[]);
        }
        Err(error) => note(error),
    }
    first.map_or(Ok(()), Err)
}

fn read_array(file: &FileHandle, rank: usize) -> Result<(), Error> {
    files::read_f32(file, &axes(rank)).map(drop)
}

fn axes(rank: usize) -> Vec<Axis> {
    (0..rank).map(|number| Axis::named("", &format!("axis{number}"))).collect()
}

/// One paragraph that a person can read, and that says which file.
fn is_clear(error: &Error) -> Result<(), String> {
    let printable = |text: &str| text.chars().all(|c| !c.is_control()) && text.chars().count() < 600;
    let known = ["R004", "R005", "R006", "R007", "R008", "R010"];
    let named = error.message.contains("`m") || error.message.contains("/case");
    let whole = named && known.contains(&error.code) && printable(&error.message);
    let notes = error.notes.iter().all(|(_, note)| printable(note)) && error.help.as_deref().is_none_or(printable);
    if whole && notes { Ok(()) } else { Err(format!("not clear: {error:?}")) }
}

fn memory(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("0");
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0)
}

/// What came of one file.
enum Outcome {
    Refused,
    Sound,
}

fn judge(folder: &Path, number: usize, case: &Case) -> Result<Outcome, String> {
    let path = folder.join(format!("case{number}"));
    match &case.made {
        Made::File(bytes) => std::fs::write(&path, bytes).unwrap(),
        Made::Folder(members) => {
            std::fs::create_dir(&path).unwrap();
            members.iter().for_each(|(name, bytes)| std::fs::write(path.join(name), bytes).unwrap());
        }
    }
    // From here on the peak is that of this file. Where the system does not allow it, the whole is still bounded.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let (before, start) = (memory("VmRSS:"), Instant::now());
    let outcome = catch_unwind(AssertUnwindSafe(|| read_all(&path))).map_err(|_| "a panic".to_string())?;
    let (time, grown) = (start.elapsed(), memory("VmHWM:").saturating_sub(before));
    if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) }.unwrap();
    if time > LONGEST {
        return Err(format!("{time:?}"));
    }
    if grown > SPARE_KIB + TIMES * case.size() / 1024 {
        return Err(format!("{grown} KiB for {} bytes", case.size()));
    }
    match outcome {
        Ok(()) if case.must_fail => Err("it was read".to_string()),
        Ok(()) => Ok(Outcome::Sound),
        Err(error) => is_clear(&error).map(|()| Outcome::Refused),
    }
}

#[test]
fn broken_files_are_refused_in_one_paragraph() {
    let folder = tempfile::tempdir().unwrap();
    let (mut faults, mut table) = (Vec::new(), BTreeMap::<&str, (usize, usize)>::new());
    for (number, case) in cases().iter().enumerate() {
        match judge(folder.path(), number, case) {
            Ok(Outcome::Refused) => table.entry(case.kind).or_default().0 += 1,
            Ok(Outcome::Sound) => table.entry(case.kind).or_default().1 += 1,
            Err(why) => faults.push(format!("{number} {} of {}: {why}", case.kind, case.of)),
        }
    }
    for (kind, (refused, sound)) in &table {
        println!("{kind:<28} {refused:>5} refused {sound:>5} sound");
    }
    let refused: usize = table.values().map(|(refused, _)| refused).sum();
    println!("{refused} refused, peak {} KiB", memory("VmHWM:"));
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults[..faults.len().min(60)].join("\n"));
    assert!(refused >= REFUSED, "only {refused} were refused");
    assert!(memory("VmRSS:") < LARGEST_KIB, "{} KiB", memory("VmRSS:"));
}
