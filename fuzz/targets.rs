//! What is fuzzed: each target takes any bytes at all and must neither panic, nor take long, nor take much memory. The
//! fuzzer and `tests/corpora.rs` call the same functions, so that whatever was found once is tried in every test.

#[path = "archives.rs"]
mod archives;
#[allow(dead_code)]
#[path = "../tests/syntax/show.rs"]
mod show;

use std::cell::RefCell;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use locus::base::axis::Axis;
use locus::base::diag::Diagnostic;
use locus::base::render::render_all;
use locus::base::span::{FileId, Sources};
use locus::check::Loader;
use locus::rt::corpus::{self, Document, Wanted};
use locus::rt::error::{Error, Result, code};
use locus::rt::files::{self, FileHandle};
use locus::session::world::BufferWorld;
use locus::session::{Output, Session, Settings, bundle, embedded};
use locus::syntax::{format, parse, scan};

/// A target, by the name of its folder in `fuzz/corpus`.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: &[Target] = &[
    ("parser", parser),
    ("checker", checker),
    ("formatter", formatter),
    ("safetensors", model),
    ("npy", model),
    ("npz", model),
    ("torch", model),
    ("gguf", model),
    ("llama2c", model),
    ("json", model),
    ("tokenizer", tokenizer),
    ("lines", lines),
    ("arrow", table),
    ("parquet", table),
    ("bundle", archive),
];

// ---- texts -----------------------------------------------------------------------------------------------------

/// Texts longer than this say nothing new and only take time.
const LONGEST_TEXT: usize = 4096;

/// A program must be a text; what is none is refused before it is parsed.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| text.len() <= LONGEST_TEXT)
}

/// Messages are part of what is fuzzed: a span that lies in the middle of a letter would be a panic there.
fn told(diagnostics: &[Diagnostic], sources: &Sources) {
    let shown = render_all(diagnostics, sources, false);
    assert!(diagnostics.is_empty() || !shown.is_empty());
    for diagnostic in diagnostics {
        assert_ne!(diagnostic.code, code::INTERNAL, "{shown}");
    }
}

fn parser(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let mut sources = Sources::default();
    let file: FileId = sources.add("fuzz.exp", text);
    let (_, diagnostics) = parse::parse_program(file, text);
    told(&diagnostics, &sources);
    scan::completeness(text);
}

/// Gives the library, and no other file.
struct LibraryOnly;

impl Loader for LibraryOnly {
    fn std_module(&mut self, name: &str) -> Option<String> {
        embedded::std_module(name).map(str::to_string)
    }

    fn neighbour(&mut self, _: &str, _: &str) -> std::result::Result<(String, String), String> {
        Err("there are no files".to_string())
    }

    fn std_names(&self) -> Vec<String> {
        embedded::STDLIB.iter().map(|(name, _)| format!("std.{name}")).collect()
    }
}

/// Everything that happens to a program before it runs: parser, checker, gradients, passes.
fn checker(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let output = Output::buffer(&BufferWorld::default());
    let mut session = Session::new(Box::new(LibraryOnly), Settings::default(), output);
    if let Err(failure) = session.prepare("fuzz.exp", text) {
        let found: Vec<Diagnostic> = failure.diagnostics().into_iter().cloned().collect();
        told(&found, session.sources());
    }
}

/// A text that parses is laid out: the same tree, and once is enough. One that does not is refused with a message.
fn formatter(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let mut sources = Sources::default();
    let file = sources.add("fuzz.exp", text);
    let (program, errors) = parse::parse_program(file, text);
    let once = match format::format(file, text) {
        Ok(once) => once,
        Err(refused) => return told(&refused, &sources),
    };
    assert!(errors.is_empty(), "a text with errors was laid out:\n{text}");
    let again = sources.add("once.exp", &once);
    let (after, errors) = parse::parse_program(again, &once);
    assert!(errors.is_empty(), "it no longer parses:\n{text}\n---\n{once}");
    assert!(show::program(&after) == show::program(&program), "another tree:\n{text}\n---\n{once}");
    assert_eq!(format::format(again, &once).as_deref(), Ok(once.as_str()), "once is not enough:\n{text}");
}

// ---- files -----------------------------------------------------------------------------------------------------

thread_local! {
    /// One file for all inputs of a thread: it has no name in any folder, so nothing is left behind.
    static FILE: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// The bytes as a file that can be opened.
fn with_file<T>(bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    FILE.with(|slot| {
        let mut slot = slot.borrow_mut();
        let file = slot.get_or_insert_with(|| {
            let memory = Path::new("/dev/shm");
            let made = if memory.is_dir() { tempfile::tempfile_in(memory) } else { tempfile::tempfile() };
            made.expect("a temporary file")
        });
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(bytes));
        written.expect("room for a temporary file");
        read(&PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())))
    })
}

/// One paragraph that a person can read.
fn is_clear(error: &Error) {
    let printable = |text: &str| text.chars().all(|c| !c.is_control()) && text.chars().count() < 600;
    assert!(error.code != code::INTERNAL && printable(&error.message), "{error:?}");
    let notes = error.notes.iter().map(|(_, note)| note.as_str()).chain(error.help.as_deref());
    notes.for_each(|note| assert!(printable(note), "{error:?}"));
}

fn judge<T>(outcome: Result<T>) -> Option<T> {
    outcome.map_err(|error| is_clear(&error)).ok()
}

fn axes(rank: usize) -> Vec<Axis> {
    (0..rank).map(|number| Axis::named("", &format!("axis{number}"))).collect()
}

/// Reads everything that a file of tensors or settings holds.
fn model(bytes: &[u8]) {
    with_file(bytes, |path| {
        let Some(file) = judge(files::open(path, "", "m")) else { return };
        let Some(format) = judge(files::file_format(&file)) else { return };
        match format {
            "npy" => array(&file),
            "json" => settings(&file),
            _ => {
                settings(&file);
                tensors(&file);
            }
        }
    });
}

fn array(file: &FileHandle) {
    let Some((listed, _)) = judge(files::listed_array(file)) else { return };
    judge(files::read_f32(file, &axes(listed.shape.len())));
    let of = [&[Axis::named("", "of")], &axes(listed.shape.len())[..]].concat();
    judge(files::read_index(file, &of));
}

fn settings(file: &FileHandle) {
    judge(files::document(file));
    for path in ["a", "no.such.thing", "model_type", "rope_parameters.rope_theta", "general.architecture"] {
        judge(files::json_int(file, path));
        judge(files::json_float(file, path));
        judge(files::json_bool(file, path));
        judge(files::json_str(file, path));
        judge(files::json_kind(file, path));
        judge(files::json_len(file, path));
    }
}

fn tensors(file: &FileHandle) {
    for listed in judge(files::listed(file)).unwrap_or_default() {
        let axes = axes(listed.shape.len());
        judge(files::tensor(file, &listed.name, &axes));
        judge(files::check_shape(file, &listed.name, &[1, 2]));
        let of = [&[Axis::named("", "of")], &axes[..]].concat();
        judge(files::tensor_index(file, &listed.name, &of));
    }
    judge(files::check_tensors(file, &["w.*".to_string()], &[]));
}

/// What programs do with a tokenizer.
fn tokenizer(bytes: &[u8]) {
    with_file(bytes, |path| {
        let Some(file) = judge(files::open(path, "", "words")) else { return };
        let Some(words) = judge(file.tokenizer()) else { return };
        for text in ["", " ", "Fellow citizens, ab  ab!\n\n1790", "é🙂 e\u{301}<|endoftext|><s>", &"ab ".repeat(50)]
        {
            let Some(ids) = judge(words.encode(text)) else { continue };
            // A token that cannot be shown is none.
            assert!(ids.iter().all(|&id| words.piece(id).is_some()));
            judge(words.decode(&ids));
        }
        (0..20).for_each(|id| drop(judge(words.decode(&[id]))));
        drop((words.special(), words.id("<s>"), words.size()));
    });
}

fn lines(bytes: &[u8]) {
    documents(bytes, &[("text", "", false), ("ids", "", true), ("", "", false), ("", "\n\n", false)]);
}

fn table(bytes: &[u8]) {
    documents(bytes, &[("text", "", false), ("input_ids", "", true)]);
}

/// Reads the documents of a corpus in each of the ways.
fn documents(bytes: &[u8], ways: &[(&str, &str, bool)]) {
    with_file(bytes, |path| {
        let Some(file) = judge(files::open(path, "", "corpus")) else { return };
        for &(column, separator, ids) in ways {
            let Some(found) = judge(corpus::documents(&file, Wanted { column, separator, ids })) else { continue };
            let (mut documents, mut length) = (0, 0);
            for document in found {
                length += match judge(document) {
                    Some(Document::Text(text)) => text.len(),
                    Some(Document::Ids(ids)) => ids.iter().inspect(|&&id| assert!(id >= 0)).count(),
                    None => 0,
                };
                documents += 1;
                // A small file cannot hold this much, unless it repeats itself.
                if documents > 100_000 || length > 64 << 20 {
                    break;
                }
            }
        }
    });
}

/// A stranger's bundle: listed, unpacked and checked as `locus verify` does before anything of it runs. The bytes as they
/// are, and then with the sums and the directory that they should have: chance never finds those.
fn archive(bytes: &[u8]) {
    bundled(bytes);
    bundled(&archives::repaired(bytes));
}

fn bundled(bytes: &[u8]) {
    with_file(bytes, |path| {
        if judge(bundle::text(path)).is_none() {
            return;
        }
        let unpacked = bundle::unpack(path, None, &AtomicBool::new(false)).expect("what can be listed can be unpacked");
        drop((unpacked.missing(), judge(bundle::open_folder(&unpacked.root, &AtomicBool::new(false)))));
        if let Err(found) = bundle::check(&unpacked.checked.manifest, &unpacked.root) {
            assert!(found.iter().all(|one| one.code != code::INTERNAL), "{found:?}");
        }
    });
}
