//! `locus lsp`: what editors ask, over standard input and output.
//!
//! Only the protocol lives here; every answer is `session::editor`'s. A request that is not understood, comes too early or
//! was called off is answered as the protocol says; a fault of our own becomes an answer too, and the server lives on.
//! Nothing else may write to standard output.

mod answers;
mod documents;
mod edits;
mod library;
mod queue;
mod translate;

use std::panic::{AssertUnwindSafe, catch_unwind};

use lsp_server::{Connection, ErrorCode, IoThreads, Message, Notification, Request, Response};
use lsp_types::Uri;
use serde_json::{Value, json};

use super::output::{complain, take_panic};
use super::{FAILED, OK};
use documents::Documents;
use library::LibraryFolder;
use queue::{Next, Queue};

/// A reason why a request is not answered.
struct Refusal {
    code: i32,
    message: String,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { code: code as i32, message: message.into() }
    }

    /// The request was understood, and cannot be done.
    fn failed(message: impl Into<String>) -> Refusal {
        Refusal::new(ErrorCode::RequestFailed, message)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before `initialize`.
    New,
    Running,
    /// After `shutdown`: only `exit` is left.
    Down,
}

/// What the client said about itself.
#[derive(Clone, Copy, Default)]
struct Client {
    /// It takes edits that state the version of the text they are for.
    versioned_edits: bool,
}

struct Server {
    phase: Phase,
    client: Client,
    documents: Documents,
    library: LibraryFolder,
}

pub fn serve() -> u8 {
    let (connection, threads) = Connection::stdio();
    let library = LibraryFolder::default();
    let mut server = Server { phase: Phase::New, client: Client::default(), documents: Documents::default(), library };
    let ended = server.run(&connection);
    drop(connection);
    match ended {
        Ended::Exit(code) => {
            // The last answer may still be on its way out; a client that has stopped reading does not matter any more.
            let _ = catch_unwind(AssertUnwindSafe(|| threads.join()));
            code
        }
        Ended::NobodyListens => FAILED,
        Ended::NobodyAsks => server.without_exit(threads),
    }
}

/// How a conversation came to its end.
enum Ended {
    Exit(u8),
    /// Nothing comes in any more.
    NobodyAsks,
    /// Nothing that goes out is read.
    NobodyListens,
}

impl Server {
    fn run(&mut self, connection: &Connection) -> Ended {
        let Ok(mut queue) = Queue::of(connection) else { return Ended::NobodyListens };
        loop {
            queue.take_all();
            // While nobody waits for anything there is time to say what is wrong with the texts.
            for judge in [Documents::glance, Documents::judge] {
                let found = if queue.is_empty() { self.problems(judge) } else { Vec::new() };
                if found.into_iter().any(|message| connection.sender.send(message.into()).is_err()) {
                    return Ended::NobodyListens;
                }
                queue.take_all();
            }
            let reply = match queue.next() {
                Next::Closed => return Ended::NobodyAsks,
                Next::CalledOff(id) => {
                    Some(Response::new_err(id, ErrorCode::RequestCanceled as i32, "called off".to_string()).into())
                }
                Next::Message(Message::Request(request)) => Some(self.reply(request).into()),
                Next::Message(Message::Notification(told)) if told.method == "exit" => {
                    return Ended::Exit(if self.phase == Phase::Down { OK } else { FAILED });
                }
                Next::Message(Message::Notification(told)) => self.hear(told).map(Message::from),
                // The server asks nothing, so nothing is answered.
                Next::Message(Message::Response(_)) => None,
            };
            if let Some(reply) = reply
                && connection.sender.send(reply).is_err()
            {
                return Ended::NobodyListens;
            }
        }
    }

    /// The end of input without `exit`: the editor has gone, or sent what is no message.
    fn without_exit(&self, threads: IoThreads) -> u8 {
        let joined = catch_unwind(AssertUnwindSafe(|| threads.join()));
        match joined {
            Ok(Ok(())) if self.phase == Phase::Down => OK,
            Ok(Ok(())) => {
                complain("error: standard input ended before the `exit` of the language server protocol");
                FAILED
            }
            Ok(Err(error)) => {
                let text: String = error.to_string().chars().take(300).collect();
                complain(&format!(
                    "error: what came in is no message of the language server protocol: {text}\n`locus lsp` is started by an editor: see docs/editors.md"
                ));
                FAILED
            }
            Err(_) => super::output::internal_fault(),
        }
    }

    fn reply(&mut self, request: Request) -> Response {
        let id = request.id.clone();
        let answer = match (self.phase, request.method.as_str()) {
            (Phase::New, "initialize") => self.initialize(&request.params),
            (Phase::New, _) => Err(Refusal::new(ErrorCode::ServerNotInitialized, "the first request is `initialize`")),
            (Phase::Down, _) => Err(Refusal::new(ErrorCode::InvalidRequest, "the server was shut down")),
            (_, "initialize") => Err(Refusal::new(ErrorCode::InvalidRequest, "`initialize` comes once")),
            (_, "shutdown") => {
                self.phase = Phase::Down;
                Ok(Value::Null)
            }
            _ => caught(|| self.answer(&request.method, request.params)),
        };
        match answer {
            Ok(value) => Response::new_ok(id, value),
            Err(refusal) => Response::new_err(id, refusal.code, refusal.message),
        }
    }

    fn initialize(&mut self, params: &Value) -> Result<Value, Refusal> {
        self.phase = Phase::Running;
        let edits = params.pointer("/capabilities/workspace/workspaceEdit/documentChanges");
        self.client.versioned_edits = edits.and_then(Value::as_bool).unwrap_or(false);
        let info = json!({ "name": "locus", "version": env!("CARGO_PKG_VERSION") });
        Ok(json!({ "capabilities": answers::capabilities(), "serverInfo": info }))
    }

    /// A notification; what the client should be told in return.
    fn hear(&mut self, told: Notification) -> Option<Notification> {
        if self.phase != Phase::Running {
            return None;
        }
        let method = told.method.clone();
        let heard = caught(|| match method.as_str() {
            "textDocument/didOpen" => self.documents.open(documents::params(told.params)?, &self.library),
            "textDocument/didChange" => self.documents.change(documents::params(told.params)?),
            "textDocument/didClose" => self.documents.close(documents::params(told.params)?),
            // A file that was saved may be a neighbour of others.
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {
                self.documents.forget_importers();
                Ok(None)
            }
            _ => Ok(None),
        });
        heard.unwrap_or_else(|refusal| Some(logged(&format!("{method}: {}", refusal.message))))
    }

    /// What is wrong with the texts that changed, as far as `judge` looks.
    fn problems(
        &mut self,
        judge: impl Fn(&mut Documents, &Uri, &LibraryFolder) -> Option<Notification>,
    ) -> Vec<Notification> {
        let mut found = Vec::new();
        for uri in self.documents.unjudged() {
            match caught(|| Ok(judge(&mut self.documents, &uri, &self.library))) {
                Ok(told) => found.extend(told),
                Err(refusal) => found.push(logged(&refusal.message)),
            }
        }
        found
    }
}

/// Does `work`; a fault of our own becomes a refusal.
fn caught<T>(work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let place = take_panic().unwrap_or_else(|| "no details".to_string());
        let message = format!("locus itself failed; this is a fault of locus and not of your program: {place}");
        Err(Refusal::new(ErrorCode::InternalError, message))
    })
}

/// A line for the editor's log.
fn logged(message: &str) -> Notification {
    const WARNING: u8 = 2;
    Notification::new("window/logMessage".to_string(), json!({ "type": WARNING, "message": message }))
}
