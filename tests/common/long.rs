//! Programs that no person writes: very long, very deep, or both. Too large to lie in a folder, so they are made.

use std::fmt::Write;

/// A program made with intent, and the error that it must end with.
pub struct Made {
    pub name: &'static str,
    pub text: Vec<u8>,
    /// The beginning of the code; `0` for a program that is merely long, and runs.
    pub expect: &'static str,
}

const MANY: usize = 100_000;

fn made(name: &'static str, expect: &'static str, text: impl Into<Vec<u8>>) -> Made {
    Made { name, text: text.into(), expect }
}

/// `open` and `close` so many times around `inside`.
fn nested(count: usize, open: &str, inside: &str, close: &str) -> String {
    format!("{}{inside}{}", open.repeat(count), close.repeat(count))
}

/// A line for each number from 1 on.
fn lines(count: usize, first: &str, line: impl Fn(usize) -> String) -> String {
    let mut text = format!("{first}\n");
    for number in 1..count {
        let _ = writeln!(text, "{}", line(number));
    }
    text
}

pub fn programs() -> Vec<Made> {
    let mut all = brackets();
    all.extend(operators());
    all.extend(chains());
    all.extend(bytes());
    all
}

fn brackets() -> Vec<Made> {
    let open = |name, open: &str, inside: &str, close: &str| {
        made(name, "E0", format!("let x = {}\n", nested(MANY, open, inside, close)))
    };
    vec![
        open("parentheses", "(", "1", ")"),
        open("lists", "[", "1", "]"),
        open("records", "{ a: ", "1", " }"),
        open("blocks", "{ ", "1", " }"),
        open("calls", "f(", "1", ")"),
        open("functions", "fn(x) => ", "1", ""),
        open("branches", "if true { ", "1", " } else { 2 }"),
        open("branches that follow each other", "if x == 1 { 1 } else ", "{ 2 }", ""),
        open("matches", "match 1 { _ => ", "1", " }"),
        open("indices", "x[a: ", "1", "]"),
        open("formulas", "[i in a => ", "1", "]"),
        open("holes in texts", "\"{", "1", "}\""),
        open("only open", "([{", "", ""),
        open("only closed", "", "1", ")]}"),
        made("types", "E0", format!("fn f(x: {}) -> int {{ 1 }}\n", nested(MANY, "list<", "int", ">"))),
        made("types of records", "E0", format!("type T = {}\n", nested(MANY, "{ a: ", "int", " }"))),
        made("loops", "E0", nested(MANY, "while true {\n", "", "}\n")),
        made("functions in functions", "E0", nested(MANY, "fn f() {\n", "", "}\n")),
        made("fields", "E0", format!("let x = y{}\n", ".a".repeat(MANY))),
    ]
}

fn operators() -> Vec<Made> {
    let one = |name, expect, part: &str, last: &str| {
        made(name, expect, format!("let x = {}{last}\nprint(\"{{x}}\")\n", part.repeat(MANY)))
    };
    vec![
        one("sums", "E0", "1 + ", "1"),
        one("powers", "E0", "1.0 ^ ", "1.0"),
        one("minus signs", "E0", "-", "1"),
        one("nots", "E0", "not ", "true"),
        one("ands", "E0", "true and ", "true"),
        one("comparisons", "E0", "1 < ", "1"),
        one("pipes", "E0", "1 |> ", "str"),
        one("contractions", "E0", "x @[d] ", "x"),
        one("commas", "E0", ", ", "1"),
    ]
}

fn chains() -> Vec<Made> {
    let local = |name, expect, first: &str, line: &dyn Fn(usize) -> String, last: String| {
        let body = lines(20_000, first, line);
        made(name, expect, format!("fn g() {{\n{body}{last}\n}}\n\nlet got = g()\n"))
    };
    let last = 19_999;
    let names = |join: &str| (0..5_000).map(|number| format!("a{number}")).collect::<Vec<_>>().join(join);
    vec![
        local(
            "functions that hold the one before",
            "E004",
            "let f0 = fn(x) => x",
            &|n| format!("let f{n} = fn(x) => f{}(x)", n - 1),
            format!("f{last}(1)"),
        ),
        local(
            "gradients of the one before",
            "E004",
            "let f0 = fn(x) => x * x",
            &|n| format!("let f{n} = grad(f{})", n - 1),
            format!("f{last}(1.0)"),
        ),
        local(
            "records that hold the one before",
            "E004",
            "let r0 = { a: 1 }",
            &|n| format!("let r{n} = {{ a: r{} }}", n - 1),
            "1".to_string(),
        ),
        local(
            "lists that hold the one before",
            "E004",
            "let l0 = [1]",
            &|n| format!("let l{n} = [l{}]", n - 1),
            "1".to_string(),
        ),
        local(
            "two functions that hold the two before",
            "E004",
            "let a0 = fn(x) => x\nlet b0 = fn(x) => x",
            &|n| format!("let a{n} = fn(x) => a{0}(b{0}(x))\nlet b{n} = fn(x) => b{0}(a{0}(x))", n - 1),
            format!("a{last}"),
        ),
        made(
            "returns one after another",
            "E0",
            format!(
                "fn f(x: int) -> int {{\n{}  1\n}}\n\nlet one = len([1])\nlet got = f(one)\n",
                lines(20_000, "", |n| format!("  if x == {n} {{ return {n} }}"))
            ),
        ),
        made(
            "returns that may follow",
            "E0",
            format!(
                "fn f(x: int) -> int {{\n{}  1\n}}\n\nlet one = len([1])\nlet got = f(one)\n",
                lines(40, "", |n| format!("  if x > {n} {{ if x == {} {{ return {n} }} }}", n + 1))
            ),
        ),
        made(
            "types that hold the one before",
            "E004",
            lines(20_000, "type T0 = int", |n| format!("type T{n} = {{ a: T{} }}", n - 1))
                + "fn f(x: T19999) -> int { 1 }\n",
        ),
        made(
            "functions that call the one before",
            "E004",
            lines(20_000, "fn f0(x: int) -> int { x }", |n| format!("fn f{n}(x: int) -> int {{ f{}(x) + 1 }}", n - 1))
                + "print(\"{f19999(1)}\")\n",
        ),
        made(
            "a record of many fields",
            "E0",
            format!("let r = {{ {} }}\n", (0..30_000).map(|n| format!("a{n}: 1")).collect::<Vec<_>>().join(", ")),
        ),
        made("a field of many axes", "E0", format!("let x = zeros[{}]()\n", names(", "))),
        made(
            "arms without number",
            "0",
            format!(
                "let one = len([1])\nlet x = match one {{\n{}  _ => 0\n}}\nprint(\"{{x}}\")\n",
                lines(150, "", |n| format!("  {n} => {n}"))
            ),
        ),
        made("mistakes without number", "E0", lines(20_000, "", |n| format!("let x{n} = nothing{n}"))),
        made("mistakes of writing without number", "E0", "let = =\n".repeat(MANY)),
    ]
}

fn bytes() -> Vec<Made> {
    vec![
        made("more than a script may have", "E043", " \n".repeat(3 << 20)),
        made("comments", "E0", "#\n".repeat(1 << 20) + "let x = y\n"),
        made("one comment", "E0", format!("#{}\nlet x = y\n", "#".repeat(3 << 20))),
        made("one name", "E0", format!("let x = {}\n", "a".repeat(3 << 20))),
        made("one number", "E0", format!("let x = {}\n", "9".repeat(3 << 20))),
        made("one fraction", "E0", format!("let x = 0.{}\nlet y = z\n", "9".repeat(3 << 20))),
        made("one text", "E0", format!("let x = \"{}\"\nlet y = z\n", "a".repeat(3 << 20))),
        made("a text without end", "E0", format!("let x = \"{}\n", "a".repeat(1 << 20))),
        made("a hole without end", "E0", format!("let x = \"{{{}\n", "a + ".repeat(1 << 18))),
        made("no text", "E043", [0xff, 0xfe, 0, 0].repeat(1000)),
        made("bytes that end names", "E0", "let x\0 = 1\n"),
        made("bytes that move the cursor", "E0", "let x = \u{1b}[2J\u{1b}]0;owned\u{7}\n"),
        made("letters that turn the line around", "E0", "let x = \u{202e}1 + y\u{202c}\n"),
        made("carriage returns", "E0", "let x = y\rprint(1)\r".repeat(1000)),
    ]
}
