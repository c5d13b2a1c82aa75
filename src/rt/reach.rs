//! Where a program may read: below the folder of its script, and below those that the person named.
//!
//! A path is judged by where it ends after every link and every `..` is followed. What this says is said again by the
//! kernel (`session::fence`), where there is one that can.

use super::error::{Error, Result, code};
use std::path::{Path, PathBuf};

/// The folders below which inputs may lie, with links followed.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    roots: Vec<PathBuf>,
    everywhere: bool,
}

impl Reach {
    /// Below these folders, and at these files. What does not exist gives nothing.
    pub fn below<'a>(places: impl IntoIterator<Item = &'a Path>) -> Reach {
        let roots = places.into_iter().filter_map(|place| shown_folder(place).canonicalize().ok()).collect();
        Reach { roots, everywhere: false }
    }

    /// Everything that the person may read: for files that the person named, and for tests of the kernel's fence.
    pub fn everywhere() -> Reach {
        Reach { roots: Vec::new(), everywhere: true }
    }

    /// Whether the path of a file lies within reach, with links followed. Of one that leads nowhere, whoever opens it says
    /// so.
    pub fn check(&self, path: &Path) -> Result<()> {
        self.within(path, |full| full.parent().unwrap_or(full))
    }

    /// The same for a folder.
    pub fn check_folder(&self, path: &Path) -> Result<()> {
        self.within(path, |full| full)
    }

    /// What lies outside is refused in the same words whether it exists or not.
    fn within(&self, path: &Path, to_add: impl Fn(&Path) -> &Path) -> Result<()> {
        if self.everywhere {
            return Ok(());
        }
        // A slash at the end says nothing about where it ends.
        let plain: PathBuf = path.components().collect();
        let mut steps = MOST_STEPS;
        let Some(full) = destination(&plain, &mut steps) else {
            return Err(Error::new(code::FILE, format!("cannot read `{}`: its links do not end", path.display())));
        };
        if self.roots.iter().any(|root| full.starts_with(root)) {
            return Ok(());
        }
        let given = if full == lexical(path) { String::new() } else { format!(" (it is `{}`)", full.display()) };
        let message = format!("`{}`{given} lies outside the folders that this run may read", path.display());
        Err(Error::new(code::FILE, message)
            .note("may read", self.shown())
            .help(format!("if the program is meant to read it, add --read {}", to_add(&full).display())))
    }

    fn shown(&self) -> String {
        let names: Vec<String> = self.roots.iter().map(|root| root.display().to_string()).collect();
        if names.is_empty() { "nothing".to_string() } else { names.join(", ") }
    }
}

/// An empty path is the current folder.
fn shown_folder(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// Parts and links that are looked at on the way to where a path ends. Each costs a look at the disk.
const MOST_STEPS: usize = 4096;

/// Where a path ends after all links, or would end if there were something; nothing where that takes too many steps.
fn destination(path: &Path, steps: &mut usize) -> Option<PathBuf> {
    if let Ok(full) = shown_folder(path).canonicalize() {
        return Some(full);
    }
    *steps = steps.checked_sub(1)?;
    // What a link of /proc says is no path: `socket:[17]`.
    if !path.starts_with("/proc")
        && let Ok(target) = std::fs::read_link(path)
    {
        return destination(&path.parent().unwrap_or(path).join(target), steps);
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Some(destination(parent, steps)?.join(name)),
        (Some(parent), None) => {
            let mut above = destination(parent, steps)?;
            above.pop();
            Some(above)
        }
        (None, _) => Some(lexical(path)),
    }
}

/// The path without `.` and `..`, from the root.
fn lexical(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut plain = PathBuf::new();
    for part in whole.components() {
        match part {
            std::path::Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_and_dots_are_followed_before_the_judgment() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("inside/deep")).unwrap();
        fs::write(path("secret"), b"s").unwrap();
        fs::write(path("inside/a"), b"a").unwrap();
        symlink(path("secret"), path("inside/leak")).unwrap();
        symlink(path("inside/a"), path("inside/deep/fine")).unwrap();
        let inside = path("inside");
        let reach = Reach::below([inside.as_path()]);
        for good in ["inside/a", "inside/deep/../a", "inside/deep/fine", "inside/missing"] {
            assert!(reach.check(&path(good)).is_ok(), "{good}");
        }
        for bad in ["secret", "inside/../secret", "inside/leak", "inside/../missing", "missing/secret"] {
            let error = reach.check(&path(bad)).unwrap_err();
            assert_eq!(error.code, code::FILE, "{bad}");
            assert!(error.help.unwrap().contains("--read"), "{bad}");
        }
        assert!(reach.check(Path::new("/etc/passwd")).is_err());
        assert!(Reach::everywhere().check(&path("secret")).is_ok());
        let wider = path("secret");
        assert!(Reach::below([inside.as_path(), wider.as_path()]).check(&path("inside/leak")).is_ok());
    }

    #[test]
    fn what_is_refused_does_not_tell_whether_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("inside")).unwrap();
        fs::create_dir_all(path("outside/books")).unwrap();
        fs::write(path("outside/file"), b"s").unwrap();
        for (link, target) in [("here", "outside/file"), ("absent", "outside/fill"), ("way", "outside")] {
            symlink(path(target), path("inside").join(link)).unwrap();
        }
        let inside = path("inside");
        let reach = Reach::below([inside.as_path()]);
        let told = |name: &str, whole: &str| {
            let error = reach.check(&path(name)).unwrap_err();
            let folder = reach.check_folder(&path(name)).unwrap_err();
            [error.message, error.help.unwrap(), folder.message, folder.help.unwrap()].map(|told| {
                let short = Path::new(whole).file_name().unwrap().to_string_lossy().into_owned();
                told.replace(name, "IT").replace(&path(whole).display().to_string(), "IT").replace(&short, "IT")
            })
        };
        let pairs = [
            (("outside/file", "outside/file"), ("outside/fill", "outside/fill")),
            (("outside/books", "outside/books"), ("outside/nobooks", "outside/nobooks")),
            (("inside/here", "outside/file"), ("inside/absent", "outside/fill")),
            (("inside/here/", "outside/file"), ("inside/absent/", "outside/fill")),
            (("inside/way/books/../../zzz", "zzz"), ("inside/way/nobooks/../../zzz", "zzz")),
        ];
        for ((is, ends), (is_not, would_end)) in pairs {
            assert_eq!(told(is, ends), told(is_not, would_end), "{is}");
        }
    }

    #[test]
    fn a_folder_is_not_taken_for_another_whose_name_begins_alike() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("data")).unwrap();
        fs::create_dir_all(path("data2")).unwrap();
        fs::write(path("data2/x"), b"x").unwrap();
        let data = path("data");
        assert!(Reach::below([data.as_path()]).check(&path("data2/x")).is_err());
    }
}
