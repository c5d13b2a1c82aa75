//! Documentation as markup: Markdown, and indented lines, which are formulas or tables of what a name stands for.
//!
//! Nothing that documentation says becomes markup of its own: elements are shown as text, images are left out, links lead to the web or nowhere.

use std::fmt::Write;

use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Parser, Tag, TagEnd, TextMergeStream, html};

use super::names::{Names, Target};
use super::read::Module;
use super::{code, formula};
use crate::base::markup::escaped;

/// Who speaks: names are looked up from there.
pub struct Prose<'a> {
    pub names: &'a Names<'a>,
    pub module: &'a Module,
    /// The file of the page that it stands on.
    pub page: String,
    /// Names that mean something else here: parameters, axes of a function.
    pub own: Vec<String>,
}

impl Prose<'_> {
    /// A whole documentation.
    pub fn whole(&self, text: &str) -> String {
        let mut out = String::new();
        for block in blocks(text) {
            match block {
                Block::Text(text) => self.markdown(&mut out, &text),
                Block::Table(lines) => self.table(&mut out, &lines),
            }
        }
        out
    }

    /// Some words within a line.
    pub fn words(&self, text: &str) -> String {
        let mut out = String::new();
        for (number, part) in text.split('`').enumerate() {
            // An odd part stands between backquotes.
            if number % 2 == 1 { out.push_str(&self.code(part)) } else { out.push_str(&sentence(part)) }
        }
        out
    }

    fn markdown(&self, out: &mut String, text: &str) {
        let mut shown = Vec::new();
        let mut block: Option<(String, String)> = None;
        // Within a link nothing else is one.
        let mut linked = false;
        for event in TextMergeStream::new(Parser::new(text)) {
            match (event, &mut block) {
                (Event::Text(text), Some((_, code))) => code.push_str(&text),
                (Event::End(TagEnd::CodeBlock), _) => {
                    shown.extend(block.take().map(|(kind, code)| self.block(&kind, &code)))
                }
                (Event::Start(Tag::CodeBlock(kind)), _) => {
                    let kind = if let CodeBlockKind::Fenced(kind) = kind { kind.to_string() } else { String::new() };
                    block = Some((kind, String::new()));
                }
                (Event::Text(text), None) if linked => shown.push(inline(formula::set(&text))),
                (Event::Code(code), _) if linked => shown.push(inline(format!("<code>{}</code>", escaped(&code)))),
                (event, _) => {
                    linked = matches!(event, Event::Start(Tag::Link { .. }))
                        || linked && !matches!(event, Event::End(TagEnd::Link));
                    shown.extend(self.event(event));
                }
            }
        }
        html::push_html(out, shown.into_iter());
    }

    /// Everything but blocks of code.
    fn event<'e>(&self, event: Event<'e>) -> Option<Event<'e>> {
        let markup = |text: String| Some(inline(text));
        match event {
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => markup(sentence(&text)),
            Event::Code(code) => markup(self.code(&code)),
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
            Event::Start(Tag::Link { dest_url, .. }) => {
                let web = dest_url.starts_with("https://") || dest_url.starts_with("http://");
                markup(if web { format!("<a href=\"{}\">", escaped(&dest_url)) } else { "<a>".to_string() })
            }
            Event::End(TagEnd::Link) => markup("</a>".to_string()),
            Event::Start(Tag::Heading { id, classes, attrs, .. }) => {
                Some(Event::Start(Tag::Heading { level: HeadingLevel::H3, id, classes, attrs }))
            }
            Event::End(TagEnd::Heading(_)) => Some(Event::End(TagEnd::Heading(HeadingLevel::H3))),
            Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
            Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
            other => Some(other),
        }
    }

    /// Code that was set apart: the language's own is lexed.
    fn block<'e>(&self, kind: &str, text: &str) -> Event<'e> {
        let own = kind.is_empty() || kind.starts_with("exp");
        let shown = if own { self.linked(text) } else { escaped(text) };
        Event::Html(CowStr::from(format!("<pre tabindex=\"0\"><code>{shown}</code></pre>\n")))
    }

    /// Code within a line: a name leads to what it names.
    fn code(&self, text: &str) -> String {
        format!("<code>{}</code>", self.linked(text))
    }

    fn linked(&self, text: &str) -> String {
        let code = crate::syntax::scan::scan(crate::base::span::FileId(0), text).text;
        let here = Target::module(self.module);
        let mut leads = self.names.of_snippet(self.module, &code, &self.own);
        leads.retain(|lead| lead.target != here);
        code::part(text, &code, (0, text.len()), &code::links(&leads, &self.page))
    }

    /// Lines that were indented. Two spaces or more part columns; a line that is indented further goes on with the last one.
    fn table(&self, out: &mut String, lines: &[String]) {
        let rows = rows(lines);
        let widest = rows.iter().map(Vec::len).max().unwrap_or(1);
        out.push_str("<div class=\"wide\" tabindex=\"0\"><table class=\"formulas\">\n");
        for row in rows {
            out.push_str("<tr>");
            let names = row.len() > 1 && row.first().is_some_and(|first| are_names(first));
            for (number, cell) in row.iter().enumerate() {
                let span = if number + 1 == row.len() && row.len() < widest {
                    format!(" colspan=\"{}\"", widest - number)
                } else {
                    String::new()
                };
                let _ = match (number, names) {
                    (0, true) => write!(out, "<th scope=\"row\"><code>{}</code></th>", escaped(cell)),
                    _ => {
                        let lines: Vec<String> = cell.lines().map(|line| self.words(line)).collect();
                        write!(out, "<td{span}>{}</td>", lines.join("<br>"))
                    }
                };
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</table></div>\n");
    }
}

fn inline<'e>(markup: String) -> Event<'e> {
    Event::InlineHtml(CowStr::from(markup))
}

/// Text with its formulas set, and papers of arXiv as links.
fn sentence(text: &str) -> String {
    let mut parts = text.split("arXiv ");
    let mut out = formula::set(parts.next().unwrap_or(""));
    for part in parts {
        let length = part.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(part.len());
        let (id, rest) = part.split_at(length);
        let id = id.trim_end_matches('.');
        if id.is_empty() {
            out.push_str(&formula::set(&format!("arXiv {part}")));
            continue;
        }
        let dots = ".".repeat(length - id.len());
        let _ = write!(out, "<a href=\"https://arxiv.org/abs/{id}\">arXiv {id}</a>{dots}{}", formula::set(rest));
    }
    out
}

/// `pve, icc, half_width`
fn are_names(text: &str) -> bool {
    let name = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    };
    text.split(',').all(|word| name(word.trim()))
}

enum Block {
    Text(String),
    Table(Vec<String>),
}

/// Cuts documentation where its lines begin and cease to be indented; lists and fenced code keep theirs.
fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let (mut fenced, mut listed) = (false, false);
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        let bullet = line.starts_with("- ") || line.starts_with("* ");
        let blank = line.trim().is_empty();
        listed = !blank && (bullet || listed && line.starts_with("  "));
        let table = line.starts_with("  ") && !blank && !fenced && !fence && !listed;
        fenced ^= fence;
        match (found.last_mut(), table) {
            (Some(Block::Table(lines)), true) => lines.push(line.to_string()),
            (Some(Block::Text(text)), false) => *text += &format!("{line}\n"),
            (_, true) => found.push(Block::Table(vec![line.to_string()])),
            (_, false) => found.push(Block::Text(format!("{line}\n"))),
        }
    }
    found
}

fn rows(lines: &[String]) -> Vec<Vec<String>> {
    let indent = |line: &String| line.len() - line.trim_start().len();
    let least = lines.iter().map(indent).min().unwrap_or(0);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in lines {
        let text = line.trim();
        match rows.last_mut().and_then(|row| row.last_mut()) {
            Some(last) if indent(line) >= least + 4 => {
                // Words go on; a formula stands on a line of its own.
                let formula = text.split_once(" = ").is_some_and(|(left, _)| !left.contains(' '));
                *last += &format!("{}{text}", if formula { "\n" } else { " " });
            }
            _ => rows.push(text.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(String::from).collect()),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(doc: &str) -> String {
        let module = [Module::library("core", "## d\npub fn sum<a>(x) { x }\n")];
        let names = Names::new(&module);
        Prose { names: &names, module: &module[0], page: "p.html".to_string(), own: vec!["own".to_string()] }.whole(doc)
    }

    #[test]
    fn indented_lines_are_a_table() {
        let text = "Gives:\n  a, b   what `sum` says\n         and more\n         z = 1\n  x^2    y\nEnd.";
        let html = shown(text);
        assert!(html.contains("<th scope=\"row\"><code>a, b</code></th><td>what <code><a href=\"std.core.html#sum\">sum</a></code> says and more<br>z = 1</td>"), "{html}");
        assert!(html.contains("<td>x<sup>2</sup></td><td>y</td>") && html.contains("<p>End.</p>"), "{html}");
    }

    #[test]
    fn no_markup_comes_through() {
        let html = shown(
            "A <script>alert(1)</script> <b>x</b> ![i](http://a/b.png) [j](javascript:f) `<i>` \n\n<div onclick=1>\n",
        );
        for bad in ["<script", "<b>", "<img", "javascript", "<i>", "<div"] {
            assert!(!html.contains(bad), "{bad}: {html}");
        }
        assert!(
            shown("see arXiv 2306.03819.")
                .contains("<a href=\"https://arxiv.org/abs/2306.03819\">arXiv 2306.03819</a>.")
        );
    }

    #[test]
    fn code_is_lexed() {
        let html = shown("```exp\nlet y = sum[own](x)\n```\n");
        assert!(
            html.contains("<span class=\"k\">let</span> y = <a href=\"std.core.html#sum\">sum</a>[own](x)"),
            "{html}"
        );
    }
}
