//! Tensors by formula: a scalar of the binders for each place, with branches and blocks of its own.

use super::types::{Elem, Set, Type};
use super::{Binder, Generator, Made};

impl Generator {
    /// `[i in a, j in b => ..]`
    pub(super) fn formula(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let all_sized = ty.axes.iter().all(|&axis| self.axes.0[axis].sized);
        // A formula in a formula is work for each place of both.
        if ty.axes.is_empty() || !all_sized || !self.binders.is_empty() || matches!(ty.elem, Elem::Index(_)) {
            return None;
        }
        self.mark("comprehension");
        let binders: Vec<Binder> = ty.axes.iter().map(|&axis| Binder { name: self.fresh("i"), axis }).collect();
        let heads: Vec<String> = binders.iter().map(|b| format!("{} in {}", b.name, self.axes.name(b.axis))).collect();
        self.binders = binders;
        let body = self.frozen(|g| g.cell(ty.elem, depth.min(2) + 1));
        self.binders.clear();
        Some(Made::new(format!("[{} => {}]", heads.join(", "), body.text), body.bound))
    }

    /// A scalar of a formula.
    fn cell(&mut self, elem: Elem, depth: usize) -> Made {
        match elem {
            Elem::Int => self.int_cell(depth),
            Elem::Bool => Made::new(self.truth_cell(depth), 1.0),
            _ => self.float_cell(elem, depth),
        }
    }

    /// `x[a: i, b: j]`, for a tensor that is known.
    fn read(&mut self, elem: Elem) -> Option<Made> {
        let fitting: Vec<_> =
            self.variables.iter().filter(|v| v.ty.elem == elem && !v.ty.axes.is_empty()).cloned().collect();
        let found = (!fitting.is_empty()).then(|| self.dice.pick(&fitting))?;
        self.mark("index in a formula");
        let axes: Set = found.ty.axes.clone();
        let places: Vec<String> = axes.iter().map(|&axis| self.place(axis)).collect();
        Some(Made::new(format!("{}[{}]", found.name, places.join(", ")), found.bound))
    }

    fn float_cell(&mut self, elem: Elem, depth: usize) -> Made {
        let number =
            |made: Made| if elem == Elem::F32 { Made::new(format!("f32({})", made.text), made.bound) } else { made };
        if depth == 0 {
            if self.dice.chance(50)
                && let Some(read) = self.read(elem)
            {
                return read;
            }
            if self.dice.chance(50) {
                let int = self.int_cell(0);
                return number(Made::new(format!("float({})", int.text), int.bound));
            }
            return self.variable(&Type::scalar(elem)).unwrap_or_else(|| self.literal(elem));
        }
        match self.dice.below(12) {
            0..5 => {
                let (x, y) = (self.float_cell(elem, depth - 1), self.float_cell(elem, depth - 1));
                let (p, q) = (x.bound, y.bound);
                let (sign, bound) = self.dice.pick(&[("+", p + q), ("-", p + q), ("*", p * q)]);
                Made::new(format!("({} {sign} {})", x.text, y.text), bound)
            }
            5 => {
                let (x, y) = (self.float_cell(elem, depth - 1), self.float_cell(elem, depth - 1));
                // A scalar divided by zero is an error.
                let safe = !self.wild || self.dice.chance(80);
                let divisor = if safe { format!("(abs({}) + 0.5)", y.text) } else { y.text };
                Made::new(format!("({} / {divisor})", x.text), if safe { 2.0 * x.bound } else { f64::INFINITY })
            }
            6..8 => {
                let x = self.float_cell(elem, depth - 1);
                let (name, bound) = self.dice.pick(&[
                    ("tanh", 1.0),
                    ("sin", 1.0),
                    ("cos", 1.0),
                    ("erf", 1.0),
                    ("abs", x.bound),
                    ("floor", x.bound + 1.0),
                    ("sign", 1.0),
                    ("relu", x.bound),
                    ("sigmoid", 1.0),
                ]);
                Made::new(format!("{name}({})", x.text), bound)
            }
            8 | 9 => {
                self.mark("branch in a formula");
                let c = self.truth_cell(depth - 1);
                let (x, y) = (self.float_cell(elem, depth - 1), self.float_cell(elem, depth - 1));
                Made::new(format!("(if {c} {{ {} }} else {{ {} }})", x.text, y.text), x.bound.max(y.bound))
            }
            10 => {
                let name = self.fresh("s");
                let x = self.float_cell(elem, depth - 1);
                let y = self.scoped(|g| {
                    g.bind(&name, &Type::scalar(elem), x.bound);
                    g.float_cell(elem, depth - 1)
                });
                let text = format!("({{ let {name} = {}; {name} * 0.5 + {} }})", x.text, y.text);
                Made::new(text, x.bound * 0.5 + y.bound)
            }
            _ => {
                let x = self.int_cell(depth - 1);
                number(Made::new(format!("float({})", x.text), x.bound))
            }
        }
    }

    fn int_cell(&mut self, depth: usize) -> Made {
        if depth == 0 {
            if self.dice.chance(20)
                && let Some(read) = self.read(Elem::Int)
            {
                return read;
            }
            if self.dice.chance(75) {
                let binder = self.dice.pick(&self.binders.clone());
                return Made::new(format!("int({})", binder.name), self.axes.size(binder.axis) as f64);
            }
            let value = self.dice.pick(&[0usize, 1, 2, 3, 5, 11]);
            return Made::new(value.to_string(), value as f64);
        }
        let (x, y) = (self.int_cell(depth - 1), self.int_cell(depth - 1));
        let (p, q) = (x.bound, y.bound);
        match self.dice.below(6) {
            0 => Made::new(format!("({} + {})", x.text, y.text), p + q),
            1 => Made::new(format!("({} - {})", x.text, y.text), p + q),
            2 if p * q < 1e6 || self.wild => Made::new(format!("({} * {})", x.text, y.text), p * q),
            3 => Made::new(format!("({} % {})", x.text, self.dice.pick(&["2", "3", "7", "(-3)"])), 7.0),
            4 => Made::new(format!("div({}, {})", x.text, self.dice.pick(&["2", "3", "(-2)"])), p),
            _ => {
                let c = self.truth_cell(0);
                Made::new(format!("(if {c} {{ {} }} else {{ {} }})", x.text, y.text), p.max(q))
            }
        }
    }

    fn truth_cell(&mut self, depth: usize) -> String {
        match self.dice.below(6) {
            0 if depth > 0 => format!("({} and {})", self.truth_cell(depth - 1), self.truth_cell(depth - 1)),
            1 if depth > 0 => format!("({} or {})", self.truth_cell(depth - 1), self.truth_cell(depth - 1)),
            2 if depth > 0 => format!("(not {})", self.truth_cell(depth - 1)),
            3 => {
                let (x, y) = (self.float_cell(Elem::F64, depth.min(1)), self.float_cell(Elem::F64, 0));
                format!("({} {} {})", x.text, self.dice.pick(&["<", ">", "<=", ">="]), y.text)
            }
            4 => self.read(Elem::Bool).map_or("true".to_string(), |made| made.text),
            _ => {
                let (x, y) = (self.int_cell(depth.min(1)), self.int_cell(0));
                format!("({} {} {})", x.text, self.dice.pick(&["<", ">", "<=", ">=", "==", "!="]), y.text)
            }
        }
    }
}
