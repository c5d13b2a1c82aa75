//! The order in which elements are folded, and how the work is spread.
//!
//! Along the reduced positions: tiles of 1024; in a tile, sixteen lanes (position modulo 16), merged in a fixed tree; over
//! the tiles a pairwise tree. The order depends on the position alone, so neither the number of threads nor the
//! layout in memory changes a bit of a reduction along one axis. It must never know which reduction it does.

use super::super::walk::Walk;
use super::fold::Fold;
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Reduced positions that are folded before the tree begins.
pub const TILE: usize = 1024;
/// Independent accumulators in a tile, so that the fold runs over vectors.
const LANES: usize = 16;
/// Results that are folded side by side when they lie side by side.
const COLUMNS: usize = 512;
/// Elements below which spreading costs more than it brings.
const SMALL: usize = 1 << 15;

/// Where the items come from: `N` arrays walked together.
pub trait Source<const N: usize>: Sync {
    type Item: Copy + Default + Send + Sync;
    /// Items from these offsets, spaced by `steps`.
    fn read(&self, offsets: [isize; N], steps: [isize; N], out: &mut [Self::Item]);
    /// The same without a copy, where they lie side by side.
    fn direct(&self, offsets: [isize; N], steps: [isize; N], n: usize) -> Option<&[Self::Item]>;
}

/// What is reduced: results over `kept` (in order), each from the positions of `reduced`.
pub struct Engine<'a, const N: usize, S> {
    pub source: &'a S,
    kept: Walk<N>,
    reduced: Walk<N>,
    /// The innermost kept dim if its elements lie closer together than the reduced ones; otherwise one column.
    columns: (usize, [isize; N]),
}

impl<'a, const N: usize, S: Source<N>> Engine<'a, N, S> {
    pub fn new(source: &'a S, mut kept: Walk<N>, reduced: Walk<N>) -> Engine<'a, N, S> {
        let closest = |walk: &Walk<N>| walk.inner().1.iter().map(|step| step.unsigned_abs()).max().unwrap_or(0);
        let by_columns = kept.inner().0 > 1 && reduced.count() > 1 && closest(&kept) < closest(&reduced);
        let columns = if by_columns { kept.pop() } else { (1, [0; N]) };
        Engine { source, kept, reduced, columns }
    }

    /// Fills `out`; false if some result does not exist.
    pub fn run<F: Fold<Item = S::Item>>(&self, out: &mut [F::Out]) -> bool {
        let fine = AtomicBool::new(true);
        let note = |result: Option<F::Out>, place: &mut F::Out| match result {
            Some(x) => *place = x,
            None => fine.store(false, Ordering::Relaxed),
        };
        if self.columns.0 > 1 {
            self.run_columns::<F>(out, &note);
        } else {
            self.run_rows::<F>(out, &note);
        }
        fine.load(Ordering::Relaxed)
    }

    fn tiles(&self) -> usize {
        self.reduced.count().div_ceil(TILE).max(1)
    }

    fn tile_len(&self, tile: usize) -> usize {
        (self.reduced.count() - tile * TILE).min(TILE)
    }

    /// Few results, each from many elements: the tiles are spread instead of the results.
    fn spread_tiles(&self, units: usize, work: usize) -> bool {
        units < 8 && self.tiles() > 1 && work > SMALL
    }

    fn run_rows<F: Fold<Item = S::Item>>(
        &self,
        out: &mut [F::Out],
        note: &(impl Fn(Option<F::Out>, &mut F::Out) + Sync),
    ) {
        let (tiles, each) = (self.tiles(), self.reduced.count());
        if self.spread_tiles(out.len(), out.len() * each) {
            for (number, place) in out.iter_mut().enumerate() {
                let base = self.kept.at(number);
                let parts =
                    (0..tiles).into_par_iter().map_init(Vec::new, |items, tile| self.row_tile::<F>(base, tile, items));
                let parts: Vec<F::Acc> = parts.collect();
                note(F::finish(pairwise::<F>(&parts)), place);
            }
            return;
        }
        let fill = |first: usize, piece: &mut [F::Out]| {
            let mut items = Vec::new();
            let mut parts = Vec::with_capacity(tiles);
            for (i, place) in piece.iter_mut().enumerate() {
                let base = self.kept.at(first + i);
                parts.clear();
                parts.extend((0..tiles).map(|tile| self.row_tile::<F>(base, tile, &mut items)));
                note(F::finish(pairwise::<F>(&parts)), place);
            }
        };
        if out.len() * each <= SMALL {
            return fill(0, out);
        }
        let share = (SMALL / each.max(1)).max(1);
        out.par_chunks_mut(share).enumerate().for_each(|(number, piece)| fill(number * share, piece));
    }

    fn row_tile<F: Fold<Item = S::Item>>(&self, base: [isize; N], tile: usize, items: &mut Vec<S::Item>) -> F::Acc {
        let (start, n) = (tile * TILE, self.tile_len(tile));
        let (_, steps) = self.reduced.inner();
        if self.reduced.dims().len() <= 1 {
            let mut offsets = base;
            for i in 0..N {
                offsets[i] += start as isize * steps[i];
            }
            if let Some(run) = self.source.direct(offsets, steps, n) {
                return fold_tile::<F>(run, start);
            }
        }
        items.resize(TILE, S::Item::default());
        let mut done = 0;
        self.reduced.runs(start, n, |offsets, count| {
            self.source.read(sum(base, offsets), steps, &mut items[done..done + count]);
            done += count;
        });
        fold_tile::<F>(&items[..n], start)
    }

    fn run_columns<F: Fold<Item = S::Item>>(
        &self,
        out: &mut [F::Out],
        note: &(impl Fn(Option<F::Out>, &mut F::Out) + Sync),
    ) {
        let (width, steps) = self.columns;
        let units = out.len().div_ceil(COLUMNS);
        let spread = self.spread_tiles(units, out.len() * self.reduced.count());
        let block = |outer: usize, block: usize, piece: &mut [F::Out]| {
            let mut base = self.kept.at(outer);
            for i in 0..N {
                base[i] += (block * COLUMNS) as isize * steps[i];
            }
            let totals = self.block::<F>(base, piece.len(), spread);
            for (place, &acc) in piece.iter_mut().zip(&totals) {
                note(F::finish(acc), place);
            }
        };
        if spread || out.len() * self.reduced.count() <= SMALL {
            for (outer, row) in out.chunks_mut(width).enumerate() {
                row.chunks_mut(COLUMNS).enumerate().for_each(|(number, piece)| block(outer, number, piece));
            }
            return;
        }
        let least = (SMALL / (width * self.reduced.count()).max(1)).max(1);
        out.par_chunks_mut(width).with_min_len(least).enumerate().for_each(|(outer, row)| {
            row.par_chunks_mut(COLUMNS).enumerate().for_each(|(number, piece)| block(outer, number, piece));
        });
    }

    /// The totals of `width` neighbouring results.
    fn block<F: Fold<Item = S::Item>>(&self, base: [isize; N], width: usize, spread: bool) -> Vec<F::Acc> {
        let tiles = self.tiles();
        if spread {
            let parts =
                (0..tiles).into_par_iter().map(|tile| self.column_tile::<F>(base, width, tile, &mut Vec::new()));
            let parts: Vec<Vec<F::Acc>> = parts.collect();
            let mut tree = Tree::<F>::default();
            parts.into_iter().for_each(|part| tree.push(part));
            return tree.total(width);
        }
        let mut items = Vec::new();
        let mut tree = Tree::<F>::default();
        (0..tiles).for_each(|tile| tree.push(self.column_tile::<F>(base, width, tile, &mut items)));
        tree.total(width)
    }

    fn column_tile<F: Fold<Item = S::Item>>(
        &self,
        base: [isize; N],
        width: usize,
        tile: usize,
        items: &mut Vec<S::Item>,
    ) -> Vec<F::Acc> {
        let (start, n) = (tile * TILE, self.tile_len(tile));
        let (steps, (_, down)) = (self.columns.1, self.reduced.inner());
        let lanes = n.clamp(1, LANES);
        let mut accs = vec![F::EMPTY; lanes * width];
        items.resize(width, S::Item::default());
        let mut place = start;
        self.reduced.runs(start, n, |offsets, count| {
            let mut offsets = sum(base, offsets);
            for _ in 0..count {
                let lane = (place - start) % LANES * width;
                let target = &mut accs[lane..lane + width];
                let row = match self.source.direct(offsets, steps, width) {
                    Some(row) => row,
                    None => {
                        self.source.read(offsets, steps, items);
                        &items[..]
                    }
                };
                F::add_row(target, row, place);
                offsets = sum(offsets, down);
                place += 1;
            }
        });
        merge_lanes::<F>(&mut accs, lanes, width);
        accs.truncate(width);
        accs
    }
}

fn sum<const N: usize>(mut a: [isize; N], b: [isize; N]) -> [isize; N] {
    for i in 0..N {
        a[i] += b[i];
    }
    a
}

/// Lanes 0 and 8, 1 and 9, ...; then 0 and 4, ...; and so on. A lane that is missing is empty.
fn merge_lanes<F: Fold>(accs: &mut [F::Acc], lanes: usize, width: usize) {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in half..(2 * half).min(lanes) {
            let (low, high) = accs.split_at_mut(lane * width);
            let target = &mut low[(lane - half) * width..(lane - half + 1) * width];
            for (a, &b) in target.iter_mut().zip(&high[..width]) {
                *a = F::merge(*a, b);
            }
        }
        half /= 2;
    }
}

#[inline]
pub(super) fn fold_tile<F: Fold>(items: &[F::Item], start: usize) -> F::Acc {
    if let Some(total) = F::run(items, start) {
        return total;
    }
    let mut lanes = [F::EMPTY; LANES];
    let mut groups = items.chunks_exact(LANES);
    let mut place = start;
    for group in &mut groups {
        for lane in 0..LANES {
            lanes[lane] = F::add(lanes[lane], group[lane], place + lane);
        }
        place += LANES;
    }
    for (lane, &x) in groups.remainder().iter().enumerate() {
        lanes[lane] = F::add(lanes[lane], x, place + lane);
    }
    merge_lanes::<F>(&mut lanes, items.len().clamp(1, LANES), 1);
    lanes[0]
}

/// Neighbours first: the tree over all tiles of one result.
pub(super) fn pairwise<F: Fold>(parts: &[F::Acc]) -> F::Acc {
    match parts {
        [] => F::EMPTY,
        [one] => *one,
        _ => {
            // The largest power of two below the length, so that the tree is the one that `Tree` builds.
            let half = parts.len().next_power_of_two() / 2;
            F::merge(pairwise::<F>(&parts[..half]), pairwise::<F>(&parts[half..]))
        }
    }
}

/// The same tree for blocks that come one after the other; at most one block per level is kept.
struct Tree<F: Fold> {
    blocks: Vec<(u32, Vec<F::Acc>)>,
}

impl<F: Fold> Default for Tree<F> {
    fn default() -> Tree<F> {
        Tree { blocks: Vec::new() }
    }
}

impl<F: Fold> Tree<F> {
    fn push(&mut self, mut block: Vec<F::Acc>) {
        let mut level = 0;
        while let Some((_, mut left)) = self.blocks.pop_if(|(below, _)| *below == level) {
            merge_into::<F>(&mut left, &block);
            block = left;
            level += 1;
        }
        self.blocks.push((level, block));
    }

    fn total(mut self, width: usize) -> Vec<F::Acc> {
        let Some((_, mut total)) = self.blocks.pop() else { return vec![F::EMPTY; width] };
        while let Some((_, mut left)) = self.blocks.pop() {
            merge_into::<F>(&mut left, &total);
            total = left;
        }
        total
    }
}

fn merge_into<F: Fold>(left: &mut [F::Acc], right: &[F::Acc]) {
    for (a, &b) in left.iter_mut().zip(right) {
        *a = F::merge(*a, b);
    }
}
