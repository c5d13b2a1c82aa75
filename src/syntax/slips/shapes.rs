//! Slips that only what stands around the fault gives away.

use super::{Entry, Fault, Slip, is_reserved};
use crate::syntax::tokens::Kind;

pub(super) const TABLE: &[Entry] = &[
    index_without_axis,
    list_in_type,
    prefixed_text,
    text_beside_text,
    brace_in_text,
    number_format,
    quoted_field,
    field_separator,
    missing_field_colon,
    product_without_sign,
    call_without_brackets,
    missing_argument_comma,
    missing_equals,
    item_without_name,
    let_without_value,
    let_several,
    capture_without_sites,
    operator_first,
    unfinished,
];

/// `x[0]`, `x[:, 3]`, `x[1:3]`, `x[-1]`, `f32[128]`
fn index_without_axis(fault: &Fault) -> Option<Slip> {
    let (open, "[") = fault.bracket()? else { return None };
    if open == 0 || !fault.ends_value(open - 1) || !matches!(fault.near(-1), "[" | "," | ":" | "...") {
        return None;
    }
    let bare = matches!(fault.kind(0), Kind::Number | Kind::Text) || matches!(fault.near(0), "-" | ":" | "..." | "..");
    if !bare {
        return None;
    }
    let name = fault.nth(open - 1);
    let value = fault.between(fault.operand_start(open), open);
    let close = fault.close_of(open).unwrap_or(fault.at);
    if matches!(name, "f32" | "f64" | "int" | "bool" | "float") {
        return fault.slip(open, close, "a type names its axes, not their lengths", format!("{name}[pos, dmodel]"));
    }
    let inner = fault.between(open + 1, close);
    let help = if inner.contains(':') && !inner.contains(',') {
        let (low, high) = inner.split_once(':').unwrap_or(("", ""));
        format!("a part is named:  {value}[pos -> late: {}..{}]", low.trim(), high.trim())
    } else if inner.contains(',') || inner.contains(':') {
        format!("{value}[pos: 3]  takes one place and keeps the other axes")
    } else {
        format!("{value}[pos: {inner}]  for a tensor,  nth({value}, {inner})  for a list")
    };
    fault.slip(open, close, "brackets name the axis", help)
}

/// `x: [f32]`
fn list_in_type(fault: &Fault) -> Option<Slip> {
    let typed = fault.near(0) == "[" && matches!(fault.near(-1), ":" | "->" | "<");
    if !typed || fault.kind(1) != Kind::Word {
        return None;
    }
    fault.here("a list type is written `list<..>`", format!("list<{}>", fault.near(1)))
}

/// `f"{x}"`
fn prefixed_text(fault: &Fault) -> Option<Slip> {
    let prefix = matches!(fault.near(-1), "f" | "r" | "b" | "F" | "R" | "B");
    if fault.kind(0) != Kind::Text || !prefix || !fault.touches_previous() {
        return None;
    }
    fault.slip(fault.at - 1, fault.at - 1, "a text needs no letter before it", "\"any text may hold values: {x:.3}\"")
}

/// `"""text"""`, `"a" "b"`
fn text_beside_text(fault: &Fault) -> Option<Slip> {
    if fault.kind(0) != Kind::Text || fault.kind(-1) != Kind::Text {
        return None;
    }
    if fault.touches_previous() {
        return fault.here("a text stands in single double quotes", "\"text\", with `\\n` for a line end");
    }
    fault.here("two texts stand side by side", "put both in one text:  \"{a}{b}\"")
}

/// A single `}` in a text.
fn brace_in_text(fault: &Fault) -> Option<Slip> {
    let inside = fault.kind(0) == Kind::Text && fault.text[fault.tokens[fault.at].start..].contains('}');
    let empty = fault.near(0) == "}" && fault.near(-1) == "{" && fault.kind(-2) == Kind::Text;
    if empty {
        return fault.slip(
            fault.at - 1,
            fault.at,
            "braces in a text hold a value",
            "{x:.3}, or `{{` and `}}` for braces",
        );
    }
    if !inside || fault.touches_previous() && fault.near(-1) == "}" && !fault.near(0).contains('}') {
        return None;
    }
    fault.here("a single `}` in a text closes nothing", "write `}}` for a brace")
}

/// `{x:>8}`, `{x:,}`
fn number_format(fault: &Fault) -> Option<Slip> {
    let (open, "{") = fault.bracket()? else { return None };
    let hole = open > 0 && fault.tokens[open - 1].kind == Kind::Text;
    let in_format = fault.back().any(|i| fault.nth(i) == ":") || fault.near(0) == "!";
    if !hole || !in_format {
        return None;
    }
    fault.here("this is no format for a number", "`.3` decimals, `.1%` percent, `e` or `.2e` powers of ten, `8` width")
}

/// `{ "a": 1 }`
fn quoted_field(fault: &Fault) -> Option<Slip> {
    let (at, colon) = match (fault.kind(0), fault.near(1), fault.near(0), fault.kind(-1)) {
        (Kind::Text, ":", _, _) => (fault.at, true),
        (_, _, ":", Kind::Text) => (fault.at - 1, true),
        _ => (fault.at, false),
    };
    if !colon || !(fault.inside("{") || fault.inside("(")) {
        return None;
    }
    let name = fault.nth(at).trim_matches('"');
    fault.slip(at, at, "the name of a field has no quotes", format!("{name}: ..."))
}

/// `{ a: 1 b: 2 }`, `{ a: 1; b: 2 }`
fn field_separator(fault: &Fault) -> Option<Slip> {
    if !fault.in_record() {
        return None;
    }
    if fault.near(0) == ";" {
        return fault.here("fields are separated by `,` or by lines", "{ a: 1, b: 2 }");
    }
    let next_field =
        fault.kind(0) == Kind::Word && fault.near(1) == ":" && fault.at > 0 && fault.ends_value(fault.at - 1);
    if !next_field {
        return None;
    }
    fault.here("fields are separated by `,` or by lines", format!(", {}: ...", fault.near(0)))
}

/// `fit d { data x }`
fn missing_field_colon(fault: &Fault) -> Option<Slip> {
    let start = fault.start();
    let single = start + 1 == fault.at && fault.kind(-1) == Kind::Word && !is_reserved(fault.near(-1));
    if !single || !fault.starts_value(fault.at) || !fault.in_record_or_may_be() {
        return None;
    }
    let help = format!("{}: {}", fault.near(-1), fault.right(fault.at - 1));
    fault.here("a `:` is missing between a field and its value", help)
}

/// `3x`
fn product_without_sign(fault: &Fault) -> Option<Slip> {
    if fault.kind(-1) != Kind::Number || fault.kind(0) != Kind::Word || !fault.touches_previous() {
        return None;
    }
    let (number, word) = (fault.near(-1), fault.near(0));
    if number == "0" && word.starts_with(['x', 'X', 'b', 'o']) {
        return fault.slip(fault.at - 1, fault.at, "numbers are written in decimal", "255");
    }
    let factor = match word {
        "k" | "K" => return fault.slip(fault.at - 1, fault.at, "a number has no unit", format!("{number}_000")),
        _ => word,
    };
    fault.slip(fault.at - 1, fault.at, "a product needs its `*`", format!("{number} * {factor}"))
}

/// `print "x"`
fn call_without_brackets(fault: &Fault) -> Option<Slip> {
    let start = fault.start();
    let single = start + 1 == fault.at && fault.kind(-1) == Kind::Word;
    let known = matches!(fault.near(-1), "print" | "assert" | "echo" | "println" | "printf");
    if !single || !known || !fault.starts_value(fault.at) {
        return None;
    }
    let name = if fault.near(-1) == "assert" { "assert(test, \"why\")" } else { "print(\"...\")" };
    fault.slip(start, start, "a call has round brackets", name)
}

/// `f(a b)`
fn missing_argument_comma(fault: &Fault) -> Option<Slip> {
    let (open, sign) = fault.bracket()?;
    let list = sign == "[" || (sign == "(" && fault.is_call(open));
    let side_by_side = fault.at > 0 && fault.ends_value(fault.at - 1) && fault.starts_value(fault.at);
    if !list || !side_by_side {
        return None;
    }
    let help = format!("{}, {}", fault.left(), fault.right(fault.at - 1));
    fault.here("a `,` or an operator is missing before this", help)
}

/// `axis pos 128`, `input x file(..)`, `let x 3`
fn missing_equals(fault: &Fault) -> Option<Slip> {
    let start = fault.start();
    let word = fault.nth(start);
    let after_name = start + 2 == fault.at || (fault.nth(start + 1) == "mut" && start + 3 == fault.at);
    let sets = matches!(word, "let" | "axis" | "input" | "type" | "site");
    let brace = fault.near(0) == "{";
    if !sets || !after_name || fault.kind(-1) != Kind::Word || !fault.starts_value(fault.at) || brace && word != "type"
    {
        return None;
    }
    let value = if brace { "{ ... }" } else { fault.right(fault.at - 1) };
    let help = format!("{} = {value}", fault.between(start, fault.at));
    fault.here("an `=` is missing before this", help)
}

/// `plot { .. }`, `experiment { .. }`
fn item_without_name(fault: &Fault) -> Option<Slip> {
    if fault.near(0) != "{" || fault.start() + 1 != fault.at {
        return None;
    }
    let start = fault.at - 1;
    match fault.near(-1) {
        "plot" => fault.slip(start, start, "a plot needs its kind", "plot lines { y: x }"),
        "experiment" => fault.slip(start, start, "an experiment needs a name", "experiment \"name\" { seed: 17 }"),
        _ => None,
    }
}

fn let_without_value(fault: &Fault) -> Option<Slip> {
    let start = fault.start();
    let ended = matches!(fault.kind(0), Kind::Line | Kind::End) || fault.near(0) == "}";
    if fault.nth(start) != "let" || !ended || fault.kind(-1) != Kind::Word || fault.near(-1) == "let" {
        return None;
    }
    if (start..fault.at).any(|i| fault.nth(i) == "=") {
        return None;
    }
    let line = fault.between(start, fault.at);
    fault.slip(start, fault.at - 1, "this name gets no value", format!("{line} = ..."))
}

/// `let a, b = f()`
fn let_several(fault: &Fault) -> Option<Slip> {
    let first = fault.near(-2) == "let" || fault.near(-2) == "(" && fault.near(-3) == "let";
    if fault.near(0) == "," && first {
        let names = format!("let {{ {}, {} }} = ...", fault.near(-1), fault.near(1));
        return fault.here("several names are taken from a record", names);
    }
    if fault.near(0) == "(" && fault.near(-1) == "let" {
        return fault.here("several names are taken from a record", "let { a, b } = ...");
    }
    None
}

/// `capture gpt(tokens)`
fn capture_without_sites(fault: &Fault) -> Option<Slip> {
    let start = fault.start();
    let capture = (start..fault.at).find(|&i| fault.nth(i) == "capture")?;
    let ended = matches!(fault.kind(0), Kind::Line | Kind::End);
    if !ended || fault.near(-1) != ")" || capture + 2 >= fault.at {
        return None;
    }
    let help = format!("{} {{ x = resid_pre[layer: 2] }}", fault.between(capture, fault.at));
    fault.slip(capture, capture, "`capture` names the sites it keeps", help)
}

/// A line that starts with an operator.
fn operator_first(fault: &Fault) -> Option<Slip> {
    let sign = fault.near(0);
    let operator =
        matches!(sign, "+" | "*" | "/" | "%" | "^" | "==" | "!=" | "<" | ">" | "<=" | ">=" | "@[" | "." | "=");
    if !fault.starts_line() || !(operator || matches!(sign, "and" | "or")) {
        return None;
    }
    if sign == "." {
        return fault.here("a line cannot start with `.`", "functions follow with `|>`:  x |> mean[pos]");
    }
    let help = format!("a line that goes on ends with its operator: put `{sign}` at the end of the line above");
    fault.here(format!("a line cannot start with `{sign}`"), help)
}

/// The item ends where a value has to follow.
fn unfinished(fault: &Fault) -> Option<Slip> {
    const OPERATORS: &[&str] =
        &["=", "+", "-", "*", "/", "%", "^", "==", "!=", "<", ">", "<=", ">=", "and", "or", "not", "|>", "=>", "+="];
    let last = fault.near(-1);
    let ended = matches!(fault.kind(0), Kind::Line | Kind::End) || fault.near(0) == "}" || fault.near(0) == ")";
    if fault.at == 0 || !ended || !OPERATORS.contains(&last) {
        return None;
    }
    fault.slip(fault.at - 1, fault.at - 1, format!("a value is missing after `{last}`"), "")
}

impl Fault<'_> {
    /// Braces with fields, or braces after `=` whose first line could be a field.
    fn in_record_or_may_be(&self) -> bool {
        let Some((open, "{")) = self.bracket() else { return false };
        self.in_record() || (open > 0 && matches!(self.nth(open - 1), "=" | "=>" | "return"))
    }
}
