//! Reading a bundle, which is never trusted: front to back, once, checking each byte against what a bundle must be.
//!
//! The archive is accepted if it is, byte for byte, what `archive` writes for the files that its manifest lists. So
//! entries cannot overlap, hide behind one another or disagree with the directory, and nothing follows the end. Sizes
//! count while bytes are read, never by what a header says. Nothing is run, and nothing is written but plain files
//! below the folder that was given.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::archive::{self, CENTRAL, Entry, FLAGS, LARGEST, LOCAL, MOST_ENTRIES};
use super::manifest::{self, CONDITIONS, MANIFEST, Manifest};
use super::names;
use crate::rt::error::{Error, Result, code};
use crate::rt::guard::quoted;
use crate::session::machine::Machine;

/// A bundle that was read to its end and holds together.
#[derive(Clone, Debug)]
pub struct Checked {
    pub manifest: Manifest,
    /// The machine that the recorded run had, if there was a run.
    pub machine: Machine,
}

/// Does a file begin as a zip archive? No program does.
pub fn is_archive(path: &Path) -> bool {
    begins(path, 2).as_deref() == Some(b"PK")
}

/// Does it begin as bundles do? PyTorch's files and NumPy's are zip archives too.
pub fn is_bundle(path: &Path) -> bool {
    let name = MANIFEST.as_bytes();
    let first = begins(path, 30 + name.len()).unwrap_or_default();
    first.starts_with(&LOCAL.to_le_bytes()) && first.ends_with(name)
}

fn begins(path: &Path, length: usize) -> Option<Vec<u8>> {
    // Asked first: to open a pipe would wait for its writer.
    fs::metadata(path).ok().filter(|about| about.is_file())?;
    let mut first = Vec::new();
    File::open(path).ok()?.take(length as u64).read_to_end(&mut first).ok()?;
    (first.len() == length).then_some(first)
}

/// Reads a bundle; unpacks it into an empty folder, if one is given.
pub fn read(path: &Path, into: Option<&Path>, stop: &AtomicBool) -> Result<Checked> {
    let shown = path.display();
    let about = fs::metadata(path).map_err(|error| fault(format!("cannot read `{shown}`: {error}")))?;
    if !about.is_file() {
        return Err(fault(format!("`{shown}` is no plain file, so no bundle")));
    }
    let file = File::open(path).map_err(|error| fault(format!("cannot open `{shown}`: {error}")))?;
    read_from(&file, &shown.to_string(), into, stop)
}

/// The same for an archive that is open; `shown` is its name in messages.
pub fn read_from(file: &File, shown: &str, into: Option<&Path>, stop: &AtomicBool) -> Result<Checked> {
    let mut source = BufReader::with_capacity(1 << 16, file);
    let mut reader = Reader { source: &mut source, into, stop, entries: Vec::new(), place: 0 };
    reader.all().map_err(|trouble| match trouble {
        Trouble::Forged(why) => fault(format!("`{shown}` is not a sound bundle: {why}"))
            .help("nothing of it was run; ask whoever made it for another copy"),
        Trouble::Read(error) if archive::was_stopped(&error) => Error::new(code::INTERRUPTED, "stopped by Ctrl-C"),
        Trouble::Read(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            fault(format!("`{shown}` is not a sound bundle: it ends too early"))
        }
        Trouble::Read(error) => fault(format!("cannot read `{shown}`: {error}")),
        Trouble::Write(error) => fault(format!("cannot unpack `{shown}`: {error}")),
    })
}

fn fault(message: String) -> Error {
    Error::new(code::FILE, message)
}

/// Why reading ended.
enum Trouble {
    /// The end of a sentence: what is wrong with the archive.
    Forged(String),
    Read(io::Error),
    Write(io::Error),
}

fn forged<T>(why: impl Into<String>) -> std::result::Result<T, Trouble> {
    Err(Trouble::Forged(why.into()))
}

type Found<T> = std::result::Result<T, Trouble>;

struct Reader<'a> {
    source: &'a mut dyn Read,
    into: Option<&'a Path>,
    stop: &'a AtomicBool,
    /// What was read so far.
    entries: Vec<Entry>,
    place: u64,
}

impl Reader<'_> {
    fn all(&mut self) -> Found<Checked> {
        let manifest = self.manifest()?;
        for file in &manifest.files {
            let Some(entry) = self.header()? else {
                return forged(format!("`{}` of its manifest is missing", quoted(&file.path)));
            };
            if entry.name != file.path {
                let (found, wanted) = (quoted(&entry.name), quoted(&file.path));
                return forged(format!("it holds `{found}` where its manifest lists `{wanted}`"));
            }
            if u64::from(entry.bytes) != file.bytes {
                return forged(format!("`{}` has another length than its manifest lists", entry.name));
            }
            let mut target = self.target(&file.path)?;
            let sha256 = self.content(&entry, &mut *target)?;
            if sha256 != file.sha256 {
                return forged(format!("`{}` has another sha256 than its manifest lists", entry.name));
            }
        }
        let machine = if manifest.run.is_some() { self.conditions()? } else { Machine::default() };
        if let Some(extra) = self.header()? {
            return forged(format!("it holds `{}`, which its manifest does not list", quoted(&extra.name)));
        }
        self.directory()?;
        Ok(Checked { manifest, machine })
    }

    fn manifest(&mut self) -> Found<Manifest> {
        let Some(entry) = self.header()?.filter(|entry| entry.name == MANIFEST) else {
            return forged(format!("it does not begin with `{MANIFEST}`"));
        };
        let text = self.small(&entry, manifest::LONGEST)?;
        Manifest::parse(&text).or_else(|why| forged(format!("its manifest {why}")))
    }

    fn conditions(&mut self) -> Found<Machine> {
        let Some(entry) = self.header()?.filter(|entry| entry.name == CONDITIONS) else {
            return forged(format!("`{CONDITIONS}` does not stand at its end"));
        };
        let text = self.small(&entry, 1 << 16)?;
        manifest::conditions(&text).or_else(|why| forged(format!("its `{CONDITIONS}` {why}")))
    }

    /// A small entry, in memory and in the folder.
    fn small(&mut self, entry: &Entry, most: u64) -> Found<Vec<u8>> {
        if u64::from(entry.bytes) > most {
            return forged(format!("`{}` has {} bytes, and at most {most} are read", entry.name, entry.bytes));
        }
        let mut text = Vec::new();
        self.content(entry, &mut text)?;
        self.target(&entry.name)?.write_all(&text).map_err(Trouble::Write)?;
        Ok(text)
    }

    /// The next header of an entry; nothing where the directory begins.
    fn header(&mut self) -> Found<Option<Entry>> {
        let place = self.place;
        match u32::from_le_bytes(self.bytes()?) {
            LOCAL => {}
            CENTRAL => return Ok(None),
            _ if place == 0 => return forged("it does not begin as a zip archive"),
            _ => return forged(format!("something other than a file begins at byte {place}")),
        }
        let fields: [u8; 26] = self.bytes()?;
        let short = |at: usize| u16::from_le_bytes([fields[at], fields[at + 1]]);
        let long = |at: usize| u32::from_le_bytes([fields[at], fields[at + 1], fields[at + 2], fields[at + 3]]);
        let mut name = Vec::new();
        self.some(u64::from(short(22)), &mut name)?;
        let Ok(name) = String::from_utf8(name) else { return forged("the name of an entry is not UTF-8") };
        if let Err(why) = names::check(&name) {
            return forged(format!("the name `{}` {why}", quoted(&name)));
        }
        let entry = Entry { name, crc: long(10), bytes: long(18), place: place as u32 };
        self.plain(&entry, short(2), short(4), long(14), short(24))?;
        let written = archive::local_header(&entry);
        if written.get(4..30) != Some(&fields[..]) {
            return forged(format!("`{}` carries a time or a version, which a bundle never does", entry.name));
        }
        if self.entries.len() >= MOST_ENTRIES {
            return forged(format!("it holds more than {MOST_ENTRIES} files"));
        }
        self.entries.push(entry.clone());
        Ok(Some(entry))
    }

    /// Is an entry stored as a bundle stores it? The message says what is not.
    fn plain(&self, entry: &Entry, flags: u16, method: u16, packed: u32, extra: u16) -> Found<()> {
        let name = &entry.name;
        if flags & 1 != 0 {
            return forged(format!("`{name}` is encrypted"));
        }
        if flags & 8 != 0 {
            return forged(format!("`{name}` states its length after its bytes only"));
        }
        if flags != FLAGS {
            return forged(format!("`{name}` has the flags {flags:#06x}, which no bundle has"));
        }
        if method != 0 {
            return forged(format!("`{name}` is packed by method {method}, and a bundle stores its files as they are"));
        }
        if packed != entry.bytes {
            return forged(format!("`{name}` claims {} bytes in {packed}", entry.bytes));
        }
        if extra != 0 {
            return forged(format!("`{name}` has extra fields"));
        }
        if self.place + u64::from(entry.bytes) > LARGEST {
            return forged(format!("`{name}` claims {} bytes, more than a bundle can have", entry.bytes));
        }
        Ok(())
    }

    /// The bytes of an entry, to a place where they may go; their sha256.
    fn content(&mut self, entry: &Entry, sink: &mut dyn Write) -> Found<String> {
        let mut sink = Sink { inner: sink, fault: None };
        let copied = archive::copy(self.source, &mut sink, u64::from(entry.bytes), self.stop);
        if let Some(error) = sink.fault {
            return Err(Trouble::Write(error));
        }
        let found = copied.map_err(Trouble::Read)?;
        self.place += found.bytes;
        if found.bytes != u64::from(entry.bytes) {
            return Err(Trouble::Read(io::ErrorKind::UnexpectedEof.into()));
        }
        if found.crc != entry.crc {
            return forged(format!("`{}` is damaged: its checksum is another than stated", entry.name));
        }
        Ok(found.sha256)
    }

    /// The directory and the end must be what a writer of these entries would have written. Its first mark was read.
    fn directory(&mut self) -> Found<()> {
        let headers: Vec<Vec<u8>> = self.entries.iter().map(archive::central_header).collect();
        let size: usize = headers.iter().map(Vec::len).sum();
        let end = archive::end_record(headers.len(), size as u32, (self.place - 4) as u32);
        let wanted: Vec<u8> = headers.iter().chain([&end]).flatten().copied().skip(4).collect();
        let mut found = Vec::new();
        self.some(wanted.len() as u64, &mut found)?;
        if found != wanted {
            return forged(self.disagreement(&headers, &[&CENTRAL.to_le_bytes(), &found[..]].concat()));
        }
        let mut more = [0];
        match self.source.read(&mut more).map_err(Trouble::Read)? {
            0 => Ok(()),
            _ => forged("it goes on after its end"),
        }
    }

    /// Where the directory says otherwise than the headers of the entries.
    fn disagreement(&self, headers: &[Vec<u8>], found: &[u8]) -> String {
        let mut at = 0;
        for (entry, wanted) in self.entries.iter().zip(headers) {
            let own = found.get(at..at + wanted.len()).unwrap_or(&[]);
            if own != wanted {
                let name = &entry.name;
                let kind = own.get(40..42).map_or(0, |rights| u16::from_le_bytes([rights[0], rights[1]]) & 0o170_000);
                return match kind {
                    0o100_000 => format!("its directory says otherwise than `{name}` itself"),
                    0o120_000 => format!("`{name}` is a link, and a bundle holds plain files only"),
                    _ => format!("its directory does not call `{name}` a plain file"),
                };
            }
            at += wanted.len();
        }
        "its end does not fit its directory".to_string()
    }

    fn bytes<const N: usize>(&mut self) -> Found<[u8; N]> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(Trouble::Read)?;
        self.place += N as u64;
        Ok(bytes)
    }

    fn some(&mut self, length: u64, into: &mut Vec<u8>) -> Found<()> {
        let got = (&mut *self.source).take(length).read_to_end(into).map_err(Trouble::Read)?;
        self.place += got as u64;
        if (got as u64) < length { Err(Trouble::Read(io::ErrorKind::UnexpectedEof.into())) } else { Ok(()) }
    }

    /// A new file below the folder; nothing that exists is opened, so no link is followed.
    fn target(&self, name: &str) -> Found<Box<dyn Write>> {
        let Some(into) = self.into else { return Ok(Box::new(io::sink())) };
        let path = into.join(name);
        let open = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            OpenOptions::new().write(true).create_new(true).open(&path)
        };
        Ok(Box::new(open().map_err(Trouble::Write)?))
    }
}

/// Tells faults of writing from faults of reading.
struct Sink<'a> {
    inner: &'a mut dyn Write,
    fault: Option<io::Error>,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes).inspect_err(|error| {
            self.fault =
                (error.kind() != io::ErrorKind::Interrupted).then(|| io::Error::new(error.kind(), error.to_string()));
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
