//! A client of the language server: messages over the pipes of a process.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A server that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<Value>,
    /// What came while something else was waited for.
    early: VecDeque<Value>,
    next: i64,
    folder: tempfile::TempDir,
}

impl Client {
    /// A server that has not been spoken to.
    pub fn silent() -> Client {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_locus"))
            .args(["lsp", "--stdio"])
            .current_dir(folder.path())
            .env("LOCUS_CACHE", folder.path().join("cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, output) = channel();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            while let Some(message) = read(&mut reader) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take();
        Client { child, input, output, early: VecDeque::new(), next: 0, folder }
    }

    /// A server that has been greeted.
    pub fn started() -> Client {
        let mut client = Client::silent();
        let can = json!({ "workspace": { "workspaceEdit": { "documentChanges": true } } });
        let answer = client.ask("initialize", json!({ "capabilities": can }));
        assert!(answer["capabilities"].is_object(), "{answer}");
        client.tell("initialized", json!({}));
        client
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    pub fn uri(&self, name: &str) -> String {
        format!("file://{}", self.folder().join(Path::new(name)).display())
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        // A server that has ended is found out by what it does not answer.
        if let Some(input) = &mut self.input {
            let _ = input.write_all(bytes);
            let _ = input.flush();
        }
    }

    pub fn send_together(&mut self, messages: &[Value]) {
        let mut bytes = Vec::new();
        for message in messages {
            let mut message = message.clone();
            message["jsonrpc"] = json!("2.0");
            let text = message.to_string();
            bytes.extend(format!("Content-Length: {}\r\n\r\n{text}", text.len()).into_bytes());
        }
        self.send_bytes(&bytes);
    }

    pub fn tell(&mut self, method: &str, params: Value) {
        self.send_together(&[json!({ "method": method, "params": params })]);
    }

    /// The result of a request, or the error as `{ "error": .. }`.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send_together(&[json!({ "id": id, "method": method, "params": params })]);
        let answer = self.answer(id);
        match answer.get("error") {
            Some(error) => json!({ "error": error }),
            None => answer["result"].clone(),
        }
    }

    pub fn answer(&mut self, id: i64) -> Value {
        self.wait(|message| message["id"] == json!(id))
    }

    pub fn open(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "exp", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    pub fn change(&mut self, uri: &str, version: i64, changes: Value) {
        let document = json!({ "uri": uri, "version": version });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    }

    /// What the server says of that version of a text.
    pub fn problems(&mut self, uri: &str, version: i64) -> Value {
        let wanted = |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
                && message["params"]["version"] == json!(version)
        };
        let mut last = self.wait(wanted);
        // A text is judged anew when a neighbour changes: what was said last counts.
        while let Some(place) = self.early.iter().position(wanted) {
            last = self.early.remove(place).unwrap();
        }
        last["params"].clone()
    }

    /// What the server says of a text next, of whichever version: the parameters.
    pub fn next_problems(&mut self, uri: &str) -> Value {
        let of_text =
            |message: &Value| message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == uri;
        self.wait(of_text)["params"].clone()
    }

    /// The next line for the editor's log.
    pub fn logged(&mut self) -> Value {
        self.wait(|message| message["method"] == "window/logMessage")["params"].clone()
    }

    fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(place) = self.early.iter().position(&wanted) {
            return self.early.remove(place).unwrap();
        }
        loop {
            let message = self.output.recv_timeout(PATIENCE).expect("the server answers");
            if wanted(&message) {
                return message;
            }
            self.early.push_back(message);
        }
    }

    pub fn hang_up(&mut self) {
        self.input = None;
    }

    /// The exit code, and what was said beside the protocol.
    pub fn ended(mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (code, said)
    }

    /// A polite end.
    pub fn end(mut self) {
        assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        self.tell("exit", Value::Null);
        assert_eq!(self.ended(), (0, String::new()));
    }
}

fn read(reader: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(number) = line.strip_prefix("Content-Length: ") {
            length = number.parse().ok()?;
        }
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}
