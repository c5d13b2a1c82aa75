//! One method for each request.

use std::rc::Rc;

use lsp_server::ErrorCode;
use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionParams, CompletionTextEdit, DocumentFormattingParams,
    DocumentHighlight, DocumentSymbol, DocumentSymbolParams, Documentation, GotoDefinitionParams, Hover, HoverContents,
    HoverParams, Location, MarkupContent, MarkupKind, OneOf, OptionalVersionedTextDocumentIdentifier,
    ParameterInformation, ParameterLabel, ReferenceParams, RenameParams, SignatureHelp, SignatureHelpParams,
    SignatureInformation, SymbolKind, TextDocumentEdit, TextDocumentPositionParams, TextEdit, Uri,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::documents::params;
use super::{Refusal, Server, edits, translate};
use crate::session::editor::complete::{Candidate, Sort, call_help, complete};
use crate::session::editor::describe::{Home, describe, home};
use crate::session::editor::outline::{Part, Symbol, outline};
use crate::session::editor::places::Lines;
use crate::session::editor::{Analysis, formatted, problem_text, rename};

/// What the server can do.
pub fn capabilities() -> Value {
    const INCREMENTAL: u8 = 2;
    json!({
        "positionEncoding": "utf-16",
        "textDocumentSync": { "openClose": true, "change": INCREMENTAL, "save": true },
        "hoverProvider": true,
        "completionProvider": { "triggerCharacters": [".", "["] },
        "signatureHelpProvider": { "triggerCharacters": ["(", ","] },
        "definitionProvider": true,
        "referencesProvider": true,
        "documentHighlightProvider": true,
        "documentSymbolProvider": true,
        "documentFormattingProvider": true,
        "renameProvider": { "prepareProvider": true },
    })
}

/// A document at a place: what is known of it, and the byte.
struct At {
    uri: Uri,
    analysis: Rc<Analysis>,
    offset: u32,
}

impl Server {
    pub(super) fn answer(&mut self, method: &str, asked: Value) -> Result<Value, Refusal> {
        match method {
            "textDocument/hover" => self.hover(params(asked)?),
            "textDocument/completion" => self.completion(params(asked)?),
            "textDocument/signatureHelp" => self.signature(params(asked)?),
            "textDocument/definition" => self.definition(params(asked)?),
            "textDocument/references" => self.references(params(asked)?),
            "textDocument/documentHighlight" => self.highlight(params(asked)?),
            "textDocument/documentSymbol" => self.symbols(params(asked)?),
            "textDocument/formatting" => self.formatting(params(asked)?),
            "textDocument/prepareRename" => self.prepare_rename(params(asked)?),
            "textDocument/rename" => self.rename(params(asked)?),
            _ => Err(Refusal::new(ErrorCode::MethodNotFound, format!("`{method}` is not known here"))),
        }
    }

    fn at(&mut self, place: TextDocumentPositionParams) -> Result<At, Refusal> {
        let uri = place.text_document.uri;
        let analysis = self.documents.analysis(&uri)?;
        let offset = Lines::new(&analysis.text).offset(translate::place(place.position)) as u32;
        Ok(At { uri, analysis, offset })
    }

    fn hover(&mut self, asked: HoverParams) -> Result<Value, Refusal> {
        let at = self.at(asked.text_document_position_params)?;
        let told = describe(&at.analysis, at.offset).map(|told| {
            let mut text = format!("```exp\n{}\n```", told.code);
            for part in told.about.into_iter().chain(told.from.map(|from| format!("in {from}"))) {
                text.push_str(&format!("\n\n{}", part.trim()));
            }
            let range = Some(translate::span(&Lines::new(&at.analysis.text), told.span));
            Hover { contents: HoverContents::Markup(markdown(text)), range }
        });
        value(told)
    }

    fn completion(&mut self, asked: CompletionParams) -> Result<Value, Refusal> {
        let place = asked.text_document_position;
        let document = self.documents.get(&place.text_document.uri)?;
        let lines = Lines::new(&document.text);
        let offset = lines.offset(translate::place(place.position));
        let (start, found) = complete(&self.documents.texts, document.path.as_deref(), &document.text, offset);
        let range = translate::range(&lines, start, offset);
        let items: Vec<CompletionItem> = found.into_iter().map(|candidate| item(candidate, range)).collect();
        value(items)
    }

    fn signature(&mut self, asked: SignatureHelpParams) -> Result<Value, Refusal> {
        let place = asked.text_document_position_params;
        let document = self.documents.get(&place.text_document.uri)?;
        let offset = Lines::new(&document.text).offset(translate::place(place.position));
        let help = call_help(&self.documents.texts, document.path.as_deref(), &document.text, offset);
        value(help.map(|help| {
            let parameter =
                |written: String| ParameterInformation { label: ParameterLabel::Simple(written), documentation: None };
            let active = (help.active < help.parameters.len()).then_some(help.active as u32);
            SignatureHelp {
                signatures: vec![SignatureInformation {
                    label: help.signature,
                    documentation: help.about.map(|about| Documentation::MarkupContent(markdown(about))),
                    parameters: Some(help.parameters.into_iter().map(parameter).collect()),
                    active_parameter: active,
                }],
                active_signature: Some(0),
                active_parameter: active,
            }
        }))
    }

    fn definition(&mut self, asked: GotoDefinitionParams) -> Result<Value, Refusal> {
        let at = self.at(asked.text_document_position_params)?;
        value(match home(&at.analysis, at.offset) {
            None => None,
            Some(Home::Here(span)) => {
                Some(Location { uri: at.uri, range: translate::span(&Lines::new(&at.analysis.text), span) })
            }
            Some(Home::Elsewhere(module, span)) => {
                let uri = match &module.path {
                    Some(path) => self.documents.address(path),
                    None => self.library.module(&module.name),
                };
                uri.map(|uri| Location { uri, range: translate::span(&Lines::new(&module.text), span) })
            }
        })
    }

    fn references(&mut self, asked: ReferenceParams) -> Result<Value, Refusal> {
        let (open, number, offset) = self.everything(asked.text_document_position)?;
        let texts = analyses(&open);
        let found = rename::places(&texts, number, offset).into_iter();
        let kept = found.skip(usize::from(!asked.context.include_declaration));
        let location = |(number, span): (usize, _)| {
            let (uri, analysis) = &open[number];
            Location { uri: uri.clone(), range: translate::span(&Lines::new(&analysis.text), span) }
        };
        value(kept.map(location).collect::<Vec<_>>())
    }

    fn highlight(&mut self, asked: lsp_types::DocumentHighlightParams) -> Result<Value, Refusal> {
        let at = self.at(asked.text_document_position_params)?;
        let lines = Lines::new(&at.analysis.text);
        let found = rename::places(&[&at.analysis], 0, at.offset).into_iter();
        let highlight = |(_, span)| DocumentHighlight { range: translate::span(&lines, span), kind: None };
        value(found.map(highlight).collect::<Vec<_>>())
    }

    fn symbols(&mut self, asked: DocumentSymbolParams) -> Result<Value, Refusal> {
        let analysis = self.documents.analysis(&asked.text_document.uri)?;
        let lines = Lines::new(&analysis.text);
        value(outline(&analysis).into_iter().map(|found| symbol(found, &lines)).collect::<Vec<_>>())
    }

    fn formatting(&mut self, asked: DocumentFormattingParams) -> Result<Value, Refusal> {
        let analysis = self.documents.analysis(&asked.text_document.uri)?;
        if !analysis.whole {
            let why =
                analysis.found.problems.first().map_or(String::new(), |problem| format!(": {}", problem_text(problem)));
            return Err(Refusal::failed(format!("the text cannot be read, so it is left as it is{why}")));
        }
        value(formatted(&analysis.text).map(|new| edits::between(&analysis.text, &new)))
    }

    fn prepare_rename(&mut self, asked: TextDocumentPositionParams) -> Result<Value, Refusal> {
        self.own(&asked.text_document.uri)?;
        let (open, number, offset) = self.everything(asked)?;
        let (span, name) = rename::renameable(&analyses(&open), number, offset).map_err(Refusal::failed)?;
        let range = translate::span(&Lines::new(&open[number].1.text), span);
        Ok(json!({ "range": range, "placeholder": name }))
    }

    fn rename(&mut self, asked: RenameParams) -> Result<Value, Refusal> {
        self.own(&asked.text_document_position.text_document.uri)?;
        let (open, number, offset) = self.everything(asked.text_document_position)?;
        let texts = &self.documents.texts;
        let edits =
            rename::rename(texts, &analyses(&open), number, offset, &asked.new_name).map_err(Refusal::failed)?;
        let mut changes = Vec::new();
        for (number, (uri, analysis)) in open.iter().enumerate() {
            let lines = Lines::new(&analysis.text);
            let own = edits.iter().filter(|(known, ..)| *known == number);
            let edits: Vec<TextEdit> = own
                .map(|(_, span, new)| TextEdit { range: translate::span(&lines, *span), new_text: new.clone() })
                .collect();
            if !edits.is_empty() {
                changes.push((uri.clone(), edits));
            }
        }
        self.workspace_edit(changes)
    }

    fn workspace_edit(&self, changes: Vec<(Uri, Vec<TextEdit>)>) -> Result<Value, Refusal> {
        if !self.client.versioned_edits {
            let by_uri: Result<Map<String, Value>, Refusal> =
                changes.into_iter().map(|(uri, edits)| Ok((uri.as_str().to_string(), value(edits)?))).collect();
            return Ok(json!({ "changes": by_uri? }));
        }
        let mut documents = Vec::new();
        for (uri, edits) in changes {
            let version = Some(self.documents.get(&uri)?.version);
            let text_document = OptionalVersionedTextDocumentIdentifier { uri, version };
            documents.push(TextDocumentEdit { text_document, edits: edits.into_iter().map(OneOf::Left).collect() });
        }
        Ok(json!({ "documentChanges": documents }))
    }

    /// The library can be read, not changed.
    fn own(&self, uri: &Uri) -> Result<(), Refusal> {
        match self.documents.get(uri)?.library {
            true => Err(Refusal::failed("the standard library can only be read")),
            false => Ok(()),
        }
    }

    /// All open documents, the number of the one that is asked about, and the byte there.
    fn everything(&mut self, place: TextDocumentPositionParams) -> Result<Everything, Refusal> {
        let At { uri, analysis, offset } = self.at(place)?;
        let mut open = self.documents.analyses()?;
        let number = match open.iter().position(|(known, _)| *known == uri) {
            Some(number) => number,
            None => {
                open.push((uri, analysis));
                open.len() - 1
            }
        };
        Ok((open, number, offset))
    }
}

type Everything = (Vec<(Uri, Rc<Analysis>)>, usize, u32);

fn analyses(open: &[(Uri, Rc<Analysis>)]) -> Vec<&Analysis> {
    open.iter().map(|(_, analysis)| &**analysis).collect()
}

fn value(answer: impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(answer).map_err(|error| Refusal::new(ErrorCode::InternalError, error.to_string()))
}

fn markdown(value: String) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value }
}

fn item(candidate: Candidate, range: lsp_types::Range) -> CompletionItem {
    let kind = match candidate.sort {
        Sort::Variable => CompletionItemKind::VARIABLE,
        Sort::Parameter => CompletionItemKind::VARIABLE,
        Sort::Function => CompletionItemKind::FUNCTION,
        Sort::Type => CompletionItemKind::STRUCT,
        Sort::Axis => CompletionItemKind::TYPE_PARAMETER,
        Sort::Module => CompletionItemKind::MODULE,
        Sort::Field => CompletionItemKind::FIELD,
        Sort::Site => CompletionItemKind::EVENT,
        Sort::Keyword => CompletionItemKind::KEYWORD,
    };
    CompletionItem {
        sort_text: Some(format!("{}{}", candidate.rank, candidate.label)),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text: candidate.label.clone() })),
        kind: Some(kind),
        detail: candidate.detail,
        documentation: candidate.about.map(|about| Documentation::MarkupContent(markdown(about))),
        label: candidate.label,
        ..CompletionItem::default()
    }
}

// The field is out of date, and the type has no default.
#[allow(deprecated)]
fn symbol(found: Symbol, lines: &Lines) -> DocumentSymbol {
    let kind = match found.part {
        Part::Function => SymbolKind::FUNCTION,
        Part::Type => SymbolKind::STRUCT,
        Part::Axis => SymbolKind::TYPE_PARAMETER,
        Part::Input => SymbolKind::FILE,
        Part::Value | Part::Fit => SymbolKind::VARIABLE,
        Part::Plot | Part::Expect => SymbolKind::EVENT,
        Part::Site => SymbolKind::FIELD,
        Part::Experiment => SymbolKind::NAMESPACE,
    };
    let inside: Vec<DocumentSymbol> = found.inside.into_iter().map(|inner| symbol(inner, lines)).collect();
    DocumentSymbol {
        name: if found.name.is_empty() { "_".to_string() } else { found.name },
        detail: None,
        kind,
        tags: None,
        deprecated: None,
        range: translate::span(lines, found.whole),
        selection_range: translate::span(lines, found.name_span),
        children: (!inside.is_empty()).then_some(inside),
    }
}
