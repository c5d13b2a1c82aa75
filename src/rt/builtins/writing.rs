//! What leaves a program: printed lines, progress, files, figures. All of it goes through the world.

use super::super::ctx::Ctx;
use super::super::error::{Error, Result};
use super::super::files;
use super::super::plot;
use super::super::table::Builtin;
use super::super::tensor::Tensor;
use super::super::value::Value;
use super::Args;
use crate::base::axis::Axis;

pub const TABLE: &[Builtin] = &[
    Builtin { name: "print", run: print },
    Builtin { name: "report", run: report },
    Builtin { name: "write_npy", run: write_npy },
    Builtin { name: "write_safetensors", run: write_safetensors },
    Builtin { name: "write_npz", run: write_npz },
    Builtin { name: "write_torch", run: write_torch },
    Builtin { name: "write_text", run: write_text },
    Builtin { name: "plot", run: plot },
];

/// print(; str)
fn print(ctx: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("print", values, 1)?;
    ctx.world.print(args.str(0)?);
    Ok(Vec::new())
}

/// report(; label, step, total, word, number)
fn report(ctx: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("report", values, 5)?;
    let whole = |number: usize| args.int(number).map(|x| u64::try_from(x).unwrap_or(0));
    ctx.world.progress(args.str(0)?, whole(1)?, whole(2)?, args.str(3)?, args.float(4)?);
    Ok(Vec::new())
}

/// A path below the output folder: relative, and with no way out of it.
fn output_name<'a>(args: &Args<'a>, number: usize) -> Result<&'a str> {
    let name = args.str(number)?;
    let outside = name.starts_with('/') || name.contains(['\\', '\0']) || name.split('/').any(|part| part == "..");
    if name.is_empty() || name.ends_with('/') || outside {
        let message = format!("cannot write to `{}`: files go below the output folder", name.escape_debug());
        return Err(args.senseless(message).help("a name such as \"codes.npy\" or \"run1/codes.npy\""));
    }
    Ok(name)
}

/// A scalar as a tensor without axes.
fn as_tensor(args: &Args, number: usize) -> Result<Tensor> {
    match args.value(number) {
        Value::Tensor(tensor) => Ok(tensor.clone()),
        Value::Int(x) => Tensor::from_slice(&[], &[*x]),
        Value::F32(x) => Tensor::from_slice(&[], &[*x]),
        Value::F64(x) => Tensor::from_slice(&[], &[*x]),
        Value::Bool(x) => Tensor::from_slice(&[], &[*x as u8]),
        _ => Err(args.wrong(number, "a tensor or a scalar")),
    }
}

/// write_npy(axes..; name, tensor): in the order of the axes, if they are given. The line that is printed says the order,
/// which the file cannot.
fn write_npy(ctx: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("write_npy", values, 2)?;
    let mut tensor = as_tensor(&args, 1)?;
    if !axes.is_empty() {
        tensor = tensor.in_order(axes)?;
    }
    let shown = ctx.world.write(output_name(&args, 0)?, &files::npy_bytes(&tensor)?)?;
    ctx.world.print(&format!("wrote {shown} [{}]", tensor.axes_shown()));
    Ok(Vec::new())
}

/// write_safetensors(; name, list of records { name, shape, data })
fn write_safetensors(ctx: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    write_archive(ctx, &Args::exactly("write_safetensors", values, 2)?, files::model_bytes)
}

/// write_npz(; name, list of name, shape and data)
fn write_npz(ctx: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    write_archive(ctx, &Args::exactly("write_npz", values, 2)?, files::npz_bytes)
}

/// write_torch(; name, list of name, shape and data, JSON record of what stands beside them)
fn write_torch(ctx: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("write_torch", values, 3)?;
    let told = serde_json::from_str(args.str(2)?);
    let told = told.map_err(|cause| args.senseless(format!("was given settings that are no JSON record: {cause}")))?;
    write_archive(ctx, &args, |list| files::torch_bytes(list, &told))
}

/// What the first two arguments say, as `bytes` makes a file of it.
fn write_archive(ctx: &mut Ctx, args: &Args, bytes: impl Fn(&[files::Named]) -> Result<Vec<u8>>) -> Result<Vec<Value>> {
    let list = args.list(1)?.iter().map(|item| stored(args, item)).collect::<Result<Vec<_>>>()?;
    if list.is_empty() {
        return Err(args.senseless("was given no tensor to write"));
    }
    let shown = ctx.world.write(output_name(args, 0)?, &bytes(&list)?)?;
    ctx.world.print(&format!("wrote {shown} [{} tensors]", list.len()));
    Ok(Vec::new())
}

/// One tensor of a file: its name, the lengths of its dimensions, and its numbers, the last dimension fastest.
fn stored<'a>(args: &Args, item: &'a Value) -> Result<files::Named<'a>> {
    let Value::Record(fields) = item else { return Err(args.wrong(1, "a list of records")) };
    let (Some(Value::Str(name)), Some(Value::List(shape)), Some(Value::Tensor(data))) =
        (fields.first(), fields.get(1), fields.get(2))
    else {
        return Err(args.wrong(1, "a list of name, shape and data"));
    };
    let length = |value: &Value| match value {
        Value::Int(length) => usize::try_from(*length).ok(),
        _ => None,
    };
    let shape: Option<Vec<usize>> = shape.iter().map(length).collect();
    let shape = shape.ok_or_else(|| args.senseless(format!("was given a shape for `{name}` that has no lengths")))?;
    Ok(files::Named { name, shape, data })
}

/// write_text(; name, text)
fn write_text(ctx: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("write_text", values, 2)?;
    let shown = ctx.world.write(output_name(&args, 0)?, args.str(1)?.as_bytes())?;
    ctx.world.print(&format!("wrote {shown}"));
    Ok(Vec::new())
}

/// plot(; kind, field, value, ..)
fn plot(ctx: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::at_least("plot", values, 1)?;
    let mut fields = Vec::new();
    for number in (1..values.len()).step_by(2) {
        let name = args.str(number)?;
        if name == "file" && !matches!(args.value(number + 1), Value::None) {
            output_name(&args, number + 1)?;
        }
        fields.push((name, args.value(number + 1)));
    }
    let kind = args.str(0)?;
    let named = |error: Error| error.note("in", format!("plot {kind}"));
    plot::run(ctx, kind, &fields).map_err(named)?;
    Ok(Vec::new())
}
