//! Figures: `plot lines { y: .., x: .. }` as an SVG file and as a small picture in letters.
//!
//! `fields` reads what the script says, `data` turns tensors into points, `scale` maps numbers to places, `svg` and
//! `marks` draw the file, `text` draws for the terminal. The same data gives the same bytes. A NaN is an error here,
//! never a gap.

mod colour;
mod data;
mod fields;
mod marks;
mod scale;
mod svg;
mod text;

use super::ctx::Ctx;
use super::error::Result;
use super::value::Value;

/// What is drawn, with all numbers finite and all labels settled.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    pub title: String,
    pub xlabel: String,
    pub ylabel: String,
    pub log: bool,
    pub marks: Marks,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Marks {
    Lines(Vec<Series>),
    Scatter(Vec<Series>),
    /// `names` label the bars; empty where the horizontal axis is a plain count.
    Bars {
        series: Vec<Series>,
        names: Vec<String>,
    },
    Heatmap(Grid),
    /// `edges` has one number more than each series has counts.
    Histogram {
        edges: Vec<f64>,
        series: Vec<Series>,
    },
}

/// Points of one colour. The label is empty where there is only one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub label: String,
    pub x: Vec<f64>,
    pub y: Vec<f64>,
}

/// Row 0 is drawn at the top.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    pub rows: usize,
    pub columns: usize,
    /// Row by row.
    pub values: Vec<f64>,
}

/// Draws a figure: the small picture is printed, and the file, if one is named, is written below the output folder.
pub fn run(ctx: &mut Ctx, kind: &str, given: &[(&str, &Value)]) -> Result<()> {
    let fields = fields::Fields::read(kind, given)?;
    let figure = data::figure(&fields)?;
    let picture = svg::draw(&figure);
    ctx.world.figure(&text::view(&figure, ctx.columns), &picture);
    if let Some(file) = &fields.file {
        let shown = ctx.world.write(file, picture.as_bytes())?;
        ctx.world.print(&format!("wrote {shown}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
