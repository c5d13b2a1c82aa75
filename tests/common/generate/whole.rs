//! Integers, truth values and indices of axes.

use super::types::{Elem, Set, Type, with};
use super::{Generator, Made};

impl Generator {
    // ---- integers ----------------------------------------------------------------------------------------------

    pub(super) fn int(&mut self, ty: &Type, depth: usize) -> Made {
        if depth == 0 {
            return self.int_leaf(ty);
        }
        for _ in 0..4 {
            let made = match self.dice.below(20) {
                0..6 => Some(self.int_arithmetic(ty, depth)),
                6 => {
                    let x = self.float(&Type::new(Elem::F64, &ty.axes), depth - 1);
                    // A number that is no integer of 64 bits is an error of its own.
                    let within = x.bound <= 1e6 || self.wild;
                    within.then(|| Made::new(format!("int({})", x.text), x.bound))
                }
                7 | 8 => self.counted(ty, depth),
                9 | 10 => self.index_number(ty, depth),
                11 => self.formula(ty, depth),
                12 => {
                    let (x, y) = (self.int(ty, depth - 1), self.int(ty, depth - 1));
                    let c = self.truth(&Type::new(Elem::Bool, &ty.axes), depth - 1);
                    self.mark("where");
                    Some(Made::new(format!("where({c}, {}, {})", x.text, y.text), x.bound.max(y.bound)))
                }
                13 => self.int_along(ty, depth),
                14 => self.gathered(ty, depth),
                15 => self.moved(ty, depth),
                16 => self.selected(ty, depth),
                17 => Some(self.branched(ty, depth)),
                18 => self.dense_ids(ty, depth),
                _ => Some(Made::new(format!("int({})", self.truth(&Type::new(Elem::Bool, &ty.axes), depth - 1)), 1.0)),
            };
            if let Some(made) = made {
                return if made.bound > 1e5 && !(self.wild && self.dice.chance(50)) {
                    Made::new(format!("({} % 101)", made.text), 101.0)
                } else {
                    made
                };
            }
        }
        self.int_leaf(ty)
    }

    fn int_literal(&mut self) -> Made {
        if self.wild && self.dice.chance(8) {
            self.mark("extreme literal");
            return Made::new(self.dice.pick(&["9223372036854775807", "(-9223372036854775807)"]), f64::INFINITY);
        }
        let value = self.dice.pick(&[0i64, 1, 2, 3, 5, 7, -1, -2, -7, 12]);
        Made::new(if value < 0 { format!("({value})") } else { value.to_string() }, value.abs() as f64)
    }

    fn int_leaf(&mut self, ty: &Type) -> Made {
        if self.dice.chance(60)
            && let Some(made) = self.variable(ty)
        {
            return made;
        }
        if ty.axes.is_empty() {
            if !self.binders.is_empty() && self.dice.chance(60) {
                let binder = self.dice.pick(&self.binders.clone());
                return Made::new(format!("int({})", binder.name), self.axes.size(binder.axis) as f64);
            }
            return self.int_literal();
        }
        if ty.axes.iter().any(|&axis| !self.axes.0[axis].sized) {
            return self.derived(ty);
        }
        let list = self.axes.list(&ty.axes);
        match self.dice.below(3) {
            0 => {
                self.mark("random numbers");
                Made::new(format!("uniform_int[{list}]({}, -3, 9)", self.label()), 9.0)
            }
            1 => {
                let value = self.int_literal();
                Made::new(format!("full[{list}]({})", value.text), value.bound)
            }
            _ => self.formula(ty, 0).unwrap_or_else(|| Made::new(format!("full[{list}](1)"), 1.0)),
        }
    }

    fn int_arithmetic(&mut self, ty: &Type, depth: usize) -> Made {
        let (left, right) = self.operands(&ty.axes);
        let x = self.int(&Type::new(Elem::Int, &left), depth - 1);
        let y = self.int(&Type::new(Elem::Int, &right), depth - 1);
        let (p, q) = (x.bound, y.bound);
        let divisor = if self.wild && self.dice.chance(30) {
            y.text.clone()
        } else {
            let by = self.dice.pick(&["2", "3", "5", "(-4)"]);
            // The divisor must not take an axis with it that the other operand lacks.
            if left == ty.axes { by.to_string() } else { format!("maximum(abs({}), {by})", y.text) }
        };
        // `maximum(abs(y), -4)` may be 0; a program that is not wild divides by no zero.
        let divisor = divisor.replace("(-4))", "1)");
        match self.dice.below(11) {
            0..3 => Made::new(format!("({} + {})", x.text, y.text), p + q),
            3 | 4 => Made::new(format!("({} - {})", x.text, y.text), p + q),
            5 | 6 => Made::new(format!("({} * {})", x.text, y.text), p * q),
            7 => {
                self.mark("division of integers");
                Made::new(format!("div({}, {divisor})", x.text), p)
            }
            8 => {
                self.mark("division of integers");
                Made::new(format!("({} % {divisor})", x.text), p.max(q).max(5.0))
            }
            9 => Made::new(format!("minimum({}, {})", x.text, y.text), p.max(q)),
            _ => Made::new(format!("maximum({}, abs({}))", x.text, y.text), p.max(q)),
        }
    }

    fn counted(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let gone = self.reduced_axes(&ty.axes, 2)?;
        self.mark("reduction");
        let all: Set = ty.axes.union(&gone).copied().collect();
        let (list, n) = (self.axes.list(&gone), self.axes.elements(&gone) as f64);
        if self.dice.chance(50) {
            let truth = self.truth(&Type::new(Elem::Bool, &all), depth - 1);
            return Some(Made::new(format!("count[{list}]({truth})"), n));
        }
        let x = self.int(&Type::new(Elem::Int, &all), depth - 1);
        let (name, by) = self.dice.pick(&[("sum", n), ("max", 1.0), ("min", 1.0)]);
        Some(Made::new(format!("{name}[{list}]({})", x.text), x.bound * by))
    }

    fn index_number(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let of = self.sized_axis(&ty.axes)?;
        let index = self.index(of, &Type::new(Elem::Index(of), &ty.axes), depth - 1);
        Some(Made::new(format!("int({index})"), self.axes.size(of) as f64))
    }

    fn int_along(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let axes: Vec<usize> = ty.axes.iter().copied().collect();
        let axis = (!axes.is_empty()).then(|| self.dice.pick(&axes))?;
        let x = self.int(ty, depth - 1);
        let name = self.axes.name(axis);
        Some(if self.dice.chance(50) {
            let text = format!("sort[{name}]({})", x.text);
            self.mark("sort");
            Made::new(text, x.bound)
        } else {
            let made = Made::new(format!("cumsum[{name}]({})", x.text), x.bound * self.axes.size(axis) as f64);
            self.mark("cumsum");
            made
        })
    }

    fn dense_ids(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        if ty.axes.len() > 1 {
            return None;
        }
        let over = if ty.axes.is_empty() { with(&Set::new(), self.sized_axis(&Set::new())?) } else { ty.axes.clone() };
        let x = self.int(&Type::new(Elem::Int, &over), depth - 1);
        self.mark("groups");
        let field = if ty.axes.is_empty() { "n" } else { "ids" };
        Some(Made::new(format!("dense_ids({}).{field}", x.text), self.axes.elements(&over) as f64))
    }

    // ---- truth values ------------------------------------------------------------------------------------------

    pub(super) fn truth(&mut self, ty: &Type, depth: usize) -> String {
        if depth == 0 {
            return self.truth_leaf(ty);
        }
        for _ in 0..4 {
            let made = match self.dice.below(16) {
                0..6 => Some(self.comparison(ty, depth)),
                6..9 => {
                    let (left, right) = self.operands(&ty.axes);
                    let x = self.truth(&Type::new(Elem::Bool, &left), depth - 1);
                    let y = self.truth(&Type::new(Elem::Bool, &right), depth - 1);
                    self.mark("and, or, not");
                    let word = self.dice.pick(&["and", "or", "==", "!="]);
                    Some(format!("({x} {word} {y})"))
                }
                9 => {
                    self.mark("and, or, not");
                    Some(format!("(not {})", self.truth(ty, depth - 1)))
                }
                10 | 11 => self.reduced_axes(&ty.axes, 2).map(|gone| {
                    let all: Set = ty.axes.union(&gone).copied().collect();
                    let x = self.truth(&Type::new(Elem::Bool, &all), depth - 1);
                    self.mark("any, all");
                    format!("{}[{}]({x})", self.dice.pick(&["any", "all"]), self.axes.list(&gone))
                }),
                12 => self.formula(ty, depth).map(|made| made.text),
                13 => self.gathered(ty, depth).map(|made| made.text),
                14 => self.moved(ty, depth).map(|made| made.text),
                _ => Some(format!("bool({})", self.frozen(|g| g.int(&Type::new(Elem::Int, &ty.axes), depth - 1)).text)),
            };
            if let Some(made) = made {
                return made;
            }
        }
        self.truth_leaf(ty)
    }

    fn comparison(&mut self, ty: &Type, depth: usize) -> String {
        self.mark("comparison");
        let (left, right) = self.operands(&ty.axes);
        let elem = self.dice.pick(&[Elem::F32, Elem::F64, Elem::F64, Elem::Int]);
        let mut side = |axes: &Set| {
            if axes.is_empty() && !ty.axes.is_empty() && elem.is_float() {
                return self.scalar_beside(elem, depth - 1).text;
            }
            self.value(&Type::new(elem, axes), depth - 1).text
        };
        let (x, y) = (side(&left), side(&right));
        let words: &[&str] =
            if elem.is_float() { &["<", ">", "<=", ">="] } else { &["<", ">", "<=", ">=", "==", "!="] };
        format!("({x} {} {y})", self.dice.pick(words))
    }

    fn truth_leaf(&mut self, ty: &Type) -> String {
        if self.dice.chance(60)
            && let Some(made) = self.variable(ty)
        {
            return made.text;
        }
        if ty.axes.is_empty() {
            return self.dice.pick(&["true", "false"]).to_string();
        }
        if ty.axes.iter().any(|&axis| !self.axes.0[axis].sized) {
            return self.derived(ty).text;
        }
        if self.dice.chance(40) {
            self.mark("random numbers");
            return format!("chance[{}]({}, 0.5)", self.axes.list(&ty.axes), self.label());
        }
        self.formula(ty, 0).map_or_else(|| format!("full[{}](true)", self.axes.list(&ty.axes)), |made| made.text)
    }

    // ---- indices -----------------------------------------------------------------------------------------------

    /// Indices of axis `of`, which has a declared length.
    pub(super) fn index(&mut self, of: usize, ty: &Type, depth: usize) -> String {
        if !self.axes.0[of].sized || self.dice.chance(15) {
            if let Some(made) = self.variable(ty) {
                return made.text;
            }
        }
        let (name, size) = (self.axes.name(of).to_string(), self.axes.size(of));
        let next = depth.saturating_sub(1);
        for _ in 0..4 {
            let made = match self.dice.below(10) {
                0..3 if self.axes.fits(&ty.axes, of) && depth > 0 => {
                    self.mark("argmax");
                    let elem = self.dice.pick(&[Elem::F32, Elem::F64, Elem::Int]);
                    let x = self.value(&Type::new(elem, &ty.axes).with(of), next).text;
                    Some(format!("{}[{name}]({x})", self.dice.pick(&["argmax", "argmin"])))
                }
                3 | 4 => self.ordered(of, ty, next),
                5 => {
                    let only = ty.axes.len() == 1 && ty.axes.contains(&of);
                    only.then(|| {
                        self.mark("random numbers");
                        let label = self.label();
                        self.dice.pick(&[format!("permutation[{name}]({label})"), format!("indices[{name}]()")])
                    })
                }
                // Its axis and those of the numbers are different parameters.
                6 if !ty.axes.contains(&of) => {
                    self.mark("nearest");
                    let x = self.frozen(|g| g.int(&Type::new(Elem::Int, &ty.axes), next)).text;
                    Some(format!("nearest[{name}]({x})"))
                }
                _ => {
                    let x = self.frozen(|g| g.int(&Type::new(Elem::Int, &ty.axes), next)).text;
                    let beyond = if self.wild && self.dice.chance(10) { size + 1 } else { size };
                    Some(format!("index[{name}]({x} % {beyond})"))
                }
            };
            if let Some(made) = made {
                return made;
            }
        }
        let x = self.frozen(|g| g.int(&Type::new(Elem::Int, &ty.axes), 0)).text;
        format!("index[{name}]({x} % {size})")
    }

    /// `top` and `argsort`: indices in the order of what they point at.
    fn ordered(&mut self, of: usize, ty: &Type, depth: usize) -> Option<String> {
        let (name, size) = (self.axes.name(of).to_string(), self.axes.size(of));
        let fitting = |&axis: &usize| axis != of && self.axes.size(axis) <= size && self.axes.0[axis].sized;
        let to: Vec<usize> = ty.axes.iter().copied().filter(fitting).collect();
        let to = (!to.is_empty()).then(|| self.dice.pick(&to))?;
        let rest = ty.without(to);
        if !self.axes.fits(&rest.axes, of) {
            return None;
        }
        let elem = self.dice.pick(&[Elem::F32, Elem::F64, Elem::Int]);
        let x = self.value(&Type::new(elem, &rest.axes).with(of), depth).text;
        let target = self.axes.name(to).to_string();
        if self.axes.size(to) == size && self.dice.chance(60) {
            self.mark("argsort");
            return Some(format!("argsort[{name} -> {target}]({x})"));
        }
        self.mark("top");
        Some(format!("top[{name} -> {target}]({x}, {})", self.axes.size(to)))
    }
}
