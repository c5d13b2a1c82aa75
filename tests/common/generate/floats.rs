//! Floats: arithmetic, functions, reductions, products, what works along one axis. Every text can stand as an operand.

use super::types::{Elem, Set, Type, with};
use super::{Generator, LARGEST, Made};

impl Generator {
    pub(super) fn float(&mut self, ty: &Type, depth: usize) -> Made {
        if depth == 0 {
            return self.float_leaf(ty);
        }
        for _ in 0..4 {
            let made = match self.dice.below(70) {
                0..12 => Some(self.binary(ty, depth)),
                12..21 => Some(self.unary(ty, depth)),
                21..27 => self.reduction(ty, depth),
                27..33 => self.contraction(ty, depth),
                33..39 => self.along(ty, depth),
                39..43 => self.moved(ty, depth),
                43..46 => self.gathered(ty, depth),
                46..48 => self.selected(ty, depth),
                48..51 => self.formula(ty, depth),
                51..54 => Some(self.where_of(ty, depth)),
                54 => Some(self.branched(ty, depth)),
                55 => Some(self.block(ty, depth)),
                56..59 => self.called(ty, depth),
                59 => Some(self.converted(ty, depth)),
                60 => self.folded(ty, depth),
                61 => self.stacked(ty, depth),
                62 => self.put(ty, depth),
                63 => self.attended(ty, depth),
                64 => self.gradient(ty, depth),
                65 => self.coded(ty, depth),
                66 => self.encoded(ty, depth),
                67 => self.expanded(ty, depth),
                68 => self.outer(ty, depth),
                _ => self.grouped(ty, depth),
            };
            if let Some(made) = made {
                return self.tamed(made);
            }
        }
        self.float_leaf(ty)
    }

    /// Numbers that grew too large are brought back, so that sums of them stay finite.
    fn tamed(&mut self, made: Made) -> Made {
        if made.bound <= 1e3 || self.wild && self.dice.chance(50) {
            return made;
        }
        if self.dice.chance(50) {
            return Made::new(format!("tanh({})", made.text), 1.0);
        }
        let scale = if made.bound.is_finite() { 10f64.powi(-(made.bound.log10().ceil() as i32)) } else { 1e-3 };
        Made::new(format!("({scale:e} * {})", made.text), made.bound * scale)
    }

    /// A number written out.
    pub(super) fn literal(&mut self, elem: Elem) -> Made {
        const PLAIN: [f64; 14] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, -1.0, -0.5, -2.25, 0.1, -0.3, 1e-3, 7.0, 0.75];
        const WILD: [f64; 10] = [-0.0, 1e38, -3.4e38, 1e-45, 1e-40, 1e300, -1e-308, 16777217.0, 1e16, 0.0];
        if self.wild && self.dice.chance(8) {
            self.mark("not a number, infinity");
            let text = self.dice.pick(&["log(-1.0)", "exp(800.0)", "(-exp(800.0))", "(exp(800.0) * 0.0)"]);
            let text = if elem == Elem::F32 { format!("f32({text})") } else { text.to_string() };
            return Made::new(text, f64::INFINITY);
        }
        let value = if self.wild && self.dice.chance(15) {
            self.mark("extreme literal");
            self.dice.pick(&WILD)
        } else {
            self.dice.pick(&PLAIN)
        };
        let text = if value == 0.0 || (1e-4..1e7).contains(&value.abs()) {
            format!("{:?}", value.abs())
        } else {
            format!("{:e}", value.abs())
        };
        let text = if value.is_sign_negative() { format!("(-{text})") } else { text };
        let text = if elem == Elem::F32 { format!("f32({text})") } else { text };
        Made::new(text, if value.abs() > 1e6 { f64::INFINITY } else { value.abs() })
    }

    pub(super) fn float_leaf(&mut self, ty: &Type) -> Made {
        if self.dice.chance(80)
            && let Some(made) = self.variable(ty)
        {
            return made;
        }
        if ty.axes.is_empty() {
            return self.literal(ty.elem);
        }
        if ty.axes.iter().any(|&axis| !self.axes.0[axis].sized) {
            return self.derived(ty);
        }
        if self.dice.chance(35) && ty.elem == Elem::F32 {
            self.mark("random numbers");
            let (label, list) = (self.label(), self.axes.list(&ty.axes));
            return if self.dice.chance(60) {
                Made::new(format!("normal[{list}]({label})"), 6.0)
            } else {
                Made::new(format!("uniform[{list}]({label})"), 1.0)
            };
        }
        if self.dice.chance(20) {
            let value = self.literal(ty.elem);
            return Made::new(format!("full[{}]({})", self.axes.list(&ty.axes), value.text), value.bound);
        }
        let (text, bound) = self.ramp(&ty.axes);
        Made::new(if ty.elem == Elem::F32 { format!("f32({text})") } else { text }, bound)
    }

    /// Numbers that differ from place to place, some of them equal.
    fn ramp(&mut self, axes: &Set) -> (String, f64) {
        let binders: Vec<String> = axes.iter().map(|_| self.fresh("i")).collect();
        let heads: Vec<String> =
            binders.iter().zip(axes).map(|(binder, &axis)| format!("{binder} in {}", self.axes.name(axis))).collect();
        let steps: Vec<String> = binders.iter().map(|b| format!("{} * int({b})", 1 + self.dice.below(7))).collect();
        let modulus = 2 + self.dice.below(19);
        let scale = self.dice.pick(&[0.25, 0.1, 0.5, 1.0]);
        let text = format!(
            "[{} => float(({}) % {modulus}) * {scale:?} - {:?}]",
            heads.join(", "),
            steps.join(" + "),
            self.dice.pick(&[0.0, 0.5, 1.25])
        );
        (text, modulus as f64 * scale + 1.25)
    }

    /// A scalar that may meet a tensor of the element type: it becomes one of its numbers.
    pub(super) fn scalar_beside(&mut self, elem: Elem, depth: usize) -> Made {
        match self.dice.below(4) {
            0 => self.literal(Elem::F64),
            1 => self.float(&Type::scalar(Elem::F64), depth),
            2 if elem == Elem::F64 => self.frozen(|g| g.int(&Type::scalar(Elem::Int), depth.min(1))),
            _ => self.float(&Type::scalar(elem), depth),
        }
    }

    /// Two operands over the axes together.
    pub(super) fn pair(&mut self, ty: &Type, depth: usize) -> (Made, Made) {
        let (left, right) = self.operands(&ty.axes);
        if left != right {
            self.mark("broadcast");
        }
        let mut side = |axes: &Set| {
            if axes.is_empty() && !ty.axes.is_empty() {
                self.scalar_beside(ty.elem, depth - 1)
            } else {
                self.float(&Type::new(ty.elem, axes), depth - 1)
            }
        };
        (side(&left), side(&right))
    }

    fn binary(&mut self, ty: &Type, depth: usize) -> Made {
        let (x, y) = self.pair(ty, depth);
        let (p, q) = (x.bound, y.bound);
        match self.dice.below(16) {
            0..4 => Made::new(format!("({} + {})", x.text, y.text), p + q),
            4..7 => Made::new(format!("({} - {})", x.text, y.text), p + q),
            7..11 => Made::new(format!("({} * {})", x.text, y.text), p * q),
            11 if self.wild => Made::new(format!("({} / {})", x.text, y.text), f64::INFINITY),
            11 => Made::new(format!("({} / (abs({}) + 0.5))", x.text, y.text), 2.0 * p),
            12 => Made::new(format!("minimum({}, {})", x.text, y.text), p.max(q)),
            13 => Made::new(format!("maximum({}, {})", x.text, y.text), p.max(q)),
            14 if !self.smooth => {
                self.mark("remainder");
                Made::new(format!("({} % (abs({}) + 0.75))", x.text, y.text), q + 0.75)
            }
            14 => Made::new(format!("({} - {})", x.text, y.text), p + q),
            _ => {
                self.mark("power");
                Made::new(format!("((abs({}) + 0.5) ^ tanh({}))", x.text, y.text), p + 2.5)
            }
        }
    }

    fn unary(&mut self, ty: &Type, depth: usize) -> Made {
        let x = self.float(ty, depth - 1);
        let (text, b) = (x.text, x.bound);
        let raw = self.wild && self.dice.chance(40);
        let call = |name: &str, bound: f64| Made::new(format!("{name}({text})"), bound);
        match self.dice.below(19) {
            0 if raw => call("exp", f64::INFINITY),
            0 if b <= 4.0 => call("exp", b.exp()),
            0 => Made::new(format!("exp(-abs({text}))"), 1.0),
            1 if raw => call("log", f64::INFINITY),
            1 => Made::new(format!("log(abs({text}) + 0.5)"), (b + 0.5).ln().abs().max(0.7)),
            2 if raw => call("sqrt", f64::INFINITY),
            2 => Made::new(format!("sqrt(abs({text}) + 0.25)"), b.sqrt() + 0.5),
            3 => call("tanh", 1.0),
            4 => call("erf", 1.0),
            5 => call("sin", 1.0),
            6 => call("cos", 1.0),
            7 => call("abs", b),
            8 if !self.smooth => call("sign", 1.0),
            9 if !self.smooth => call("floor", b + 1.0),
            10 => call("relu", b),
            11 => call("sigmoid", 1.0),
            12 => Made::new(format!("(-{text})"), b),
            13 => Made::new(format!("({text} ^ 2)"), b * b),
            14 => Made::new(format!("({text} ^ 3)"), b * b * b),
            15 => {
                self.mark("library");
                call("gelu", b)
            }
            16 => Made::new(format!("clamp({text}, -1.0, 0.75)"), 1.0),
            8 | 9 => {
                self.mark("stop");
                call("stop", b)
            }
            17 => Made::new(format!("(1.0 / (1.0 + {text} * {text}))"), 1.0),
            _ => {
                self.mark("pipeline");
                Made::new(format!("({text} |> maximum(-0.5))"), b.max(0.5))
            }
        }
    }

    /// Axes to reduce over, beside those that stay.
    pub(super) fn reduced_axes(&mut self, axes: &Set, most: usize) -> Option<Set> {
        let mut gone = Set::new();
        let mut all = axes.clone();
        for _ in 0..1 + self.dice.below(most) {
            if let Some(axis) = self.another_axis(&all) {
                all.insert(axis);
                gone.insert(axis);
            }
        }
        (!gone.is_empty() && self.axes.elements(&all) <= LARGEST).then_some(gone)
    }

    fn reduction(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let gone = self.reduced_axes(&ty.axes, 2)?;
        self.mark("reduction");
        let (list, n) = (self.axes.list(&gone), self.axes.elements(&gone) as f64);
        let from = Type::new(ty.elem, &ty.axes.union(&gone).copied().collect());
        // A 64-bit sum of what has 32.
        if ty.elem == Elem::F64 && self.dice.chance(25) {
            let x = self.float(&Type::new(Elem::F32, &from.axes), depth - 1);
            return Some(match self.dice.below(3) {
                0 => Made::new(format!("mean64[{list}]({})", x.text), x.bound),
                1 if ty.axes.is_empty() => Made::new(format!("total({})", x.text), x.bound * n),
                _ => Made::new(format!("sum64[{list}]({})", x.text), x.bound * n),
            });
        }
        let x = self.float(&from, depth - 1);
        let (text, b) = (x.text, x.bound);
        let call = |name: &str, bound: f64| Made::new(format!("{name}[{list}]({text})"), bound);
        Some(match self.dice.below(10) {
            0..3 => call("sum", b * n),
            3..5 => call("mean", b),
            5 => call("max", b),
            6 => call("min", b),
            7 => call("var", b * b),
            8 if self.smooth => call("logsumexp", b + n.ln()),
            8 => call("std", b),
            _ => call("logsumexp", b + n.ln()),
        })
    }

    fn contraction(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let gone = self.reduced_axes(&ty.axes, 2)?;
        let (mut left, mut right) = (gone.clone(), gone.clone());
        for &axis in &ty.axes {
            match self.dice.below(5) {
                0 | 1 => drop(left.insert(axis)),
                2 | 3 => drop(right.insert(axis)),
                _ => {
                    left.insert(axis);
                    right.insert(axis);
                }
            }
        }
        self.mark("contraction");
        let n = self.axes.elements(&gone) as f64;
        let x = self.float(&Type::new(ty.elem, &left), depth - 1);
        let y = self.float(&Type::new(ty.elem, &right), depth - 1);
        Some(Made::new(format!("({} @[{}] {})", x.text, self.axes.list(&gone), y.text), x.bound * y.bound * n))
    }

    fn along(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let axes: Vec<usize> = ty.axes.iter().copied().collect();
        let axis = (!axes.is_empty()).then(|| self.dice.pick(&axes))?;
        let (name, size) = (self.axes.name(axis).to_string(), self.axes.size(axis));
        if !self.smooth && self.dice.chance(20) {
            self.mark("sort");
            let x = self.float(ty, depth - 1);
            return Some(Made::new(format!("sort[{name}]({})", x.text), x.bound));
        }
        let x = self.float(ty, depth - 1);
        let (text, b, n) = (x.text, x.bound, size as f64);
        Some(match self.dice.below(7) {
            0 | 1 => {
                self.mark("softmax");
                Made::new(format!("softmax[{name}]({text})"), 1.0)
            }
            2 => {
                self.mark("softmax");
                Made::new(format!("log_softmax[{name}]({text})"), 2.0 * b + n.ln())
            }
            3 => {
                self.mark("cumsum");
                Made::new(format!("cumsum[{name}]({text})"), n * b)
            }
            4 => {
                self.mark("library");
                let one = Type::new(ty.elem, &with(&super::Set::new(), axis));
                let (gain, bias) = (self.float(&one, 0), self.float(&one, 0));
                let bound = n.sqrt() * gain.bound + bias.bound;
                Made::new(format!("layernorm[{name}]({text}, {}, {})", gain.text, bias.text), bound)
            }
            _ => {
                self.mark("keep_top");
                let k = self.dice.below(size.min(5) + 1);
                Made::new(format!("keep_top[{name}]({text}, {k})"), b)
            }
        })
    }
}
