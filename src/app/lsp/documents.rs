//! The open documents: their texts, versions, and what is known of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use lsp_server::{ErrorCode, Notification};
use lsp_types::{
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams, PublishDiagnosticsParams,
    TextDocumentContentChangeEvent, Uri,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::library::LibraryFolder;
use super::{Refusal, logged, translate};
use crate::session::editor::places::Lines;
use crate::session::editor::texts::{Texts, real};
use crate::session::editor::{Analysis, analyse, glance};
use crate::syntax::ast::{ItemKind, UseSource};

pub struct Document {
    pub uri: Uri,
    /// Where it lies, unless it was never saved.
    pub path: Option<PathBuf>,
    pub version: i32,
    pub text: Rc<str>,
    /// A module of the library, which is shown and not judged.
    pub library: bool,
    read: Read,
    /// The whole took longer, when it was last worked out, than a person should wait.
    slow: bool,
    /// What was found at the last glance, wherever it stood.
    found: Vec<String>,
}

/// What was done about this version of a document.
#[derive(Default)]
struct Read {
    analysis: Option<Rc<Analysis>>,
    glanced: bool,
    /// Its problems were told to the client.
    judged: bool,
}

/// What is wrong should be said before a person has typed the next letter.
const SOON: Duration = Duration::from_millis(30);

/// By the text of their addresses: editors write one document's address in one way.
#[derive(Default)]
pub struct Documents {
    pub texts: Texts,
    open: BTreeMap<String, Document>,
}

/// The parameters of a message.
pub fn params<T: DeserializeOwned>(params: Value) -> Result<T, Refusal> {
    serde_json::from_value(params).map_err(|error| Refusal::new(ErrorCode::InvalidParams, error.to_string()))
}

impl Documents {
    pub fn get(&self, uri: &Uri) -> Result<&Document, Refusal> {
        let known = self.open.get(uri.as_str());
        known.ok_or_else(|| Refusal::new(ErrorCode::InvalidParams, format!("{} is not open", uri.as_str())))
    }

    pub fn open(
        &mut self,
        params: DidOpenTextDocumentParams,
        library: &LibraryFolder,
    ) -> Result<Option<Notification>, Refusal> {
        let opened = params.text_document;
        let path = translate::path(&opened.uri);
        let text: Rc<str> = opened.text.into();
        let library = path.as_ref().is_some_and(|path| library.holds(path));
        if let Some(path) = path.as_ref().filter(|_| !library) {
            self.texts.open(path, text.clone());
        }
        let key = opened.uri.as_str().to_string();
        let (uri, version) = (opened.uri, opened.version);
        let (read, slow, found) = (Read::default(), false, Vec::new());
        let document = Document { uri, path, version, text, library, read, slow, found };
        self.open.insert(key, document);
        self.forget_importers();
        Ok(None)
    }

    pub fn change(&mut self, params: DidChangeTextDocumentParams) -> Result<Option<Notification>, Refusal> {
        let (uri, version) = (params.text_document.uri, params.text_document.version);
        self.get(&uri)?;
        let Some(document) = self.open.get_mut(uri.as_str()) else { return Ok(None) };
        if version <= document.version {
            let known = document.version;
            return Ok(Some(logged(&format!(
                "a change to version {version} of {} came after version {known}, and was left out",
                uri.as_str()
            ))));
        }
        let mut text = document.text.to_string();
        let mut fault = None;
        for change in &params.content_changes {
            if let Err(refusal) = apply(&mut text, change) {
                fault = Some(logged(&refusal.message));
            }
        }
        document.text = text.into();
        document.version = version;
        document.read = Read::default();
        if let Some(path) = document.path.as_ref().filter(|_| !document.library) {
            self.texts.open(path, document.text.clone());
        }
        self.forget_importers();
        Ok(fault)
    }

    /// Its problems go with it.
    pub fn close(&mut self, params: DidCloseTextDocumentParams) -> Result<Option<Notification>, Refusal> {
        let uri = params.text_document.uri;
        self.get(&uri)?;
        if let Some(document) = self.open.remove(uri.as_str())
            && let Some(path) = &document.path
        {
            self.texts.close(path);
        }
        self.forget_importers();
        Ok(Some(published(PublishDiagnosticsParams { uri, diagnostics: Vec::new(), version: None })))
    }

    /// A text changed: those that import neighbours may mean something else now.
    pub fn forget_importers(&mut self) {
        for document in self.open.values_mut() {
            let imports =
                |analysis: &Rc<Analysis>| {
                    analysis.program.items.iter().any(
                        |item| matches!(&item.kind, ItemKind::Use(used) if matches!(used.source, UseSource::Path(_))),
                    )
                };
            if document.read.analysis.as_ref().is_some_and(imports) {
                document.read = Read::default();
            }
        }
    }

    /// What is known of a document; worked out once for each of its versions.
    pub fn analysis(&mut self, uri: &Uri) -> Result<Rc<Analysis>, Refusal> {
        self.get(uri)?;
        let known = self.open.get(uri.as_str()).and_then(|document| document.read.analysis.clone());
        if let Some(known) = known {
            return Ok(known);
        }
        let document = self.get(uri)?;
        let started = Instant::now();
        let made = Rc::new(analyse(&self.texts, document.path.as_deref(), &document.text));
        if let Some(document) = self.open.get_mut(uri.as_str()) {
            document.slow = started.elapsed() > SOON;
            document.read.analysis = Some(made.clone());
        }
        Ok(made)
    }

    /// All open documents with what is known of them.
    pub fn analyses(&mut self) -> Result<Vec<(Uri, Rc<Analysis>)>, Refusal> {
        let uris: Vec<Uri> =
            self.open.values().filter(|document| !document.library).map(|document| document.uri.clone()).collect();
        uris.into_iter().map(|uri| Ok((uri.clone(), self.analysis(&uri)?))).collect()
    }

    pub fn unjudged(&self) -> Vec<Uri> {
        self.open.values().filter(|document| !document.read.judged).map(|document| document.uri.clone()).collect()
    }

    /// Of a text that takes long: what is wrong in the text itself, if that is news. It is told without a version, because the
    /// whole follows.
    pub fn glance(&mut self, uri: &Uri, library: &LibraryFolder) -> Option<Notification> {
        let document = self.open.get_mut(uri.as_str())?;
        if !document.slow || document.library || std::mem::replace(&mut document.read.glanced, true) {
            return None;
        }
        let seen = glance(&self.texts, document.path.as_deref(), &document.text);
        let diagnostics = translate::diagnostics(&seen, uri, library);
        let found = diagnostics.iter().map(|one| one.message.clone()).collect();
        let known = std::mem::replace(&mut document.found, found);
        let news = known != document.found;
        news.then(|| published(PublishDiagnosticsParams { uri: uri.clone(), diagnostics, version: None }))
    }

    /// The problems of a document, as they are told to the client.
    pub fn judge(&mut self, uri: &Uri, library: &LibraryFolder) -> Option<Notification> {
        let document = self.open.get_mut(uri.as_str())?;
        // First, so that a text on which the compiler itself fails is not tried again and again.
        document.read.judged = true;
        let (version, shown) = (document.version, document.library);
        let diagnostics = if shown || document.text.trim().is_empty() {
            Vec::new()
        } else {
            let analysis = self.analysis(uri).ok()?;
            translate::diagnostics(&analysis.found, uri, library)
        };
        Some(published(PublishDiagnosticsParams { uri: uri.clone(), diagnostics, version: Some(version) }))
    }

    /// The address of a file: as the editor wrote it, if it is open.
    pub fn address(&self, path: &std::path::Path) -> Option<Uri> {
        let wanted = real(path);
        let open =
            self.open.values().find(|document| document.path.as_deref().is_some_and(|path| real(path) == wanted));
        open.map(|document| document.uri.clone()).or_else(|| translate::uri(path))
    }
}

fn published(params: PublishDiagnosticsParams) -> Notification {
    Notification::new("textDocument/publishDiagnostics".to_string(), params)
}

/// A change of a part, or the whole text anew.
fn apply(text: &mut String, change: &TextDocumentContentChangeEvent) -> Result<(), Refusal> {
    match change.range {
        None => *text = change.text.clone(),
        Some(range) => {
            let lines = Lines::new(text);
            let (start, end) = (lines.offset(translate::place(range.start)), lines.offset(translate::place(range.end)));
            if end < start {
                return Err(Refusal::failed("a change whose end comes before its start was left out"));
            }
            text.replace_range(start..end, &change.text);
        }
    }
    Ok(())
}
