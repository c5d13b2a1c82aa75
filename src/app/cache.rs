//! `locus cache`: what is remembered from run to run, and how to forget it.

use std::time::{Duration, SystemTime};

use super::cli::{CacheCommand, PruneArgs};
use super::output::{complain, say};
use super::{FAILED, OK, REFUSED};
use crate::session::remember::store::{Kept, Store, location};

pub fn cache(command: &CacheCommand) -> u8 {
    let Some(root) = location() else {
        say("nothing is remembered: LOCUS_CACHE is off");
        return OK;
    };
    let store = match Store::open(&root) {
        Ok(store) => store,
        Err(why) => {
            complain(&format!("error: the cache cannot be used: {why}"));
            return FAILED;
        }
    };
    match command {
        CacheCommand::List => list(&store),
        CacheCommand::Prune(args) => prune(&store, args),
    }
}

fn list(store: &Store) -> u8 {
    let all = store.list();
    if !all.is_empty() {
        say(&format!("{:>10}  {:>8}  {:>8}  result", "size", "took", "used"));
    }
    for one in &all {
        let took = if one.unfinished { "-".to_string() } else { seconds(one.seconds) };
        let left = if one.unfinished { " (unfinished)" } else { "" };
        say(&format!("{:>10}  {took:>8}  {:>8}  {}{left}", bytes(one.bytes), ago(one.used), shortened(&one.name)));
    }
    say(&format!("{}, {} in {}", count(all.len()), bytes(total(&all)), store.root().display()));
    OK
}

fn prune(store: &Store, args: &PruneArgs) -> u8 {
    let removed = match (args.all, args.older, args.size) {
        (true, _, _) => store.remove(|_| true),
        (false, None, None) => {
            complain("error: say what to remove: --all, --older 30d or --size 1G");
            return REFUSED;
        }
        (false, older, size) => {
            let old = |one: &Kept| older.is_some_and(|limit| age(one.used) > limit);
            let mut removed = store.remove(old);
            if let Some(size) = size {
                removed.extend(store.shrink(size));
            }
            removed
        }
    };
    say(&format!("{} removed, {}", count(removed.len()), bytes(total(&removed))));
    OK
}

fn total(all: &[Kept]) -> u64 {
    all.iter().map(|one| one.bytes).sum()
}

fn count(number: usize) -> String {
    if number == 1 { "1 result".to_string() } else { format!("{number} results") }
}

/// Names of an item with many bindings are cut.
fn shortened(name: &str) -> String {
    let clean: String = name.chars().filter(|c| !c.is_control()).collect();
    if clean.chars().count() <= 60 { clean } else { clean.chars().take(57).chain("...".chars()).collect() }
}

fn bytes(bytes: u64) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let found = units.iter().find(|(size, _)| bytes as f64 >= *size);
    found.map_or(format!("{bytes} B"), |(size, unit)| format!("{:.1} {unit}", bytes as f64 / size))
}

fn seconds(seconds: f64) -> String {
    if seconds < 60.0 { format!("{seconds:.1} s") } else { format!("{:.0} min", seconds / 60.0) }
}

fn age(used: SystemTime) -> Duration {
    SystemTime::now().duration_since(used).unwrap_or_default()
}

fn ago(used: SystemTime) -> String {
    let age = age(used).as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let found = units.iter().find(|(size, _)| age >= *size);
    found.map_or(format!("{age} s"), |(size, unit)| format!("{} {unit}", age / size))
}
