//! Changes of a text as small as whole lines allow, so that an editor keeps the cursor where it was.

use lsp_types::TextEdit;

use super::translate;
use crate::session::editor::places::Lines;

/// What turns `old` into `new`: the lines between those that both begin and both end with.
pub fn between(old: &str, new: &str) -> Vec<TextEdit> {
    if old == new {
        return Vec::new();
    }
    let same = |pair: &(&str, &str)| pair.0 == pair.1;
    let (before, after): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let first = before.iter().zip(&after).take_while(|(a, b)| same(&(a, b))).count();
    let room = before.len().min(after.len()) - first;
    let last = before.iter().rev().zip(after.iter().rev()).take(room).take_while(|(a, b)| same(&(a, b))).count();
    let length = |lines: &[&str]| lines.iter().map(|line| line.len()).sum::<usize>();
    let (start, end) = (length(&before[..first]), old.len() - length(&before[before.len() - last..]));
    let text = after[first..after.len() - last].concat();
    vec![TextEdit { range: translate::range(&Lines::new(old), start, end), new_text: text }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_that_differ_are_replaced() {
        let cases = [
            ("a\nb\nc\n", "a\nB\nc\n", Some((1, 2, "B\n"))),
            ("a\nb\n", "a\nb\nc\n", Some((2, 2, "c\n"))),
            ("a\na\na\n", "a\na\n", Some((2, 3, ""))),
            ("", "x", Some((0, 0, "x"))),
            ("x", "x", None),
        ];
        for (old, new, expected) in cases {
            let found = between(old, new);
            let shown = found.first().map(|edit| (edit.range.start.line, edit.range.end.line, edit.new_text.as_str()));
            assert_eq!(shown, expected, "{old:?} to {new:?}");
        }
    }
}
