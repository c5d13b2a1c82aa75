//! The library's modules and the pages about errors as files that an editor can open.
//!
//! They lie in the folder for caches, one folder for each build, or in a folder that goes with the server where the person
//! wants no cache. A file is written when somebody asks for it, and can only be read.

use std::cell::OnceCell;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use lsp_types::Uri;

use super::translate;
use crate::session::editor::texts::real;
use crate::session::embedded;
use crate::session::folder::write_atomically;
use crate::session::remember::store;

#[derive(Default)]
pub struct LibraryFolder {
    made: OnceCell<Option<Root>>,
}

enum Root {
    Cache(PathBuf),
    /// Removed when the server ends.
    Passing(tempfile::TempDir),
}

impl Root {
    fn find() -> Option<Root> {
        let cache = store::location().map(|cache| cache.join("library").join(env!("LOCUS_BUILD")));
        match cache.filter(|folder| fs::create_dir_all(folder).is_ok()) {
            Some(folder) => Some(Root::Cache(real(&folder))),
            None => tempfile::Builder::new().prefix("locus-library-").tempdir().ok().map(Root::Passing),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Root::Cache(path) => path,
            Root::Passing(folder) => folder.path(),
        }
    }
}

impl LibraryFolder {
    fn root(&self) -> Option<&Path> {
        self.made.get_or_init(Root::find).as_ref().map(Root::path)
    }

    /// Is the file one of the library's?
    pub fn holds(&self, path: &Path) -> bool {
        self.root().is_some_and(|root| real(path).starts_with(real(root)))
    }

    /// The file of `std.NAME`.
    pub fn module(&self, name: &str) -> Option<Uri> {
        let name = name.strip_prefix("std.").unwrap_or(name);
        let text = embedded::std_module(name)?;
        self.file(&format!("std/{}.exp", name.replace('.', "/")), text)
    }

    /// The file of the page that `locus explain` shows.
    pub fn page(&self, code: &str) -> Option<Uri> {
        self.file(&format!("errors/{code}.md"), embedded::error_page(code)?)
    }

    fn file(&self, name: &str, text: &str) -> Option<Uri> {
        let path = self.root()?.join(name);
        let there = fs::read(&path).is_ok_and(|bytes| bytes == text.as_bytes());
        if !there {
            written(&path, text).ok()?;
        }
        translate::uri(&path)
    }
}

fn written(path: &Path, text: &str) -> io::Result<()> {
    write_atomically(path, text.as_bytes())?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o444))
}
