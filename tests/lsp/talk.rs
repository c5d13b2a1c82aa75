//! Conversations as data: reading them, holding them, and writing down what was answered.

use super::client::Client;
use locus::session::editor::places::Lines;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub fn conversations() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lsp");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    found.sort();
    found
}

/// The conversation with the answers that the server gives now.
pub fn held(text: &str) -> String {
    let mut talk = Talk { client: Client::silent(), texts: BTreeMap::new(), greeted: false };
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with(">>") {
            continue;
        }
        out.push_str(&format!("{line}\n"));
        let Some(command) = line.strip_prefix("-- ") else { continue };
        let mut body = String::new();
        while let Some(next) =
            lines.next_if(|line| !line.starts_with("-- ") && !line.starts_with(">>") && !line.starts_with("// "))
        {
            out.push_str(&format!("{next}\n"));
            body.push_str(&format!("{next}\n"));
        }
        for answer in talk.say(command, &body).lines() {
            out.push_str(format!(">> {answer}").trim_end());
            out.push('\n');
        }
    }
    talk.finish();
    out
}

struct Talk {
    client: Client,
    /// The open texts and their versions.
    texts: BTreeMap<String, (String, i64)>,
    greeted: bool,
}

impl Talk {
    fn say(&mut self, command: &str, body: &str) -> String {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        match word {
            "raw" => {
                let (method, params) = rest.split_once(' ').unwrap_or((rest, "null"));
                self.greeted |= method == "initialize";
                let answer = self.client.ask(method, self.json(params));
                return self.plain(&short(&answer));
            }
            "tell" => {
                let (method, params) = rest.split_once(' ').unwrap_or((rest, "null"));
                let params = self.json(params);
                self.client.tell(method, params);
                return String::new();
            }
            _ if !self.greeted => self.greet(),
            _ => {}
        }
        match word {
            "file" => {
                std::fs::write(self.client.folder().join(rest), body).unwrap();
                String::new()
            }
            "open" => {
                self.client.open(&self.client.uri(rest), body);
                self.texts.insert(rest.to_string(), (body.to_string(), 1));
                self.problems(rest)
            }
            "text" => {
                self.changed(rest, body.to_string(), json!([{ "text": body }]));
                self.problems(rest)
            }
            "type" => {
                let (name, place) = rest.split_once(' ').unwrap();
                let (offset, position) = self.place(name, place);
                let mut text = self.texts[name].0.clone();
                let new = body.trim_end_matches('\n');
                text.insert_str(offset, new);
                self.changed(name, text, json!([{ "range": { "start": position, "end": position }, "text": new }]));
                self.problems(name)
            }
            "problems" => self.problems(rest),
            "log" => {
                let said = self.client_log();
                self.plain(&said)
            }
            _ => self.question(word, rest),
        }
    }

    fn client_log(&mut self) -> String {
        self.client.logged()["message"].as_str().unwrap().to_string()
    }

    fn greet(&mut self) {
        self.greeted = true;
        let can = json!({ "workspace": { "workspaceEdit": { "documentChanges": true } } });
        self.client.ask("initialize", json!({ "capabilities": can }));
        self.client.tell("initialized", json!({}));
    }

    fn changed(&mut self, name: &str, text: String, changes: Value) {
        let version = self.texts[name].1 + 1;
        self.client.change(&self.client.uri(name), version, changes);
        self.texts.insert(name.to_string(), (text, version));
    }

    /// `$FOLDER` stands for the folder of the conversation.
    fn json(&self, text: &str) -> Value {
        let folder = self.client.uri("");
        serde_json::from_str(&text.replace("$FOLDER", folder.trim_end_matches('/'))).expect(text)
    }

    /// A piece of a text with `^` in it, as a byte and as the protocol's place.
    fn place(&self, name: &str, piece: &str) -> (usize, Value) {
        let text = &self.texts[name].0;
        let plain = piece.replace('^', "");
        let start = text.find(&plain).unwrap_or_else(|| panic!("`{plain}` is not in {name}"));
        let offset = start + piece.find('^').expect("a cursor");
        let place = Lines::new(text).place(offset);
        (offset, json!({ "line": place.line, "character": place.column }))
    }

    fn question(&mut self, word: &str, rest: &str) -> String {
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let document = json!({ "uri": self.client.uri(name) });
        let mut params = json!({ "textDocument": document });
        let (piece, new) = rest.split_once(" => ").unwrap_or((rest, ""));
        if !piece.is_empty() {
            params["position"] = self.place(name, piece).1;
        }
        let method = match word {
            "hover" => "textDocument/hover",
            "complete" => "textDocument/completion",
            "definition" => "textDocument/definition",
            "references" => {
                params["context"] = json!({ "includeDeclaration": true });
                "textDocument/references"
            }
            "highlight" => "textDocument/documentHighlight",
            "symbols" => "textDocument/documentSymbol",
            "signature" => "textDocument/signatureHelp",
            "prepare" => "textDocument/prepareRename",
            "rename" => {
                params["newName"] = json!(new);
                "textDocument/rename"
            }
            "format" => {
                params["options"] = json!({ "tabSize": 2, "insertSpaces": true });
                "textDocument/formatting"
            }
            other => panic!("what is `{other}`?"),
        };
        let answer = self.client.ask(method, params);
        let shown = match word {
            _ if answer.get("error").is_some() => format!("refused: {}", answer["error"]["message"].as_str().unwrap()),
            _ if answer.is_null() => "nothing".to_string(),
            "hover" => format!("{} {}", range(&answer["range"]), answer["contents"]["value"].as_str().unwrap()),
            "complete" => self.candidates(&answer, name, piece),
            "symbols" => symbols(&answer, 0),
            "signature" => signature(&answer),
            "rename" => renamed(&answer),
            "prepare" => format!("{} {}", range(&answer["range"]), answer["placeholder"].as_str().unwrap()),
            _ => places(&answer),
        };
        self.plain(&shown)
    }

    /// Those that go on from the word at the cursor, the nearest first: at most twelve.
    fn candidates(&self, answer: &Value, name: &str, piece: &str) -> String {
        let (offset, _) = self.place(name, piece);
        let before = &self.texts[name].0[..offset];
        let word = before.rsplit(|letter: char| !(letter.is_alphanumeric() || letter == '_')).next().unwrap();
        let mut found: Vec<&Value> = answer.as_array().unwrap().iter().collect();
        found.retain(|item| item["label"].as_str().unwrap().starts_with(word));
        found.sort_by_key(|item| item["sortText"].as_str().unwrap().to_string());
        let shown = found.iter().take(12).map(|item| {
            let detail = item["detail"].as_str().unwrap_or("").replace('\n', " ");
            let detail: String = detail.chars().take(90).collect();
            format!("{}  {detail}", item["label"].as_str().unwrap()).trim_end().to_string()
        });
        let mut shown: Vec<String> = shown.collect();
        if found.len() > 12 {
            shown.push(format!("and {} more", found.len() - 12));
        }
        if shown.is_empty() { "nothing".to_string() } else { shown.join("\n") }
    }

    fn problems(&mut self, name: &str) -> String {
        let told = self.client.problems(&self.client.uri(name), self.texts[name].1);
        let mut out = Vec::new();
        for one in told["diagnostics"].as_array().unwrap() {
            let severity = if one["severity"] == json!(1) { "error" } else { "warning" };
            let message = one["message"].as_str().unwrap().replace('\n', "\n   ");
            out.push(format!("{} {severity} {} {message}", range(&one["range"]), one["code"].as_str().unwrap()));
            for related in one["relatedInformation"].as_array().into_iter().flatten() {
                let message = related["message"].as_str().unwrap();
                out.push(format!("   {}: {message}", location(&related["location"])));
            }
        }
        if out.is_empty() {
            out.push("no problems".to_string());
        }
        self.plain(&out.join("\n"))
    }

    /// Without what differs from one machine to the next.
    fn plain(&self, text: &str) -> String {
        let folder = self.client.folder().display().to_string();
        let mut text = text.replace(&folder, "$FOLDER");
        while let Some(at) = text.find("$FOLDER/cache/library/") {
            let end = at + "$FOLDER/cache/library/".len();
            let build = text[end..].find('/').map_or(text.len(), |length| end + length);
            text.replace_range(at..build, "$LIBRARY");
        }
        text
    }

    fn finish(self) {
        if self.greeted {
            let mut client = self.client;
            client.hang_up();
            let (_, said) = client.ended();
            assert!(!said.contains("panicked") && !said.contains("R099"), "{said}");
        }
    }
}

fn range(range: &Value) -> String {
    let place = |at: &Value| format!("{}:{}", at["line"], at["character"]);
    format!("{}-{}", place(&range["start"]), place(&range["end"]))
}

fn location(at: &Value) -> String {
    format!("{} {}", at["uri"].as_str().unwrap().trim_start_matches("file://"), range(&at["range"]))
}

fn places(answer: &Value) -> String {
    let one = |at: &Value| match at.get("uri") {
        Some(_) => location(at),
        None => format!("{} {}", range(&at["range"]), at["newText"].as_str().unwrap_or("")).trim_end().to_string(),
    };
    match answer.as_array() {
        Some(all) if all.is_empty() => "none".to_string(),
        Some(all) => all.iter().map(one).collect::<Vec<_>>().join("\n"),
        None => one(answer),
    }
}

fn symbols(answer: &Value, depth: usize) -> String {
    let mut out = String::new();
    for one in answer.as_array().unwrap() {
        let (name, kind) = (one["name"].as_str().unwrap(), &one["kind"]);
        out.push_str(&format!("{}{name} (kind {kind}) {}\n", "  ".repeat(depth), range(&one["selectionRange"])));
        if one["children"].is_array() {
            out.push_str(&symbols(&one["children"], depth + 1));
        }
    }
    out
}

fn signature(answer: &Value) -> String {
    let one = &answer["signatures"][0];
    let parameters = one["parameters"].as_array().unwrap();
    let active = one["activeParameter"].as_u64().map(|place| parameters[place as usize]["label"].as_str().unwrap());
    format!("{}\n   here: {}", one["label"].as_str().unwrap(), active.unwrap_or("no parameter"))
}

fn renamed(answer: &Value) -> String {
    let mut out = Vec::new();
    for document in answer["documentChanges"].as_array().unwrap() {
        let about = &document["textDocument"];
        let uri = about["uri"].as_str().unwrap().trim_start_matches("file://");
        out.push(format!("{uri} version {}", about["version"]));
        for edit in document["edits"].as_array().unwrap() {
            out.push(format!("   {} {}", range(&edit["range"]), edit["newText"].as_str().unwrap()));
        }
    }
    if out.is_empty() { "no change".to_string() } else { out.join("\n") }
}

fn short(answer: &Value) -> String {
    let text = answer.to_string();
    if text.chars().count() > 400 { format!("{} ...", text.chars().take(400).collect::<String>()) } else { text }
}
