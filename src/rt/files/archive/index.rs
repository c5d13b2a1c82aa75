//! The tensors of a folder: those of the shards that its index names, or of the file that has a usual name (of models
//! `model.safetensors`, `pytorch_model.bin`; of dictionaries `sae_weights.safetensors`, `sae.safetensors`, `ae.pt`), or
//! of the only file of weights. Which file holds the weights is never guessed: where two could, the error names both.

use super::super::super::error::{Error, Result};
use super::super::FileHandle;
use super::super::folder::is_torch;
use super::super::json;
use super::{Archive, Entry, archive};
use crate::rt::guard::quoted;
use serde_json::Value;
use std::collections::BTreeMap;

/// The names of weights that other files of a folder, such as statistics beside a dictionary, do not have.
const SAFETENSORS: &[&str] = &["model.safetensors", "sae_weights.safetensors", "sae.safetensors"];

pub fn read(folder: &FileHandle) -> Result<Archive> {
    let of = |test: &dyn Fn(&str) -> bool| -> Vec<usize> {
        let named = |at: &usize| folder.members.get(*at).is_some_and(|member| test(member_name(member)));
        (0..folder.members.len()).filter(named).collect()
    };
    let indices = of(&|name| name.ends_with(".index.json"));
    let weights = |usual: &[&str], test: &dyn Fn(&str) -> bool| {
        let found = of(&|name| usual.contains(&name));
        if found.is_empty() { of(test) } else { found }
    };
    let safetensors = weights(SAFETENSORS, &|name| name.ends_with(".safetensors"));
    let torch = weights(&["pytorch_model.bin", "ae.pt"], &is_torch);
    match (&indices[..], &safetensors[..], &torch[..]) {
        ([index], ..) => sharded(folder, *index),
        ([], [one], _) | ([], [], [one]) => whole(folder, *one),
        ([], [], []) => Err(without_weights(folder)),
        ([], [], several) | ([], several, _) | (several, ..) => Err(ambiguous(folder, several)),
    }
}

/// The name of a member within its folder.
fn member_name(member: &FileHandle) -> &str {
    member.path.file_name().and_then(|name| name.to_str()).unwrap_or("")
}

fn without_weights(folder: &FileHandle) -> Error {
    let found: Vec<&str> = folder.members.iter().map(member_name).collect();
    folder
        .fault("has no file of weights that can be read")
        .note("found", if found.is_empty() { "nothing that is known here".to_string() } else { found.join(", ") })
        .note("needed", "*.safetensors, pytorch_model*.bin, *.pt or *.pth")
}

fn ambiguous(folder: &FileHandle, several: &[usize]) -> Error {
    let names: Vec<&str> = several.iter().filter_map(|&at| folder.members.get(at)).map(member_name).collect();
    folder
        .fault(format!("has {} files that could hold the weights", several.len()))
        .note("found", names.join(", "))
        .help("name the right one by itself, with file(...), or give the folder an index of shards")
}

/// The tensors of one member, as the folder's.
fn whole(folder: &FileHandle, at: usize) -> Result<Archive> {
    let Some(member) = folder.members.get(at) else { return Err(without_weights(folder)) };
    let inner = archive(member)?;
    let own = |(name, entry): (&String, &Entry)| (name.clone(), Entry { member: Some(at), ..entry.clone() });
    Ok(Archive { format: inner.format, entries: inner.entries.iter().map(own).collect(), settings: None })
}

/// The tensors of all shards; the index and the shards must say the same.
fn sharded(folder: &FileHandle, index: usize) -> Result<Archive> {
    let Some(index) = folder.members.get(index) else { return Err(without_weights(folder)) };
    let map = weight_map(index)?;
    let mut shards: BTreeMap<&str, Archive> = BTreeMap::new();
    for shard in map.values() {
        if shards.contains_key(shard) {
            continue;
        }
        let at = folder.members.iter().position(|member| member_name(member) == *shard);
        let at = at.ok_or_else(|| index.fault(format!("names `{}`, which is not there", quoted(&shard))))?;
        shards.insert(shard, whole(folder, at)?);
    }
    let mut entries = BTreeMap::new();
    for (name, shard) in &map {
        let entry = shards.get_mut(shard).and_then(|archive| archive.entries.remove(*name));
        let entry = entry.ok_or_else(|| {
            index.fault(format!("says that tensor `{}` is in `{shard}`, which has none of that name", quoted(&name)))
        })?;
        entries.insert(name.to_string(), entry);
    }
    let stray = shards.iter().find_map(|(shard, archive)| Some((shard, archive.entries.keys().next()?)));
    if let Some((shard, name)) = stray {
        return Err(index.fault(format!("does not say that tensor `{name}` is in `{shard}`, and there it is")));
    }
    let format = shards.values().next().map_or("safetensors", |shard| shard.format);
    Ok(Archive { format, entries, settings: None })
}

/// Which shard each tensor is in, as the index says.
fn weight_map(index: &FileHandle) -> Result<BTreeMap<&str, &str>> {
    let map = json::document(index)?.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| index.fault("has no `weight_map`, the table of tensors and their files"))?;
    let mut found = BTreeMap::new();
    for (name, shard) in map {
        let shard =
            shard.as_str().ok_or_else(|| index.fault(format!("gives no file for tensor `{}`", quoted(&name))))?;
        found.insert(name.as_str(), shard);
    }
    if found.is_empty() { Err(index.fault("has an empty `weight_map`")) } else { Ok(found) }
}
