//! Documents come whole and in order, wherever the pieces that are read of a file end; what is no text says so.

use super::*;
use crate::base::axis::Axis;
use crate::rt::ctx::{Ctx, Nowhere};
use crate::rt::value::Value;

/// A file of that name.
fn file(name: &str, bytes: &[u8]) -> FileHandle {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    crate::rt::files::open(&path, "", "corpus").unwrap()
}

fn wanted<'a>(column: &'a str, separator: &'a str, ids: bool) -> Wanted<'a> {
    Wanted { column, separator, ids }
}

fn all(file: &FileHandle, wanted: Wanted) -> Result<Vec<Document>> {
    documents(file, wanted)?.collect()
}

fn texts(bytes: &[u8], name: &str, column: &str, separator: &str) -> Vec<String> {
    let text = |document| match document {
        Document::Text(text) => text,
        Document::Ids(_) => panic!("ids"),
    };
    all(&file(name, bytes), wanted(column, separator, false)).unwrap().into_iter().map(text).collect()
}

fn told(name: &str, bytes: &[u8], wanted: Wanted) -> String {
    let error = all(&file(name, bytes), wanted).unwrap_err();
    assert_eq!(error.code, "R008");
    error.message
}

#[test]
fn plain_texts_are_cut_at_separators() {
    assert_eq!(texts(b"one\ntwo\n", "a.txt", "", ""), ["one\ntwo\n"]);
    assert_eq!(texts(b"one--two----", "a.txt", "", "--"), ["one", "two", ""]);
    assert_eq!(texts(b"\xef\xbb\xbfone", "a.txt", "", "--"), ["one"]);
    // Separators and characters lie across the pieces that are read.
    let long = "é".repeat(200_000);
    let whole = [long.as_str(), "x", long.as_str(), ""].join("<|end|>");
    assert_eq!(texts(whole.as_bytes(), "a.txt", "", "<|end|>"), [long.as_str(), "x", long.as_str()]);
    assert!(told("a.txt", b"one--t\xffo", wanted("", "--", false)).contains("document 1 has the byte 0xff at 1"));
    let error = told("a.txt", &vec![b'a'; MAX_TEXT + 2], wanted("", "--", false));
    assert!(error.contains("in document 0"), "{error}");
}

#[test]
fn lines_of_json() {
    let lines = "{\"id\": 1, \"text\": \"a\\n\u{e9}\"}\n\n  \r\n{\"text\": \"b\", \"more\": {\"text\": [1, {}]}}\r\n{\"text\": \"\"}";
    assert_eq!(texts(lines.as_bytes(), "a.jsonl", "text", ""), ["a\n\u{e9}", "b", ""]);
    let many: String = (0..30_000).map(|number| format!("{{\"text\": \"number {number}\"}}\n")).collect();
    let read = texts(many.as_bytes(), "a.jsonl", "text", "");
    assert!(read.len() == 30_000 && read[29_999] == "number 29999");
    let ids = all(&file("a.jsonl", b"{\"ids\": [3, 1]}\n{\"ids\": []}"), wanted("ids", "", true)).unwrap();
    assert_eq!(ids, [Document::Ids(vec![3, 1]), Document::Ids(vec![])]);
}

#[test]
fn what_is_wrong_names_the_line() {
    let text = |bytes: &[u8]| told("a.jsonl", bytes, wanted("text", "", false));
    assert!(text(b"{\"text\": \"a\"}\n{\"txt\": 1}").contains("has no field `text` in line 2"));
    assert!(text(b"{\"text\": 1}").contains("has `text` that is not a text in line 1"));
    assert!(text(b"{\"text\": \"a\"} {}").contains("is not JSON lines"));
    assert!(text(b"{\"text\": \"\xff\"}").contains("is not JSON lines"));
    assert!(text(&b"{\"a\":".repeat(50_000)).contains("is not JSON lines"));
    assert!(text(&b"[".repeat(50_000)).contains("is not JSON lines"));
    let ids = |bytes: &[u8]| told("a.jsonl", bytes, wanted("ids", "", true));
    assert!(ids(b"{\"ids\": [1, -1]}").contains("are not token ids"));
    assert!(ids(b"{\"ids\": [1.5]}").contains("are not token ids"));
    assert!(ids(b"{\"ids\": \"1\"}").contains("not a list of token ids"));
    assert!(told("a.jsonl", b"{}", wanted("", "", false)).contains("is a `.jsonl` file"));
    assert!(told("a.txt", b"a", wanted("", "", true)).contains("without the name of their column"));
    assert!(told("a.txt", b"\x93NUMPY\x01\0", wanted("", "", false)).contains("npy file"));
}

#[test]
fn a_stream_in_tiles_is_that_of_all_documents() {
    let [stream, document] = ["stream", "document"].map(|name| Axis::named("", name));
    let mut ctx = Ctx::new(Box::new(Nowhere));
    // Documents of every length, across the ends of tiles and batches; 600,000 tokens with their starts.
    let lists: Vec<Vec<i64>> = (0..1000i64).map(|n| (0..n * 1199 % 1200).map(|i| n + i).collect()).collect();
    let documents = lists.iter().map(|ids| Ok(Document::Ids(ids.clone())));
    let plan = Plan { tokenizer: None, start: Some(9), stream, document, label: "", bytes: 0 };
    let made = flat(&mut ctx, documents, &plan).unwrap();
    let (mut wanted, mut begins) = (Vec::new(), Vec::new());
    for ids in &lists {
        begins.push(wanted.len() as i64);
        wanted.push(9);
        wanted.extend(ids);
    }
    assert!(matches!(made.tokens, Value::Chunked(_)));
    let (Value::Tensor(tokens), Value::Tensor(found)) = (made.tokens.plain().unwrap(), made.begins) else { panic!() };
    assert_eq!(tokens.as_dense::<i64>().unwrap(), wanted);
    assert_eq!(found.as_dense::<i64>().unwrap(), begins);
    let none = flat(&mut ctx, std::iter::empty(), &plan).unwrap();
    assert!(matches!(none.tokens, Value::Tensor(tokens) if tokens.elements() == 0));
}
