//! Builtins called by name, as engines call them.

use super::super::ctx::{Ctx, Expectation, World};
use super::super::error::Result;
use super::super::table::lookup;
use super::super::tensor::Tensor;
use super::super::value::{Items, Value};
use crate::base::axis::Axis;
use std::sync::{Arc, Mutex};

/// Everything that left the program, in order.
#[derive(Default, Clone)]
struct Heard {
    lines: Arc<Mutex<Vec<String>>>,
    judged: Arc<Mutex<Vec<Expectation>>>,
}

impl World for Heard {
    fn print(&mut self, text: &str) {
        self.lines.lock().unwrap().push(text.to_string());
    }
    fn progress(&mut self, label: &str, done: u64, total: u64, shown: &str, value: f64) {
        self.print(&format!("{label} {done}/{total} {shown} {value}"));
    }
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<String> {
        self.print(&format!("{} bytes", bytes.len()));
        Ok(format!("out/{name}"))
    }
    fn expectation(&mut self, outcome: Expectation) {
        self.judged.lock().unwrap().push(outcome);
    }
}

fn run(ctx: &mut Ctx, name: &str, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    (lookup(name).unwrap().run)(ctx, axes, values)
}

fn call(name: &str, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    run(&mut Ctx::new(Box::new(Heard::default())), name, axes, values)
}

fn shown(name: &str, axes: &[Axis], values: &[Value]) -> String {
    let results = call(name, axes, values).unwrap();
    results.iter().map(super::super::format::short_view).collect::<Vec<_>>().join("; ")
}

fn fault(name: &str, axes: &[Axis], values: &[Value]) -> &'static str {
    call(name, axes, values).unwrap_err().code
}

fn axis(name: &str) -> Axis {
    Axis::named("", name)
}

fn text(text: &str) -> Value {
    Value::Str(text.into())
}

fn list(items: &[Value]) -> Value {
    Value::List(Items::new(items.to_vec()))
}

#[test]
fn every_builtin_of_the_design_exists() {
    let names = "full iota index_check normal uniform uniform_int permutation batch_indices seed_key derive_key open_file \
        read_index read_f32 tensor has_tensor tensor_size tensor_names json_int json_float json_str set_index stop str_eq \
        keep_top top sort argsort cumsum group_sum dense_ids stack concat append_tile in_memory by_rows write_npy \
        write_safetensors write_text list_push list_get list_len str_join format print assert report plot expect_value";
    for name in names.split_whitespace() {
        assert!(lookup(name).is_some(), "{name}");
    }
}

#[test]
fn nothing_panics_without_arguments() {
    for builtin in super::super::table::all().filter(|builtin| !["str_join", "loop_due"].contains(&builtin.name)) {
        let mut ctx = Ctx::new(Box::new(Heard::default()));
        assert_eq!((builtin.run)(&mut ctx, &[], &[]).unwrap_err().code, "R099", "{}", builtin.name);
        for count in 1..6 {
            // Whatever comes of it, it is a value.
            let _ = (builtin.run)(&mut ctx, &[axis("pos")], &vec![Value::None; count]);
            let _ = (builtin.run)(&mut ctx, &[axis("pos")], &vec![Value::Int(-1); count]);
        }
    }
}

#[test]
fn tensors_from_nothing() {
    let (a, b) = (axis("batch"), axis("pos"));
    assert_eq!(
        shown("full", &[a, b], &[Value::F32(0.5), Value::Int(1), Value::Int(2)]),
        "f32[batch = 1, pos = 2]  0.5 0.5"
    );
    assert_eq!(shown("full", &[a], &[Value::Bool(true), Value::Int(2)]), "bool[batch = 2]  true true");
    assert_eq!(shown("full", &[], &[Value::F64(2.0)]), "2.0");
    assert_eq!(shown("iota", &[a], &[Value::Int(3)]), "int[batch = 3]  0 1 2");
    assert_eq!(fault("full", &[a], &[Value::F32(0.5), Value::Int(-1)]), "R007");
    assert_eq!(fault("full", &[a], &[Value::F32(0.5), Value::Int(i64::MAX)]), "R010");
    assert_eq!(fault("full", &[a, b], &[Value::F32(0.5), Value::Int(1)]), "R099");
    let negative_zero = call("full", &[a], &[Value::F32(-0.0), Value::Int(1)]).unwrap();
    assert!(matches!(&negative_zero[0], Value::Tensor(t) if t.as_dense::<f32>().unwrap()[0].is_sign_negative()));
    let mut small = Ctx::new(Box::new(Heard::default()));
    small.memory_limit = 100;
    assert_eq!(run(&mut small, "full", &[a], &[Value::F32(0.0), Value::Int(26)]).unwrap_err().code, "R010");
    assert!(run(&mut small, "full", &[a], &[Value::F32(0.0), Value::Int(25)]).is_ok());
}

#[test]
fn indices_are_checked() {
    let vocab = [axis("vocab")];
    assert_eq!(shown("index_check", &vocab, &[Value::Int(2), Value::Int(3)]), "2");
    for bad in [3, -1, i64::MIN] {
        assert_eq!(fault("index_check", &vocab, &[Value::Int(bad), Value::Int(3)]), "R004");
    }
    let ids = Tensor::from_slice(&[(axis("pos"), 3)], &[0i64, 2, 5]).unwrap();
    assert_eq!(shown("index_check", &vocab, &[ids.clone().into(), Value::Int(6)]), "int[pos = 3]  0 2 5");
    let error = call("index_check", &vocab, &[ids.into(), Value::Int(5)]).unwrap_err();
    assert_eq!(error.message, "index 5 is outside axis `vocab`, which has length 5");
}

#[test]
fn parts_are_replaced() {
    let (a, b) = (axis("batch"), axis("pos"));
    let x = || Value::Tensor(Tensor::from_slice(&[(a, 2), (b, 3)], &[0.0f32, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap());
    let row = Value::Tensor(Tensor::from_slice(&[(b, 3)], &[7.0f32, 8.0, 9.0]).unwrap());
    let column = Value::Tensor(Tensor::from_slice(&[(a, 2)], &[7.0f32, 8.0]).unwrap());
    let set = |axes: &[Axis], values: &[Value]| shown("set_index", axes, values);
    assert_eq!(set(&[a], &[x(), Value::Int(1), row.clone()]), "f32[batch = 2, pos = 3]  0 1 2 7 8 9");
    assert_eq!(set(&[b], &[x(), Value::Int(2), column.clone()]), "f32[batch = 2, pos = 3]  0 1 7 3 4 8");
    let one = [x(), Value::Int(0), Value::Int(1), Value::F32(-1.0)];
    assert_eq!(set(&[b, a], &one), "f32[batch = 2, pos = 3]  0 1 2 -1 4 5");
    // A view that starts late and repeats.
    let Value::Tensor(mut view) = x() else { return };
    view.dims = vec![crate::rt::tensor::Dim { len: 2, stride: 0, ..view.dims[0] }, view.dims[1]];
    view.offset = 3;
    assert_eq!(set(&[a], &[view.into(), Value::Int(0), row.clone()]), "f32[batch = 2, pos = 3]  7 8 9 3 4 5");
    assert_eq!(fault("set_index", &[a], &[x(), Value::Int(2), row.clone()]), "R004");
    assert_eq!(fault("set_index", &[a], &[x(), Value::Int(-1), row]), "R004");
    let short = Value::Tensor(Tensor::from_slice(&[(b, 2)], &[7.0f32, 8.0]).unwrap());
    assert_eq!(fault("set_index", &[a], &[x(), Value::Int(0), short]), "R003");
    assert_eq!(fault("set_index", &[a], &[x(), Value::Int(0), column]), "R099");
}

#[test]
fn order_and_groups() {
    let (a, rank, group) = (axis("feature"), axis("rank"), axis("group"));
    let x = || Value::Tensor(Tensor::from_slice(&[(a, 4)], &[0.5f32, 2.0, 1.0, 2.0]).unwrap());
    assert_eq!(shown("keep_top", &[a], &[x(), Value::Int(2)]), "f32[feature = 4]  0 2 0 2");
    assert_eq!(shown("top", &[a, rank], &[x(), Value::Int(3)]), "int[rank = 3]  1 3 2");
    assert_eq!(shown("sort", &[a], &[x()]), "f32[feature = 4]  0.5 1 2 2");
    assert_eq!(shown("argsort", &[a, rank], &[x()]), "int[rank = 4]  0 2 1 3");
    assert_eq!(shown("cumsum", &[a], &[x()]), "f32[feature = 4]  0.5 2.5 3.5 5.5");
    for wrong in [5, -1] {
        assert_eq!(fault("top", &[a, rank], &[x(), Value::Int(wrong)]), "R007");
        assert_eq!(fault("keep_top", &[a], &[x(), Value::Int(wrong)]), "R007");
    }
    let ids = || Value::Tensor(Tensor::from_slice(&[(a, 4)], &[7i64, 3, 7, 9]).unwrap());
    assert_eq!(shown("dense_ids", &[a], &[ids()]), "int[feature = 4]  1 0 1 2; 3");
    let dense = call("dense_ids", &[a], &[ids()]).unwrap().remove(0);
    assert_eq!(shown("group_sum", &[a, group], &[x(), dense, Value::Int(3)]), "float[group = 3]  2 1.5 2");
    assert_eq!(fault("group_sum", &[a, group], &[x(), ids(), Value::Int(-1)]), "R007");
}

#[test]
fn keys_and_random_tensors() {
    let root = call("seed_key", &[], &[Value::Int(7)]).unwrap().remove(0);
    let a = call("derive_key", &[], &[root.clone(), text("a")]).unwrap().remove(0);
    let draw = |key: &Value| shown("normal", &[axis("pos")], &[key.clone(), Value::Int(4)]);
    assert_eq!(draw(&a), draw(&a));
    assert_ne!(draw(&a), draw(&root));
    assert_eq!(
        fault("uniform_int", &[axis("pos")], &[root.clone(), Value::Int(3), Value::Int(3), Value::Int(1)]),
        "R007"
    );
    let batch = [root, Value::Int(0), Value::Int(4), Value::Int(4)];
    let mut ids = match &call("batch_indices", &[axis("batch")], &batch).unwrap()[0] {
        Value::Tensor(ids) => ids.as_dense::<i64>().unwrap().to_vec(),
        _ => Vec::new(),
    };
    ids.sort_unstable();
    assert_eq!(ids, [0, 1, 2, 3]);
    let too_many = [batch[0].clone(), Value::Int(0), Value::Int(5), Value::Int(4)];
    assert_eq!(fault("batch_indices", &[axis("batch")], &too_many), "R007");
}

#[test]
fn lists_and_strings() {
    let items = list(&[Value::Int(1), Value::Int(2)]);
    assert_eq!(shown("list_push", &[], &[items.clone(), Value::Int(3)]), "[1, 2, 3]");
    assert_eq!(shown("list_get", &[], &[items.clone(), Value::Int(1)]), "2");
    assert_eq!(fault("list_get", &[], &[items.clone(), Value::Int(2)]), "R004");
    assert_eq!(fault("list_get", &[], &[items.clone(), Value::Int(-1)]), "R004");
    assert_eq!(shown("list_len", &[], &[items]), "2");
    assert_eq!(shown("str_join", &[], &[text("a = "), Value::F64(0.5), Value::Bool(true)]), "\"a = 0.5true\"");
    assert_eq!(shown("format", &[], &[Value::F64(0.125), text(".1%")]), "\"12.5%\"");
    assert_eq!(fault("format", &[], &[Value::F64(0.125), text("zz")]), "R007");
    assert!(call("assert", &[], &[Value::Bool(true), text("x")]).unwrap().is_empty());
    let error = call("assert", &[], &[Value::Bool(false), text("x is above zero")]).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), ("R011", "x is above zero"));
}

#[test]
fn files_are_written_below_the_folder_only() {
    let heard = Heard::default();
    let mut ctx = Ctx::new(Box::new(heard.clone()));
    let tensor = Value::Tensor(Tensor::from_slice(&[(axis("batch"), 2), (axis("pos"), 1)], &[1.0f32, 2.0]).unwrap());
    run(&mut ctx, "write_npy", &[], &[text("a/b.npy"), tensor.clone()]).unwrap();
    run(&mut ctx, "write_npy", &[axis("pos"), axis("batch")], &[text("c.npy"), tensor.clone()]).unwrap();
    run(&mut ctx, "write_npy", &[], &[text("n.npy"), Value::F64(1.0)]).unwrap();
    let stored = |shape: &[i64]| {
        let shape: Vec<Value> = shape.iter().map(|&length| Value::Int(length)).collect();
        list(&[Value::Record(Items::new(vec![text("w"), list(&shape), tensor.clone()]))])
    };
    run(&mut ctx, "write_safetensors", &[], &[text("d.safetensors"), stored(&[2, 1])]).unwrap();
    for bad in [&[3, 1][..], &[-2, -1], &[i64::MAX, i64::MAX], &[]] {
        assert_eq!(fault("write_safetensors", &[], &[text("d.safetensors"), stored(bad)]), "R007", "{bad:?}");
    }
    assert_eq!(fault("write_safetensors", &[], &[text("d.safetensors"), list(&[])]), "R007");
    run(&mut ctx, "write_text", &[], &[text("config.json"), text("{}")]).unwrap();
    run(
        &mut ctx,
        "plot",
        &[],
        &[text("bars"), text("y"), tensor.clone(), text("x"), text("batch"), text("file"), text("e.svg")],
    )
    .unwrap();
    let lines = heard.lines.lock().unwrap().join("\n");
    assert!(lines.contains("wrote out/a/b.npy [batch = 2, pos = 1]"), "{lines}");
    assert!(lines.contains("wrote out/c.npy [pos = 1, batch = 2]"), "{lines}");
    assert!(lines.contains("wrote out/d.safetensors [1 tensors]"), "{lines}");
    assert!(lines.ends_with("wrote out/e.svg"), "{lines}");
    for bad in ["/etc/a.npy", "../a.npy", "a/../../b.npy", "", "a/", "a\0b"] {
        assert_eq!(fault("write_npy", &[], &[text(bad), tensor.clone()]), "R007", "{bad:?}");
    }
    let plot = [text("bars"), text("y"), tensor, text("file"), text("../e.svg")];
    assert_eq!(fault("plot", &[], &plot), "R007");
}

/// What came of one expectation: does it hold, and what is said.
fn judged(op: &str, found: Value, a: Value, b: Value) -> (bool, String) {
    let heard = Heard::default();
    let mut ctx = Ctx::new(Box::new(heard.clone()));
    run(&mut ctx, "expect_value", &[], &[Value::Int(3), text(op), text("x"), found.clone(), a, b]).unwrap();
    let outcome = heard.judged.lock().unwrap().remove(0);
    assert_eq!(outcome.number, 3);
    assert_eq!(outcome.found.map(f64::to_bits), super::scalar(&found).map(f64::to_bits));
    (outcome.held, outcome.shown)
}

fn says(op: &str, found: impl Into<Value>, a: impl Into<Value>, b: impl Into<Value>) -> (bool, String) {
    judged(op, found.into(), a.into(), b.into())
}

#[test]
fn expectations() {
    let yes = |words: &str| (true, words.to_string());
    let no = |words: &str| (false, words.to_string());
    assert_eq!(says("~", 0.13021398, 0.1184, 0.02), yes("x = 0.130214, expected 0.1184 +- 0.02"));
    assert_eq!(says("~", 0.2, 0.1184, 0.02), no("x = 0.2, expected 0.1184 +- 0.02"));
    assert_eq!(says("~", 1.25, 1.0, 0.25), yes("x = 1.25, expected 1 +- 0.25"));
    assert_eq!(says("~", f64::NAN, 1.0, 0.25), no("x = NaN, expected 1 +- 0.25 (NaN never holds)"));
    assert_eq!(says(">", f64::INFINITY, 1.0, 0i64).0, false);
    assert_eq!(says("!=", f64::NAN, 1.0, 0i64).0, false);
    assert_eq!(says("in", 20i64, 20i64, 60i64), yes("x = 20, expected in 20 .. 60"));
    assert_eq!(says("in", 60i64, 20i64, 60i64).0, false);
    assert_eq!(says("in=", 60i64, 20i64, 60i64), yes("x = 60, expected in 20 ..= 60"));
    assert_eq!(says("in", 0.05f32, 0.0, 0.05), no("x = 0.05, expected in 0 .. 0.05"));
    assert_eq!(says("==", 128i64, 128i64, 0i64), yes("x = 128, expected 128"));
    assert_eq!(says("==", i64::MAX, i64::MAX - 1, 0i64).0, false);
    assert_eq!(says("==", true, false, 0i64), no("x = true, expected false"));
    assert_eq!(judged("==", text("a"), text("a"), Value::None), yes("x = \"a\", expected \"a\""));
    assert_eq!(says("<=", 0.1, 0.1, 0i64), yes("x = 0.1, expected <= 0.1"));
    assert_eq!(says("<", 1.00000001, 1.0, 0i64), no("x = 1.00000001, expected < 1"));
    assert_eq!(says("<", 0.99999999, 1.0, 0i64), yes("x = 0.99999999, expected < 1"));
}

#[test]
fn expectations_of_tensors() {
    assert_eq!(says("apart", 0.25, 0.0, 0.25), (true, "x is at most 0.25 away, expected 0.25".to_string()));
    assert_eq!(says("apart", 0.5, 0.0, 0.25), (false, "x is at most 0.5 away, expected 0.25".to_string()));
    assert!(!says("apart", f64::NAN, 0.0, 0.25).0);
    assert!(!says("apart", f64::INFINITY, 0.0, 0.25).0);
    for op in ["~", "apart"] {
        let negative = [Value::Int(0), text(op), text("x"), Value::F64(1.0), Value::F64(1.0), Value::F64(-0.1)];
        assert_eq!(fault("expect_value", &[], &negative), "R007");
    }
}

#[test]
fn lists_become_tensors() {
    let (a, b) = (axis("pos"), axis("batch"));
    let row = |x: f32| Value::Tensor(Tensor::from_slice(&[(a, 2)], &[x, x + 1.0]).unwrap());
    let rows = list(&[row(0.0), row(5.0)]);
    assert_eq!(shown("stack", &[b], &[rows.clone()]), "f32[batch = 2, pos = 2]  0 1 5 6");
    assert_eq!(shown("concat", &[a], &[rows]), "f32[pos = 4]  0 1 5 6");
    assert_eq!(shown("stack", &[b], &[list(&[Value::F64(0.5), Value::F64(1.0)])]), "float[batch = 2]  0.5 1");
    assert_eq!(fault("stack", &[b], &[list(&[])]), "R007");
    assert_eq!(fault("concat", &[b], &[list(&[])]), "R007");
}
