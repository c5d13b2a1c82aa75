//! What brackets do: ranges, renames, merges, splits, one index, gathers; and what puts tensors together.

use super::types::{Elem, Origin, Set, Type, with};
use super::{Generator, LARGEST, Made};

impl Generator {
    /// Something of another shape, brought to the axes that are wanted.
    pub(super) fn moved(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let small = |source: Type| self.axes.elements(&source.axes) <= 4 * LARGEST;
        let ways: Vec<usize> =
            ty.axes.iter().copied().filter(|&axis| self.source(ty, axis).is_some_and(small)).collect();
        let axis = (!ways.is_empty()).then(|| self.dice.pick(&ways))?;
        self.moved_along(ty, axis, depth)
    }

    /// A leaf over an axis whose length only values have: it comes from what the axis was made of.
    pub(super) fn derived(&mut self, ty: &Type) -> Made {
        let unsized_axis = ty.axes.iter().copied().find(|&axis| !self.axes.0[axis].sized);
        let made = unsized_axis.and_then(|axis| self.moved_along(ty, axis, 0));
        made.unwrap_or_else(|| panic!("no way to make {}", self.axes.shown(ty)))
    }

    /// What an axis is made of: the axes of the operand.
    fn source(&self, ty: &Type, axis: usize) -> Option<Type> {
        let rest = ty.without(axis);
        match self.axes.0[axis].origin {
            Origin::Base => None,
            Origin::Range { of, .. } | Origin::Like(of) => self.axes.fits(&rest.axes, of).then(|| rest.with(of)),
            Origin::Merge(p, q) => {
                let one = self.axes.fits(&rest.axes, p).then(|| rest.with(p))?;
                self.axes.fits(&one.axes, q).then(|| one.with(q))
            }
            // Without its sibling a part is made of both, and one index of the sibling taken.
            Origin::Part { of, sibling, .. } => {
                let rest = rest.without(sibling);
                self.axes.fits(&rest.axes, of).then(|| rest.with(of))
            }
        }
    }

    fn moved_along(&mut self, ty: &Type, axis: usize, depth: usize) -> Option<Made> {
        let source = self.source(ty, axis)?;
        let x = self.value(&source, depth.saturating_sub(1));
        let (name, size) = (self.axes.name(axis).to_string(), self.axes.size(axis));
        let of_name = |g: &Generator, of: usize| g.axes.name(of).to_string();
        let brackets = match self.axes.0[axis].origin {
            Origin::Range { of, lo } => {
                self.mark("range");
                let (hi, last) = (lo + size, self.axes.size(of));
                let range = match self.dice.below(3) {
                    0 if lo == 0 => format!("..{hi}"),
                    1 if hi == last => format!("{lo}.."),
                    2 => format!("{lo}..={}", hi - 1),
                    _ => format!("{lo}..{hi}"),
                };
                format!("[{} -> {name}: {range}]", of_name(self, of))
            }
            Origin::Like(of) => {
                self.mark("rename");
                format!("[{} -> {name}]", of_name(self, of))
            }
            Origin::Merge(p, q) => {
                self.mark("merge");
                format!("[({}, {}) -> {name}]", of_name(self, p), of_name(self, q))
            }
            Origin::Part { of, sibling, first } => {
                self.mark("split");
                let (one, other) = if first { (axis, sibling) } else { (sibling, axis) };
                let (left, right) = (of_name(self, one), of_name(self, other));
                let (n, m) = (self.axes.size(one), self.axes.size(other));
                let parts = match self.dice.below(3) {
                    0 => format!("{left}: {n}, {right}"),
                    1 => format!("{left}, {right}: {m}"),
                    _ => format!("{left}: {n}, {right}: {m}"),
                };
                let split = format!("[{} -> ({parts})]", of_name(self, of));
                if ty.axes.contains(&sibling) {
                    split
                } else {
                    format!("{split}[{}: {}]", of_name(self, sibling), self.dice.below(self.axes.size(sibling)))
                }
            }
            Origin::Base => return None,
        };
        Some(Made::new(format!("{}{brackets}", x.text), x.bound))
    }

    /// `x[p: places]`: the axes of the places stand where `p` was; those that both have line up.
    pub(super) fn gathered(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let axes: Vec<usize> = ty.axes.iter().copied().collect();
        let to = (!axes.is_empty()).then(|| self.dice.pick(&axes))?;
        let rest = ty.without(to);
        let from = self.sized_axis(&rest.axes).filter(|&from| from != to)?;
        let (mut places, mut own) = (with(&Set::new(), to), with(&rest.axes, from));
        for &axis in &rest.axes {
            match self.dice.below(6) {
                // For each index of the axis its own place.
                0 => drop(places.insert(axis)),
                // The axis comes with the places.
                1 if self.axes.0[axis].sized => {
                    places.insert(axis);
                    own.remove(&axis);
                }
                _ => {}
            }
        }
        if !self.axes.fits(&places, from) {
            return None;
        }
        self.mark("gather");
        let x = self.value(&Type::new(ty.elem, &own), depth.saturating_sub(1));
        let at = if self.dice.chance(80) {
            self.frozen(|g| g.index(from, &Type::new(Elem::Index(from), &places), depth.saturating_sub(1).min(1)))
        } else {
            let int = self.frozen(|g| g.int(&Type::new(Elem::Int, &places), 1));
            format!("{} % {}", int.text, self.axes.size(from))
        };
        Some(Made::new(format!("{}[{}: {at}]", x.text, self.axes.name(from)), x.bound))
    }

    /// `x[p: i]`: one index, computed or not.
    pub(super) fn selected(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let axis = self.another_axis(&ty.axes)?;
        self.mark("index");
        let x = self.value(&ty.with(axis), depth - 1);
        let place = if self.axes.0[axis].sized && self.dice.chance(30) {
            let at = self.frozen(|g| g.index(axis, &Type::scalar(Elem::Index(axis)), 1));
            format!("{}: {at}", self.axes.name(axis))
        } else {
            self.place(axis)
        };
        Some(Made::new(format!("{}[{place}]", x.text), x.bound))
    }

    pub(super) fn put(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let sized: Vec<usize> = ty.axes.iter().copied().filter(|&axis| self.axes.0[axis].sized).collect();
        let axis = (!sized.is_empty() && !self.smooth).then(|| self.dice.pick(&sized))?;
        self.mark("put");
        let x = self.value(ty, depth - 1);
        let part = self.value(&ty.without(axis), depth - 1);
        let at = self.dice.below(self.axes.size(axis));
        let text = format!("put[{}]({}, {at}, {})", self.axes.name(axis), x.text, part.text);
        Some(Made::new(text, x.bound.max(part.bound)))
    }

    pub(super) fn expanded(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let sized: Vec<usize> = ty.axes.iter().copied().filter(|&axis| self.axes.0[axis].sized).collect();
        let axis = (!sized.is_empty()).then(|| self.dice.pick(&sized))?;
        self.mark("expand");
        let x = self.value(&ty.without(axis), depth - 1);
        Some(Made::new(format!("expand[{}]({})", self.axes.name(axis), x.text), x.bound))
    }

    pub(super) fn outer(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        if ty.axes.len() < 2 {
            return None;
        }
        let mut left = self.part_of(&ty.axes);
        if left == ty.axes {
            let first = left.pop_first()?;
            left = with(&Set::new(), first);
        }
        let right: Set = ty.axes.difference(&left).copied().collect();
        self.mark("outer");
        let x = self.value(&Type::new(ty.elem, &left), depth - 1);
        let y = self.value(&Type::new(ty.elem, &right), depth - 1);
        Some(Made::new(format!("outer({}, {})", x.text, y.text), x.bound * y.bound))
    }

    /// Lists of tensors, put side by side along a new axis or one after another along their own.
    pub(super) fn stacked(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        if let Some(made) = self.joined(ty, depth) {
            return Some(made);
        }
        let short = |&axis: &usize| self.axes.size(axis) <= 3 && self.axes.0[axis].sized;
        let axes: Vec<usize> = ty.axes.iter().copied().filter(short).collect();
        let axis = (!axes.is_empty()).then(|| self.dice.pick(&axes))?;
        self.mark("stack");
        let items: Vec<Made> = (0..self.axes.size(axis)).map(|_| self.value(&ty.without(axis), depth - 1)).collect();
        let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
        let bound = items.iter().map(|item| item.bound).fold(0.0, f64::max);
        let list = texts.join(", ");
        let list = if self.dice.chance(30) && items.len() > 1 {
            // The last item comes later.
            format!("push([{}], {})", texts[..texts.len() - 1].join(", "), texts[texts.len() - 1])
        } else {
            format!("[{list}]")
        };
        Some(Made::new(format!("stack[{}]({list})", self.axes.name(axis)), bound))
    }

    fn joined(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let (axis, of, lo) = ty.axes.iter().find_map(|&axis| match self.axes.0[axis] {
            super::types::Axis { origin: Origin::Range { of, lo }, sized: false, size, .. } if size > 1 => {
                Some((axis, of, lo))
            }
            _ => None,
        })?;
        let source = self.source(ty, axis)?;
        self.mark("concat");
        let (x, y) = (self.value(&source, depth - 1), self.value(&source, depth - 1));
        let (name, from, hi) = (self.axes.name(axis), self.axes.name(of), lo + self.axes.size(axis));
        let middle = lo + 1;
        let text = format!(
            "concat[{name}]([{}[{from} -> {name}: {lo}..{middle}], {}[{from} -> {name}: {middle}..{hi}]])",
            x.text, y.text
        );
        Some(Made::new(text, x.bound.max(y.bound)))
    }

    /// Sums over tiles of an axis, and what is done tile by tile.
    pub(super) fn folded(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        if self.smooth {
            return None;
        }
        let tile = 1 + self.dice.below(4);
        if self.dice.chance(40) && !ty.axes.is_empty() {
            let axes: Vec<usize> = ty.axes.iter().copied().filter(|&axis| self.axes.0[axis].sized).collect();
            let axis = (!axes.is_empty()).then(|| self.dice.pick(&axes))?;
            self.mark("tiled");
            let x = self.float(ty, depth - 1);
            let t = self.fresh("t");
            let name = self.axes.name(axis);
            return Some(Made::new(
                format!("tiled[{name}]({}, fn({t}) => tanh({t}) * 2.0 - {t}, tile: {tile})", x.text),
                x.bound + 2.0,
            ));
        }
        let axis = self.sized_axis(&ty.axes)?;
        if self.axes.elements(&ty.axes) * self.axes.size(axis) > LARGEST {
            return None;
        }
        self.mark("fold");
        let x = self.float(&ty.with(axis), depth - 1);
        let (name, t, n) = (self.axes.name(axis).to_string(), self.fresh("t"), self.axes.size(axis) as f64);
        let acc = if self.dice.chance(50) {
            format!("adding(fn({t}) => sum[{name}]({t} * {t}))")
        } else {
            format!(
                "{{ init: fn() => 0.0, add: fn(zero, {t}) => max[{name}]({t}), merge: fn(p, q) => maximum(p, q), finish: fn(p) => p - 1.0 }}"
            )
        };
        Some(Made::new(format!("fold[{name}]({}, {acc}, tile: {tile})", x.text), x.bound * x.bound * n + x.bound + 1.0))
    }

    /// Sums over the members of groups.
    pub(super) fn grouped(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let group = self.axes.named("group")?;
        if self.smooth || ty.elem != Elem::F64 || !ty.axes.contains(&group) {
            return None;
        }
        let rest = ty.without(group);
        let over = self.sized_axis(&rest.axes).filter(|&axis| axis != group)?;
        if self.axes.elements(&rest.axes) * self.axes.size(over) > LARGEST {
            return None;
        }
        self.mark("groups");
        let elem = self.dice.pick(&[Elem::F32, Elem::F64, Elem::Int]);
        let x = self.value(&Type::new(elem, &rest.axes).with(over), depth - 1);
        let ids = self.int(&Type::new(Elem::Int, &with(&Set::new(), over)), 1);
        let n = self.axes.size(over) as f64;
        let text = format!("group_sum[{} -> group]({}, {} % 4 - 1, 3)", self.axes.name(over), x.text, ids.text);
        Some(Made::new(text, x.bound.max(1.0) * n))
    }
}
