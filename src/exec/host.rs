//! Calls of functions that the host registered: what goes in agrees, and what comes out is what the signature says.
//!
//! A host can give anything, so its values are checked like those of a file: the element type, exactly the axes of the
//! type, and the lengths of the axes that the arguments have or that a declaration states.

use crate::base::axis::Axis;
use crate::ir::{AxisSet, Elem, HOST, PURE_HOST, Type};
use crate::rt::ctx::Ctx;
use crate::rt::error::{Error, Result, code};
use crate::rt::tensor::{Dim, Tensor, size_mismatch};
use crate::rt::value::Value;

use super::{internal, op};

/// Calls `name`. The last arguments are the stated lengths of `axes`; `dests` is the type of the result, if there is one.
pub fn call(ctx: &mut Ctx, name: &str, axes: &[Axis], mut args: Vec<Value>, dests: &[&Type]) -> Result<Vec<Value>> {
    let lengths = args.split_off(args.len().saturating_sub(axes.len()));
    let mut known = agreed(&args)?;
    for (&axis, length) in axes.iter().zip(&lengths) {
        let len = op::int(std::slice::from_ref(length), 0)?;
        known.push(Dim { axis, len: usize::try_from(len).unwrap_or(0), stride: 0, origin: Default::default() });
    }
    ctx.check_interrupt()?;
    let function = ctx.host.get_mut(name).ok_or_else(|| internal(format!("no function is called `{name}`")))?;
    let found = function(args)?;
    let shown = shown(name);
    match dests {
        [] if matches!(found, Value::None) => Ok(Vec::new()),
        [] => Err(refused(shown, format!("gave {}", op::kind(&found)), "nothing")),
        [ty] => {
            fits(shown, &found, ty)?;
            lengths_agree(&found, &known)?;
            Ok(vec![found])
        }
        _ => Err(internal("a function of the host has one result")),
    }
}

/// The name as the program writes it.
fn shown(name: &str) -> &str {
    let name = name.strip_prefix(PURE_HOST).or_else(|| name.strip_prefix(HOST)).unwrap_or(name);
    name.split('#').next().unwrap_or(name)
}

/// The axes of the arguments, on whose lengths they agree.
fn agreed(args: &[Value]) -> Result<Vec<Dim>> {
    let mut known: Vec<Dim> = Vec::new();
    for tensor in args.iter().filter_map(tensor) {
        for dim in &tensor.dims {
            match known.iter().find(|other| other.axis == dim.axis) {
                Some(other) if other.len != dim.len => return Err(size_mismatch(dim.axis, other, dim)),
                Some(_) => {}
                None => known.push(*dim),
            }
        }
    }
    Ok(known)
}

fn tensor(value: &Value) -> Option<&Tensor> {
    match value {
        Value::Tensor(tensor) => Some(tensor),
        _ => None,
    }
}

fn lengths_agree(found: &Value, known: &[Dim]) -> Result<()> {
    for dim in tensor(found).into_iter().flat_map(|tensor| &tensor.dims) {
        if let Some(other) = known.iter().find(|other| other.axis == dim.axis && other.len != dim.len) {
            return Err(size_mismatch(dim.axis, other, dim));
        }
    }
    Ok(())
}

/// Is the value of this type?
fn fits(name: &str, value: &Value, ty: &Type) -> Result<()> {
    let good = match (ty, value) {
        (Type::Str, Value::Str(_)) => true,
        (Type::List(item), Value::List(items)) => return items.iter().try_for_each(|value| fits(name, value, item)),
        (Type::Tensor(elem, axes), Value::Tensor(tensor)) => {
            let own: AxisSet = tensor.dims.iter().map(|dim| dim.axis).collect();
            own == *axes && own.len() == tensor.rank() && tensor.dtype() == elem.dtype()
        }
        (Type::Tensor(elem, axes), scalar) => axes.is_empty() && op::dtype(scalar).ok() == Some(elem.dtype()),
        _ => false,
    };
    if good { Ok(()) } else { Err(refused(name, format!("gave {}", described(value)), ty)) }
}

fn refused(name: &str, what: String, needed: impl std::fmt::Display) -> Error {
    Error::new(code::ARGUMENT, format!("the host's `{name}` {what}, and its signature says {needed}"))
        .help("the function belongs to the program that runs this session; its signature and what it gives must agree")
}

fn described(value: &Value) -> String {
    match value {
        Value::Tensor(tensor) => {
            let elem = match tensor.dtype() {
                crate::base::ops::DType::F32 => Elem::F32,
                crate::base::ops::DType::F64 => Elem::F64,
                crate::base::ops::DType::I64 => Elem::Int,
                crate::base::ops::DType::Bool => Elem::Bool,
            };
            Type::Tensor(elem, tensor.dims.iter().map(|dim| dim.axis).collect()).to_string()
        }
        Value::F32(_) => "f32".to_string(),
        Value::F64(_) => "float".to_string(),
        other => op::kind(other).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::oracle::tests::quiet;

    fn row(axis: Axis, len: usize) -> Value {
        Tensor::from_slice(&[(axis, len)], &vec![1.0f32; len]).map_or(Value::None, Value::Tensor)
    }

    #[test]
    fn what_the_host_gives_is_checked() {
        let (pos, other) = (Axis::named("", "pos"), Axis::named("", "other"));
        let ty = Type::Tensor(Elem::F32, AxisSet::one(pos));
        let judge = |given: Value, axes: &[Axis], args: Vec<Value>| {
            let mut ctx = quiet();
            ctx.host.register("host.f", Box::new(move |_| Ok(given.clone())));
            call(&mut ctx, "host.f", axes, args, &[&ty]).map_err(|error| error.code)
        };
        assert!(judge(row(pos, 3), &[], vec![row(pos, 3)]).is_ok());
        assert!(judge(row(pos, 3), &[], vec![Value::Int(1)]).is_ok(), "nothing states the length");
        assert!(judge(row(pos, 3), &[pos], vec![Value::Int(1), Value::Int(3)]).is_ok());
        assert_eq!(judge(row(pos, 3), &[pos], vec![Value::Int(4)]).err(), Some(code::SIZE));
        assert_eq!(judge(row(pos, 4), &[], vec![row(pos, 3)]).err(), Some(code::SIZE));
        assert_eq!(judge(row(pos, 3), &[], vec![row(pos, 3), row(pos, 2)]).err(), Some(code::SIZE));
        assert_eq!(judge(row(other, 3), &[], vec![row(pos, 3)]).err(), Some(code::ARGUMENT));
        assert_eq!(judge(Value::F32(1.0), &[], vec![]).err(), Some(code::ARGUMENT));
        assert_eq!(judge(Value::None, &[], vec![]).err(), Some(code::ARGUMENT));
    }

    #[test]
    fn names_are_shown_as_programs_write_them() {
        assert_eq!((shown("host.f"), shown("pure host.f#2")), ("f", "f"));
    }
}
