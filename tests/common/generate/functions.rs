//! Functions that a program declares, and calls of them: with axis parameters and rows, untyped, recursive, with loops that
//! are left early.

use super::types::{Elem, Set, Type};
use super::{Generator, Made, Statement};

#[derive(Clone, Debug)]
pub struct Function {
    name: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// `<x, r, e: float>(t: e[x, ..r], by: float = ..) -> e[x, ..r]`
    Along,
    /// The same without `x` in the result.
    Reducing,
    /// `(x, y)` without types: elementwise.
    Untyped,
    /// `fn(t) => ..`
    Lambda,
    /// `(n: int, x: float) -> float`, calls itself.
    Recursive,
    /// `(n: int, t: f64[axis]) -> f64[axis]`, calls itself.
    RecursiveTensor(usize),
    /// `(x: float) -> int`: a loop that is left by a return.
    Early,
    /// `(p: { w: e[x], b: e }, t: e[x, ..r]) -> e[..r]`
    OfRecord,
}

impl Generator {
    pub(super) fn function(&mut self) -> Statement {
        let name = self.fresh("call");
        let sized = self.sized_axis(&Set::new()).unwrap_or(0);
        let kind = self.dice.pick(&[
            Kind::Along,
            Kind::Along,
            Kind::Reducing,
            Kind::Untyped,
            Kind::Lambda,
            Kind::Recursive,
            Kind::RecursiveTensor(sized),
            Kind::Early,
            Kind::OfRecord,
        ]);
        let text = self.declaration(&name, kind);
        self.mark(match kind {
            Kind::Along | Kind::Reducing => "function with axis parameters",
            Kind::Untyped => "function without types",
            Kind::Lambda => "lambda",
            Kind::Recursive | Kind::RecursiveTensor(_) => "recursion",
            Kind::Early => "early return",
            Kind::OfRecord => "function of a record",
        });
        self.functions.push(Function { name, kind });
        Statement { text, plain: None, marks: std::mem::take(&mut self.marks) }
    }

    fn declaration(&mut self, name: &str, kind: Kind) -> String {
        match kind {
            Kind::Along => {
                let body = self.body("t", 3);
                format!(
                    "fn {name}<x, r, e: float>(t: e[x, ..r], by: float = 2.0) -> e[x, ..r] {{\n  let m = mean[x](t)\n  tanh({body} - m * by)\n}}"
                )
            }
            Kind::Reducing => {
                let body = self.body("t", 3);
                format!("fn {name}<x, r, e: float>(t: e[x, ..r]) -> e[..r] {{ tanh(sum[x]({body})) }}")
            }
            Kind::Untyped => {
                let sign = self.dice.pick(&["+", "-", "*"]);
                format!("fn {name}(x, y) {{ tanh(x * 0.5 {sign} y) - y }}")
            }
            Kind::Lambda => {
                let scale = self.dice.pick(&["0.5", "2.0", "-1.0"]);
                format!("let {name} = fn(t) => tanh(t) * {scale} + t")
            }
            Kind::Recursive => format!(
                "fn {name}(n: int, x: float) -> float {{\n  if n <= 0 {{ return x }}\n  {name}(n - {}, tanh(x * 0.5 + float(n)))\n}}",
                self.dice.pick(&["1", "2"])
            ),
            Kind::RecursiveTensor(axis) => {
                let axis = self.axes.name(axis).to_string();
                format!(
                    "fn {name}(n: int, t: f64[{axis}]) -> f64[{axis}] {{\n  if n == 0 {{ return t }}\n  let rest = {name}(n - 1, t * 0.5)\n  tanh(rest + cumsum[{axis}](t))\n}}"
                )
            }
            Kind::Early => {
                let step = self.dice.pick(&["0.3", "0.07", "-0.2"]);
                format!(
                    "fn {name}(x: float) -> int {{\n  for i in 0..9 {{\n    if float(i) * {step} > x {{ return i }}\n  }}\n  0 - 1\n}}"
                )
            }
            Kind::OfRecord => format!(
                "fn {name}<x, r, e: float>(p: {{ w: e[x], b: e }}, t: e[x, ..r]) -> e[..r] {{ tanh(t @[x] p.w + p.b) }}"
            ),
        }
    }

    /// An expression over all axes of `t`, in a function that knows only `x` of them.
    fn body(&mut self, t: &str, depth: usize) -> String {
        if depth == 0 {
            return t.to_string();
        }
        let x = self.body(t, depth - 1);
        match self.dice.below(9) {
            0 => format!("({x} + {})", self.body(t, depth - 1)),
            1 => format!("({x} * {})", self.body(t, depth - 1)),
            2 => format!("({x} - {}[x]({}))", self.dice.pick(&["mean", "max", "sum", "min"]), self.body(t, depth - 1)),
            3 => format!("{}({x})", self.dice.pick(&["tanh", "sin", "relu", "abs", "sigmoid"])),
            4 => format!("softmax[x]({x})"),
            5 => format!("where({x} > 0.25, {x}, {})", self.body(t, depth - 1)),
            6 => format!("cumsum[x]({x})"),
            7 => format!("({x} / float(extent[x]()))"),
            _ => format!("({x} * {})", self.dice.pick(&["0.5", "2.0", "(-1.5)"])),
        }
    }

    pub(super) fn called(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let fitting: Vec<Function> = self.functions.iter().filter(|f| self.serves(f.kind, ty)).cloned().collect();
        let Function { name, kind } = (!fitting.is_empty()).then(|| self.dice.pick(&fitting))?;
        match kind {
            Kind::Along => {
                let axes: Vec<usize> = ty.axes.iter().copied().collect();
                let axis = self.dice.pick(&axes);
                let x = self.float(ty, depth - 1).text;
                let by = self.dice.pick(&["", ", 0.5", ", by: 3.0"]);
                self.mark("call");
                Some(Made::new(format!("{name}[{}]({x}{by})", self.axes.name(axis)), 1.0))
            }
            Kind::Reducing => {
                let axis = self.another_axis(&ty.axes)?;
                let x = self.float(&ty.with(axis), depth - 1).text;
                self.mark("call");
                Some(Made::new(format!("{name}[{}]({x})", self.axes.name(axis)), 1.0))
            }
            Kind::Untyped => {
                let (x, y) = self.pair(ty, depth);
                self.mark("call");
                Some(Made::new(format!("{name}({}, {})", x.text, y.text), 1.0 + y.bound))
            }
            Kind::Lambda => {
                let x = self.float(ty, depth - 1);
                self.mark("call");
                Some(Made::new(format!("{name}({})", x.text), x.bound + 2.0))
            }
            Kind::Recursive | Kind::RecursiveTensor(_) => {
                let x = self.float(ty, depth - 1).text;
                let rounds = if self.dice.chance(50) {
                    self.dice.below(6).to_string()
                } else {
                    format!("{} % 5", self.int(&Type::scalar(Elem::Int), 1).text)
                };
                self.mark("call");
                Some(Made::new(format!("{name}({rounds}, {x})"), 40.0))
            }
            Kind::Early => {
                let x = self.float(&Type::scalar(Elem::F64), depth - 1).text;
                self.mark("call");
                Some(Made::new(format!("float({name}({x}))"), 9.0))
            }
            Kind::OfRecord => {
                let axis = self.sized_axis(&ty.axes)?;
                let one = Type::scalar(ty.elem).with(axis);
                let x = self.float(&ty.with(axis), depth - 1).text;
                let (w, b) = (self.float(&one, 0).text, self.float(&Type::scalar(ty.elem), 0).text);
                self.mark("call");
                Some(Made::new(format!("{name}[{}]({{ w: {w}, b: {b} }}, {x})", self.axes.name(axis)), 1.0))
            }
        }
    }

    fn serves(&self, kind: Kind, ty: &Type) -> bool {
        let scalar = *ty == Type::scalar(Elem::F64);
        match kind {
            Kind::Along => !ty.axes.is_empty(),
            Kind::Reducing | Kind::Untyped | Kind::Lambda | Kind::OfRecord => true,
            Kind::Recursive | Kind::Early => scalar && !self.smooth,
            Kind::RecursiveTensor(axis) => {
                ty.elem == Elem::F64 && ty.axes.len() == 1 && ty.axes.contains(&axis) && !self.smooth
            }
        }
    }
}
