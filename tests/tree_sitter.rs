//! The grammar for tree-sitter in `editors/tree-sitter-exp` says what `grammar/exp.pest` says: the same rules, the same words and signs, and
//! the same forms of literals. It reads both as texts, so it needs no tool; `check.sh` there parses with it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Rules of pest whose text is compared as it stands with the regular expression that stands for it.
const LITERALS: &[(&str, &str, &str)] = &[
    ("ident", r#"!(keyword ~ !ident_char) ~ (ASCII_ALPHA | "_") ~ ident_char*"#, "/[A-Za-z_][A-Za-z0-9_']*/"),
    ("ident_char", r#"ASCII_ALPHANUMERIC | "_" | "'""#, "/[A-Za-z_][A-Za-z0-9_']*/"),
    (
        "number",
        r#"digits ~ ("." ~ digits)? ~ (("e" | "E") ~ ("+" | "-")? ~ digits)?"#,
        r"/[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9][0-9_]*)?/",
    ),
    ("digits", r#"ASCII_DIGIT ~ (ASCII_DIGIT | "_")*"#, r"/[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9][0-9_]*)?/"),
    (
        "text",
        r#"("\\" ~ ANY | "{{" | "}}" | !("\"" | "\\" | "{" | "}") ~ ANY)+"#,
        r#"/([^"\\{}\n]|\\[^\n]|\{\{|\}\})+/"#,
    ),
    ("format", r#"(ASCII_ALPHANUMERIC | "." | "%")+"#, "/[A-Za-z0-9.%]+/"),
    ("WHITESPACE", r#"" " | "\t" | "\r""#, r"/\s/"),
];

/// Rules of pest that tree-sitter has no use for.
const PEST_ONLY: &[&str] = &["WHITESPACE", "ident_char", "digits", "keyword"];

/// Rules of tree-sitter that pest has no use for: the way through the levels of expressions, and what is elsewhere in pest.
const TREE_ONLY: &[&str] = &[
    "source_file",
    "pipeline",
    "_or",
    "_and",
    "_not",
    "_cmp",
    "_range",
    "_add",
    "_mul",
    "_unary",
    "_pow",
    "_postfix",
    "_model",
    "_model_postfix",
    "_name",
    "comment",
];

/// Signs that pest puts together from two.
const PUT_TOGETHER: &[&str] = &["+=", "-=", "*=", "/="];

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
        .unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

/// A text without the comments that a mark begins, as far as they are outside of texts.
fn without_comments(text: &str, quote: char) -> String {
    let line = |line: &str| {
        let (mut quoted, mut escaped) = (false, false);
        let mut before = ' ';
        for (at, letter) in line.char_indices() {
            if !quoted && letter == '/' && before == '/' {
                return line[..at - 1].to_string();
            }
            quoted ^= letter == quote && !escaped;
            escaped = letter == '\\' && !escaped;
            before = letter;
        }
        line.to_string()
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

/// (name, body) of the rules of exp.pest.
fn pest_rules() -> Vec<(String, String)> {
    let text = without_comments(&file("grammar/exp.pest"), '"');
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('=') {
        let name = rest[..at].trim().to_string();
        let body = &rest[at + 1..];
        let open = body.find('{').unwrap();
        let (mut depth, mut quoted, mut escaped, mut end) = (0, false, false, 0);
        for (at, letter) in body.char_indices().skip_while(|(at, _)| *at < open) {
            match letter {
                '{' if !quoted => depth += 1,
                '}' if !quoted => depth -= 1,
                '"' if !escaped => quoted = !quoted,
                _ => {}
            }
            escaped = letter == '\\' && !escaped;
            if depth == 0 {
                end = at;
                break;
            }
        }
        let inside = body[open + 1..end].split_whitespace().collect::<Vec<_>>().join(" ");
        found.push((name, inside));
        rest = &body[end + 1..];
    }
    assert!(found.len() > 120, "only {} rules of exp.pest were found", found.len());
    found
}

/// The texts between quotes.
fn quoted(text: &str, quote: char) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut current: Option<String> = None;
    let mut escaped = false;
    for letter in text.chars() {
        match (&mut current, letter) {
            (Some(word), letter) if letter == quote && !escaped => {
                found.insert(std::mem::take(word));
                current = None;
            }
            (Some(word), letter) => word.push(letter),
            (None, letter) if letter == quote => current = Some(String::new()),
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
    }
    found.into_iter().map(|word| word.replace("\\\"", "\"")).collect()
}

struct Tree {
    keywords: BTreeSet<String>,
    clauses: BTreeSet<String>,
    /// The rules and their bodies.
    rules: Vec<(String, String)>,
}

fn tree() -> Tree {
    let text = without_comments(&file("editors/tree-sitter-exp/grammar.js"), '\'');
    let list = |name: &str| {
        let body = text.split_once(&format!("const {name} = [")).unwrap().1;
        quoted(body.split_once("];").unwrap().0, '\'')
    };
    let body = text.split_once("rules: {").unwrap().1;
    let mut rules: Vec<(String, String)> = Vec::new();
    for line in body.lines() {
        let named = line.strip_prefix("    ").and_then(|line| line.split_once(": ")).filter(|(name, rest)| {
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && (rest.starts_with("$ =>") || rest.starts_with("_ =>"))
        });
        match (named, rules.last_mut()) {
            (Some((name, rest)), _) => rules.push((name.to_string(), rest.to_string())),
            (None, Some((_, body))) => *body += line,
            _ => {}
        }
    }
    assert!(rules.len() > 110, "only {} rules of grammar.js were found", rules.len());
    Tree { keywords: list("KEYWORDS"), clauses: list("CLAUSES"), rules }
}

fn set<T: ToString>(all: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    all.into_iter().map(|one| one.to_string()).collect()
}

#[test]
fn rules_have_the_same_names() {
    let (tree, mut faults) = (tree(), Vec::new());
    let known = set(tree.rules.iter().map(|(name, _)| name));
    let pest = set(pest_rules().iter().map(|(name, _)| name));
    for name in pest.iter().filter(|name| !name.starts_with("kw_") && !PEST_ONLY.contains(&name.as_str())) {
        if !known.contains(name) && !known.contains(&format!("_{name}")) {
            faults.push(format!("grammar.js has no rule {name}"));
        }
    }
    for name in known.iter().filter(|name| !TREE_ONLY.contains(&name.as_str())) {
        if !pest.contains(name.trim_start_matches('_')) {
            faults.push(format!("exp.pest has no rule {name}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn words_are_the_same() {
    let (rules, tree) = (pest_rules(), tree());
    let body = |wanted: &str| rules.iter().find(|(name, _)| name == wanted).unwrap().1.clone();
    assert_eq!(quoted(&body("keyword"), '"'), tree.keywords);
    let words = rules.iter().filter(|(name, _)| name.starts_with("kw_")).flat_map(|(_, body)| quoted(body, '"'));
    let clauses: BTreeSet<String> = words.filter(|word| !tree.keywords.contains(word)).collect();
    assert_eq!(clauses, tree.clauses);
    // Every word has a rule of its own, and grammar.js uses each.
    let used: BTreeSet<String> = tree.rules.iter().flat_map(|(_, body)| quoted(body, '\'')).collect();
    for word in tree.keywords.union(&tree.clauses) {
        assert!(used.contains(word), "grammar.js never uses {word}");
        assert!(rules.iter().any(|(name, _)| *name == format!("kw_{word}")), "exp.pest has no kw_{word}");
    }
}

#[test]
fn signs_are_the_same() {
    let skipped =
        |name: &str| name.starts_with("kw_") || name == "keyword" || LITERALS.iter().any(|(known, ..)| *known == name);
    let pest: BTreeSet<String> =
        pest_rules().iter().filter(|(name, _)| !skipped(name)).flat_map(|(_, body)| quoted(body, '"')).collect();
    let tree = tree();
    let between = file("editors/tree-sitter-exp/grammar.js");
    let between = between.split_once("const comma").unwrap().1.split_once("module.exports").unwrap().0.to_string();
    let bodies = tree.rules.iter().filter(|(name, _)| name != "comment").map(|(_, body)| body.clone());
    let used: BTreeSet<String> = bodies.chain([between]).flat_map(|body| quoted(&body, '\'')).collect();
    // What a node is called within its parent is no sign.
    let words = tree.keywords.union(&tree.clauses).cloned().chain(["name".to_string()]).collect();
    let used: BTreeSet<String> = used.difference(&words).cloned().collect();
    let wanted: BTreeSet<String> = pest.union(&set(PUT_TOGETHER)).cloned().collect();
    assert_eq!(used, wanted);
}

#[test]
fn literals_have_the_same_forms() {
    let (rules, tree) = (pest_rules(), tree());
    let text = file("editors/tree-sitter-exp/grammar.js");
    assert!(tree.rules.iter().any(|(name, _)| name == "ident"));
    for (name, body, expression) in LITERALS {
        let found = rules.iter().find(|(known, _)| known == name).map(|(_, body)| body.as_str());
        assert_eq!(found, Some(*body), "{name} of exp.pest has changed: change grammar.js and this table with it");
        assert!(text.contains(expression), "grammar.js has no {expression} for {name}");
    }
}

/// Queries that name a node which is no more color nothing.
#[test]
fn highlights_name_nodes_and_signs_of_the_grammar() {
    let tree = tree();
    let text: String = file("editors/tree-sitter-exp/queries/highlights.scm")
        .lines()
        .filter(|line| !line.starts_with(';'))
        .map(|line| format!("{line}\n"))
        .collect();
    let known = set(tree.rules.iter().map(|(name, _)| name));
    let nodes: BTreeSet<String> = text
        .split('(')
        .skip(1)
        .map(|part| part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(nodes.len() > 30 && nodes.is_subset(&known), "{:?} are no rules", nodes.difference(&known));
    let used: BTreeSet<String> =
        tree.rules.iter().flat_map(|(_, body)| quoted(body, '\'')).chain([",".to_string()]).collect();
    let named: BTreeSet<String> = quoted(&text, '"').into_iter().filter(|word| word != "^##").collect();
    assert!(named.is_subset(&used), "{:?} are no words or signs", named.difference(&used));
    for word in tree.keywords.iter().filter(|word| !["true", "false"].contains(&word.as_str())) {
        assert!(named.contains(word), "{word} has no color");
    }
}
