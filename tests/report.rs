//! Pages of runs: what a program says stands in them as text, and what they show are the numbers that it wrote.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const PROGRAM: &str = r#"## A page & its <b>parts</b>
##
## With *emphasis*, and `code`. <script>alert("documentation")</script>

experiment "pages" { locus: "0.1", seed: 4 }

use std.report

axis feature = 3
axis point = 5
axis row = 2
axis passage = 1

let share = [i in feature => float(int(i)) / 2.0]
let curve = [i in feature, j in point => float(int(i) * int(j))]
let tokens = [i in feature, k in passage, j in point => int(j) % 2]

print("printed <script>alert(1)</script> & more")
report.words("verdict", "A verdict", "Not *mixed*. <script>alert(2)</script>")
report.table("features", "Features </script>", "feature", [
  report.column[feature]("pve", "by position", share, format: "share"),
  report.column[feature]("none", "undefined", share / 0.0, about: "\"quoted\" \\ and so on"),
  report.flag[feature]("high", "high", share > 0.6),
], sort: "pve", views: [report.histogram("pve", "Shares", 0.0, 1.0, marks: [0.05, 0.95]), report.plane("pve", "none", "A plane", mark: "high")],
  card: [report.curve[feature, point]("Curve", curve, 0.1 * curve, "x", "y", first: 1), report.contexts[feature, passage, point]("Text", tokens, f32(tokens)), report.shares("Shares", ["pve"])],
  words: ["<b>", "\n"])
report.heatmap[row, point]("map", "A map", "About it.", [i in row, j in point => float(int(j)) / 4.0], "layer", "head", "share")
plot lines { y: curve, x: point, by: feature, title: "Three & <curves>", file: "curves.svg" }

expect {
  share[feature: 2] ~ 1.0 +- 0.0
  share[feature: 1] ~ 0.6 +- 0.2
}
"#;

fn locus(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_locus"));
    command.args(args).current_dir(folder).env("LOCUS_CACHE", folder.join("cache")).output().unwrap()
}

fn page_of(folder: &Path, program: &str) -> String {
    fs::write(folder.join("page.exp"), program).unwrap();
    let ran = locus(folder, &["report", "page.exp"]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(String::from_utf8_lossy(&ran.stdout).ends_with("wrote out/page.html\n"));
    fs::read_to_string(folder.join("out/page.html")).unwrap()
}

/// The text of the element with this id.
fn element<'a>(page: &'a str, id: &str) -> &'a str {
    let start = page.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no element {id}"));
    let rest = &page[start..];
    let from = rest.find('>').unwrap() + 1;
    &rest[from..from + rest[from..].find("</").unwrap()]
}

#[test]
fn what_a_program_says_is_text() {
    let folder = tempfile::tempdir().unwrap();
    let page = page_of(folder.path(), PROGRAM);
    assert!(page.contains("<h1>A page &amp; its &lt;b&gt;parts&lt;/b&gt;</h1>"));
    assert!(page.contains("With <em>emphasis</em>, and <code>code</code>."));
    assert!(
        !page.contains("<script>alert") && page.contains("printed &lt;script&gt;alert(1)&lt;/script&gt; &amp; more")
    );
    assert!(page.contains("<p>Not <em>mixed</em>. &lt;script&gt;alert(2)&lt;/script&gt;</p>"));
    assert!(page.find("<h2>A verdict</h2>") < page.find("expectations hold"), "a verdict comes first");
    assert!(page.contains("<h2>Features &lt;/script&gt;</h2>"));
    assert!(page.contains("<img alt=\"Three &amp; &lt;curves&gt;\" src=\"data:image/svg+xml;base64,"));
    assert!(page.contains("2 of 2 expectations hold"));
    assert!(page.contains("default-src 'none'"));
    // The script of the page itself, the descriptions of sections and their numbers, and nothing else.
    assert_eq!(page.matches("</script>").count(), 1 + 3 + 3);
    assert!(!page.contains("wrote out/") && !page.contains(&folder.path().display().to_string()));
    assert!(!page.contains("http://") || page.matches("http://").count() == page.matches("http://www.w3.org/").count());
}

#[test]
fn a_page_holds_the_numbers_that_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let page = page_of(folder.path(), PROGRAM);
    for name in ["features.section.safetensors", "features.cards.safetensors", "map.section.safetensors"] {
        let packed = STANDARD.decode(element(&page, &format!("numbers:{name}"))).unwrap();
        let mut bytes = Vec::new();
        flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, fs::read(folder.path().join("out").join(name)).unwrap(), "{name}");
    }
    let told: serde_json::Value = serde_json::from_str(element(&page, "section:features")).unwrap();
    assert_eq!(told["title"], "Features </script>");
    assert_eq!(told["columns"][1]["about"], "\"quoted\" \\ and so on");
    assert_eq!(told["words"], serde_json::json!(["<b>", "\n"]));
    assert_eq!(told["card"][1]["width"], 5);
    assert_eq!(told["views"][0]["marks"], serde_json::json!([0.05, 0.95]));
}

/// Three pairs whose strongest places are known: a query at 30 - s in text s, a key at 2, 12 or 22, in passages of 16 tokens.
const PAIRS: &str = r#"
use std.report
use std.report.pairs

axis text = 5
axis word = 40
axis pair = 3
axis tau = 40

let tokens = [s in text, p in word => int(s) * 100 + int(p)]
let f = [s in text, p in word, q in pair => if int(p) == 30 - int(s) { 1.0 } else { 0.0 }]
let g = [s in text, p in word, q in pair => if int(p) == 10 * int(q) + 2 { float(int(s) + 1) } else { 0.0 }]
let by = [q in pair, t in tau => 1.0 - 2.0 * float(int(q) % 2)]
let list = { query: [q in pair => int(q)], key: [q in pair => int(q) + 1], size: [q in pair => float(int(q))] }
report.table("pairs", "Pairs", "pair", [report.column[pair]("size", "size", list.size)], names: pairs.names(list),
  card: [pairs.contexts[text, word](f32(f), f32(g), by, tokens, n: 3, length: 16)])
"#;

#[test]
fn passages_of_pairs_show_the_key_and_the_query() {
    let folder = tempfile::tempdir().unwrap();
    let page = page_of(folder.path(), PAIRS);
    let told: serde_json::Value = serde_json::from_str(element(&page, "section:pairs")).unwrap();
    assert_eq!(told["names"], serde_json::json!(["query 0, key 1", "query 1, key 2", "query 2, key 3"]));
    assert_eq!(told["card"][0]["kind"], "pairs");
    let bytes = fs::read(folder.path().join("out/pairs.cards.safetensors")).unwrap();
    let held = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let read = |name: &str| -> Vec<i64> {
        let numbers = held.tensor(name).unwrap().data().chunks_exact(4);
        numbers.map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]) as i64).collect()
    };
    let (passages, keys, queries) = (read("passages"), read("key"), read("query"));
    assert_eq!(passages[..16], [-1, -1, 400, 401, 402, 403, 404, 405, -2, 424, 425, 426, 427, 428, 429, 430]);
    assert_eq!(read("values"), [5, 4, 3, -5, -4, -3, 5, 4, 3]);
    for passage in 0..9 {
        let (pair, text) = (passage as i64 / 3, 4 - passage as i64 % 3);
        let token = |place: i64| passages[passage * 16 + place as usize];
        assert_eq!(token(keys[passage]), 100 * text + 10 * pair + 2);
        assert_eq!(token(queries[passage]), 100 * text + 30 - text);
    }
}

#[test]
fn figures_of_remembered_items_are_in_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let program = "axis t = 9\nfn drawn() {\n  plot lines { y: [i in t => float(int(i))], x: t, title: \"Drawn inside\" }\n  1.5\n}\n\
                   let x = drawn()\nexpect { x ~ 1.5 +- 0.0 }\n";
    let first = page_of(folder.path(), program);
    let second = page_of(folder.path(), program);
    for page in [first, second] {
        assert!(page.contains("<img alt=\"Drawn inside\""));
    }
}

#[test]
fn no_page_of_a_program_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    for (program, code) in [("print(1 + )\n", 2), ("let x = index_of_nothing\n", 2), ("assert(1 > 2, \"no\")\n", 1)] {
        fs::write(folder.path().join("bad.exp"), program).unwrap();
        let ran = locus(folder.path(), &["report", "bad.exp"]);
        assert_eq!(ran.status.code(), Some(code), "{program}");
        assert!(String::from_utf8_lossy(&ran.stderr).contains("no page was written"), "{program}");
    }
    assert!(!folder.path().join("out/bad.html").exists());

    fs::write(folder.path().join("good.exp"), "print(\"x\")\n").unwrap();
    let ran = locus(folder.path(), &["report", "--to", "good.exp/page.html", "good.exp"]);
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.code() == Some(1) && told.contains("cannot write `good.exp/page.html`"), "{told}");
    assert_eq!(locus(folder.path(), &["report", "nowhere.exp"]).status.code(), Some(2));
}

/// A section that a program wrote itself, and wrongly, is said to be so.
#[test]
fn a_section_that_cannot_be_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let page = page_of(folder.path(), "use std.io\nio.write_text(\"mine.section.json\", \"no <b>json</b>\")\n");
    assert!(page.contains("the section `mine` cannot be read"), "{page}");
}

/// The numbers of a section that is written again replace those before.
#[test]
fn a_section_that_is_written_twice_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let program = "use std.report\naxis a = 2\nfor n in 0..2 {\n  \
        report.table(\"same\", \"Table {n}\", \"row\", [report.column[a](\"x\", \"x\", [i in a => float(n)])])\n}\n";
    fs::write(folder.path().join("twice.exp"), program).unwrap();
    let ran = locus(folder.path(), &["report", "twice.exp"]);
    assert!(String::from_utf8_lossy(&ran.stderr).contains("the section `same` was written twice"), "{ran:?}");
    let page = fs::read_to_string(folder.path().join("out/twice.html")).unwrap();
    assert!(page.matches("<h2>Table").count() == 1 && page.contains("<h2>Table 1</h2>"));
}
