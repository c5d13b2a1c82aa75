//! What the generator knows of a program: a seeded die, element types, axes with their lengths and where they come from.

use std::collections::BTreeSet;

/// Numbers from a seed (splitmix64): the same program for the same seed, on every machine.
#[derive(Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

/// The element of a tensor; an index names the axis that it counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Elem {
    F32,
    F64,
    Int,
    Bool,
    Index(usize),
}

impl Elem {
    pub fn is_float(self) -> bool {
        matches!(self, Elem::F32 | Elem::F64)
    }
}

pub type Set = BTreeSet<usize>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Type {
    pub elem: Elem,
    pub axes: Set,
}

impl Type {
    pub fn new(elem: Elem, axes: &Set) -> Type {
        Type { elem, axes: axes.clone() }
    }

    pub fn scalar(elem: Elem) -> Type {
        Type { elem, axes: Set::new() }
    }

    /// The same element with another axis.
    pub fn with(&self, axis: usize) -> Type {
        Type { elem: self.elem, axes: with(&self.axes, axis) }
    }

    pub fn without(&self, axis: usize) -> Type {
        Type { elem: self.elem, axes: without(&self.axes, axis) }
    }
}

pub fn with(axes: &Set, axis: usize) -> Set {
    let mut more = axes.clone();
    more.insert(axis);
    more
}

pub fn without(axes: &Set, axis: usize) -> Set {
    let mut fewer = axes.clone();
    fewer.remove(&axis);
    fewer
}

/// How an axis comes to be.
#[derive(Clone, Debug)]
pub enum Origin {
    Base,
    /// The part `lo..` of another.
    Range {
        of: usize,
        lo: usize,
    },
    /// A second name.
    Like(usize),
    Merge(usize, usize),
    /// One of the two parts of another, and its sibling.
    Part {
        of: usize,
        sibling: usize,
        first: bool,
    },
}

#[derive(Clone, Debug)]
pub struct Axis {
    pub name: String,
    pub size: usize,
    /// Does its declaration state the length? Otherwise only values have it.
    pub sized: bool,
    pub origin: Origin,
}

/// The axes of one program.
#[derive(Clone, Default)]
pub struct Axes(pub Vec<Axis>);

impl Axes {
    /// Three or four axes, and what ranges, renames, merges and splits make of them.
    pub fn roll(dice: &mut Dice) -> Axes {
        let mut axes = Axes::default();
        let count = 3 + dice.below(2);
        for name in ["a", "b", "c", "d"].into_iter().take(count) {
            let size = dice.pick(&[1, 2, 2, 3, 3, 4, 7, 16, 33]);
            axes.push(name, size, true, Origin::Base);
        }
        let kinds: Vec<usize> = (0..count).collect();
        let of = dice.pick(&kinds);
        axes.push(&format!("{}_too", axes.name(of)), axes.size(of), true, Origin::Like(of));
        let of = dice.pick(&kinds);
        let size = axes.size(of);
        let lo = dice.below(size);
        let length = 1 + dice.below(size - lo);
        let sized = dice.chance(40);
        axes.push("part", length, sized, Origin::Range { of, lo });
        let (p, q) = (dice.below(count), dice.below(count));
        if p != q && axes.size(p) * axes.size(q) <= 120 {
            let sized = dice.chance(40);
            axes.push("both", axes.size(p) * axes.size(q), sized, Origin::Merge(p, q));
        }
        let of = dice.pick(&kinds);
        let factors: Vec<usize> = (1..=axes.size(of)).filter(|n| axes.size(of) % n == 0).collect();
        let left = dice.pick(&factors);
        let (first, second) = (axes.0.len(), axes.0.len() + 1);
        axes.push("left", left, false, Origin::Part { of, sibling: second, first: true });
        axes.push("right", axes.size(of) / left, false, Origin::Part { of, sibling: first, first: false });
        axes.push("rank", 2, true, Origin::Base);
        axes.push("group", 3, true, Origin::Base);
        axes
    }

    fn push(&mut self, name: &str, size: usize, sized: bool, origin: Origin) {
        self.0.push(Axis { name: name.to_string(), size, sized, origin });
    }

    pub fn name(&self, axis: usize) -> &str {
        &self.0[axis].name
    }

    pub fn size(&self, axis: usize) -> usize {
        self.0[axis].size
    }

    pub fn named(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|axis| axis.name == name)
    }

    /// The axes that this one is made of, itself included.
    fn roots(&self, axis: usize) -> Set {
        let of = match self.0[axis].origin {
            Origin::Base => vec![],
            Origin::Range { of, .. } | Origin::Like(of) => vec![of],
            Origin::Merge(p, q) => vec![p, q],
            Origin::Part { of, .. } => vec![of],
        };
        of.into_iter().flat_map(|of| self.roots(of)).chain([axis]).collect()
    }

    /// Can a tensor over `axes` have this one too, and still be made of what all of them come from? Twins may meet: both
    /// have a declared length.
    pub fn fits(&self, axes: &Set, axis: usize) -> bool {
        if axes.contains(&axis) {
            return false;
        }
        let mine = self.roots(axis);
        axes.iter().all(|&other| {
            let siblings = matches!(self.0[axis].origin, Origin::Part { sibling, .. } if sibling == other);
            let lone = |axis: usize| self.0[axis].sized;
            siblings || (lone(axis) && lone(other)) || self.roots(other).is_disjoint(&mine)
        })
    }

    pub fn elements(&self, axes: &Set) -> usize {
        axes.iter().map(|&axis| self.size(axis)).product()
    }

    /// `a, b`: the names in brackets.
    pub fn list(&self, axes: &Set) -> String {
        axes.iter().map(|&axis| self.name(axis)).collect::<Vec<_>>().join(", ")
    }

    pub fn shown(&self, ty: &Type) -> String {
        let elem = match ty.elem {
            Elem::F32 => "f32",
            Elem::F64 if ty.axes.is_empty() => "float",
            Elem::F64 => "f64",
            Elem::Int => "int",
            Elem::Bool => "bool",
            Elem::Index(of) => self.name(of),
        };
        if ty.axes.is_empty() { elem.to_string() } else { format!("{elem}[{}]", self.list(&ty.axes)) }
    }

    /// The declaration of one axis.
    pub fn declared(&self, axis: usize) -> String {
        let Axis { name, size, sized, origin } = &self.0[axis];
        match origin {
            Origin::Like(of) => format!("axis {name} like {}", self.name(*of)),
            _ if *sized => format!("axis {name} = {size}"),
            _ => format!("axis {name}"),
        }
    }
}
