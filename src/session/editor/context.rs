//! What stands before the cursor, by its characters alone: the text there is unfinished, so no tree can say it.

/// What can stand at the cursor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Spot {
    /// A comment, a text, a number: nothing that could be completed.
    Nothing,
    /// After a dot.
    Field,
    /// Where square brackets take an axis.
    Axis,
    /// The path of a `use`, as far as it is written before the word.
    Module(String),
    /// A name that the `use` of a module brings in.
    FromModule(String),
    /// A site of a model, in the braces of `capture` or `with`.
    Site,
    /// After `in`: an axis or a value.
    Range,
    /// After `:` or `->`: a type, or the value of a field.
    Typed,
    Value,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Context {
    pub spot: Spot,
    /// Where the word under the cursor starts; the cursor itself if there is none.
    pub word: usize,
    pub call: Option<OpenCall>,
}

/// A call whose arguments are being written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenCall {
    /// The end of the name that is called.
    pub callee: usize,
    /// Arguments before the one at the cursor; the piped one counts.
    pub before: usize,
    /// The name that the argument at the cursor states.
    pub named: Option<String>,
}

/// The hole of a text, opened and closed, as `code` shows it.
pub const HOLE: u8 = 1;
const HOLE_END: u8 = 2;

pub fn context(text: &str, offset: usize) -> Context {
    let (code, inside) = code(text.get(..offset).unwrap_or(text));
    let word = word_start(&code);
    let before = &code[..word];
    if inside || before.last().is_some_and(|byte| !byte.is_ascii()) {
        return Context { spot: Spot::Nothing, word, call: None };
    }
    let open = innermost(before);
    let call = open.and_then(|at| open_call(before, at));
    Context { spot: spot(before, open, &code[word..]), word, call }
}

fn spot(before: &[u8], open: Option<usize>, word: &[u8]) -> Spot {
    if let Some(found) = of_use(before) {
        return found;
    }
    if word.first().is_some_and(u8::is_ascii_digit) {
        return Spot::Nothing;
    }
    if open.is_some_and(|at| before[at] == b'{' && takes_site(before, at)) {
        return Spot::Site;
    }
    if before.ends_with(b".") && !before.ends_with(b"..") {
        let owner = &before[..before.len() - 1];
        let start = word_start(owner);
        let number = owner[start..].first().is_some_and(u8::is_ascii_digit);
        return if number || owner.is_empty() { Spot::Nothing } else { Spot::Field };
    }
    let trimmed = before.trim_ascii_end();
    if ends_with_word(trimmed, "like") {
        return Spot::Axis;
    }
    let bracket = open.and_then(|at| in_brackets(before, at));
    if let Some(found) = bracket {
        return found;
    }
    match trimmed {
        _ if ends_with_word(trimmed, "in") => Spot::Range,
        _ if trimmed.ends_with(b":") || trimmed.ends_with(b"->") => Spot::Typed,
        _ => Spot::Value,
    }
}

/// `use std.mod`, `use std.optim: ad`
fn of_use(before: &[u8]) -> Option<Spot> {
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let line = std::str::from_utf8(&before[start..]).ok()?;
    let rest = line.trim_start().strip_prefix("use ")?;
    match rest.split_once(':') {
        Some((module, _)) => {
            let module = module.split(" as ").next().unwrap_or(module);
            Some(Spot::FromModule(module.trim().to_string()))
        }
        // A path in quotes is a blank here.
        None if rest.contains(" as ") || rest.contains("  ") => Some(Spot::Nothing),
        None => Some(Spot::Module(rest.trim().to_string())),
    }
}

/// In `[ ]`, or in the round brackets of a split or a merge.
fn in_brackets(before: &[u8], at: usize) -> Option<Spot> {
    let square = match before[at] {
        b'[' => at,
        b'(' => {
            let outer = innermost(&before[..at]).filter(|&outer| before[outer] == b'[')?;
            let head = before[..at].trim_ascii_end();
            let merges = head.ends_with(b"->") || head.ends_with(b"[") || head.ends_with(b",");
            if !merges || !indexes(before, outer) {
                return None;
            }
            outer
        }
        _ => return None,
    };
    let part = last_part(&before[at + 1..]);
    if !indexes(before, square) {
        return (ends_with_word(part.trim_ascii_end(), "in")).then_some(Spot::Axis);
    }
    let after_colon = part.contains(&b':');
    Some(if after_colon { Spot::Value } else { Spot::Axis })
}

/// Square brackets right after a value or `@` speak of axes, others are lists.
fn indexes(before: &[u8], square: usize) -> bool {
    square.checked_sub(1).is_some_and(|at| is_word(before[at]) || matches!(before[at], b')' | b']' | b'}' | b'@'))
}

/// `capture m(x) { a = | }`, `with m { | }`
fn takes_site(before: &[u8], brace: usize) -> bool {
    let head = &before[..brace];
    let start = statement_start(head);
    let words = head[start..].trim_ascii_start();
    let entry = last_entry(&before[brace + 1..]);
    let stated = entry.contains(&b'=');
    match () {
        _ if starts_with_word(words, "capture") => stated && !entry.contains(&b'['),
        _ if starts_with_word(words, "with") => !stated && !entry.contains(&b'['),
        _ => false,
    }
}

/// Behind the last sign, outside of brackets, that ends what comes before.
fn statement_start(head: &[u8]) -> usize {
    let mut depth = 0usize;
    for at in (0..head.len()).rev() {
        match head[at] {
            b')' | b']' | b'}' | HOLE_END => depth += 1,
            b'(' | b'[' | b'{' | HOLE if depth > 0 => depth -= 1,
            b'\n' | b';' | b'=' | b',' | b':' | b'(' | b'[' | b'{' | HOLE if depth == 0 => return at + 1,
            b'>' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    0
}

fn open_call(before: &[u8], at: usize) -> Option<OpenCall> {
    if before[at] != b'(' {
        return None;
    }
    let mut end = at;
    if before[..end].ends_with(b"]") {
        end = innermost(&before[..end - 1])?;
    }
    let start = before[..end].iter().rposition(|&byte| !is_word(byte) && byte != b'.').map_or(0, |at| at + 1);
    if start == end || before[start].is_ascii_digit() {
        return None;
    }
    // `fn f(` declares.
    let head = before[..start].trim_ascii_end();
    if ends_with_word(head, "fn") {
        return None;
    }
    let inside = &before[at + 1..];
    let part = last_part(inside).trim_ascii();
    let named = part.iter().position(|&byte| byte == b':').map(|at| String::from_utf8_lossy(&part[..at]).into_owned());
    let piped = usize::from(head.ends_with(b"|>"));
    let commas = commas(inside);
    Some(OpenCall { callee: end, before: commas + piped, named: named.map(|name| name.trim().to_string()) })
}

/// The part behind the last comma outside of brackets.
fn last_part(inside: &[u8]) -> &[u8] {
    &inside[last(inside, b",").map_or(0, |at| at + 1)..]
}

/// The part behind the last comma, line end or semicolon outside of brackets.
fn last_entry(inside: &[u8]) -> &[u8] {
    &inside[last(inside, b",\n;").map_or(0, |at| at + 1)..]
}

fn last(inside: &[u8], signs: &[u8]) -> Option<usize> {
    outside(inside).filter(|&at| signs.contains(&inside[at])).last()
}

fn commas(inside: &[u8]) -> usize {
    outside(inside).filter(|&at| inside[at] == b',').count()
}

/// The places that no bracket of the text surrounds.
fn outside(inside: &[u8]) -> impl Iterator<Item = usize> {
    let mut depth = 0usize;
    (0..inside.len()).filter(move |&at| {
        match inside[at] {
            b'(' | b'[' | b'{' | HOLE => depth += 1,
            b')' | b']' | b'}' | HOLE_END => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    })
}

/// The innermost bracket that is open at the end.
pub fn innermost(code: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    for at in (0..code.len()).rev() {
        match code[at] {
            b')' | b']' | b'}' | HOLE_END => depth += 1,
            b'(' | b'[' | b'{' | HOLE if depth == 0 => return Some(at),
            b'(' | b'[' | b'{' | HOLE => depth -= 1,
            _ => {}
        }
    }
    None
}

pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'\'')
}

fn word_start(code: &[u8]) -> usize {
    code.iter().rposition(|&byte| !is_word(byte)).map_or(0, |at| at + 1)
}

fn ends_with_word(code: &[u8], word: &str) -> bool {
    let start = word_start(code);
    &code[start..] == word.as_bytes()
}

fn starts_with_word(code: &[u8], word: &str) -> bool {
    code.starts_with(word.as_bytes()) && !code.get(word.len()).is_some_and(|&byte| is_word(byte))
}

/// The text with comments and texts blank, byte for byte, and whether it ends inside one of them.
pub fn code(text: &str) -> (Vec<u8>, bool) {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    // Of each text that is open: how many brackets are open in its hole, or that no hole is.
    let mut texts: Vec<Option<usize>> = Vec::new();
    let mut comment = false;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let mut length = 1;
        match texts.last_mut() {
            _ if byte == b'\n' => {
                texts.clear();
                comment = false;
            }
            _ if comment => out[at] = b' ',
            Some(None) => {
                out[at] = b' ';
                match byte {
                    b'"' => drop(texts.pop()),
                    b'\\' => length = 2,
                    b'{' | b'}' if bytes.get(at + 1) == Some(&byte) => length = 2,
                    b'{' => {
                        out[at] = HOLE;
                        texts.pop();
                        texts.push(Some(0));
                    }
                    _ => {}
                }
                if length == 2 && bytes.get(at + 1).is_some_and(|&next| next != b'\n') {
                    out[at + 1] = b' ';
                }
            }
            Some(Some(0)) if byte == b'}' => {
                out[at] = HOLE_END;
                texts.pop();
                texts.push(None);
            }
            Some(Some(depth)) if byte == b'}' => *depth -= 1,
            Some(Some(depth)) if byte == b'{' => *depth += 1,
            _ if byte == b'"' => {
                out[at] = b' ';
                texts.push(None);
            }
            _ if byte == b'#' => {
                out[at] = b' ';
                comment = true;
            }
            _ => {}
        }
        at += if length == 2 && bytes.get(at + 1) == Some(&b'\n') { 1 } else { length };
    }
    (out, comment || texts.last() == Some(&None))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The context at `|`.
    fn at(text: &str) -> Context {
        let offset = text.find('^').unwrap_or(text.len());
        context(&text.replace('^', ""), offset)
    }

    #[test]
    fn what_can_stand_at_a_place() {
        let cases = [
            ("let x = ab^", Spot::Value),
            ("let x = r.^", Spot::Field),
            ("let x = r.fi^", Spot::Field),
            ("let x = 1.^", Spot::Nothing),
            ("let x = 0..^", Spot::Value),
            ("mean[^", Spot::Axis),
            ("mean[a, b^](x)", Spot::Axis),
            ("x[pos: ^", Spot::Value),
            ("x[pos -> ^", Spot::Axis),
            ("x[pos -> late: ^", Spot::Value),
            ("x[d -> (head: 4, ^", Spot::Axis),
            ("x[(batch, ^", Spot::Axis),
            ("q @[^", Spot::Axis),
            ("let x = [^", Spot::Value),
            ("let x = [i in ^", Spot::Axis),
            ("let x = f([1, ^", Spot::Value),
            ("use std.^", Spot::Module("std.".to_string())),
            ("use std.models.g^", Spot::Module("std.models.".to_string())),
            ("use std.optim: ad^", Spot::FromModule("std.optim".to_string())),
            ("for l in ^", Spot::Range),
            ("axis q like ^", Spot::Axis),
            ("# let x = ^", Spot::Nothing),
            ("let x = \"a ^", Spot::Nothing),
            ("let x = \"a {^", Spot::Value),
            ("let x = \"a {r.^", Spot::Field),
            ("let x = \"{a}^", Spot::Nothing),
            ("let x: ^", Spot::Typed),
            ("capture m(t) { x = ^", Spot::Site),
            ("capture m(t) {\n  x = a[l: 1]\n  y = b^\n}", Spot::Site),
            ("capture m(t) { x = a[^", Spot::Axis),
            ("let r = with m { ^", Spot::Site),
            ("let r = with m { a = ^", Spot::Value),
            ("if capture_it { ^", Spot::Value),
        ];
        for (text, spot) in cases {
            assert_eq!(at(text).spot, spot, "{text}");
        }
    }

    #[test]
    fn the_open_call_and_its_argument() {
        let call = |text: &str| at(text).call.map(|call| (call.callee, call.before, call.named));
        assert_eq!(call("f(a, ^"), Some((1, 1, None)));
        assert_eq!(call("x |> f(a, ^"), Some((6, 2, None)));
        assert_eq!(call("m.f[pos](a, k: ^"), Some((3, 1, Some("k".to_string()))));
        assert_eq!(call("fn f(a^"), None);
        assert_eq!(call("(a^"), None);
        assert_eq!(call("f(g(1), [2, 3], ^"), Some((1, 2, None)));
    }

    #[test]
    fn any_text_has_a_context() {
        for text in ["\"\\", "\u{e9}", "}}}", "\"{{", "\"{", "\"{{}", "#\"{\n\"", "'", "capture {", "\"\\\n"] {
            for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
                context(text, end);
            }
        }
    }
}
