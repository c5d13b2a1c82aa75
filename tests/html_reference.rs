//! The reference as pages: well-formed, every link leads somewhere, everything public is there, nothing is fetched, what documentation
//! says is text, and the same modules give the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use locus::session::embedded;
use locus::session::reference::Reference;

/// Elements without an end.
const VOID: &[&str] = &["meta", "input", "br", "hr"];
const ENTITIES: &[&str] = &["amp", "lt", "gt", "quot", "#39"];

/// Documentation that tries everything.
const HOSTILE: &str = r##"## A module. <script>alert("doc")</script> <img src=x onerror=alert(1)> ![p](http://example.com/p.png)
##
## See [this](javascript:alert(1)), [that](https://example.com/a?b="c"), [`sum`](https://example.com/), `<b>code</b>` and arXiv 2306.03819.
##
##   x_i^2    <i>cell</i> `sum[pos](x)`

axis day like pos
axis day2, fit

## Twice.
## <style>* { display: none }</style>
pub fn twice<r>(x: f32[..r], fit: str = "</script><script>alert(2)</script>") -> f32[..r] { sum[day](x) + x }

## A `Pair`.
pub type Pair<day> = { a: f32[day], b: list<str> }

pub fn no_doc(x'1) { near.mean(x'1) }
"##;

#[derive(Default)]
struct Page {
    ids: BTreeSet<String>,
    links: Vec<String>,
    scripts: usize,
}

/// Reads a page strictly: every element ends, attributes stand in double quotes, entities are known.
fn read(name: &str, text: &str) -> Page {
    let mut page = Page::default();
    let mut open: Vec<String> = Vec::new();
    let mut rest = text.strip_prefix("<!doctype html>").unwrap_or_else(|| panic!("{name} has no doctype"));
    while let Some(at) = rest.find('<') {
        check_text(name, &rest[..at]);
        let end = at + rest[at..].find('>').unwrap_or_else(|| panic!("{name}: a tag does not end"));
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed), "{name}: </{closed}> in {open:?}");
            continue;
        }
        let (element, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(element.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{name}: <{tag}>");
        assert!(element != "a" || !open.iter().any(|outer| outer == "a"), "{name}: a link within a link");
        take_attributes(name, attributes, &mut page);
        if !VOID.contains(&element) {
            open.push(element.to_string());
        }
        if element == "script" || element == "style" {
            page.scripts += usize::from(element == "script");
            let end = rest.find(&format!("</{element}>")).unwrap_or_else(|| panic!("{name}: {element} does not end"));
            rest = &rest[end..];
        }
    }
    check_text(name, rest);
    assert!(open.is_empty(), "{name}: {open:?} do not end");
    page
}

fn check_text(name: &str, text: &str) {
    assert!(!text.contains('>'), "{name}: a bare > in {text}");
    for entity in text.split('&').skip(1) {
        let entity = entity.split(';').next().unwrap_or("");
        assert!(ENTITIES.contains(&entity), "{name}: &{entity} is no entity");
    }
}

fn take_attributes(name: &str, attributes: &str, page: &mut Page) {
    let mut rest = attributes.trim();
    while !rest.is_empty() {
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        assert!(!key.starts_with("on") && !["src", "style", "srcdoc"].contains(&key), "{name}: {key} in {attributes}");
        let Some(quoted) = after.strip_prefix("=\"") else {
            assert!(["hidden"].contains(&key), "{name}: {key} has no value");
            rest = after.trim_start();
            continue;
        };
        let (value, after) = quoted.split_once('"').unwrap_or_else(|| panic!("{name}: {key} does not end"));
        check_text(name, value);
        let value = value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        match key {
            "id" => assert!(page.ids.insert(value.clone()), "{name}: the id {value} stands twice"),
            "href" | "action" => page.links.push(value),
            "for" | "aria-labelledby" => page.links.push(format!("#{value}")),
            _ => {}
        }
        rest = after.trim_start();
    }
}

fn check(pages: &BTreeMap<String, String>) -> BTreeMap<String, Page> {
    let read: BTreeMap<String, Page> = pages.iter().map(|(name, text)| (name.clone(), read(name, text))).collect();
    for (name, page) in &read {
        assert_eq!(page.scripts, usize::from(name == "index.html"), "{name}");
        for link in &page.links {
            if link.starts_with("https://arxiv.org/abs/") || link.starts_with("https://example.com/") {
                continue;
            }
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { Some(page) } else { read.get(file) };
            let target = target.unwrap_or_else(|| panic!("{name}: {link} leads nowhere"));
            assert!(place.is_empty() || target.ids.contains(place), "{name}: {link} leads to no place");
        }
    }
    read
}

fn in_folder(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
    };
    entries.map(named).collect()
}

fn locus(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_locus")).args(args).current_dir(folder).output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn pages_are_sound_and_hold_everything_public() {
    let pages = Reference::new(Vec::new()).pages();
    let read = check(&pages);
    let mut items = 0;
    for &(module, text) in embedded::STDLIB {
        let page = &read[&format!("std.{module}.html")];
        for line in text.lines().filter(|line| line.starts_with("pub ")) {
            let mut words =
                line.split([' ', '(', '<', '=']).filter(|word| !["pub", "intrinsic", "fn", "type"].contains(word));
            let name = words.next().unwrap();
            assert!(page.ids.contains(name), "std.{module}: {name} is missing");
            assert!(
                read["index.html"].links.contains(&format!("std.{module}.html#{name}")),
                "{name} is not in the list"
            );
            items += 1;
        }
        assert_eq!(read[&format!("std.{module}.source.html")].ids.len(), text.lines().count() + 1, "std.{module}");
    }
    assert!(items > 600, "only {items} public items");
    assert!(pages["std.linalg.html"].contains("∑<sub>k</sub>"));
    assert!(pages["std.erasure.html"].contains("<a href=\"https://arxiv.org/abs/2306.03819\">"));
    assert!(pages["std.posdecomp.html"].contains("<a href=\"std.axes.html#axis-"));
}

#[test]
fn the_command_writes_the_same_bytes_and_only_where_it_may() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("mine")).unwrap();
    fs::write(folder.path().join("mine/near.exp"), "## Near.\n\n## A mean.\npub fn mean(x) { x }\n").unwrap();
    let text = format!("{}\nuse \"mine/near.exp\"\n", HOSTILE.trim_end());
    fs::write(folder.path().join("hostile.exp"), text).unwrap();
    for out in ["one", "two", "two"] {
        let ran = locus(folder.path(), &["doc", "--html", out, "hostile.exp", "mine/near.exp", "./hostile.exp"]);
        assert_eq!(ran.status.code(), Some(0), "{}", told(&ran));
    }
    let (mut one, mut two) = (in_folder(&folder.path().join("one")), in_folder(&folder.path().join("two")));
    let differ: Vec<&String> =
        one.iter().filter(|(name, text)| two.get(*name) != Some(*text)).map(|(name, _)| name).collect();
    assert!(differ.is_empty() && one.len() == two.len(), "{differ:?} differ");
    assert!(one.remove("SHA256SUMS") == two.remove("SHA256SUMS"));
    let read = check(&one);
    let page = &one["hostile.exp.html"];
    assert!(
        page.contains("&lt;script&gt;alert(&quot;doc&quot;)&lt;/script&gt;")
            && page.contains("&lt;i&gt;cell&lt;/i&gt;")
    );
    assert!(
        one["hostile.exp.source.html"].contains("near.<a href=\"near.exp.html#mean\">mean</a>"),
        "a neighbour is not found"
    );
    assert!(read["hostile.exp.html"].ids.contains("twice") && read["near.exp.html"].ids.contains("mean"));

    fs::write(folder.path().join("one/notes.txt"), "mine").unwrap();
    let ran = locus(folder.path(), &["doc", "--html", "one"]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(told(&ran).contains("`notes.txt`"), "{}", told(&ran));
    assert_eq!(fs::read_to_string(folder.path().join("one/notes.txt")).unwrap(), "mine");
}

#[test]
fn wrong_files_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("deep")).unwrap();
    for name in ["twin.exp", "deep/twin.exp"] {
        fs::write(folder.path().join(name), "## A.\n\n## B.\npub fn f(x) { x }\n").unwrap();
    }
    fs::write(folder.path().join("broken.exp"), "pub fn f(x { x }\n").unwrap();
    for (files, word) in [
        (vec!["nothing.exp"], "nothing.exp"),
        (vec!["broken.exp"], "broken.exp:1"),
        (vec!["twin.exp", "deep/twin.exp"], "rename one"),
        (vec!["std.stats"], "std.stats"),
    ] {
        let ran = locus(folder.path(), &[&["doc", "--html", "out"], files.as_slice()].concat());
        assert_eq!(ran.status.code(), Some(2), "{files:?}");
        assert!(told(&ran).contains(word), "{}", told(&ran));
        assert!(!folder.path().join("out").exists(), "{files:?}");
    }
}
