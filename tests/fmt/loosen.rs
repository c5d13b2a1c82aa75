//! A program with its layout disturbed at random where that means nothing: blanks, tabs, line ends, empty lines and
//! comments. It reads characters and knows nothing of the formatter, so that the two can disagree.

/// Numbers that are the same in every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

pub fn loosen(text: &str, random: &mut Random) -> String {
    let density = [3, 8, 30][random.below(3)];
    let mut out = String::new();
    let mut open: Vec<char> = Vec::new();
    for line in text.lines() {
        loosen_line(line, density, random, &mut open, &mut out);
    }
    if random.once_in(4) { out.replace('\n', "\r\n") } else { out }
}

fn loosen_line(line: &str, density: usize, random: &mut Random, open: &mut Vec<char>, out: &mut String) {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        out.push_str(&"\n".repeat(1 + random.below(3)));
        return;
    }
    out.push_str(&" ".repeat(random.below(9)));
    let chars: Vec<char> = trimmed.chars().collect();
    let mut at = 0;
    while at < chars.len() && chars[at] != '#' {
        let length = if chars[at] == '"' { text_length(&chars[at..]) } else { 1 };
        if length == 1 && !chars[at].is_alphanumeric() {
            one(&chars, at, density, random, open, out);
        } else {
            out.extend(&chars[at..at + length]);
        }
        at += length;
    }
    let commented = at < chars.len();
    out.extend(&chars[at..]);
    if !commented && random.once_in(density * 2) {
        out.push_str([" # note (", "# note ( {", "   # note (   "][random.below(3)]);
    }
    out.push('\n');
}

/// A character that belongs to no word and no text, with what may stand around it.
fn one(chars: &[char], at: usize, density: usize, random: &mut Random, open: &mut Vec<char>, out: &mut String) {
    let c = chars[at];
    let (before, after) = (at.checked_sub(1).map(|at| chars[at]), chars.get(at + 1).copied());
    let disturb = random.once_in(density);
    match c {
        '(' | '[' | '{' => {
            // The first letter of braces decides what they are; `@[` is one sign.
            let apart = before.is_some_and(|c| c.is_alphanumeric()) && c != '{';
            blanks(disturb && apart, random, out);
            out.push(c);
            open.push(c);
            blank_or_line(disturb, random, out);
        }
        ')' | ']' | '}' => {
            blank_or_line(disturb && c != '}', random, out);
            out.push(c);
            open.pop();
        }
        ',' => {
            // At the top a comma can end a line too, but none can start one.
            if open.last().is_some_and(|open| *open != '{') {
                blank_or_line(disturb, random, out);
            }
            out.push(c);
            blank_or_line(random.once_in(density), random, out);
        }
        ' ' if disturb && may_go(before, after) => {}
        ' ' => {
            out.push(' ');
            let sign = before.zip(at.checked_sub(2).map(|at| chars[at]));
            let after_operator = matches!(sign, Some(('+' | '*' | '/' | '^' | '=', ' ')));
            let pipe = after == Some('|') && chars.get(at + 2) == Some(&'>');
            match after_operator || pipe {
                true => blank_or_line(disturb, random, out),
                false => blanks(disturb, random, out),
            }
        }
        _ => out.push(c),
    }
}

/// Spaces beside these separate nothing.
fn may_go(before: Option<char>, after: Option<char>) -> bool {
    matches!(before, Some(',' | ':' | '(' | '[' | '{' | '*' | '^')) && after != Some('.')
        || matches!(after, Some(')' | ']' | '}' | '*' | '^'))
}

fn blanks(disturb: bool, random: &mut Random, out: &mut String) {
    if disturb {
        out.push_str([" ", "  ", "\t", "      "][random.below(4)]);
    }
}

fn blank_or_line(disturb: bool, random: &mut Random, out: &mut String) {
    if disturb {
        out.push_str(["\n", " \n\n\n   ", " ", "  # note (\n", "\n # note ( ]\n"][random.below(5)]);
    }
}

fn text_length(chars: &[char]) -> usize {
    // What is open: a text (true), or a bracket inside a hole.
    let mut open = vec![true];
    let mut at = 1;
    while let Some(&in_text) = open.last() {
        let next = chars.get(at + 1).copied();
        match (in_text, chars[at], next) {
            (true, '\\', _) | (true, '{', Some('{')) | (true, '}', Some('}')) => at += 1,
            (_, '{', _) => open.push(false),
            (true, '"', _) | (false, '}', _) => drop(open.pop()),
            (false, '"', _) => open.push(true),
            _ => {}
        }
        at += 1;
    }
    at
}
