//! Decompositions of matrices.

use super::super::ctx::Ctx;
use super::super::error::Result;
use super::super::linalg;
use super::super::table::Builtin;
use super::super::value::Value;
use super::Args;
use crate::base::axis::Axis;

pub const TABLE: &[Builtin] = &[Builtin { name: "eigh", run: eigh }, Builtin { name: "svd", run: svd }];

/// eigh(row, column, to; x) -> (values over `to`, vectors over `to` and `row`)
fn eigh(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("eigh", values, 1)?;
    let [row, column, to] = args.axes(axes)?;
    let (values, vectors) = linalg::eigh(args.tensor(0)?, row, column, to)?;
    Ok(vec![values.into(), vectors.into()])
}

/// svd(row, column, to; x) -> (values over `to`, vectors over `to` and `row`, vectors over `to` and `column`)
fn svd(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("svd", values, 1)?;
    let [row, column, to] = args.axes(axes)?;
    let (values, left, right) = linalg::svd(args.tensor(0)?, row, column, to)?;
    Ok(vec![values.into(), left.into(), right.into()])
}
