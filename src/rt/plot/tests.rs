//! Figures are compared with stored files, so that a change of their look is seen in review.

use super::super::ctx::{Expectation, World};
use super::super::tensor::Tensor;
use super::*;
use crate::base::axis::Axis;
use crate::rt::value::Items;
use std::sync::{Arc, Mutex};

/// A world that keeps what it is given.
#[derive(Default, Clone)]
struct Kept {
    printed: Arc<Mutex<Vec<String>>>,
    written: Arc<Mutex<Vec<(String, String)>>>,
}

impl World for Kept {
    fn print(&mut self, text: &str) {
        self.printed.lock().unwrap().push(text.to_string());
    }
    fn progress(&mut self, _: &str, _: u64, _: u64, _: &str, _: f64) {}
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<String> {
        self.written.lock().unwrap().push((name.to_string(), String::from_utf8_lossy(bytes).to_string()));
        Ok(format!("out/{name}"))
    }
    fn expectation(&mut self, _: Expectation) {}
}

fn draw(kind: &str, given: &[(&str, Value)]) -> Result<(String, String)> {
    let world = Kept::default();
    let mut ctx = Ctx::new(Box::new(world.clone()));
    let given: Vec<(&str, &Value)> = given.iter().map(|(name, value)| (*name, value)).collect();
    run(&mut ctx, kind, &given)?;
    let view = world.printed.lock().unwrap().join("\n");
    let file = world.written.lock().unwrap().first().map(|(_, text)| text.clone()).unwrap_or_default();
    Ok((view, file))
}

fn axis(name: &str) -> Axis {
    Axis::named("", name)
}

fn text(text: &str) -> Value {
    Value::Str(text.into())
}

fn tensor(axes: &[(&str, usize)], make: impl Fn(usize) -> f64) -> Value {
    let axes: Vec<(Axis, usize)> = axes.iter().map(|(name, len)| (axis(name), *len)).collect();
    let count = axes.iter().map(|(_, len)| len).product();
    Value::Tensor(Tensor::from_slice(&axes, &(0..count).map(make).collect::<Vec<f64>>()).unwrap())
}

/// A number that looks random and is the same everywhere.
fn noise(i: usize) -> f64 {
    let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f64 / (1u64 << 24) as f64
}

fn examples() -> Vec<(&'static str, Vec<(&'static str, Value)>)> {
    let kernels = tensor(&[("shown", 3), ("tau", 24)], |i| {
        let (row, column) = (i / 24, i % 24);
        (-(column as f64) / (3.0 + 4.0 * row as f64)).exp() * if row == 2 { -0.4 } else { 1.0 }
    });
    let bars = tensor(&[("layer", 5)], |i| [0.91, 0.44, -0.12, 0.3, 0.08][i]);
    let names = ["embed", "attn 0", "mlp 0", "attn 1", "mlp <1>"];
    let labels = Value::List(Items::new(names.into_iter().map(text).collect()));
    let cloud = tensor(&[("code", 60)], |i| 0.8 * noise(i) + 0.2 * noise(i + 500));
    let across = tensor(&[("code", 60)], noise);
    let scores = tensor(&[("qpos", 12), ("kpos", 16)], |i| ((i / 16) as f64 - (i % 16) as f64) / 8.0 + 0.2 * noise(i));
    let densities = tensor(&[("feature", 400)], |i| (noise(i) + noise(i + 41) + noise(i + 977)) / 3.0);
    vec![
        (
            "lines",
            vec![
                ("y", kernels),
                ("x", text("tau")),
                ("by", text("shown")),
                ("title", text("The three sharpest relative kernels")),
                ("ylabel", text("weight")),
            ],
        ),
        ("bars", vec![("y", bars), ("title", text("Variance explained by position")), ("labels", labels)]),
        (
            "scatter",
            vec![
                ("y", cloud),
                ("x", across),
                ("title", text("Position left in each latent")),
                ("xlabel", text("variance")),
                ("ylabel", text("effect of position")),
            ],
        ),
        ("heatmap", vec![("y", scores), ("x", text("kpos")), ("title", text("Scores of one head"))]),
        (
            "histogram",
            vec![
                ("y", densities),
                ("title", text("Feature densities")),
                ("xlabel", text("density")),
                ("bins", Value::Int(24)),
            ],
        ),
    ]
}

#[test]
fn one_figure_of_each_kind() {
    for (kind, mut given) in examples() {
        given.push(("file", text("figure.svg")));
        let (view, file) = draw(kind, &given).unwrap();
        assert_eq!(draw(kind, &given).unwrap(), (view.clone(), file.clone()), "the same data, another file");
        assert!(view.ends_with("\nwrote out/figure.svg"), "{view}");
        assert!(view.lines().all(|line| line.chars().count() <= 76), "{view}");
        assert!(view.lines().count() <= 13, "{view}");
        insta::assert_snapshot!(format!("{kind}.txt"), view);
        insta::assert_snapshot!(format!("{kind}.svg"), file);
    }
}

#[test]
fn numbers_that_are_none_are_errors() {
    for (bad, shown) in [(f64::NAN, "NaN"), (f64::INFINITY, "infinity")] {
        let y = tensor(&[("pos", 4), ("head", 2)], |i| if i == 5 { bad } else { 0.0 });
        let error = draw("scatter", &[("y", y)]).unwrap_err();
        assert_eq!(error.code, "R006");
        assert_eq!(error.message, format!("a plot of `y` that is {shown} at [pos: 2, head: 1]"));
    }
}

#[test]
fn axes_that_say_nothing_are_errors() {
    let y = || tensor(&[("pos", 4), ("head", 2), ("layer", 2)], |i| i as f64);
    let told = |kind: &str, given: &[(&str, Value)]| {
        let error = draw(kind, given).unwrap_err();
        assert_eq!(error.code, "R007");
        error.message
    };
    assert!(told("lines", &[("y", y()), ("x", text("pos"))]).contains("[head, layer]"));
    assert!(told("lines", &[("y", y()), ("x", text("nope"))]).contains("`nope`"));
    assert!(told("heatmap", &[("y", y()), ("x", text("pos"))]).contains("[head, layer]"));
    assert!(told("heatmap", &[("y", y())]).contains("columns"));
    assert!(told("pie", &[("y", y())]).contains("`pie`"));
    assert!(told("lines", &[("x", text("pos"))]).contains("needs a field `y`"));
    assert!(told("lines", &[("y", y()), ("colour", text("red"))]).contains("no field `colour`"));
    assert!(told("lines", &[("y", y()), ("file", text("a.png"))]).contains("SVG"));
    assert!(told("histogram", &[("y", y()), ("bins", Value::Int(0))]).contains("0 bins"));
    assert!(told("lines", &[("y", tensor(&[("pos", 0)], |_| 0.0))]).contains("nothing"));
    assert!(
        told("lines", &[("y", tensor(&[("pos", 3)], |i| i as f64)), ("log", Value::Bool(true))]).contains("show 0")
    );
    assert!(told("bars", &[("y", tensor(&[("pos", 5000)], |i| i as f64))]).contains("5000 bars"));
    let many = tensor(&[("head", 200), ("pos", 3)], |i| i as f64);
    assert!(told("lines", &[("y", many), ("x", text("pos"))]).contains("200 series"));
}

#[test]
fn odd_data_is_drawn() {
    let one = tensor(&[("pos", 1)], |_| 3.0);
    let flat = tensor(&[("pos", 50)], |_| -2.0);
    let long = tensor(&[("pos", 9000)], |i| if i == 4321 { 9.0 } else { noise(i) });
    let wide = tensor(&[("pos", 300), ("head", 700)], |i| i as f64);
    let huge = tensor(&[("pos", 3)], |i| [f64::MAX, f64::MIN, 0.0][i]);
    let file = || ("file", text("a.svg"));
    for kind in ["lines", "bars", "scatter", "histogram"] {
        for y in [&one, &flat, &huge] {
            let (_, svg) = draw(kind, &[("y", y.clone()), file()]).unwrap();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{kind}: {svg}");
        }
    }
    let (_, svg) = draw("lines", &[("y", long), file()]).unwrap();
    let (_, same) = draw("lines", &[("y", tensor(&[("pos", 9000)], noise)), file()]).unwrap();
    assert!(svg.len() < 60_000 && svg != same, "a spike is kept");
    let (_, svg) = draw("heatmap", &[("y", wide), ("x", text("head")), file()]).unwrap();
    assert!(svg.len() < 200_000, "{}", svg.len());
    let list = Value::List(Items::new(vec![Value::F64(0.5), Value::Int(2)]));
    assert!(draw("bars", &[("y", list)]).is_ok());
    let decades = tensor(&[("feature", 300)], |i| 10f64.powf(-6.0 * noise(i)));
    for kind in ["lines", "histogram", "bars", "scatter"] {
        let (_, svg) = draw(kind, &[("y", decades.clone()), ("log", Value::Bool(true)), file()]).unwrap();
        assert!(!svg.contains("NaN"), "{kind}");
    }
}
