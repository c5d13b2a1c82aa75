//! A figure in letters, for a terminal: at most so many columns, and about 12 lines.

use super::super::format::{range, significant};
use super::scale::Scale;
use super::{Figure, Grid, Marks, Series, marks};

/// Narrower than this nothing can be seen, and wider it is no longer one picture.
const NARROWEST: usize = 24;
const WIDEST: usize = 160;
/// Less than this is left to no picture, whatever stands beside it.
const SMALLEST: usize = 8;
const ROWS: usize = 8;
/// Rows of bars or of series that are named one by one.
const NAMED: usize = 10;

/// The lines of the picture, without blanks at their ends.
pub fn view(figure: &Figure, width: usize) -> Vec<String> {
    let width = width.clamp(NARROWEST, WIDEST);
    let mut lines = Vec::new();
    if !figure.title.is_empty() {
        lines.push(shortened(&figure.title, width));
    }
    let (x, y) = marks::scales(figure, false);
    lines.append(&mut match &figure.marks {
        // Letters have no colours: several series stand one below the other.
        Marks::Lines(all) | Marks::Bars { series: all, .. } | Marks::Histogram { series: all, .. } if all.len() > 1 => {
            rows_of_letters(all, &y, width)
        }
        Marks::Lines(all) => {
            canvas(figure, (&x, &y), width, |canvas| all.iter().for_each(|one| canvas.line(one, &x, &y)))
        }
        Marks::Scatter(all) => {
            canvas(figure, (&x, &y), width, |canvas| all.iter().for_each(|one| canvas.dots(one, &x, &y)))
        }
        Marks::Bars { series, names } if few(series) => named_bars(series, names, &y, width),
        Marks::Bars { series, .. } | Marks::Histogram { series, .. } => {
            canvas(figure, (&x, &y), width, |canvas| series.iter().for_each(|one| canvas.bars(one, &y)))
        }
        Marks::Heatmap(grid) => shades(grid, figure.log, width),
    });
    lines.into_iter().map(|line| line.trim_end().to_string()).collect()
}

fn few(series: &[Series]) -> bool {
    series.len() == 1 && series[0].y.len() <= NAMED
}

fn shortened(text: &str, most: usize) -> String {
    let clean: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if clean.chars().count() <= most {
        clean
    } else {
        format!("{}..", clean.chars().take(most - 2).collect::<String>())
    }
}

/// A grid of dots, two by four in a letter.
struct Canvas {
    columns: usize,
    dots: Vec<u8>,
}

impl Canvas {
    fn set(&mut self, x: usize, y: usize) {
        // The eight dots of a braille letter, by column and by row from the top.
        const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
        let (column, row) = (x / 2, y / 4);
        if let Some(letter) = self.dots.get_mut(row * self.columns + column).filter(|_| column < self.columns) {
            *letter |= BITS[x % 2][y % 4];
        }
    }

    /// Numbers of dots from the left and from the top.
    fn place(&self, x: f64, y: f64) -> (usize, usize) {
        let across = (x.clamp(0.0, 1.0) * (self.columns * 2 - 1) as f64).round() as usize;
        (across, ((1.0 - y.clamp(0.0, 1.0)) * (ROWS * 4 - 1) as f64).round() as usize)
    }

    fn dots(&mut self, one: &Series, x: &Scale, y: &Scale) {
        for (&a, &b) in one.x.iter().zip(&one.y) {
            let (across, down) = self.place(x.at(a), y.at(b));
            self.set(across, down);
        }
    }

    fn line(&mut self, one: &Series, x: &Scale, y: &Scale) {
        self.dots(one, x, y);
        for (xs, ys) in one.x.windows(2).zip(one.y.windows(2)) {
            let (from, to) = (self.place(x.at(xs[0]), y.at(ys[0])), self.place(x.at(xs[1]), y.at(ys[1])));
            let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1)).max(1);
            for step in 0..steps {
                let part = |a: usize, b: usize| (a as f64 + (b as f64 - a as f64) * step as f64 / steps as f64).round();
                self.set(part(from.0, to.0) as usize, part(from.1, to.1) as usize);
            }
        }
    }

    /// Filled from zero to each value; the bars share the width evenly. Where several share a column of dots, the
    /// longest shows.
    fn bars(&mut self, one: &Series, y: &Scale) {
        let zero = self.place(0.0, y.at(0.0_f64.clamp(y.low, y.high))).1;
        let (count, wide) = (one.y.len(), self.columns * 2);
        for (at, &value) in one.y.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            let (from, to) = (at * wide / count, (at + 1) * wide / count);
            let end = self.place(0.0, y.at(value)).1;
            for across in from..to.max(from + 1) {
                (zero.min(end)..=zero.max(end)).for_each(|down| self.set(across, down));
            }
        }
    }

    fn rows(&self) -> Vec<String> {
        let letter = |&bits: &u8| if bits == 0 { ' ' } else { char::from_u32(0x2800 + bits as u32).unwrap_or(' ') };
        self.dots.chunks(self.columns).map(|row| row.iter().map(letter).collect()).collect()
    }
}

/// A picture with the range of y at its left and the range of x below it.
fn canvas(figure: &Figure, (x, y): (&Scale, &Scale), width: usize, draw: impl Fn(&mut Canvas)) -> Vec<String> {
    let (high, low) = (significant(y.high, 4), significant(y.low, 4));
    let margin = high.chars().count().max(low.chars().count());
    let columns = width.saturating_sub(margin + 2).max(SMALLEST);
    let mut canvas = Canvas { columns, dots: vec![0; columns * ROWS] };
    draw(&mut canvas);
    let mut lines = Vec::new();
    for (number, row) in canvas.rows().iter().enumerate() {
        let label = match number {
            0 => high.as_str(),
            number if number == ROWS - 1 => low.as_str(),
            _ => "",
        };
        lines.push(format!("{label:>margin$} │{row}"));
    }
    lines.push(format!("{:>margin$} └{}", "", "─".repeat(columns)));
    let shown = |x: f64| significant(if matches!(figure.marks, Marks::Bars { .. }) { x.round() } else { x }, 4);
    // The half beyond the first and the last bar is not a place.
    let inset = if matches!(figure.marks, Marks::Bars { .. }) { 0.5 } else { 0.0 };
    let (from, to) = (shown(x.low + inset), shown(x.high - inset));
    let label = shortened(&figure.xlabel, columns.saturating_sub(from.chars().count() + to.chars().count() + 2).max(2));
    let middle = columns.saturating_sub(from.chars().count() + to.chars().count());
    lines.push(format!("{:>margin$}  {from}{label:^middle$}{to}", ""));
    lines
}

const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One row of letters for each series, all on one scale.
fn rows_of_letters(all: &[Series], y: &Scale, width: usize) -> Vec<String> {
    let margin = all.iter().take(NAMED).map(|one| one.label.chars().count().min(16)).max().unwrap_or(0);
    let columns = width.saturating_sub(margin + 2 + 22).max(SMALLEST);
    let mut lines = Vec::new();
    for one in all.iter().take(NAMED).filter(|one| !one.y.is_empty()) {
        let count = one.y.len().min(columns);
        let letter = |at: usize| {
            let part = &one.y[at * one.y.len() / count..(at + 1) * one.y.len() / count];
            let mean = part.iter().sum::<f64>() / part.len() as f64;
            EIGHTHS[1 + ((y.at(mean) * 8.0) as usize).min(7)]
        };
        let row: String =
            (0..count).map(letter).flat_map(|letter| std::iter::repeat_n(letter, columns / count)).collect();
        let (low, high) = range(&one.y);
        let label = shortened(&one.label, 16);
        lines.push(format!("{label:>margin$}  {row}  {} .. {}", significant(low, 3), significant(high, 3)));
    }
    if all.len() > NAMED {
        lines.push(format!("{:>margin$}  and {} more", "", all.len() - NAMED));
    }
    lines
}

fn named_bars(series: &[Series], names: &[String], y: &Scale, width: usize) -> Vec<String> {
    let values = series.first().map_or(&[][..], |one| &one.y);
    let name = |at: usize| names.get(at).map_or(at.to_string(), |name| shortened(name, 20));
    let margin = (0..values.len()).map(|at| name(at).chars().count()).max().unwrap_or(0);
    let numbers: Vec<String> = values.iter().map(|&x| significant(x, 4)).collect();
    let digits = numbers.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let columns = width.saturating_sub(margin + digits + 4).max(SMALLEST);
    let zero = y.at(0.0_f64.clamp(y.low, y.high)) * columns as f64;
    let bar = |value: f64| {
        let end = y.at(value) * columns as f64;
        if end < zero {
            let from = end.round() as usize;
            return format!("{}{}", " ".repeat(from), "█".repeat((zero.round() as usize).saturating_sub(from)));
        }
        let eighths = ((end - zero.round()) * 8.0).round().max(0.0) as usize;
        const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
        format!("{}{}{}", " ".repeat(zero.round() as usize), "█".repeat(eighths / 8), PARTS[eighths % 8])
    };
    (0..values.len())
        .map(|at| format!("{:>margin$}  {:>digits$}  {}", name(at), numbers[at], bar(values[at])))
        .collect()
}

/// A heat map in five shades.
fn shades(grid: &Grid, log: bool, width: usize) -> Vec<String> {
    const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
    // A letter is twice as high as wide: a cell gets two letters if there is room.
    let wide = if grid.columns * 2 <= width - 2 { 2 } else { 1 };
    let small = marks::averaged(grid, ROWS + 2, width - 2);
    let scale = Scale::of(small.values.iter().copied(), log);
    let shade = |x: f64| SHADES[((scale.at(x) * 5.0) as usize).min(4)].to_string().repeat(wide);
    let mut lines: Vec<String> = small
        .values
        .chunks(small.columns.max(1))
        .map(|row| format!("▕{}▏", row.iter().map(|&x| shade(x)).collect::<String>()))
        .collect();
    lines.push(format!(
        "{} x {}; blank to █ is {} .. {}",
        grid.rows,
        grid.columns,
        significant(scale.low, 4),
        significant(scale.high, 4)
    ));
    lines
}
