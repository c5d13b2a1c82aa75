//! Which lines differ between two texts, as people know it from other tools: a few lines around each change, `-` before
//! what goes and `+` before what comes.

use std::ops::Range;

/// Lines shown before and after a change.
const AROUND: usize = 3;
/// Comparing two texts of this many lines each in their differing parts takes too much memory: all of it counts as changed.
const MOST_CELLS: usize = 16 << 20;

/// One line of a comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line<'a> {
    /// Where a part begins, and how long it is, in the old text and in the new one; from 1.
    Part(usize, usize, usize, usize),
    Same(&'a str),
    Old(&'a str),
    New(&'a str),
}

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Line::Part(old, of_old, new, of_new) => write!(f, "@@ -{old},{of_old} +{new},{of_new} @@"),
            Line::Same(text) => write!(f, " {text}"),
            Line::Old(text) => write!(f, "-{text}"),
            Line::New(text) => write!(f, "+{text}"),
        }
    }
}

/// The parts that differ; nothing for equal texts.
pub fn difference<'a>(old: &'a str, new: &'a str) -> Vec<Line<'a>> {
    let lines =
        compared(&old.split_inclusive('\n').collect::<Vec<_>>(), &new.split_inclusive('\n').collect::<Vec<_>>());
    let changed: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| !matches!(line, Line::Same(_))).map(|(at, _)| at).collect();
    let mut parts: Vec<Range<usize>> = Vec::new();
    for at in changed {
        let part = at.saturating_sub(AROUND)..(at + AROUND + 1).min(lines.len());
        match parts.last_mut() {
            Some(last) if part.start <= last.end => last.end = part.end,
            _ => parts.push(part),
        }
    }
    let mut found = Vec::new();
    for part in parts {
        let count = |lines: &[Line], new: bool| {
            let counted = |line: &&Line| match line {
                Line::Old(_) => !new,
                Line::New(_) => new,
                _ => true,
            };
            lines.iter().filter(counted).count()
        };
        let (before, inside) = (&lines[..part.start], &lines[part]);
        found.push(Line::Part(
            count(before, false) + 1,
            count(inside, false),
            count(before, true) + 1,
            count(inside, true),
        ));
        found.extend(inside.iter().map(trimmed));
    }
    found
}

/// Without its line end; another kind of line end than `\n` is shown.
fn trimmed<'a>(line: &Line<'a>) -> Line<'a> {
    let cut = |text: &'a str| text.strip_suffix('\n').unwrap_or(text);
    match *line {
        Line::Same(text) => Line::Same(cut(text)),
        Line::Old(text) => Line::Old(cut(text)),
        Line::New(text) => Line::New(cut(text)),
        part => part,
    }
}

/// All lines of both: a longest common subsequence, with what goes before what comes.
fn compared<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = old[start..].iter().rev().zip(new[start..].iter().rev());
    let end = rest.take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[start..old.len() - end], &new[start..new.len() - end]);
    let mut found: Vec<Line> = old[..start].iter().map(|line| Line::Same(line)).collect();
    if (a.len() + 1).saturating_mul(b.len() + 1) > MOST_CELLS {
        found.extend(a.iter().map(|line| Line::Old(line)));
        found.extend(b.iter().map(|line| Line::New(line)));
    } else {
        found.extend(middle(a, b));
    }
    found.extend(old[old.len() - end..].iter().map(|line| Line::Same(line)));
    found
}

fn middle<'a>(a: &[&'a str], b: &[&'a str]) -> Vec<Line<'a>> {
    let width = b.len() + 1;
    // How many lines are common to what follows in each.
    let mut common = vec![0_u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i * width + j] = if a[i] == b[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut found = Vec::new();
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            found.push(Line::Same(a[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || i < a.len() && common[(i + 1) * width + j] >= common[i * width + j + 1] {
            found.push(Line::Old(a[i]));
            i += 1;
        } else {
            found.push(Line::New(b[j]));
            j += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> String {
        difference(old, new).iter().map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn parts_that_differ_are_shown_with_lines_around_them() {
        assert_eq!(shown("a\nb\n", "a\nb\n"), "");
        let old: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let new = old.replace("\n5\n", "\nfive\n").replace("\n6\n", "\n").replace("\n18\n", "\n18\n18.5\n");
        let parts = "@@ -2,8 +2,7 @@\n 2\n 3\n 4\n-5\n-6\n+five\n 7\n 8\n 9\n@@ -16,5 +15,6 @@\n 16\n 17\n 18\n+18.5\n 19\n 20\n";
        assert_eq!(shown(&old, &new), parts);
        assert_eq!(shown("", "a\n"), "@@ -1,0 +1,1 @@\n+a\n");
    }

    #[test]
    fn every_line_of_both_texts_is_in_the_comparison() {
        let (old, new) = ("a\nb\nc\na\nb\n", "c\nb\na\nb\nd");
        let lines = difference(old, new);
        let of = |keep: fn(&Line) -> Option<String>| lines.iter().filter_map(keep).collect::<Vec<_>>().join("\n");
        let before = of(|line| match line {
            Line::Same(text) | Line::Old(text) => Some(text.to_string()),
            _ => None,
        });
        let after = of(|line| match line {
            Line::Same(text) | Line::New(text) => Some(text.to_string()),
            _ => None,
        });
        assert_eq!((before.as_str(), after.as_str()), (old.trim_end(), new));
    }
}
