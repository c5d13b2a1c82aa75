//! What stands in the area of a figure: lines, points, bars, cells, and the colours that explain them.

use super::super::format::range;
use super::scale::Scale;
use super::svg::{Area, Sheet, place};
use super::{Figure, Grid, Marks, Series, colour};
use std::fmt::Write;

/// Points of one line beyond which only the extremes of each pixel column are kept.
const MOST_POINTS: usize = 2000;
/// Points of a scatter plot; of more, every so many are drawn.
const MOST_DOTS: usize = 20_000;
/// Cells of a heat map along one side; of more, blocks are averaged.
const MOST_CELLS: usize = 256;

/// The scales of both axes. `room` leaves some around the data, so that no mark touches the frame.
pub fn scales(figure: &Figure, room: bool) -> (Scale, Scale) {
    let padded = |scale: Scale| if room { scale.padded(0.05) } else { scale };
    let xs = |all: &[Series]| all.iter().flat_map(|one| one.x.clone()).collect::<Vec<_>>().into_iter();
    let ys = |all: &[Series]| all.iter().flat_map(|one| one.y.clone()).collect::<Vec<_>>().into_iter();
    match &figure.marks {
        Marks::Lines(all) => (Scale::of(xs(all), false), padded(Scale::of(ys(all), figure.log))),
        Marks::Scatter(all) => (padded(Scale::of(xs(all), false)), padded(Scale::of(ys(all), figure.log))),
        Marks::Bars { series, .. } => {
            let count = series.iter().map(|one| one.y.len()).max().unwrap_or(0);
            let x = Scale { low: -0.5, high: count as f64 - 0.5, log: false };
            (x, padded(Scale::of(ys(series), figure.log).with_zero()))
        }
        Marks::Histogram { edges, series } => {
            let (low, high) = range(edges);
            (Scale { low, high, log: figure.log }, padded(Scale::of(ys(series), false).with_zero()))
        }
        Marks::Heatmap(grid) => {
            let side = |count: usize| Scale { low: -0.5, high: count as f64 - 0.5, log: false };
            (side(grid.columns), side(grid.rows))
        }
    }
}

/// Are all places on the horizontal axis whole numbers?
pub fn counts_along_x(marks: &Marks) -> bool {
    match marks {
        Marks::Lines(all) => all.iter().all(|one| one.x.iter().all(|x| x.fract() == 0.0)),
        Marks::Bars { .. } | Marks::Heatmap(_) => true,
        Marks::Scatter(_) | Marks::Histogram { .. } => false,
    }
}

/// The names of the series, if there is something to tell apart.
pub fn legend(figure: &Figure) -> Vec<String> {
    match &figure.marks {
        Marks::Lines(all)
        | Marks::Scatter(all)
        | Marks::Bars { series: all, .. }
        | Marks::Histogram { series: all, .. }
            if all.len() > 1 =>
        {
            all.iter().map(|one| one.label.clone()).collect()
        }
        _ => Vec::new(),
    }
}

pub fn draw(sheet: &mut Sheet, area: &Area, figure: &Figure) {
    match &figure.marks {
        Marks::Lines(all) => lines(sheet, area, all),
        Marks::Scatter(all) => dots(sheet, area, all),
        Marks::Bars { series, .. } => bars(sheet, area, series),
        Marks::Histogram { edges, series } => steps(sheet, area, edges, series),
        Marks::Heatmap(grid) => cells(sheet, area, grid, figure.log),
    }
}

fn lines(sheet: &mut Sheet, area: &Area, all: &[Series]) {
    for (number, one) in all.iter().enumerate() {
        let ink = colour::of_series(number, all.len());
        let class = if all.len() > 8 { "lines thin" } else { "lines" };
        let points: Vec<String> = thinned(one)
            .into_iter()
            .map(|at| format!("{},{}", place(area.x(one.x[at])), place(area.y(one.y[at]))))
            .collect();
        sheet.push(format_args!("<polyline class=\"{class}\" stroke=\"{ink}\" points=\"{}\"/>", points.join(" ")));
        if one.y.len() <= 40 && all.len() <= 8 {
            for (&x, &y) in one.x.iter().zip(&one.y) {
                let (x, y) = (place(area.x(x)), place(area.y(y)));
                sheet.push(format_args!("<circle fill=\"{ink}\" cx=\"{x}\" cy=\"{y}\" r=\"2.75\"/>"));
            }
        }
    }
}

/// Which points of a long line are drawn: of each run, the lowest and the highest, so that no spike is lost.
fn thinned(one: &Series) -> Vec<usize> {
    let count = one.y.len();
    if count <= MOST_POINTS {
        return (0..count).collect();
    }
    let runs = MOST_POINTS / 2;
    let mut kept = Vec::new();
    for run in 0..runs {
        let part = run * count / runs..(run + 1) * count / runs;
        let low = part.clone().min_by(|&a, &b| one.y[a].total_cmp(&one.y[b]));
        let high = part.max_by(|&a, &b| one.y[a].total_cmp(&one.y[b]));
        let mut both: Vec<usize> = low.into_iter().chain(high).collect();
        both.sort_unstable();
        both.dedup();
        kept.append(&mut both);
    }
    kept
}

fn dots(sheet: &mut Sheet, area: &Area, all: &[Series]) {
    let count: usize = all.iter().map(|one| one.y.len()).sum();
    let every = count.div_ceil(MOST_DOTS).max(1);
    let radius = if count > 2000 { "1.75" } else { "3" };
    for (number, one) in all.iter().enumerate() {
        sheet.push(format_args!("<g class=\"points\" fill=\"{}\">", colour::of_series(number, all.len())));
        for (&x, &y) in one.x.iter().zip(&one.y).step_by(every) {
            let (x, y) = (place(area.x(x)), place(area.y(y)));
            sheet.push(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>"));
        }
        sheet.push(format_args!("</g>"));
    }
}

fn bars(sheet: &mut Sheet, area: &Area, all: &[Series]) {
    let slot = area.x(1.0) - area.x(0.0);
    // A gap between groups, none between the bars of one.
    let share = if slot > 6.0 { 0.78 } else { 1.0 };
    let width = slot * share / all.len().max(1) as f64;
    let base = area.y(0.0_f64.clamp(area.y.low, area.y.high));
    for (number, one) in all.iter().enumerate() {
        sheet.push(format_args!("<g fill=\"{}\">", colour::of_series(number, all.len())));
        for (at, &value) in one.y.iter().enumerate() {
            let left = area.x(at as f64) - slot * share / 2.0 + width * number as f64;
            let y = area.y(value);
            sheet.block("", (left, y.min(base)), (width, (y - base).abs()));
        }
        sheet.push(format_args!("</g>"));
    }
}

fn steps(sheet: &mut Sheet, area: &Area, edges: &[f64], all: &[Series]) {
    let base = area.y(0.0);
    for (number, one) in all.iter().enumerate() {
        let ink = colour::of_series(number, all.len());
        let mut path = format!("M{} {}", place(area.x(edges[0])), place(base));
        for (pair, &count) in edges.windows(2).zip(&one.y) {
            let _ = write!(path, "V{}H{}", place(area.y(count)), place(area.x(pair[1])));
        }
        let _ = write!(path, "V{}Z", place(base));
        sheet.push(format_args!("<path class=\"steps\" fill=\"{ink}\" stroke=\"{ink}\" d=\"{path}\"/>"));
    }
}

/// How the numbers of a heat map become levels of colour.
struct Tone {
    scale: Scale,
    /// Two colours, white at zero.
    diverging: bool,
}

fn tone(values: &[f64], log: bool) -> Tone {
    let scale = Scale::of(values.iter().copied(), log);
    let diverging = !log && scale.low < 0.0 && scale.high > 0.0;
    let extreme = scale.high.max(-scale.low);
    let scale = if diverging { Scale { low: -extreme, high: extreme, log } } else { scale };
    Tone { scale, diverging }
}

impl Tone {
    fn level(&self, x: f64) -> usize {
        (self.scale.at(x) * (colour::LEVELS - 1) as f64).round().clamp(0.0, (colour::LEVELS - 1) as f64) as usize
    }
}

/// One path for each colour: runs of equal cells in a row are one rectangle.
fn cells(sheet: &mut Sheet, area: &Area, grid: &Grid, log: bool) {
    let tone = tone(&grid.values, log);
    let small = averaged(grid, MOST_CELLS, MOST_CELLS);
    let mut paths = vec![String::new(); colour::LEVELS];
    for (row, values) in small.values.chunks(small.columns.max(1)).enumerate() {
        let levels: Vec<usize> = values.iter().map(|&x| tone.level(x)).collect();
        let mut column = 0;
        for run in levels.chunk_by(|a, b| a == b) {
            let _ = write!(paths[run[0]], "M{column} {row}h{}v1h-{}z", run.len(), run.len());
            column += run.len();
        }
    }
    let (width, height) =
        ((area.right - area.left) / small.columns as f64, (area.bottom - area.top) / small.rows as f64);
    sheet.push(format_args!(
        "<g class=\"cells\" transform=\"translate({} {}) scale({width:.5} {height:.5})\">",
        place(area.left),
        place(area.top)
    ));
    for (level, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        sheet.push(format_args!("<path fill=\"{}\" d=\"{path}\"/>", colour::of_level(level, tone.diverging)));
    }
    sheet.push(format_args!("</g>"));
}

/// A grid of at most this many cells; each is the mean of the cells that it covers.
pub fn averaged(grid: &Grid, most_rows: usize, most_columns: usize) -> Grid {
    let (rows, columns) = (grid.rows.min(most_rows), grid.columns.min(most_columns));
    let part = |at: usize, of: usize, all: usize| at * all / of..(at + 1) * all / of;
    let mut values = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        for column in 0..columns {
            let (down, across) = (part(row, rows, grid.rows), part(column, columns, grid.columns));
            let count = (down.len() * across.len()) as f64;
            let sum: f64 = down.map(|r| grid.values[r * grid.columns..][across.clone()].iter().sum::<f64>()).sum();
            values.push(sum / count);
        }
    }
    Grid { rows, columns, values }
}

/// What the colours of a heat map mean, at its right side.
pub fn colour_bar(sheet: &mut Sheet, area: &Area, grid: &Grid, log: bool) {
    let tone = tone(&grid.values, log);
    let (left, width) = (area.right + 18.0, 14.0);
    let height = (area.bottom - area.top) / colour::LEVELS as f64;
    sheet.push(format_args!("<g class=\"cells\">"));
    for level in 0..colour::LEVELS {
        let top = area.bottom - height * (level + 1) as f64;
        let fill = format!("fill=\"{}\"", colour::of_level(level, tone.diverging));
        sheet.block(&fill, (left, top), (width, height + 0.3));
    }
    sheet.push(format_args!("</g>"));
    for (value, text) in tone.scale.ticks(6) {
        let y = area.bottom - tone.scale.at(value) * (area.bottom - area.top);
        sheet.rule("axis", (left + width, y), (left + width + 4.0, y));
        sheet.text("class=\"key\"", (left + width + 7.0, y + 4.0), &text);
    }
}
