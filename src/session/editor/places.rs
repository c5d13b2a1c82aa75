//! Places as editors count them: lines from 0, and units of UTF-16 within a line.
//!
//! A line ends with a line feed, a carriage return, or both. What lies beyond a line or beyond the text counts as its end.

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place {
    pub line: u32,
    /// In units of UTF-16.
    pub column: u32,
}

/// The starts of a text's lines.
pub struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub fn new(text: &'a str) -> Lines<'a> {
        let bytes = text.as_bytes();
        let ends = |at: usize| bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
        let starts = std::iter::once(0).chain((0..bytes.len()).filter(|&at| ends(at)).map(|at| at + 1)).collect();
        Lines { text, starts }
    }

    /// The place of a byte. Inside a letter, that of the letter.
    pub fn place(&self, offset: usize) -> Place {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|&start| start <= offset).saturating_sub(1);
        let before = self.text.get(self.starts[line]..offset).unwrap_or("");
        Place { line: line as u32, column: before.chars().map(|letter| letter.len_utf16() as u32).sum() }
    }

    /// The byte of a place. Between the two halves of a letter, the letter's.
    pub fn offset(&self, place: Place) -> usize {
        let Some(&start) = self.starts.get(place.line as usize) else { return self.text.len() };
        let end = self.starts.get(place.line as usize + 1).copied().unwrap_or(self.text.len());
        let line = self.text.get(start..end).unwrap_or("").trim_end_matches(['\n', '\r']);
        let mut left = place.column as usize;
        for (at, letter) in line.char_indices() {
            if left < letter.len_utf16() {
                return start + at;
            }
            left -= letter.len_utf16();
        }
        start + line.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_outside_the_first_plane_count_twice() {
        let text = "a\u{1d6fd}b\n\u{e9}c";
        let lines = Lines::new(text);
        let place = |line, column| Place { line, column };
        assert_eq!(lines.place(0), place(0, 0));
        assert_eq!(lines.place(5), place(0, 3));
        assert_eq!(lines.place(3), place(0, 1), "inside a letter");
        assert_eq!(lines.place(9), place(1, 1));
        assert_eq!(lines.offset(place(0, 3)), 5);
        assert_eq!(lines.offset(place(0, 2)), 1, "between the halves of a letter");
        assert_eq!(lines.offset(place(1, 1)), 9);
    }

    #[test]
    fn every_end_of_a_line_ends_one_and_what_lies_beyond_is_the_end() {
        let lines = Lines::new("a\r\nb\rc\n");
        let place = |line, column| Place { line, column };
        assert_eq!([1, 3, 5, 7].map(|at| lines.place(at)), [place(0, 1), place(1, 0), place(2, 0), place(3, 0)]);
        assert_eq!(lines.offset(place(0, 99)), 1);
        assert_eq!(lines.offset(place(99, 0)), 7);
        assert_eq!(Lines::new("").place(5), place(0, 0));
        assert_eq!(Lines::new("").offset(place(0, 1)), 0);
    }

    #[test]
    fn places_and_bytes_are_each_others_inverse() {
        let text = "let \u{3b2} = \"\u{1f600}x\"\r\n\n\u{10ffff}\n# end";
        let lines = Lines::new(text);
        for (at, _) in text.char_indices() {
            // The two letters of one line end are one place.
            if !text[at..].starts_with('\n') || !text[..at].ends_with('\r') {
                assert_eq!(lines.offset(lines.place(at)), at, "byte {at}");
            }
        }
    }
}
