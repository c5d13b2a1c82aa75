//! The SVG file of a figure: plain text, one mark a line, coordinates with at most two decimals, so that a small change
//! of the data is a small change of the file.

use super::scale::Scale;
use super::{Figure, Marks, colour, marks};
use crate::base::markup::escaped;
use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
/// Entries of a legend; the others are counted in its last line.
const LEGEND_LINES: usize = 14;

const STYLE: &str = "\
text { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif; font-size: 12px; fill: #4a4f57 }
.title { font-size: 16px; font-weight: 600; fill: #1d2127 }
.label { font-size: 13px; fill: #2c3138 }
.grid { stroke: #e6e8ec; stroke-width: 1 }
.axis { stroke: #8b919b; stroke-width: 1 }
.lines { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round }
.thin { stroke-width: 1.25 }
.points { fill-opacity: 0.6 }
.steps { fill-opacity: 0.35; stroke-width: 1.5; stroke-linejoin: round }
.cells { shape-rendering: crispEdges }";

/// Text that is being drawn on.
pub struct Sheet {
    out: String,
}

/// A coordinate: two decimals, no trailing zeros, no minus zero.
pub fn place(x: f64) -> String {
    let text = format!("{x:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_string() } else { text.to_string() }
}

/// At most `most` letters, the rest as dots.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    format!("{}..", text.chars().take(most.saturating_sub(2)).collect::<String>())
}

impl Sheet {
    /// Writing to a string cannot fail.
    pub fn push(&mut self, line: std::fmt::Arguments) {
        let _ = self.out.write_fmt(line);
        self.out.push('\n');
    }

    pub fn rule(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let (x1, y1, x2, y2) = (place(from.0), place(from.1), place(to.0), place(to.1));
        self.push(format_args!("<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"));
    }

    pub fn text(&mut self, attributes: &str, at: (f64, f64), text: &str) {
        let (x, y) = (place(at.0), place(at.1));
        self.push(format_args!("<text {attributes} x=\"{x}\" y=\"{y}\">{}</text>", escaped(text)));
    }

    pub fn block(&mut self, attributes: &str, at: (f64, f64), size: (f64, f64)) {
        let (x, y, width, height) = (place(at.0), place(at.1), place(size.0), place(size.1));
        self.push(format_args!("<rect {attributes} x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"));
    }
}

/// The rectangle in which marks stand, and how numbers map into it.
pub struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
    pub x: Scale,
    pub y: Scale,
    /// Rows of a heat map count downwards.
    pub flipped: bool,
}

impl Area {
    pub fn x(&self, value: f64) -> f64 {
        self.left + self.x.at(value) * (self.right - self.left)
    }

    pub fn y(&self, value: f64) -> f64 {
        let share = if self.flipped { 1.0 - self.y.at(value) } else { self.y.at(value) };
        self.bottom - share * (self.bottom - self.top)
    }
}

type Ticks = Vec<(f64, String)>;

/// The file's text.
pub fn draw(figure: &Figure) -> String {
    let mut sheet = Sheet { out: String::new() };
    let (area, xticks, yticks) = layout(figure);
    let (width, height) = (place(WIDTH), place(HEIGHT));
    sheet.push(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">"
    ));
    if !figure.title.is_empty() {
        sheet.push(format_args!("<title>{}</title>", escaped(&figure.title)));
    }
    sheet.push(format_args!("<style>\n{STYLE}\n</style>"));
    sheet.block("fill=\"#ffffff\"", (0.0, 0.0), (WIDTH, HEIGHT));
    sheet.text("class=\"title\"", (area.left, 28.0), &shortened(&figure.title, 80));
    let plain = !matches!(figure.marks, Marks::Heatmap(_));
    axis_marks(&mut sheet, &area, &xticks, &yticks, plain);
    marks::draw(&mut sheet, &area, figure);
    if plain {
        let base = area.y(0.0_f64.clamp(area.y.low, area.y.high));
        let base = if matches!(figure.marks, Marks::Lines(_) | Marks::Scatter(_)) { area.bottom } else { base };
        sheet.rule("axis", (area.left, base), (area.right, base));
    }
    axis_labels(&mut sheet, &area, figure);
    legend(&mut sheet, &area, figure);
    sheet.push(format_args!("</svg>"));
    sheet.out
}

fn layout(figure: &Figure) -> (Area, Ticks, Ticks) {
    let (x, y) = marks::scales(figure, true);
    let flipped = matches!(figure.marks, Marks::Heatmap(_));
    let whole =
        |ticks: &Scale, whole: bool, wanted| if whole { ticks.whole_ticks(wanted) } else { ticks.ticks(wanted) };
    let yticks = whole(&y, flipped, 6);
    let xticks = match &figure.marks {
        Marks::Bars { names, .. } if !names.is_empty() => name_ticks(names),
        other => whole(&x, marks::counts_along_x(other), 8),
    };
    let widest = yticks.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(1) as f64;
    let left = 22.0 + widest * 7.0 + if figure.ylabel.is_empty() { 0.0 } else { 22.0 };
    let names = marks::legend(figure);
    let legend = names.iter().map(|name| name.chars().count().min(20)).max().unwrap_or(0) as f64;
    let right = match (&figure.marks, names.len()) {
        (Marks::Heatmap(_), _) => WIDTH - 88.0,
        (_, 0) => WIDTH - 24.0,
        _ => WIDTH - 54.0 - legend * 7.0,
    };
    let slanted = if slants(&xticks, right - left) { 44.0 } else { 0.0 };
    let bottom = HEIGHT - 34.0 - slanted - if figure.xlabel.is_empty() { 0.0 } else { 22.0 };
    let top = if figure.title.is_empty() { 20.0 } else { 48.0 };
    (Area { left, top, right, bottom, x, y, flipped }, xticks, yticks)
}

/// As many names as have room.
fn name_ticks(names: &[String]) -> Ticks {
    let every = names.len().div_ceil(40);
    let all = names.iter().enumerate().step_by(every.max(1));
    all.map(|(number, name)| (number as f64, shortened(name, 12))).collect()
}

/// Do the names along x need more room than there is?
fn slants(ticks: &[(f64, String)], width: f64) -> bool {
    let widest = ticks.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(0) as f64;
    ticks.len() as f64 * (widest * 7.0 + 8.0) > width
}

fn axis_marks(sheet: &mut Sheet, area: &Area, xticks: &Ticks, yticks: &Ticks, grid: bool) {
    for (value, text) in yticks {
        let y = area.y(*value);
        if grid {
            sheet.rule("grid", (area.left, y), (area.right, y));
        }
        sheet.text("text-anchor=\"end\"", (area.left - 8.0, y + 4.0), text);
    }
    let slanted = slants(xticks, area.right - area.left);
    for (value, text) in xticks {
        let x = area.x(*value);
        sheet.rule("axis", (x, area.bottom), (x, area.bottom + 4.0));
        if slanted {
            let turn = format!(
                "text-anchor=\"end\" transform=\"rotate(-40 {} {})\"",
                place(x + 4.0),
                place(area.bottom + 14.0)
            );
            sheet.text(&turn, (x + 4.0, area.bottom + 14.0), text);
        } else {
            sheet.text("text-anchor=\"middle\"", (x, area.bottom + 18.0), text);
        }
    }
}

fn axis_labels(sheet: &mut Sheet, area: &Area, figure: &Figure) {
    let middle = ((area.left + area.right) / 2.0, (area.top + area.bottom) / 2.0);
    if !figure.xlabel.is_empty() {
        sheet.text("class=\"label\" text-anchor=\"middle\"", (middle.0, HEIGHT - 12.0), &shortened(&figure.xlabel, 80));
    }
    if !figure.ylabel.is_empty() {
        let turn = format!("class=\"label\" text-anchor=\"middle\" transform=\"rotate(-90 18 {})\"", place(middle.1));
        sheet.text(&turn, (18.0, middle.1), &shortened(&figure.ylabel, 45));
    }
}

fn legend(sheet: &mut Sheet, area: &Area, figure: &Figure) {
    if let Marks::Heatmap(grid) = &figure.marks {
        return marks::colour_bar(sheet, area, grid, figure.log);
    }
    let names = marks::legend(figure);
    let left = area.right + 16.0;
    let shown = if names.len() > LEGEND_LINES { LEGEND_LINES - 1 } else { names.len() };
    for (number, name) in names.iter().take(shown).enumerate() {
        let y = area.top + 10.0 + 20.0 * number as f64;
        let fill = format!("fill=\"{}\" rx=\"2\"", colour::of_series(number, names.len()));
        sheet.block(&fill, (left, y - 9.0), (10.0, 10.0));
        sheet.text("class=\"key\"", (left + 16.0, y), &shortened(name, 20));
    }
    if names.len() > shown {
        let y = area.top + 10.0 + 20.0 * shown as f64;
        sheet.text("class=\"key\"", (left + 16.0, y), &format!("and {} more", names.len() - shown));
    }
}
