//! Functions of scalars with everything that control flow has: nested loops and branches, early returns, variables that are
//! assigned, places of a tensor that are written. This is where machine code differs most from interpretation.

use super::types::{Elem, Set, Type, with};
use super::{Generator, Statement};

/// Blocks nest at most this deep.
const NESTING: usize = 3;

impl Generator {
    /// A function and a call of it, whose result is bound.
    pub(super) fn procedure(&mut self) -> Statement {
        self.mark("procedure");
        let (name, result) = (self.fresh("proc"), self.fresh("x"));
        let axis = self.sized_axis(&Set::new()).unwrap_or(0);
        let tensor = Type::new(Elem::F64, &with(&Set::new(), axis));
        let gives = self.dice.pick(&[Type::scalar(Elem::Int), Type::scalar(Elem::F64), tensor.clone()]);
        let known = std::mem::take(&mut self.variables);
        self.bind("n", &Type::scalar(Elem::Int), 10.0);
        self.bind("x", &Type::scalar(Elem::F64), 1.0);
        self.bind("t", &tensor, 1.0);
        let mut lines = vec![
            format!("fn {name}(n: int, x: float, t: {}) -> {} {{", self.axes.shown(&tensor), self.axes.shown(&gives)),
            "  let mut m = n".to_string(),
            "  let mut y = x".to_string(),
            "  let mut s = t".to_string(),
        ];
        for (name, ty) in [("m", Type::scalar(Elem::Int)), ("y", Type::scalar(Elem::F64)), ("s", tensor.clone())] {
            self.bind(name, &ty, 10.0);
            self.variables.last_mut().expect("a variable").mutable = true;
        }
        let mut left = 4 + self.dice.below(8);
        while left > 0 {
            self.step(&mut lines, 1, &gives, axis, &mut left);
        }
        lines.push(format!("  {}", self.answer(&gives)));
        lines.push("}".to_string());
        self.variables = known;
        let (n, x) = (self.int(&Type::scalar(Elem::Int), 1).text, self.float(&Type::scalar(Elem::F64), 1).text);
        let t = self.float(&tensor, 1).text;
        lines.push(format!("let {result} = {name}({n}, {x}, {t})"));
        let bound = if self.wild { f64::INFINITY } else { 1e6 };
        self.bind(&result, &gives, bound);
        Statement { text: lines.join("\n"), plain: None, marks: std::mem::take(&mut self.marks) }
    }

    /// What the function gives, made of what it carries.
    fn answer(&mut self, gives: &Type) -> String {
        match (gives.elem, gives.axes.is_empty()) {
            (Elem::Int, _) => "m".to_string(),
            (_, true) => self.dice.pick(&["y", "y + float(m)"]).to_string(),
            _ => self.dice.pick(&["s", "s * y"]).to_string(),
        }
    }

    /// One statement of a body, indented by `level`.
    fn step(&mut self, lines: &mut Vec<String>, level: usize, gives: &Type, axis: usize, left: &mut usize) {
        *left = left.saturating_sub(1);
        let pad = "  ".repeat(level);
        match self.dice.below(if level > NESTING { 5 } else { 9 }) {
            0 => {
                let value = self.small_int(2);
                lines.push(format!("{pad}m {} {value}", self.dice.pick(&["=", "+=", "-=", "="])));
            }
            1 => {
                let value = self.small_float(2);
                lines.push(format!("{pad}y = {value}"));
            }
            2 => {
                let (at, value) = (self.small_int(1), self.small_float(2));
                let size = self.axes.size(axis);
                let beyond = if self.wild && self.dice.chance(10) { size + 1 } else { size };
                let sign = self.dice.pick(&["=", "+="]);
                lines.push(format!("{pad}s[{}: {at} % {beyond}] {sign} {value}", self.axes.name(axis)));
            }
            3 => {
                let value = self.dice.pick(&["tanh(s * y)", "s * 0.5 + t", "where(s > y, t, s)", "s - max"]);
                let value = value.replace("max", &format!("max[{}](t)", self.axes.name(axis)));
                lines.push(format!("{pad}s = {value}"));
            }
            4 => {
                let c = self.small_truth(1);
                let answer = self.answer(gives);
                lines.push(format!("{pad}if {c} {{ return {answer} }}"));
            }
            5 | 6 => {
                let c = self.small_truth(2);
                lines.push(format!("{pad}if {c} {{"));
                self.body_of(lines, level, gives, axis, left);
                if self.dice.chance(30) {
                    let c = self.small_truth(1);
                    lines.push(format!("{pad}}} else if {c} {{"));
                    self.body_of(lines, level, gives, axis, left);
                }
                if self.dice.chance(60) {
                    lines.push(format!("{pad}}} else {{"));
                    self.body_of(lines, level, gives, axis, left);
                }
                lines.push(format!("{pad}}}"));
            }
            7 => {
                let i = self.fresh("i");
                let (over, elem) = match self.dice.below(4) {
                    0 => (format!("0..{}", self.dice.below(5)), Elem::Int),
                    1 => (format!("0..({} % 4)", self.small_int(1)), Elem::Int),
                    2 => (format!("{}..={}", self.small_int(0), self.dice.below(3)), Elem::Int),
                    _ => (self.axes.name(axis).to_string(), Elem::Index(axis)),
                };
                // The lower end may lie far below: as many rounds as that would be too long.
                let over = if over.contains("..=") { format!("-2..={}", self.dice.below(3)) } else { over };
                lines.push(format!("{pad}for {i} in {over} {{"));
                self.scoped(|g| {
                    if elem == Elem::Int {
                        g.bind(&i, &Type::scalar(Elem::Int), 5.0);
                    }
                    g.body_of(lines, level, gives, axis, left);
                });
                lines.push(format!("{pad}}}"));
            }
            _ => {
                let (k, c) = (self.fresh("k"), self.small_truth(1));
                lines.push(format!("{pad}let mut {k} = 0"));
                lines.push(format!("{pad}while {k} < {} and {c} {{", 1 + self.dice.below(4)));
                lines.push(format!("{pad}  {k} += 1"));
                self.body_of(lines, level, gives, axis, left);
                lines.push(format!("{pad}}}"));
            }
        }
    }

    fn body_of(&mut self, lines: &mut Vec<String>, level: usize, gives: &Type, axis: usize, left: &mut usize) {
        self.scoped(|g| {
            if g.dice.chance(30) {
                let name = g.fresh("v");
                let value = g.small_float(2);
                lines.push(format!("{}let {name} = {value}", "  ".repeat(level + 1)));
                g.bind(&name, &Type::scalar(Elem::F64), 10.0);
            }
            for _ in 0..1 + g.dice.below(2) {
                g.step(lines, level + 1, gives, axis, left);
            }
        });
    }

    /// A variable of a scalar type, by name.
    fn scalar_name(&mut self, elem: Elem) -> String {
        let all: Vec<String> =
            self.variables.iter().filter(|v| v.ty == Type::scalar(elem)).map(|v| v.name.clone()).collect();
        self.dice.pick(&all)
    }

    fn small_int(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.dice.below(3) {
                0 => self.dice.pick(&["0", "1", "2", "3", "7", "(-1)", "(-5)"]).to_string(),
                1 if self.wild && self.dice.chance(10) => "9223372036854775807".to_string(),
                _ => self.scalar_name(Elem::Int),
            };
        }
        let (a, b) = (self.small_int(depth - 1), self.small_int(depth - 1));
        let bounded = !self.wild || self.dice.chance(70);
        match self.dice.below(9) {
            0 | 1 if bounded => format!("(({a} + {b}) % 1009)"),
            0 | 1 => format!("({a} + {b})"),
            2 if bounded => format!("(({a} - {b}) % 1009)"),
            2 => format!("({a} - {b})"),
            3 if bounded => format!("(({a} % 97) * ({b} % 97))"),
            3 => format!("({a} * {b})"),
            4 if bounded => format!("div({a}, {})", self.dice.pick(&["2", "3", "(-4)"])),
            4 => format!("div({a}, {b})"),
            5 if bounded => format!("({a} % {})", self.dice.pick(&["2", "5", "(-3)"])),
            5 => format!("({a} % {b})"),
            6 => format!("{}({a}, {b})", self.dice.pick(&["minimum", "maximum"])),
            7 => format!("(if {} {{ {a} }} else {{ {b} }})", self.small_truth(depth - 1)),
            _ => {
                let x = self.small_float(depth - 1);
                if bounded { format!("int(tanh({x}) * 9.0)") } else { format!("int({x})") }
            }
        }
    }

    fn small_float(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.dice.below(4) {
                0 => self.literal(Elem::F64).text,
                1 => format!("float({})", self.scalar_name(Elem::Int)),
                _ => self.scalar_name(Elem::F64),
            };
        }
        let (a, b) = (self.small_float(depth - 1), self.small_float(depth - 1));
        let bounded = !self.wild || self.dice.chance(70);
        match self.dice.below(11) {
            0 => format!("({a} + {b})"),
            1 => format!("({a} - {b})"),
            2 if bounded => format!("tanh({a} * {b})"),
            2 => format!("({a} * {b})"),
            3 if bounded => format!("({a} / (abs({b}) + 0.5))"),
            3 => format!("({a} / {b})"),
            4 => format!("{}({a}, {b})", self.dice.pick(&["minimum", "maximum"])),
            5 => format!("{}({a})", self.dice.pick(&["sin", "cos", "tanh", "erf", "abs", "floor", "sign", "relu"])),
            6 if bounded => format!("({a} % (abs({b}) + 0.75))"),
            6 => format!("({a} % {b})"),
            7 if bounded => format!("((abs({a}) + 0.5) ^ tanh({b}))"),
            7 => format!("({a} ^ {b})"),
            8 => format!("(if {} {{ {a} }} else {{ {b} }})", self.small_truth(depth - 1)),
            9 => format!("total({})", self.dice.pick(&["t", "tanh(s)", "t * y"])),
            _ if bounded => format!("sqrt(abs({a}))"),
            _ => format!("{}({a})", self.dice.pick(&["sqrt", "log", "exp"])),
        }
    }

    fn small_truth(&mut self, depth: usize) -> String {
        if depth > 0 && self.dice.chance(35) {
            let (a, b) = (self.small_truth(depth - 1), self.small_truth(depth - 1));
            return match self.dice.below(4) {
                0 => format!("({a} and {b})"),
                1 => format!("({a} or {b})"),
                2 => format!("(not {a})"),
                _ => format!("({a} == {b})"),
            };
        }
        if self.dice.chance(50) {
            let (a, b) = (self.small_int(depth.min(1)), self.small_int(0));
            format!("({a} {} {b})", self.dice.pick(&["<", ">", "<=", ">=", "==", "!="]))
        } else {
            let (a, b) = (self.small_float(depth.min(1)), self.small_float(0));
            format!("({a} {} {b})", self.dice.pick(&["<", ">", "<=", ">="]))
        }
    }
}
