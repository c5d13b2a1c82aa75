//! Slips that a sign gives away.

use super::{Entry, Fault, Slip};
use crate::syntax::tokens::Kind;

pub(super) const TABLE: &[Entry] = &[
    foreign_sign,
    foreign_letter,
    power,
    not_sign,
    double_slash,
    definition_sign,
    tolerance,
    about_outside,
    bare_contraction,
    conditional,
    single_quote,
    bar_lambda,
    arrow_lambda,
    fat_arrow,
    pair,
    after_pipeline,
    chained_comparison,
    equals,
    double_equals,
    colon,
    number_dot,
    row_in_generics,
];

/// One sign for another.
fn foreign_sign(fault: &Fault) -> Option<Slip> {
    let sign = fault.near(0);
    let right = match sign {
        "&&" | "&" => "and",
        "||" => "or",
        "<>" => "!=",
        "===" => "==",
        _ => return None,
    };
    let help = format!("{} {right} {}", fault.left(), fault.right(fault.at));
    fault.here(format!("`{sign}` is written `{right}`"), help)
}

/// Characters that look like signs of the language.
fn foreign_letter(fault: &Fault) -> Option<Slip> {
    let sign = fault.near(0);
    let letter = sign.chars().next().filter(|c| !c.is_ascii())?;
    let right = match letter {
        '\u{2212}' | '\u{2013}' | '\u{2014}' => "-",
        '\u{d7}' | '\u{b7}' | '\u{22c5}' => "*",
        '\u{f7}' => "/",
        '\u{2264}' => "<=",
        '\u{2265}' => ">=",
        '\u{2260}' => "!=",
        '\u{2192}' => "->",
        '\u{201c}' | '\u{201d}' | '\u{201e}' => "\"",
        '\u{2018}' | '\u{2019}' => "\"",
        '\u{2026}' => "..",
        '\u{b2}' => "^ 2",
        '\u{a0}' | '\u{2009}' | '\u{202f}' | '\u{3000}' => {
            return fault.here("this looks like a space but is another character", "put a plain space there");
        }
        '\u{b1}' | '\u{2248}' => return None,
        _ if letter.is_alphabetic() => {
            return fault.here(
                format!("`{letter}` cannot be part of a name"),
                "names are made of the letters a to z, digits, `_` and `'`",
            );
        }
        _ => return fault.here(format!("`{letter}` means nothing here"), "it may stand in texts and comments"),
    };
    fault.here(format!("`{letter}` is written `{right}`"), right)
}

fn power(fault: &Fault) -> Option<Slip> {
    // The parser takes the first star, so the second one may be where it stopped.
    if fault.near(0) != "**" {
        return None;
    }
    fault.here("a power is written `^`", format!("{} ^ {}", fault.left(), fault.right(fault.at)))
}

fn not_sign(fault: &Fault) -> Option<Slip> {
    let after_value = fault.at > 0 && fault.ends_value(fault.at - 1);
    if fault.near(0) != "!" || after_value {
        return None;
    }
    fault.here("`!` is written `not`", format!("not {}", fault.right(fault.at)))
}

fn double_slash(fault: &Fault) -> Option<Slip> {
    if fault.near(0) != "//" {
        return None;
    }
    let first = fault.starts_line();
    if first || fault.kind(1) == Kind::Word && fault.kind(2) == Kind::Word {
        return fault.here("a comment starts with `#`", "# a comment");
    }
    let help =
        format!("whole-number division:  div({}, {});  a comment starts with `#`", fault.left(), fault.right(fault.at));
    fault.here("`//` is no operator", help)
}

fn definition_sign(fault: &Fault) -> Option<Slip> {
    match fault.near(0) {
        ":=" => fault.here("a new name is made with `let`", format!("let {} = ...", fault.left())),
        "++" => fault.here("`++` is no operator", format!("{} += 1", fault.left())),
        "-" if fault.near(-1) == "-" && fault.touches_previous() => {
            fault.here("`--` is no operator", "x -= 1".to_string())
        }
        _ => None,
    }
}

fn in_expect(fault: &Fault) -> bool {
    fault.nth(0) == "expect"
}

/// `~` without `+-`, and `+-` elsewhere.
fn tolerance(fault: &Fault) -> Option<Slip> {
    if !in_expect(fault) {
        let outside = matches!(fault.near(0), "+-" | "\u{b1}");
        let help = "in other places leave a space between the signs:  a + -b";
        return if outside { fault.here("a tolerance stands only in `expect`", help) } else { None };
    }
    let start = fault.start();
    let about = (start..fault.at).find(|&i| matches!(fault.nth(i), "~" | "\u{2248}"))?;
    let ended = matches!(fault.kind(0), Kind::Line | Kind::End) || fault.near(0) == "}";
    if !ended || about + 1 >= fault.at {
        return None;
    }
    let help = format!("{} +- 0.01", fault.between(start, fault.at));
    fault.slip(about, fault.at - 1, "`~` needs a tolerance", help)
}

fn about_outside(fault: &Fault) -> Option<Slip> {
    if in_expect(fault) || !matches!(fault.near(0), "~" | "\u{2248}") {
        return None;
    }
    let help = format!("expect {{ {} ~ {} +- 0.01 }}", fault.left(), fault.right(fault.at));
    fault.here("`~` stands only in `expect`", help)
}

fn bare_contraction(fault: &Fault) -> Option<Slip> {
    if !matches!(fault.near(0), "@" | "@[") || (fault.near(0) == "@[" && fault.starts_line()) {
        return None;
    }
    let help = format!("{} @[dmodel] {}", fault.left(), fault.right(fault.at));
    fault.here("a product names the axes that it sums over", help)
}

fn conditional(fault: &Fault) -> Option<Slip> {
    if fault.near(0) != "?" {
        return None;
    }
    fault.here("`?` is written with `if`", format!("if {} {{ a }} else {{ b }}", fault.left()))
}

fn single_quote(fault: &Fault) -> Option<Slip> {
    if !matches!(fault.near(0), "'" | "`") {
        return None;
    }
    fault.here("a text stands in double quotes", "\"text\"")
}

/// `|x| x + 1`
fn bar_lambda(fault: &Fault) -> Option<Slip> {
    if fault.near(0) != "|" {
        return None;
    }
    if fault.near(2) == "|" {
        return fault.slip(fault.at, fault.at + 2, LAMBDA, format!("fn({}) => ...", fault.near(1)));
    }
    fault.here("`|` is no operator", "`or` joins tests, `|>` hands a value on")
}

const LAMBDA: &str = "a function without a name is written `fn(x) => ...`";

/// `fn(x) -> x`, `fn(x) { x }`, `fn(x): x`
fn arrow_lambda(fault: &Fault) -> Option<Slip> {
    if fault.near(-1) != ")" || !matches!(fault.near(0), "->" | "{" | ":") {
        return None;
    }
    let open = fault.open_before(fault.at - 1)?;
    if open == 0 || fault.nth(open - 1) != "fn" {
        return None;
    }
    fault.here(LAMBDA, format!("{} => ...", fault.between(open - 1, fault.at)))
}

/// `x => x + 1`, `(x) => x + 1`, `fn f(x) => x + 1`
fn fat_arrow(fault: &Fault) -> Option<Slip> {
    if fault.near(0) != "=>" {
        return None;
    }
    if heads_function(fault) {
        return named_body(fault);
    }
    if fault.near(-1) == ")" {
        let open = fault.open_before(fault.at - 1)?;
        return fault.slip(open, fault.at, LAMBDA, format!("fn{} => ...", fault.between(open, fault.at)));
    }
    if fault.kind(-1) == Kind::Word && !fault.inside("[") {
        return fault.slip(fault.at - 1, fault.at, LAMBDA, format!("fn({}) => ...", fault.near(-1)));
    }
    None
}

/// `(x, y) => x + y`, `(a, b)`
fn pair(fault: &Fault) -> Option<Slip> {
    let (open, "(") = fault.bracket()? else { return None };
    if fault.near(0) != "," || fault.is_call(open) || open > 0 && matches!(fault.nth(open - 1), "fn" | "let") {
        return None;
    }
    let close = fault.close_of(open)?;
    if fault.nth(close + 1) == "=>" {
        return fault.slip(open, close + 1, LAMBDA, format!("fn{} => ...", fault.between(open, close + 1)));
    }
    fault.slip(open, close, "round brackets hold one value", "a record holds several:  { a: 1, b: 2 }")
}

/// Does the line start with `fn name`?
fn heads_function(fault: &Fault) -> bool {
    let start = fault.start();
    let named =
        |i: usize| fault.nth(i) == "fn" && fault.tokens.get(i + 1).is_some_and(|token| token.kind == Kind::Word);
    named(start) || (fault.nth(start) == "pub" && named(start + 1))
}

fn named_body(fault: &Fault) -> Option<Slip> {
    let head = fault.between(fault.start(), fault.at);
    fault.here("the body of a function stands in braces", format!("{head} {{ ... }}"))
}

/// `x |> f + 1`
fn after_pipeline(fault: &Fault) -> Option<Slip> {
    let sign = fault.near(0);
    let operator = matches!(
        sign,
        "+" | "-" | "*" | "/" | "%" | "^" | "==" | "!=" | "<" | ">" | "<=" | ">=" | "and" | "or" | "@[" | ".."
    );
    if !operator || !fault.back().any(|i| fault.nth(i) == "|>") || fault.near(-1) == "|>" {
        return None;
    }
    let from = fault.back().take_while(|&i| !matches!(fault.nth(i), "=" | "=>" | ":" | "return")).last()?;
    let help = format!("({}) {sign} ...", fault.between(from, fault.at));
    fault.here("a pipeline in an expression stands in round brackets", help)
}

fn chained_comparison(fault: &Fault) -> Option<Slip> {
    let is_comparison = |text: &str| matches!(text, "<" | ">" | "<=" | ">=" | "==" | "!=");
    if !is_comparison(fault.near(0)) {
        return None;
    }
    let middle = fault.operand_start(fault.at);
    if middle == 0 || !is_comparison(fault.nth(middle - 1)) {
        return None;
    }
    let first = fault.operand_start(middle - 1);
    let (left, both) = (fault.between(first, fault.at), fault.left());
    let help = format!("{left} and {both} {} {}", fault.near(0), fault.right(fault.at));
    fault.slip(first, fault.at, "a comparison has two sides", help)
}

/// `=` where `==` or `:` is meant.
fn equals(fault: &Fault) -> Option<Slip> {
    if fault.near(0) != "=" {
        return None;
    }
    let start = fault.start();
    if heads_function(fault) {
        return named_body(fault);
    }
    if in_expect(fault) {
        let help = format!("{} == {}", fault.left(), fault.right(fault.at));
        return fault.here("`=` sets a name; a claim is written `==`, or `~` with a tolerance", help);
    }
    let name = fault.near(-1);
    let named = start + 1 == fault.at && fault.kind(-1) == Kind::Word;
    let value = fault.right(fault.at);
    match fault.bracket() {
        Some((open, "(")) if named && fault.is_call(open) => {
            fault.here("an argument is named with `:`", format!("{name}: {value}"))
        }
        Some((_, "{")) if named && fault.in_record() => {
            fault.here("a field is set with `:`", format!("{name}: {value}"))
        }
        Some((_, "[")) if named => fault.here("an axis is indexed with `:`", format!("{name}: {value}")),
        Some((_, "(")) => test(fault, fault.left()),
        _ if fault.back().any(|i| matches!(fault.nth(i), "if" | "while" | "not" | "and" | "or")) => {
            test(fault, fault.left())
        }
        _ => None,
    }
}

fn test(fault: &Fault, left: &str) -> Option<Slip> {
    fault.here("`=` sets a name; a test is written `==`", format!("{left} == {}", fault.right(fault.at)))
}

/// `let x == 3`
fn double_equals(fault: &Fault) -> Option<Slip> {
    if fault.near(0) != "==" || !matches!(fault.near(-2), "let" | "mut" | "site" | "input" | "type" | "axis") {
        return None;
    }
    fault.here("`==` compares; a name is set with `=`", format!("{} {} = ...", fault.near(-2), fault.near(-1)))
}

/// `if x:`, `x[1:3]`, `[i in pos: e]`
fn colon(fault: &Fault) -> Option<Slip> {
    if fault.near(0) != ":" {
        return None;
    }
    let start = fault.start();
    let head = fault.nth(start);
    if matches!(head, "if" | "while" | "for" | "else" | "match" | "elif") || (head == "}" && fault.near(-1) == "else") {
        let line = fault.between(start, fault.at);
        return fault.here("a block stands in braces", format!("{line} {{ ... }}"));
    }
    if fault.inside("[") && (start..fault.at).any(|i| fault.nth(i) == "in") {
        return fault.here("what each place holds comes after `=>`", "[i in pos => int(i)]");
    }
    if fault.nth(0) == "capture" && fault.inside("{") {
        return fault.here("a site is bound with `=`", format!("{} = {}", fault.near(-1), fault.right(fault.at)));
    }
    None
}

/// `1.`, `.5`
fn number_dot(fault: &Fault) -> Option<Slip> {
    let number = fault.near(-2);
    if fault.near(-1) == "." && fault.kind(-2) == Kind::Number && !number.contains('.') {
        return fault.slip(fault.at - 2, fault.at - 1, "a float has digits after its point", format!("{number}.0"));
    }
    if fault.near(0) == "." && fault.kind(1) == Kind::Number && !(fault.at > 0 && fault.ends_value(fault.at - 1)) {
        let number = fault.near(1);
        return fault.slip(fault.at, fault.at + 1, "a float has a digit before its point", format!("0.{number}"));
    }
    None
}

/// `fn f<..r>`
fn row_in_generics(fault: &Fault) -> Option<Slip> {
    if fault.near(0) != ".." || !matches!(fault.near(-1), "<" | ",") || fault.inside("[") {
        return None;
    }
    let name = fault.near(1);
    fault.slip(
        fault.at,
        fault.at + 1,
        "a parameter is declared without dots",
        format!("<{name}> here, and `..{name}` where it stands for axes:  f32[pos, ..{name}]"),
    )
}
