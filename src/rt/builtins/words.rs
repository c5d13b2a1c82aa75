//! Strings, lists and assertions.

use super::super::ctx::Ctx;
use super::super::error::{Error, Result, code};
use super::super::format::format_value;
use super::super::table::Builtin;
use super::super::value::{Items, Value, room};
use super::{Args, one, text};
use crate::base::axis::Axis;

pub const TABLE: &[Builtin] = &[
    Builtin { name: "str_join", run: str_join },
    Builtin { name: "str_eq", run: str_eq },
    Builtin { name: "format", run: format },
    Builtin { name: "json_text", run: json_text },
    Builtin { name: "json_texts", run: json_texts },
    Builtin { name: "assert", run: assert },
    Builtin { name: "list_push", run: list_push },
    Builtin { name: "list_get", run: list_get },
    Builtin { name: "list_len", run: list_len },
];

/// str_join(; parts..) -> str
fn str_join(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let parts: Vec<String> = values.iter().map(|value| format_value(value, "")).collect::<Result<_>>()?;
    text(&parts.concat())
}

/// str_eq(; str, str) -> bool
fn str_eq(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("str_eq", values, 2)?;
    one(args.str(0)? == args.str(1)?)
}

/// format(; value, format) -> str
fn format(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("format", values, 2)?;
    if let Value::Tensor(tensor) = args.value(0) {
        // All of it is looked at in 64 bits, for its least, its mean and its largest.
        room(tensor.elements().saturating_mul(2 * size_of::<f64>()), "a look at a tensor")?;
    }
    text(&format_value(args.value(0), args.str(1)?)?)
}

/// json_text(; str) -> str
fn json_text(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("json_text", values, 1)?;
    text(&serde_json::Value::from(args.str(0)?).to_string())
}

/// json_texts(; list of str) -> str
fn json_texts(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("json_texts", values, 1)?;
    let item = |item: &Value| match item {
        Value::Str(word) => Ok(serde_json::Value::from(&**word)),
        _ => Err(args.wrong(0, "a list of texts")),
    };
    let items: Vec<serde_json::Value> = args.list(0)?.iter().map(item).collect::<Result<_>>()?;
    text(&serde_json::Value::from(items).to_string())
}

/// assert(; condition, words)
fn assert(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("assert", values, 2)?;
    if args.bool(0)? {
        return Ok(Vec::new());
    }
    Err(Error::new(
        code::ASSERT,
        match args.str(1)? {
            "" => "an assertion does not hold".to_string(),
            words => words.to_string(),
        },
    ))
}

/// list_push(; list, item) -> list
fn list_push(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("list_push", values, 2)?;
    let old = args.list(0)?;
    room((old.len() + 1) * size_of::<Value>(), "a list")?;
    let mut items = Vec::with_capacity(old.len() + 1);
    items.extend_from_slice(old);
    items.push(args.value(1).clone());
    Ok(vec![Value::List(Items::new(items))])
}

/// list_get(; list, index) -> item
fn list_get(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("list_get", values, 2)?;
    let (items, index) = (args.list(0)?, args.int(1)?);
    let item = usize::try_from(index).ok().and_then(|index| items.get(index));
    item.map(|item| vec![item.clone()])
        .ok_or_else(|| Error::new(code::BOUNDS, format!("index {index} lies outside a list of {} items", items.len())))
}

/// list_len(; list) -> int
fn list_len(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("list_len", values, 1)?;
    one(args.list(0)?.len() as i64)
}
