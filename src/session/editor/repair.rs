//! An unfinished text made whole around the cursor, so that a tree can be had of it.
//!
//! The word under the cursor becomes a mark, what is open is closed, and the rest of the item is dropped; the items after it
//! stay. Nobody ever sees the result: it only says what stands before the cursor.

use super::context::{HOLE, code, is_word};
use crate::base::span::FileId;
use crate::syntax::parse;

/// The name at the cursor of a repaired text.
pub const MARK: &str = "locus_here";

/// What may have to follow the mark, before and after the closing brackets, for the item to be one.
const ENDINGS: &[(&str, &str)] =
    &[("", ""), ("", " {}"), (" {}", ""), ("", " = 0"), (" == 0", ""), (" = 0", ""), (": 0", ""), (" {}", " {}")];

/// A text whose item at the cursor can be read, or nothing if none was found. What stands before the word keeps its place.
pub fn repaired(text: &str, word: usize) -> Option<String> {
    let before = text.get(..word)?;
    let (blank, _) = code(before);
    let start = item_start(&blank);
    let closers = closers(&blank[start..]);
    let item = text.get(start..word)?;
    let whole = ENDINGS.iter().map(|(first, last)| format!("{item}{MARK}{first}{closers}{last}")).find(|item| {
        let (program, faults) = parse::parse_program(FileId(0), item);
        faults.is_empty() && !program.items.is_empty()
    })?;
    Some(format!("{}{whole}\n{}", &text[..start], &text[next_item(text, word)..]))
}

/// The last line before the cursor that starts, in the first column, with a word.
fn item_start(blank: &[u8]) -> usize {
    let starts = |&at: &usize| (at == 0 || blank[at - 1] == b'\n') && blank.get(at).is_none_or(|&byte| is_word(byte));
    (0..=blank.len()).rev().find(starts).unwrap_or(0)
}

/// The first line after the cursor that starts, in the first column, with a word or a comment.
fn next_item(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let starts = |&at: &usize| bytes[at - 1] == b'\n' && (is_word(bytes[at]) || bytes[at] == b'#');
    (from.max(1)..text.len()).find(starts).unwrap_or(text.len())
}

fn closers(item: &[u8]) -> String {
    let mut open: Vec<&str> = Vec::new();
    for byte in item {
        match byte {
            b'(' => open.push(")"),
            b'[' => open.push("]"),
            b'{' => open.push("}"),
            &HOLE => open.push("}\""),
            b')' | b']' | b'}' | 2 => drop(open.pop()),
            _ => {}
        }
    }
    open.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_closed_and_the_next_one_kept() {
        let cases = [
            ("let x = f(a.^\nlet y = 1\n", "let x = f(a.locus_here)\nlet y = 1\n"),
            ("fn f(x: ^\nlet y = 1\n", "fn f(x: locus_here) {}\nlet y = 1\n"),
            ("fn f(x) {\n  let y = x[^\n}\nlet z = 1", "fn f(x) {\n  let y = x[locus_here]}\nlet z = 1"),
            ("print(\"{a.^", "print(\"{a.locus_here}\")\n"),
            ("expect { x.^ }", "expect { x.locus_here == 0}\n"),
            ("for i in ^", "for i in locus_here {}\n"),
        ];
        for (text, whole) in cases {
            let at = text.find('^').unwrap();
            assert_eq!(repaired(&text.replace('^', ""), at).as_deref(), Some(whole));
        }
    }
}
