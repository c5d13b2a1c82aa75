//! Files that a program names: opened once, read as tensors or settings.

use super::super::ctx::Ctx;
use super::super::error::Result;
use super::super::files;
use super::super::table::Builtin;
use super::super::value::Value;
use super::{Args, one, text};
use crate::base::axis::Axis;
use std::sync::Arc;

pub const TABLE: &[Builtin] = &[
    Builtin { name: "open_file", run: open_file },
    Builtin { name: "open_folder", run: open_folder },
    Builtin { name: "read_index", run: read_index },
    Builtin { name: "read_f32", run: read_f32 },
    Builtin { name: "tensor", run: tensor },
    Builtin { name: "has_tensor", run: has_tensor },
    Builtin { name: "tensor_size", run: tensor_size },
    Builtin { name: "tensor_names", run: tensor_names },
    Builtin { name: "tensor_index", run: tensor_index },
    Builtin { name: "file_format", run: file_format },
    Builtin { name: "check_tensors", run: check_tensors },
    Builtin { name: "check_shape", run: check_shape },
    Builtin { name: "json_bool", run: json_bool },
    Builtin { name: "json_has", run: json_has },
    Builtin { name: "json_kind", run: json_kind },
    Builtin { name: "json_len", run: json_len },
    Builtin { name: "json_int", run: json_int },
    Builtin { name: "json_float", run: json_float },
    Builtin { name: "json_str", run: json_str },
];

/// open_file(; path, sha256, name) -> file
fn open_file(ctx: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("open_file", values, 3)?;
    let path = ctx.folder.join(args.str(0)?);
    ctx.reach.check(&path)?;
    let file = files::open(&path, args.str(1)?, args.str(2)?)?;
    Ok(vec![Value::File(Arc::new(file))])
}

/// open_folder(; path, sha256, name) -> file
fn open_folder(ctx: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("open_folder", values, 3)?;
    let path = ctx.folder.join(args.str(0)?);
    ctx.reach.check_folder(&path)?;
    let file = files::open_folder(&path, args.str(1)?, args.str(2)?)?;
    Ok(vec![Value::File(Arc::new(file))])
}

/// read_index(axis of the values, axes of the array..; file) -> int tensor
fn read_index(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("read_index", values, 1)?;
    one(files::read_index(args.file(0)?, axes)?)
}

/// read_f32(axes..; file) -> f32 tensor
fn read_f32(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("read_f32", values, 1)?;
    one(files::read_f32(args.file(0)?, axes)?)
}

/// tensor(axes..; file, name) -> f32 tensor
fn tensor(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("tensor", values, 2)?;
    one(files::tensor(args.file(0)?, args.str(1)?, axes)?)
}

/// has_tensor(; file, name) -> bool
fn has_tensor(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("has_tensor", values, 2)?;
    one(files::has_tensor(args.file(0)?, args.str(1)?)?)
}

/// tensor_size(; file, name, dimension) -> int
fn tensor_size(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("tensor_size", values, 3)?;
    one(files::tensor_size(args.file(0)?, args.str(1)?, args.int(2)?)?)
}

/// tensor_names(; file) -> list<str>
fn tensor_names(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("tensor_names", values, 1)?;
    let names = files::tensor_names(args.file(0)?)?;
    Ok(vec![Value::list(names.iter().map(|name| Value::Str(name.as_str().into())).collect())?])
}

/// json_int(; file, path) -> int
fn json_int(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("json_int", values, 2)?;
    one(files::json_int(args.file(0)?, args.str(1)?)?)
}

/// json_float(; file, path) -> float
fn json_float(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("json_float", values, 2)?;
    one(files::json_float(args.file(0)?, args.str(1)?)?)
}

/// json_str(; file, path) -> str
fn json_str(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("json_str", values, 2)?;
    text(&files::json_str(args.file(0)?, args.str(1)?)?)
}

/// json_bool(; file, path) -> bool
fn json_bool(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("json_bool", values, 2)?;
    one(files::json_bool(args.file(0)?, args.str(1)?)?)
}

/// json_has(; file, path) -> bool
fn json_has(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("json_has", values, 2)?;
    one(files::json_has(args.file(0)?, args.str(1)?)?)
}

/// json_kind(; file, path) -> str
fn json_kind(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("json_kind", values, 2)?;
    text(files::json_kind(args.file(0)?, args.str(1)?)?)
}

/// json_len(; file, path) -> int
fn json_len(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("json_len", values, 2)?;
    one(files::json_len(args.file(0)?, args.str(1)?)?)
}

/// tensor_index(axis of the values, axes of the tensor..; file, name) -> int tensor
fn tensor_index(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("tensor_index", values, 2)?;
    one(files::tensor_index(args.file(0)?, args.str(1)?, axes)?)
}

/// file_format(; file) -> str
fn file_format(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("file_format", values, 1)?;
    text(files::file_format(args.file(0)?)?)
}

/// check_tensors(; file, known, ignored)
fn check_tensors(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("check_tensors", values, 3)?;
    files::check_tensors(args.file(0)?, &strings(&args, 1)?, &strings(&args, 2)?)?;
    Ok(Vec::new())
}

/// check_shape(; file, name, lengths)
fn check_shape(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("check_shape", values, 3)?;
    let length = |item: &Value| if let Value::Int(length) = item { Ok(*length) } else { Err(args.wrong(2, "ints")) };
    let lengths: Vec<i64> = args.list(2)?.iter().map(length).collect::<Result<_>>()?;
    files::check_shape(args.file(0)?, args.str(1)?, &lengths)?;
    Ok(Vec::new())
}

fn strings(args: &Args, number: usize) -> Result<Vec<String>> {
    let string = |item: &Value| match item {
        Value::Str(text) => Ok(text.to_string()),
        _ => Err(args.wrong(number, "a list of str")),
    };
    args.list(number)?.iter().map(string).collect()
}
