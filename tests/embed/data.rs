//! Values in and out: types, layouts, lengths, names, and what is refused.

use ndarray::{Array, Array1, Array2, ArrayD, Axis, Dimension, IxDyn, s};

use super::{alive, number, open, refused, value};
use locus::{Array as Named, ElementType, FailureKind, Session, Value};

fn set(session: &mut Session, name: &str, value: impl Into<Value>) {
    session.set(name, value).unwrap_or_else(|failure| panic!("{name}\n{failure}"));
}

fn named<T: locus::Element, D: ndarray::Dimension>(values: Array<T, D>, axes: &[&str]) -> Named {
    Named::new(values, axes).unwrap_or_else(|failure| panic!("{failure}"))
}

/// The elements of an array with one axis.
fn elements<T: locus::Element>(value: &Value, axis: &str) -> Vec<T> {
    value.array().unwrap().view::<T>(&[axis]).unwrap().iter().copied().collect()
}

#[test]
fn every_type_goes_in_and_comes_out() {
    let mut session = open();
    set(&mut session, "a", named(Array2::from_shape_fn((2, 3), |(i, j)| (10 * i + j) as f32), &["row", "col"]));
    set(&mut session, "b", named(Array1::from_vec(vec![0.25f64, -0.5]), &["row"]));
    set(&mut session, "c", named(Array1::from_vec(vec![3i64, -4]), &["row"]));
    set(&mut session, "d", named(Array1::from_vec(vec![true, false]), &["row"]));
    set(&mut session, "n", 7);
    set(&mut session, "x", 1.5f32);
    set(&mut session, "y", 2.5);
    set(&mut session, "yes", true);
    set(&mut session, "word", "a\"b\\n\u{1b}");
    set(&mut session, "list", vec![Value::Float(1.0), Value::Float(2.0)]);
    set(&mut session, "r", Value::Record(vec![("p".into(), Value::Int(1)), ("q".into(), Value::Text("t".into()))]));
    let types: Vec<String> =
        session.names().unwrap().into_iter().map(|b| format!("{}: {}", b.name, b.type_shown)).collect();
    let stated = [
        "a: f32[col, row]",
        "b: f64[row]",
        "c: int[row]",
        "d: bool[row]",
        "n: int",
        "x: f32",
        "y: float",
        "yes: bool",
        "word: str",
        "list: list<float>",
        "r: { p: int, q: str }",
    ];
    assert_eq!(types, stated);
    let text =
        "let moved = where(d, f64(a) + b * float(n), 0.0)\nlet whole = { m: moved, s: word, k: r.p + n, l: list }";
    session.evaluate(text).unwrap_or_else(|failure| panic!("{failure}"));
    let whole = session.get("whole").unwrap();
    let moved = whole.field("m").and_then(Value::array).unwrap();
    assert_eq!(
        moved.to_array::<f64>(&["row", "col"]).unwrap().into_raw_vec_and_offset().0,
        [1.75, 2.75, 3.75, 0.0, 0.0, 0.0]
    );
    assert_eq!(whole.field("s").and_then(Value::text), Some("a\"b\\n\u{1b}"));
    assert_eq!(whole.field("k").and_then(Value::int), Some(8));
    assert_eq!(whole.field("l").and_then(Value::list).map(<[Value]>::len), Some(2));
    let d = session.get("d").unwrap();
    assert_eq!(elements::<bool>(&d, "row"), [true, false]);
    assert_eq!(elements::<i64>(&session.get("c").unwrap(), "row"), [3, -4]);
    session.evaluate("let k = key(1)\nfn f(x) { x }").ok();
    assert!(session.get("f").is_err(), "functions of programs are no values");
}

#[test]
fn an_array_in_standard_order_is_taken_as_it_is() {
    let mut session = open();
    let values = Array2::<f32>::ones((30, 50));
    let address = values.as_ptr();
    set(&mut session, "x", named(values, &["row", "col"]));
    let back = session.get("x").unwrap();
    let view = back.array().unwrap().view::<f32>(&["row", "col"]).unwrap();
    assert_eq!(view.as_ptr(), address, "nothing was copied on the way in or out");
    // Programs never change what others can read.
    session.evaluate("let mut y = x\ny[row: 0, col: 0] = 5.0").unwrap_or_else(|failure| panic!("{failure}"));
    session.evaluate("x = 2.0 * x").expect_err("a name of the host does not change");
    assert_eq!(view[[0, 0]], 1.0);
    let y = session.get("y").unwrap();
    assert_eq!(y.array().unwrap().view::<f32>(&["row", "col"]).unwrap()[[0, 0]], 5.0);
    drop(session);
    assert_eq!(view.sum(), 1500.0, "an array outlives its session");
}

#[test]
fn layouts_change_neither_values_nor_bits() {
    let mut session = open();
    session.evaluate("axis other").unwrap();
    let plain = Array2::from_shape_fn((37, 29), |(i, j)| ((i * 31 + j * 17) % 101) as f32 / 7.0 - 3.0);
    let mut fortran = Array2::zeros(ndarray::ShapeBuilder::f((37, 29)));
    fortran.assign(&plain);
    let mut reversed = plain.slice(s![..;-1, ..;-1]).to_owned();
    reversed.invert_axis(Axis(0));
    reversed.invert_axis(Axis(1));
    let wide = Array2::from_shape_fn((40, 60), |(i, j)| {
        if i >= 3 && j % 2 == 1 && i < 40 && j < 58 { plain[[i - 3, j / 2]] } else { -1.0 }
    });
    let part = wide.slice(s![3.., 1..58;2]);
    let rows =
        Array2::from_shape_fn((40, 29), |(i, j)| if i >= 3 { plain[[i - 3, j]] } else { -1.0 }).slice_move(s![3.., ..]);
    let arrays = [
        named(plain.clone(), &["row", "col"]),
        named(fortran, &["row", "col"]),
        named(reversed, &["row", "col"]),
        Named::copied(&part, &["row", "col"]).unwrap(),
        Named::copied(&plain.t(), &["col", "row"]).unwrap(),
        named(rows, &["row", "col"]),
    ];
    let mut seen = Vec::new();
    for array in arrays {
        set(&mut session, "x", array);
        let sum = value(&mut session, "sum[row](x)");
        let sum = sum.array().unwrap().to_array::<f32>(&["col"]).unwrap();
        let product = value(&mut session, "total(x @[row] x[col -> other])").number().unwrap();
        let x = session.get("x").unwrap().array().unwrap().to_array::<f32>(&["row", "col"]).unwrap();
        assert_eq!(x.into_dimensionality::<ndarray::Ix2>().unwrap(), plain);
        seen.push((sum.iter().map(|x| x.to_bits()).collect::<Vec<u32>>(), product.to_bits()));
    }
    for (number, one) in seen.iter().enumerate() {
        // The transposed one has another order of axes, which is another array.
        assert!(number == 4 || *one == seen[0], "layout {number}");
    }
}

#[test]
fn lengths_of_zero_and_eight_axes() {
    let mut session = open();
    set(&mut session, "empty", named(Array2::<f32>::zeros((0, 5)), &["row", "col"]));
    let sum = value(&mut session, "sum[row](empty)");
    assert_eq!(elements::<f32>(&sum, "col"), [0.0; 5]);
    let empty = session.get("empty").unwrap();
    assert_eq!(empty.array().unwrap().view::<f32>(&["col", "row"]).unwrap().shape(), [5, 0]);
    let names = ["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8"];
    let many = ArrayD::from_shape_fn(IxDyn(&[2, 1, 3, 2, 1, 2, 2, 3]), |place| place.as_array_view().sum() as f64);
    let expected = many.sum();
    set(&mut session, "many", named(many.clone(), &names));
    assert_eq!(number(&mut session, "total(many)"), expected);
    let mut turned = names;
    turned.reverse();
    let back = session.get("many").unwrap().array().unwrap().to_array::<f64>(&turned).unwrap();
    assert_eq!(back, many.t());
}

#[test]
fn arrays_that_make_no_sense_are_refused() {
    let ones = || Array2::<f32>::ones((2, 3));
    let message = |axes: &[&str]| Named::new(ones(), axes).unwrap_err().message().to_string();
    assert!(message(&["a"]).contains("1 axis names for an array with 2 axes"));
    assert!(message(&["a", "a"]).contains("`a` stands there twice"));
    assert!(message(&["a", "b\nlet x = 1"]).contains("cannot be the name of an axis"));
    assert!(message(&["a", ""]).contains("cannot be the name"));
    assert!(Named::new(ndarray::arr0(1.0f32), &[]).is_err());
    assert!(Named::from_vec(vec![1.0f32; 5], &[("a", 2), ("b", 3)]).is_err());
    assert!(Named::from_vec(vec![1.0f32], &[("a", usize::MAX), ("b", 3)]).is_err());
    let good = named(ones(), &["a", "b"]);
    assert_eq!((good.element(), good.len(), good.len_of("b")), (ElementType::F32, 6, Some(3)));
    assert!(good.view::<f64>(&["a", "b"]).is_err() && good.view::<f32>(&["a"]).is_err());
    assert!(good.view::<f32>(&["a", "a"]).is_err() && good.view::<f32>(&["a", "c"]).is_err());
}

#[test]
fn names_that_make_no_sense_are_refused() {
    let mut session = open();
    for name in ["", " x", "x ", "1x", "let", "x.y", "x = 1\nlet z", "x\u{0}", "(a, b)", "_"] {
        let failure = session.set(name, 1);
        assert!(failure.is_err() || name == "_", "{name:?}");
    }
    assert_eq!(session.set("x", Value::List(Vec::new())).unwrap_err().kind, FailureKind::Usage);
    assert!(session.set("x", Value::Nothing).is_err());
    assert!(session.set("x", vec![Value::Int(1), Value::Float(1.0)]).is_err());
    assert!(session.get("nothing").unwrap_err().message().contains("`nothing`"));
    alive(&mut session);
}

#[test]
fn lengths_that_disagree_are_refused_where_they_meet() {
    let mut session = open();
    session.evaluate("axis batch = 4\nlet n = 3\naxis row = n").unwrap_or_else(|failure| panic!("{failure}"));
    let failure = session.set("x", named(Array1::<f32>::ones(5), &["batch"])).unwrap_err();
    assert!(failure.message().contains("5 along `batch`"), "{failure}");
    assert!(session.set("x", named(Array1::<f32>::ones(2), &["row"])).is_err());
    set(&mut session, "x", named(Array1::<f32>::ones(3), &["row"]));
    set(&mut session, "a", named(Array1::<f32>::ones(6), &["free"]));
    set(&mut session, "b", named(Array1::<f32>::ones(7), &["free"]));
    let failure = refused(&mut session, "total(a + b)", FailureKind::Failed, "R003");
    assert!(failure.to_string().contains("`b`, given by the host"), "{failure}");
    // A new value may have another length; a name that is bound again means the new one.
    set(&mut session, "a", named(Array1::<f32>::ones(7), &["free"]));
    assert_eq!(number(&mut session, "total(a + b)"), 14.0);
    set(&mut session, "a", 2);
    assert_eq!(number(&mut session, "a * 2"), 4.0);
}

#[test]
fn a_text_that_fails_leaves_no_function_behind() {
    let mut session = open();
    session.evaluate("fn f(n: int) -> int { if n == 0 { 1 } else { f(n - 1) } }").unwrap();
    assert_eq!(number(&mut session, "f(3)"), 1.0);
    session.evaluate("fn f(n: int) -> int { if n == 0 { 2 } else { f(n - 1) } }\nf(3)\nassert(f(3) == 1)").unwrap_err();
    assert_eq!(number(&mut session, "f(3)"), 1.0);
    session.evaluate("fn f(n: int) -> int { if n == 0 { 3 } else { f(n - 1) } }").unwrap();
    assert_eq!(number(&mut session, "f(3)"), 3.0);
}

#[test]
fn indices_texts_and_models_of_data_come_out_as_they_are() {
    let mut session = open();
    session.evaluate("let best = argmax[pos]([i in pos => -float(int(i) * int(i))])").expect_err("no length");
    set(&mut session, "x", named(Array2::from_shape_fn((4, 3), |(i, j)| (i * j) as f32), &["pos", "col"]));
    let best = value(&mut session, "argmax[pos](x)");
    let best = best.array().unwrap();
    assert_eq!((best.type_shown().as_str(), best.element()), ("pos[col]", ElementType::Int));
    assert_eq!(best.view::<i64>(&["col"]).unwrap().iter().copied().collect::<Vec<_>>(), [0, 3, 3]);
    // What came out goes in again as what it is.
    let best = best.clone();
    set(&mut session, "again", best);
    assert_eq!(number(&mut session, "float(total(x[pos: again]))"), 9.0);
    // A repeated row takes no memory of its own and is seen as often as it counts.
    let row = value(&mut session, "x[pos: 1] + 0.0 * x");
    assert_eq!(row.array().unwrap().len(), 12);
}
