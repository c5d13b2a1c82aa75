//! Running an item, or not: its results may be known from an earlier run.
//!
//! A known item sets its globals to promises, which are kept when an item that runs reads them. So what nobody reads
//! costs nothing; whatever cannot be kept (an entry is damaged) is computed after all.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::fault::Failure;
use super::remember::inputs::Identity;
use super::remember::key::About;
use super::remember::loops::Loops;
use super::remember::store::Index;
use super::remember::watch::{Said, Watch};
use super::remember::{BYTES_A_SECOND, Brief, Pending, Recalled, Remember, encode};
use super::run::{InputRead, Outcome, Session};
use crate::check::{Unit, UnitKind};
use crate::ir::{Const, FuncId, GlobalId, Op};
use crate::rt::value::Value;

/// An item that is about to run.
pub(super) struct Watched {
    about: Option<Arc<About>>,
    input: Option<(PathBuf, Option<Identity>)>,
    /// Globals that stand in with their lengths only, while this item runs.
    lengths: Vec<GlobalId>,
    start: Instant,
}

impl Session {
    /// The outcome of an item that does not have to run now.
    pub(super) fn recall(&mut self, unit: &Unit) -> Result<Option<Outcome>, Failure> {
        if !self.memory.is_on() || self.memory.mode != Remember::On {
            return Ok(None);
        }
        let start = Instant::now();
        let found = match unit.kind {
            UnitKind::Input => self.recall_input(unit),
            UnitKind::Let | UnitKind::Statement => self.recall_item(unit),
            _ => false,
        };
        if !found {
            return Ok(None);
        }
        if self.memory.program.is_empty() {
            // At the prompt everything that was typed is done when the prompt comes back.
            let own: Vec<GlobalId> = unit.names.iter().flat_map(|(_, _, globals)| globals.iter().copied()).collect();
            self.provide(&own)?;
        }
        Ok(Some(Outcome { kind: unit.kind, names: unit.names.clone(), result: None, ty: None, time: start.elapsed() }))
    }

    fn recall_item(&mut self, unit: &Unit) -> bool {
        let about = self.about(unit.func);
        let (Some(key), true, false) = (about.key, about.pure, about.sets.is_empty()) else { return false };
        let Some(store) = &self.memory.store else { return false };
        let (entry, damaged) = store.find(&key);
        if damaged {
            self.ctx
                .world
                .note(&format!("a damaged result (`{}`) was removed; it is computed again", shown_name(unit)));
        }
        let unit = Arc::new(unit.clone());
        let printed = match entry {
            Some(entry) => {
                let kept = |(number, &global)| (global, Pending::Kept { key, number, unit: unit.clone() });
                self.memory.pending.extend(about.sets.iter().enumerate().map(kept));
                self.memory.tally.recalled.push(Recalled { name: entry.name, seconds: entry.seconds });
                self.memory.used = true;
                entry.printed
            }
            None => {
                let Some(brief) = self.memory.brief.get(&key.hex()).cloned() else { return false };
                self.memory.ran.insert(key.hex(), brief.clone());
                self.memory.pending.extend(about.sets.iter().map(|&global| (global, Pending::PutOff(unit.clone()))));
                brief.printed
            }
        };
        self.memory.keys.set(&about);
        printed.iter().for_each(|said| said.tell(&mut *self.ctx.world));
        true
    }

    /// An input that is known by its size and times is opened when somebody reads it.
    fn recall_input(&mut self, unit: &Unit) -> bool {
        let Some((path, expected, name)) = self.opened(unit.func) else { return false };
        let full = self.ctx.folder.join(&path);
        // Whoever opens it says why not.
        let known = self.ctx.reach.check(&full).ok().and_then(|_| self.memory.inputs.find(&full));
        let Some((sha256, bytes)) = known else { return false };
        let stated = !expected.is_empty() && expected != "?";
        if self.memory.program.is_empty() || (stated && !expected.eq_ignore_ascii_case(&sha256)) {
            return false;
        }
        let about = self.about(unit.func);
        let [global] = about.sets[..] else { return false };
        self.memory.keys.set_input(global, &sha256);
        self.memory.pending.insert(global, Pending::PutOff(Arc::new(unit.clone())));
        let read = InputRead { name, path: full.display().to_string(), sha256, bytes };
        self.memory.looked_up.insert(global, read);
        true
    }

    /// The path, the stated hash and the name of an `input` item.
    fn opened(&self, func: FuncId) -> Option<(String, String, String)> {
        let stmts = &self.module().function(func).body.stmts;
        let args = stmts.iter().find_map(|stmt| match &stmt.op {
            Op::Builtin { name: "open_file" | "open_folder", args, .. } => Some(args),
            _ => None,
        })?;
        let text = |place: usize| {
            let local = args.get(place)?;
            stmts.iter().find_map(|stmt| match &stmt.op {
                Op::Const(Const::Str(text)) if stmt.dest.contains(local) => Some(text.clone()),
                _ => None,
            })
        };
        Some((text(0)?, text(1)?, text(2)?))
    }

    /// What is known of an item; its key as soon as those of all that it reads are known.
    fn about(&mut self, func: FuncId) -> Arc<About> {
        if let Some(known) = self.memory.about.get(&func) {
            return known.clone();
        }
        let about = Arc::new(self.memory.keys.about(&self.checker.module, func));
        if about.key.is_some() {
            self.memory.about.insert(func, about.clone());
        }
        about
    }

    /// Gives values to those globals that have promises only.
    pub(super) fn provide(&mut self, globals: &[GlobalId]) -> Result<(), Failure> {
        for global in globals {
            let Some(pending) = self.memory.pending.get(global).cloned() else { continue };
            self.globals.resize(self.checker.module.globals.len(), Value::None);
            if let (Pending::Kept { key, number, .. }, Some(store)) = (&pending, &self.memory.store) {
                if let Some(value) = store.load(key, *number) {
                    self.globals[global.0 as usize] = value;
                    self.memory.pending.remove(global);
                    continue;
                }
                let name = shown_name(pending.unit());
                self.ctx.world.note(&format!("a damaged result (`{name}`) was removed; it is computed again"));
                self.memory.tally.recalled.retain(|one| one.name != name);
            }
            self.execute(pending.unit(), true)?;
        }
        Ok(())
    }

    /// Is the global a kept tensor of which the item asks only lengths?
    fn stands_in(&self, about: &About, global: GlobalId) -> bool {
        about.lengths.contains(&global) && self.shape_of(global).is_some()
    }

    fn shape_of(&self, global: GlobalId) -> Option<Value> {
        match (self.memory.pending.get(&global)?, &self.memory.store) {
            (Pending::Kept { key, number, .. }, Some(store)) => store.load_shape(key, *number),
            _ => None,
        }
    }

    /// Gives those globals their lengths.
    fn stand_in(&mut self, about: &About) -> Vec<GlobalId> {
        let mut found = Vec::new();
        for &global in &about.lengths {
            if let Some(shape) = self.shape_of(global)
                && let Some(place) = self.globals.get_mut(global.0 as usize)
            {
                *place = shape;
                found.push(global);
            }
        }
        found
    }

    /// They have no values again.
    pub(super) fn stand_back(&mut self, watched: &Watched) {
        for global in &watched.lengths {
            if let Some(place) = self.globals.get_mut(global.0 as usize) {
                *place = Value::None;
            }
        }
    }

    /// The values that an item reads are there, and it is watched. `muted`: what it prints was printed before.
    pub(super) fn begin_unit(&mut self, unit: &Unit, muted: bool) -> Result<Watched, Failure> {
        let mut watched = Watched { about: None, input: None, lengths: Vec::new(), start: Instant::now() };
        if !self.memory.is_on() {
            return Ok(watched);
        }
        let about = self.about(unit.func);
        let whole: Vec<GlobalId> = about.reads.iter().copied().filter(|one| !self.stands_in(&about, *one)).collect();
        self.provide(&whole)?;
        watched.lengths = self.stand_in(&about);
        let mut loops = None;
        if let (Some(key), Some(store), false) = (about.key, &self.memory.store, about.sets.is_empty()) {
            let fresh = self.memory.mode == Remember::Fresh;
            let (stop, interrupt) = (self.memory.stop.clone(), self.memory.interrupt.clone());
            loops = Some(Loops::new(store.unfinished(&key), shown_name(unit), fresh, stop, interrupt));
        }
        if unit.kind == UnitKind::Input
            && let Some((path, ..)) = self.opened(unit.func)
        {
            let path = self.ctx.folder.join(path);
            let identity = Identity::of(&path);
            watched.input = Some((path, identity));
        }
        self.memory.watch.replace(Watch::of(loops, muted));
        watched.about = Some(about);
        watched.start = Instant::now();
        Ok(watched)
    }

    /// An item failed: says how to go on, if it was interrupted and left a checkpoint.
    pub(super) fn failed_unit(&mut self, failure: &mut Failure) {
        let watch = self.memory.watch.replace(Watch::default());
        let Failure::Interrupted(shown) = failure else { return };
        if self.memory.stop.signal.load(Ordering::Relaxed) == TERMINATE {
            shown.message = "stopped by a request to end (SIGTERM)".to_string();
        }
        if let Some(place) = watch.loops.and_then(|loops| loops.saved) {
            shown.help = Some(format!("run again: it goes on from step {} of {}", place.round, place.of));
        }
    }

    /// An item ran well: its results are noted, and kept if they took long.
    pub(super) fn finished_unit(&mut self, unit: &Unit, watched: Watched) {
        let Some(about) = watched.about else { return };
        let seconds = watched.start.elapsed().as_secs_f64();
        let mut watch = self.memory.watch.replace(Watch::default());
        if let Some(place) = watch.loops.as_ref().and_then(|loops| loops.resumed) {
            self.memory.resumed(&shown_name(unit), place);
        }
        about.sets.iter().for_each(|global| {
            self.memory.pending.remove(global);
        });
        self.memory.keys.set(&about);
        if let Some((path, identity)) = watched.input {
            self.note_input(&about, &path, identity);
        } else {
            self.keep_result(unit, &about, watch.said.take(), seconds);
        }
        // Not before the result is kept: whatever happens in between, the work is not lost.
        if let Some(loops) = &mut watch.loops {
            loops.finish();
        }
    }

    fn note_input(&mut self, about: &About, path: &std::path::Path, identity: Option<Identity>) {
        for global in &about.sets {
            if let Some(Value::File(file)) = self.globals.get(global.0 as usize) {
                self.memory.looked_up.remove(global);
                self.memory.keys.set_input(*global, &file.sha256);
                self.memory.inputs.note(path, identity.clone(), &file.sha256);
            }
        }
    }

    fn keep_result(&mut self, unit: &Unit, about: &About, printed: Option<Vec<Said>>, seconds: f64) {
        let kind = matches!(unit.kind, UnitKind::Let | UnitKind::Statement);
        let (Some(key), Some(printed), true) = (about.key, printed, kind && about.pure && !about.sets.is_empty())
        else {
            return;
        };
        let values: Vec<Value> =
            about.sets.iter().filter_map(|global| self.globals.get(global.0 as usize).cloned()).collect();
        let bytes: u64 = values.iter().map(encode::size).sum();
        let Some(store) = &self.memory.store else { return };
        let worth = seconds > self.memory.worth && bytes as f64 <= seconds * BYTES_A_SECOND + 1e6;
        if !worth {
            self.memory.ran.insert(key.hex(), Brief { printed });
            return;
        }
        let index = Index { name: shown_name(unit), seconds, printed: printed.clone(), ..Index::default() };
        match store.keep(&key, index, &values) {
            Ok(true) => self.memory.used = true,
            Ok(false) => {
                self.memory.ran.insert(key.hex(), Brief { printed });
            }
            Err(why) if why.kind() == std::io::ErrorKind::InvalidInput => {}
            Err(why) => self.ctx.world.note(&format!("`{}` is not remembered: {why}", shown_name(unit))),
        }
    }
}

/// The number of the signal that asks a process to end.
pub const TERMINATE: i32 = 15;

/// The names that an item binds, for people.
fn shown_name(unit: &Unit) -> String {
    let names: Vec<&str> = unit.names.iter().map(|(name, ..)| name.as_str()).collect();
    if names.is_empty() { "an item".to_string() } else { names.join(", ") }
}
