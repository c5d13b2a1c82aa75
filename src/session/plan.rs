//! `locus plan` as text: what each item of a program will need, before anything of it runs.
//!
//! The plan itself is made in `exec::plan`; here it gets source lines and words. What does not follow from the text and
//! the headers of the inputs is called unknown.

use std::fmt::Write;
use std::time::Instant;

use super::Session;
use super::profile::shown_bytes;
use crate::base::axis::Axis;
use crate::base::span::{Sources, Span};
use crate::check::Unit;
use crate::exec::plan::value::Guess;
use crate::exec::plan::{Need, Planner, Source, Work};
use crate::ir::{GlobalId, Module};
use crate::rt::contract;
use crate::rt::rng::{self, Key};

/// Products and leaves of a record that are listed.
const PRODUCTS_SHOWN: usize = 10;
const LEAVES_SHOWN: usize = 8;

/// One top-level item, planned.
struct Item {
    span: Span,
    shapes: Vec<String>,
    need: Need,
}

/// The plan of units that were prepared, as text. `limit` is the memory that a run may use.
pub fn text(session: &mut Session, units: &[Unit], limit: Option<u64>) -> String {
    let module = session.optimised().clone();
    let mut planner = Planner::new(&module, &mut session.ctx);
    let mut items = Vec::new();
    for unit in units {
        let need = planner.unit(unit.func);
        let leaves: Vec<GlobalId> = unit.names.iter().flat_map(|(_, _, globals)| globals.clone()).collect();
        items.push(Item { span: unit.span, shapes: shapes(&planner, &module, &leaves), need });
    }
    let kept = std::mem::take(&mut planner.sources);
    drop(planner);
    let sources = session.sources();
    let mut out = String::new();
    for item in &items {
        item_text(&mut out, sources, item, &kept);
    }
    products(&mut out, sources, &items);
    tiles(&mut out, sources, &kept);
    memory(&mut out, &items, limit);
    out
}

/// The shapes of what an item binds.
fn shapes(planner: &Planner, module: &Module, leaves: &[GlobalId]) -> Vec<String> {
    let shown = |id: &GlobalId| {
        let global = module.globals.get(id.0 as usize)?;
        let what = match planner.global(id.0 as usize) {
            Guess::Tensor(shape) => {
                let bytes = shape.bytes().map_or_else(|| "size unknown".to_string(), shown_bytes);
                format!("{}, {bytes}", shape.shown())
            }
            _ if global.ty.is_tensor() => format!("{}, size unknown", global.ty),
            _ => return None,
        };
        Some(format!("{}: {what}", global.name))
    };
    let mut all: Vec<String> = leaves.iter().filter_map(shown).collect();
    if all.len() > LEAVES_SHOWN {
        let more = all.len() - LEAVES_SHOWN;
        all.truncate(LEAVES_SHOWN);
        all.push(format!("and {more} more"));
    }
    all
}

fn place(sources: &Sources, span: Span) -> String {
    let span = sources.caller(span.file).unwrap_or(span);
    format!("{}:{}", sources.get(span.file).name, sources.line_column(span).0)
}

fn item_text(out: &mut String, sources: &Sources, item: &Item, kept: &[Source]) {
    let first = sources.slice(item.span).lines().next().unwrap_or("").trim();
    let _ = writeln!(out, "{}  {first}", place(sources, item.span));
    item.shapes.iter().for_each(|shape| out.push_str(&format!("    {shape}\n")));
    let need = &item.need;
    if !need.products.is_empty() {
        let count: u64 = need.products.iter().map(|work| work.count).sum();
        let _ = writeln!(out, "    products: {count}, {}", shown_flops(need.flops()));
    }
    for (source, passes) in &need.passes {
        let Some(source) = kept.get(*source) else { continue };
        let plural = if *passes == 1 { "" } else { "es" };
        let _ = writeln!(out, "    {passes} pass{plural} over {} of {}", source.shape, place(sources, source.span));
    }
    if need.largest >= 1 << 16 {
        let _ = writeln!(
            out,
            "    memory: {} at most, the largest tensor {}",
            shown_bytes(need.peak),
            shown_bytes(need.largest)
        );
    }
    let notes = [
        (need.unknown, "some sizes are unknown and not in these numbers".to_string()),
        (need.open_loops > 0, format!("{} loops of unknown length, counted once", need.open_loops)),
        (need.open_branches > 0, "conditions known only when it runs: the dearer branch is counted".to_string()),
        (need.estimated, "long loops: the first round stands for all".to_string()),
    ];
    notes.iter().filter(|(told, _)| *told).for_each(|(_, note)| out.push_str(&format!("    ({note})\n")));
}

/// The dearest products of all items.
fn products(out: &mut String, sources: &Sources, items: &[Item]) {
    let mut all: Vec<(String, Work)> = Vec::new();
    for work in items.iter().flat_map(|item| &item.need.products) {
        let at = place(sources, work.span);
        match all.iter_mut().find(|(known, one)| *known == at && one.left == work.left && one.right == work.right) {
            Some((_, known)) => {
                known.count += work.count;
                known.flops = known.flops.zip(work.flops).map(|(a, b)| a + b);
            }
            None => all.push((at, work.clone())),
        }
    }
    if all.is_empty() {
        return;
    }
    let cost = |work: &Work| work.flops.unwrap_or(f64::INFINITY);
    // Unknown ones first: they may be the dearest.
    all.sort_by(|a, b| cost(&b.1).total_cmp(&cost(&a.1)));
    let _ = writeln!(out, "\ndearest products");
    for (at, work) in all.iter().take(PRODUCTS_SHOWN) {
        let flops = shown_flops(work.flops);
        let _ = writeln!(out, "  {flops:>13}  {:>7} x  {} @ {}  {at}", work.count, work.left, work.right);
    }
    let total: Option<f64> = items.iter().map(|item| item.need.flops()).sum();
    let _ = writeln!(out, "all products: {}", shown_flops(total));
    if let (Some(total), Some(speed)) = (total, speed()) {
        let _ = writeln!(out, "at the {:.0} GFLOP/s that this machine does now: {:.1} s", speed / 1e9, total / speed);
    }
}

fn tiles(out: &mut String, sources: &Sources, kept: &[Source]) {
    let unknown = || "unknown".to_string();
    for source in kept {
        let Some((axis, tile, count)) = &source.tiles else { continue };
        let (tile, count) =
            (tile.map_or_else(unknown, |x| x.to_string()), count.map_or_else(unknown, |x| x.to_string()));
        let bytes = source.bytes.map_or_else(|| "size unknown".to_string(), shown_bytes);
        let at = place(sources, source.span);
        let _ = writeln!(
            out,
            "\nkept in tiles along {axis}: {}, {bytes} on disk; {count} tiles of {tile}  {at}",
            source.shape
        );
    }
}

fn memory(out: &mut String, items: &[Item], limit: Option<u64>) {
    let peak = items.iter().map(|item| item.need.peak).max().unwrap_or(0);
    let lacks = items.iter().any(|item| item.need.unknown);
    let more = if lacks { ", and what is unknown" } else { "" };
    let _ = write!(out, "\nmemory for tensors: {} at most{more}", shown_bytes(peak));
    if let Some(limit) = limit {
        let _ = write!(out, "; the limit is {}", shown_bytes(limit));
        if peak > limit {
            out.push_str(", so it will be refused or kept on disk");
        }
    }
    out.push('\n');
}

fn shown_flops(flops: Option<f64>) -> String {
    match flops {
        None => "unknown".to_string(),
        Some(x) if x >= 1e12 => format!("{:.2} TFLOP", x / 1e12),
        Some(x) if x >= 1e9 => format!("{:.2} GFLOP", x / 1e9),
        Some(x) => format!("{:.2} MFLOP", x / 1e6),
    }
}

/// Floating-point operations a second of a product of middling size, now.
fn speed() -> Option<f64> {
    const SIZE: usize = 768;
    let (m, k, n) = (Axis::named("", "m"), Axis::named("", "k"), Axis::named("", "n"));
    let a = rng::normal(Key::from_seed(1), &[(m, SIZE), (k, SIZE)]).ok()?;
    let b = rng::normal(Key::from_seed(2), &[(k, SIZE), (n, SIZE)]).ok()?;
    let mut best = f64::INFINITY;
    for _ in 0..4 {
        let start = Instant::now();
        contract::contract(&a, &b, &[k]).ok()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Some(2.0 * (SIZE as f64).powi(3) / best)
}
