//! The page's text. Whatever a program or a file says goes through `escaped`, or into JSON where `<` cannot end a script.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use pulldown_cmark::{Event, Parser, html};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Page, Piece};
use crate::base::markup::escaped;
use crate::session::provenance::Record;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Nothing is fetched, no form is sent, and no script runs but the page's own.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    let (script, style) = (hash(&format!("\n{SCRIPT}")), hash(&format!("\n{STYLE}")));
    let own = format!("script-src 'sha256-{script}'; style-src 'sha256-{style}'; img-src data:");
    format!("default-src 'none'; {own}; form-action 'none'; base-uri 'none'")
}

/// The whole page.
pub fn render(page: &Page) -> String {
    let documentation = documentation(&page.script.text);
    let title = title(page, &documentation);
    let sections = sections(&page.pieces);
    let mut out = String::new();
    head(&mut out, &title, page.record);
    push(&mut out, format_args!("<main id=\"content\">"));
    contents(&mut out, &sections);
    out += &markdown(without_title(&documentation));
    sections.iter().filter(|section| section.stands_first()).for_each(|section| section.show(&mut out));
    expectations(&mut out, page.record);
    pieces(&mut out, &page.pieces, &sections);
    origin(&mut out, page);
    push(&mut out, format_args!("<p id=\"live\" role=\"status\" class=\"hint\"></p>\n</main>"));
    push(&mut out, format_args!("<footer>locus {}</footer>", escaped(&page.record.machine.locus)));
    numbers(&mut out, &page.numbers);
    push(&mut out, format_args!("<script>\n{SCRIPT}</script>\n</body>\n</html>"));
    out
}

fn head(out: &mut String, title: &str, record: &Record) {
    push(out, format_args!("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">"));
    push(out, format_args!("<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">", policy()));
    push(out, format_args!("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"));
    push(out, format_args!("<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>", escaped(title)));
    push(out, format_args!("<a class=\"skip\" href=\"#content\">to the content</a>"));
    push(out, format_args!("<header>\n<h1>{}</h1>\n{}\n</header>", escaped(title), facts(record)));
}

/// What the program said, in its order. The sections are those of the pieces.
fn pieces(out: &mut String, pieces: &[Piece], sections: &[Section]) {
    let mut sections = sections.iter();
    for piece in pieces {
        match piece {
            Piece::Text(text) => push(out, format_args!("<pre>{}</pre>", escaped(text))),
            Piece::Figure { title, svg } => {
                let (title, picture) = (escaped(title), STANDARD.encode(svg));
                let source = format!("data:image/svg+xml;base64,{picture}");
                push(out, format_args!("<figure><img alt=\"{title}\" src=\"{source}\"></figure>"));
            }
            Piece::Section { .. } => {
                sections.next().filter(|section| !section.stands_first()).iter().for_each(|section| section.show(out));
            }
        }
    }
}

/// Writing to a string cannot fail.
fn push(out: &mut String, line: std::fmt::Arguments) {
    let _ = out.write_fmt(line);
    out.push('\n');
}

// ---- what the program says of itself ---------------------------------------------------------------------------

/// The `##` lines at the head of a program.
fn documentation(text: &str) -> String {
    let lines = text.lines().skip_while(|line| line.trim().is_empty()).take_while(|line| line.starts_with("##"));
    lines.map(|line| line.trim_start_matches('#').strip_prefix(' ').unwrap_or("").to_string() + "\n").collect()
}

/// The first line of the documentation, else the experiment's name, else the file's.
fn title(page: &Page, documentation: &str) -> String {
    let first = documentation.lines().next().unwrap_or("").trim();
    let experiment = page.record.program.experiment.clone();
    if first.is_empty() { experiment.unwrap_or_else(|| page.script.name.clone()) } else { first.to_string() }
}

fn without_title(documentation: &str) -> &str {
    documentation.split_once('\n').map_or("", |(_, rest)| rest)
}

/// Markdown as HTML; markup in it is text.
fn markdown(text: &str) -> String {
    let plain = Parser::new(text).map(|event| match event {
        Event::Html(markup) | Event::InlineHtml(markup) => Event::Text(markup),
        other => other,
    });
    let mut out = String::new();
    html::push_html(&mut out, plain);
    out
}

fn facts(record: &Record) -> String {
    let seed = record.program.seed.map_or(String::new(), |seed| format!(", seed {seed}"));
    let set: Vec<String> = record.overrides.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let set = if set.is_empty() { String::new() } else { format!("; set for this run: {}", set.join(", ")) };
    let words = format!("{}{seed}, {:.1} s{set}", record.program.file, record.run.seconds);
    format!("<p class=\"facts\">{}</p>", escaped(&words))
}

fn expectations(out: &mut String, record: &Record) {
    let all = &record.expectations;
    if all.is_empty() {
        return;
    }
    let held = all.iter().filter(|judged| judged.held).count();
    let open = if held < all.len() { " open" } else { "" };
    push(
        out,
        format_args!(
            "<details{open}>\n<summary>{held} of {} expectations hold</summary>\n<ul class=\"judged\">",
            all.len()
        ),
    );
    for judged in all {
        let (class, word) = if judged.held { ("held", "holds") } else { ("missed", "does not hold") };
        push(out, format_args!("<li class=\"{class}\" aria-label=\"{word}\">{}</li>", escaped(&judged.shown)));
    }
    push(out, format_args!("</ul>\n</details>"));
}

// ---- sections --------------------------------------------------------------------------------------------------

/// A section as read, or why it cannot be.
struct Section {
    name: String,
    read: Result<Value, String>,
}

fn sections(pieces: &[Piece]) -> Vec<Section> {
    let read = |piece: &Piece| match piece {
        Piece::Section { name, json } => {
            let read = serde_json::from_str::<Value>(json).map_err(|error| error.to_string());
            Some(Section { name: name.clone(), read })
        }
        _ => None,
    };
    pieces.iter().filter_map(read).collect()
}

impl Section {
    fn word(&self, key: &str) -> &str {
        self.read.as_ref().ok().and_then(|json| json.get(key)).and_then(Value::as_str).unwrap_or("")
    }

    /// A verdict is what people look for.
    fn stands_first(&self) -> bool {
        self.word("kind") == "words"
    }

    fn show(&self, out: &mut String) {
        let json = match &self.read {
            Ok(json) => json.to_string(),
            Err(why) => {
                let words = format!("the section `{}` cannot be read: {why}", self.name);
                return push(out, format_args!("<p class=\"verdict\">{}</p>", escaped(&words)));
            }
        };
        let (name, class) = (escaped(&self.name), if self.stands_first() { " class=\"verdict\"" } else { "" });
        push(
            out,
            format_args!(
                "<section{class} id=\"{name}\" data-name=\"{name}\">\n<h2>{}</h2>",
                escaped(self.word("title"))
            ),
        );
        push(out, format_args!("<div class=\"about\">{}</div>\n</section>", markdown(self.word("about"))));
        // Inside a script only `<` could end it.
        let json = json.replace('<', "\\u003c");
        push(out, format_args!("<script type=\"application/json\" id=\"section:{name}\">{json}</script>"));
    }
}

fn contents(out: &mut String, sections: &[Section]) {
    let titled: Vec<&Section> = sections.iter().filter(|section| !section.word("title").is_empty()).collect();
    if titled.len() < 2 {
        return;
    }
    push(out, format_args!("<nav aria-label=\"sections\"><ul>"));
    for section in titled {
        push(
            out,
            format_args!("<li><a href=\"#{}\">{}</a></li>", escaped(&section.name), escaped(section.word("title"))),
        );
    }
    push(out, format_args!("</ul></nav>"));
}

/// Safetensors files, deflated; the page unpacks those that it needs.
fn numbers(out: &mut String, files: &BTreeMap<String, Vec<u8>>) {
    for (name, bytes) in files {
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
        // Writing to memory cannot fail.
        let packed = packer.write_all(bytes).and_then(|()| packer.finish()).unwrap_or_default();
        let text = STANDARD.encode(packed);
        push(
            out,
            format_args!("<script type=\"application/octet-stream\" id=\"numbers:{}\">{text}</script>", escaped(name)),
        );
    }
}

// ---- where it came from ----------------------------------------------------------------------------------------

fn origin(out: &mut String, page: &Page) {
    let record = page.record;
    push(
        out,
        format_args!(
            "<h2>What it came from</h2>\n<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">input</th><th scope=\"col\">bytes</th><th scope=\"col\">sha256</th></tr></thead>\n<tbody>"
        ),
    );
    for input in &record.inputs {
        let name = input.path.rsplit('/').next().unwrap_or(&input.path);
        let shown = format!("{} ({name})", input.name);
        push(
            out,
            format_args!(
                "<tr><td>{}</td><td>{}</td><td><code>{}</code></td></tr>",
                escaped(&shown),
                input.bytes,
                escaped(&input.sha256)
            ),
        );
    }
    push(
        out,
        format_args!(
            "<tr><td>{}</td><td>{}</td><td><code>{}</code></td></tr>",
            escaped(&record.program.file),
            page.script.text.len(),
            record.program.sha256
        ),
    );
    push(out, format_args!("</tbody>\n</table></div>"));
    let machine = format!(
        "locus {}, {}, {}, engine {}",
        record.machine.locus,
        record.machine.processor,
        record.machine.shown(),
        record.engine
    );
    push(out, format_args!("<p class=\"hint\">{}</p>", escaped(&machine)));
    push(
        out,
        format_args!(
            "<details>\n<summary>The program</summary>\n<pre>{}</pre>\n</details>",
            escaped(&page.script.text)
        ),
    );
}
