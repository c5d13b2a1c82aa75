//! Opening scripts and modules: the only place where program text comes from disk.
//!
//! A script may import its neighbours: files in or below its own folder, after symbolic links are followed.
//! Nothing else is ever opened here; inputs are opened by the runtime.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::embedded;
use crate::base::diag::Diagnostic;
use crate::check::Loader;
use crate::rt::files::{folder_of, reason};

/// Scripts are written by people; a longer text is a mistake or an attack on the parser.
pub const LONGEST_SCRIPT: u64 = 4 << 20;

/// The code of a text that cannot be read.
const UNREADABLE: &str = "E043";

/// A script as read.
#[derive(Clone, Debug)]
pub struct Script {
    /// The path as the person wrote it.
    pub name: String,
    pub path: PathBuf,
    pub text: String,
}

impl Script {
    /// `positional_variance` for `examples/positional_variance.exp`.
    pub fn stem(&self) -> String {
        self.path.file_stem().map_or_else(|| "run".to_string(), |stem| stem.to_string_lossy().into_owned())
    }

    /// The folder that inputs and neighbours are relative to.
    pub fn folder(&self) -> PathBuf {
        folder_of(&self.path).to_path_buf()
    }
}

/// Reads the script that a command names; the error says what was found instead and what to do.
pub fn read_script(path: &Path) -> Result<Script, Diagnostic> {
    let script = read_any_script(path)?;
    if script.text.trim().is_empty() {
        return Err(Diagnostic::plain(UNREADABLE, format!("`{}` is empty: there is nothing to run", script.name))
            .help("a first program:  print(\"hello\")"));
    }
    Ok(script)
}

/// The same for commands that run nothing: an empty script is one too.
pub fn read_any_script(path: &Path) -> Result<Script, Diagnostic> {
    let name = path.display().to_string();
    let text = read_text(path).map_err(|why| {
        let diagnostic = Diagnostic::plain(UNREADABLE, format!("cannot read `{name}`: {why}"));
        match nearby(path) {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    })?;
    Ok(Script { name, path: path.to_path_buf(), text })
}

/// The text of a file, or why not, as the end of a sentence.
fn read_text(path: &Path) -> Result<String, String> {
    let meta = fs::metadata(path).map_err(|error| reason(&error))?;
    if meta.is_dir() {
        return Err("it is a folder, not a script".to_string());
    }
    if meta.len() > LONGEST_SCRIPT {
        return Err(format!("it has {} bytes, and a script has at most {LONGEST_SCRIPT}", meta.len()));
    }
    let mut bytes = Vec::new();
    // A pipe has no length, and a device may have no end.
    File::open(path)
        .and_then(|file| file.take(LONGEST_SCRIPT + 1).read_to_end(&mut bytes))
        .map_err(|error| reason(&error))?;
    if bytes.len() as u64 > LONGEST_SCRIPT {
        return Err(format!("a script has at most {LONGEST_SCRIPT} bytes"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..place].iter().filter(|&&byte| byte == b'\n').count() + 1;
        format!("it is not UTF-8 text (byte {place}, on line {line})")
    })
}

/// A hint for a path that does not exist: the extension was left out, or a folder holds scripts.
fn nearby(path: &Path) -> Option<String> {
    let with_extension = PathBuf::from(format!("{}.exp", path.display()));
    if with_extension.is_file() {
        return Some(format!("did you mean `{}`?", with_extension.display()));
    }
    let folder = if path.is_dir() { path.to_path_buf() } else { folder_of(path).to_path_buf() };
    let mut scripts: Vec<String> = fs::read_dir(&folder)
        .ok()?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "exp"))
        .map(|path| path.display().to_string().trim_start_matches("./").to_string())
        .collect();
    scripts.sort();
    scripts.truncate(3);
    (!scripts.is_empty()).then(|| format!("scripts there: {}", scripts.join(", ")))
}

/// Gives the checker the texts that a script names.
pub struct DiskLoader {
    /// As the person wrote it, for names in messages.
    shown: PathBuf,
    /// With links followed: nothing outside is read.
    root: Option<PathBuf>,
    /// Where each text came from that was read so far, so that neighbours of neighbours resolve.
    known: BTreeMap<String, Home>,
}

/// Where neighbours of a text are looked for.
#[derive(Clone)]
struct Home {
    /// The folder that nothing may lie outside of, as the person wrote it and with links followed.
    shown: PathBuf,
    root: PathBuf,
    /// The text's own file.
    file: PathBuf,
}

impl DiskLoader {
    /// A loader for a script in `folder`.
    pub fn new(folder: &Path) -> DiskLoader {
        DiskLoader { shown: folder.to_path_buf(), root: fs::canonicalize(folder).ok(), known: BTreeMap::new() }
    }

    /// A neighbour's is that of the script; a file that the prompt loads has one of its own.
    fn home(&self, from: &str) -> Result<Home, String> {
        if let Some(known) = self.known.get(from) {
            return Ok(known.clone());
        }
        let file = Path::new(from);
        let loaded = from.ends_with(".exp") && file.is_file();
        let shown = if loaded { folder_of(file).to_path_buf() } else { self.shown.clone() };
        let root = if loaded { fs::canonicalize(&shown).ok() } else { self.root.clone() };
        let root = root.ok_or("the script's folder cannot be read")?;
        Ok(Home { shown, file: root.join(file.file_name().unwrap_or("text".as_ref())), root })
    }

    /// The file that the text of that name came from.
    pub fn path_of(&self, name: &str) -> Option<&Path> {
        self.known.get(name).map(|home| home.file.as_path())
    }

    fn resolve(&self, from: &str, path: &str) -> Result<(String, Home), String> {
        let home = self.home(from)?;
        let relative = Path::new(path);
        if relative.components().any(|part| matches!(part, Component::RootDir | Component::Prefix(_))) {
            return Err("a neighbour is named relative to the script".to_string());
        }
        if relative.extension().is_none_or(|extension| extension != "exp") {
            return Err("the name of a neighbour ends in `.exp`".to_string());
        }
        let full = fs::canonicalize(folder_of(&home.file).join(relative)).map_err(|error| reason(&error))?;
        let inside = full.strip_prefix(&home.root).map_err(|_| "it lies outside the script's folder".to_string())?;
        let name = home.shown.join(inside).display().to_string();
        Ok((name.trim_start_matches("./").to_string(), Home { file: full, ..home }))
    }
}

impl Loader for DiskLoader {
    fn std_module(&mut self, name: &str) -> Option<String> {
        embedded::std_module(name).map(str::to_string)
    }

    fn neighbour(&mut self, from: &str, path: &str) -> Result<(String, String), String> {
        let (name, home) = self.resolve(from, path)?;
        // A pipe would be waited for, and a device might never end.
        if fs::metadata(&home.file).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
            return Err("it is not a file".to_string());
        }
        let text = read_text(&home.file)?;
        self.known.insert(name.clone(), home);
        Ok((name, text))
    }

    fn std_names(&self) -> Vec<String> {
        embedded::STDLIB.iter().map(|(name, _)| format!("std.{name}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("main.exp"), "use \"lib/near.exp\"\n").unwrap();
        fs::write(folder.path().join("lib/near.exp"), "let x = 1\n").unwrap();
        fs::write(folder.path().join("lib/other.exp"), "let y = 2\n").unwrap();
        folder
    }

    #[test]
    fn neighbours_resolve_from_the_file_that_names_them() {
        let folder = folder();
        let mut loader = DiskLoader::new(folder.path());
        let (near, text) = loader.neighbour("main.exp", "lib/near.exp").unwrap();
        assert_eq!(text, "let x = 1\n");
        let (other, _) = loader.neighbour(&near, "other.exp").unwrap();
        assert!(other.ends_with("lib/other.exp"), "{other}");
    }

    #[test]
    fn a_file_that_the_prompt_loads_finds_its_own_neighbours() {
        let folder = folder();
        let mut loader = DiskLoader::new(Path::new("."));
        let loaded = folder.path().join("lib/near.exp").display().to_string();
        assert_eq!(loader.neighbour(&loaded, "other.exp").unwrap().1, "let y = 2\n");
        assert!(loader.neighbour(&loaded, "../main.exp").unwrap_err().contains("outside"));
    }

    #[test]
    fn nothing_outside_the_folder_is_read() {
        let folder = folder();
        let mut loader = DiskLoader::new(&folder.path().join("lib"));
        assert!(loader.neighbour("near.exp", "../main.exp").unwrap_err().contains("outside"));
        assert!(loader.neighbour("near.exp", "/etc/x.exp").unwrap_err().contains("relative"));
        assert!(loader.neighbour("near.exp", "/etc/passwd").is_err());
        std::os::unix::fs::symlink(folder.path().join("main.exp"), folder.path().join("lib/link.exp")).unwrap();
        assert!(loader.neighbour("near.exp", "link.exp").unwrap_err().contains("outside"));
    }

    #[test]
    fn unreadable_scripts_are_explained() {
        let folder = folder();
        let message = |path: &Path| read_script(path).unwrap_err().message;
        assert!(message(folder.path()).contains("folder"));
        let missing = read_script(&folder.path().join("main")).unwrap_err();
        assert!(missing.message.contains("no such file"));
        assert!(missing.help.unwrap().contains("main.exp"));
        let binary = folder.path().join("binary.exp");
        fs::write(&binary, b"let x = 1\n\xff\xfe").unwrap();
        assert!(message(&binary).contains("line 2"));
        fs::write(&binary, " \n").unwrap();
        assert!(message(&binary).contains("empty"));
        fs::write(&binary, b"\xef\xbb\xbflet x = 1").unwrap();
        assert_eq!(read_script(&binary).unwrap().text, "let x = 1");
    }
}
