//! Random programs that are well typed by construction: each expression is made for a type that is wanted, so the checker
//! never refuses one. A program is a list of statements that can be taken out, which is how a failing one is made small.
//!
//! Nothing here knows what a program should print: the engines are compared with each other.

// Each test file uses a part of this.
#![allow(dead_code)]

mod floats;
mod forms;
mod formulas;
mod functions;
mod moves;
mod procedures;
mod statements;
mod types;
mod whole;

use functions::Function;
use std::collections::{BTreeMap, BTreeSet};
pub use types::Dice;
use types::{Axes, Elem, Set, Type};

/// How often each construct of the language was written.
pub type Marks = BTreeMap<&'static str, usize>;

/// What the generator can write. One that never occurs is a fault of the generator.
pub const CONSTRUCTS: &[&str] = &[
    "and, or, not",
    "any, all",
    "argmax",
    "argsort",
    "assignment to a place",
    "attention",
    "block",
    "branch in a formula",
    "broadcast",
    "call",
    "capture",
    "comparison",
    "comprehension",
    "concat",
    "contraction",
    "conversion",
    "cumsum",
    "division of integers",
    "early return",
    "expand",
    "expect",
    "extreme literal",
    "fold",
    "for over a range",
    "for over an axis",
    "function of a record",
    "function with axis parameters",
    "function without types",
    "gather",
    "gradient",
    "gradient by a record",
    "gradient of a gradient",
    "groups",
    "if",
    "if statement",
    "index",
    "index in a formula",
    "keep_top",
    "lambda",
    "leaves of records",
    "let",
    "library",
    "list",
    "loop in an expression",
    "masked attention",
    "merge",
    "nearest",
    "not a number, infinity",
    "outer",
    "pipeline",
    "power",
    "print",
    "procedure",
    "product of a code",
    "put",
    "random numbers",
    "range",
    "record",
    "recursion",
    "reduction",
    "remainder",
    "rename",
    "selection from a product",
    "softmax",
    "sort",
    "split",
    "stack",
    "stop",
    "text",
    "tiled",
    "top",
    "type written out",
    "where",
    "while",
];

/// One top-level item or statement.
#[derive(Clone, Debug)]
pub struct Statement {
    pub text: String,
    /// The same name with a value that is as plain as can be.
    pub plain: Option<String>,
    pub marks: Marks,
}

/// A program, its declarations of axes and modules apart.
#[derive(Clone)]
pub struct Program {
    pub seed: u64,
    pub statements: Vec<Statement>,
    axes: Axes,
}

impl Program {
    /// A program is a function of its seed.
    pub fn from_seed(seed: u64) -> Program {
        let mut generator = Generator::new(seed);
        let statements = generator.statements();
        Program { seed, statements, axes: generator.axes }
    }

    /// The text of the program made of these statements: what they use is declared before them.
    pub fn text_of(&self, statements: &[Statement]) -> String {
        let body: String = statements.iter().map(|statement| format!("{}\n", statement.text)).collect();
        let words: BTreeSet<&str> =
            body.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
        let mut text = String::new();
        let modules = [
            ("normal", "random"),
            ("uniform", "random"),
            ("uniform_int", "random"),
            ("chance", "random"),
            ("permutation", "random"),
            ("layernorm", "nn"),
            ("causal", "nn"),
            ("gelu", "nn"),
            ("cross_entropy", "nn"),
            ("normalize", "linalg"),
        ];
        for (name, module) in modules {
            if words.contains(name) {
                text += &format!("use std.{module}: {name}\n");
            }
        }
        for axis in 0..self.axes.0.len() {
            let types::Origin::Like(_) = self.axes.0[axis].origin else {
                let twin = format!("{}_too", self.axes.name(axis));
                if words.contains(self.axes.name(axis)) || words.contains(&twin[..]) {
                    text += &format!("{}\n", self.axes.declared(axis));
                }
                continue;
            };
            if words.contains(self.axes.name(axis)) {
                text += &format!("{}\n", self.axes.declared(axis));
            }
        }
        text + &body
    }

    pub fn text(&self) -> String {
        self.text_of(&self.statements)
    }
}

/// An expression, and a bound of the size of its numbers. Programs that are not wild keep it small, so that values
/// stay finite and what the passes round otherwise stays rounding.
#[derive(Clone, Debug)]
pub struct Made {
    pub text: String,
    pub bound: f64,
}

impl Made {
    pub fn new(text: impl Into<String>, bound: f64) -> Made {
        Made { text: text.into(), bound }
    }
}

#[derive(Clone, Debug)]
struct Variable {
    name: String,
    ty: Type,
    bound: f64,
    /// A gradient is taken by it: only operations with a derivative may read it.
    active: bool,
    /// It can be assigned.
    mutable: bool,
}

/// The binder of a comprehension.
#[derive(Clone, Debug)]
struct Binder {
    name: String,
    axis: usize,
}

struct Generator {
    dice: Dice,
    axes: Axes,
    variables: Vec<Variable>,
    functions: Vec<Function>,
    binders: Vec<Binder>,
    marks: Marks,
    names: usize,
    /// May numbers be extreme, indices out of range, divisors zero?
    wild: bool,
    /// Inside of what a gradient is taken of.
    smooth: bool,
}

/// Tensors have at most so many elements.
const LARGEST: usize = 1200;

impl Generator {
    fn new(seed: u64) -> Generator {
        let mut dice = Dice(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x6c6f_6375_73);
        let axes = Axes::roll(&mut dice);
        let wild = dice.chance(35);
        Generator {
            dice,
            axes,
            variables: Vec::new(),
            functions: Vec::new(),
            binders: Vec::new(),
            marks: Marks::new(),
            names: 0,
            wild,
            smooth: false,
        }
    }

    fn mark(&mut self, construct: &'static str) {
        *self.marks.entry(construct).or_default() += 1;
    }

    /// A name that the program does not have yet.
    fn fresh(&mut self, stem: &str) -> String {
        self.names += 1;
        format!("{stem}{}", self.names)
    }

    /// The label of a random tensor.
    fn label(&mut self) -> String {
        self.names += 1;
        format!("key(\"{}\"), \"r{}\"", self.dice.pick(&["u", "v"]), self.names)
    }

    /// What is made in here reads nothing that a gradient is taken by.
    fn frozen<T>(&mut self, make: impl FnOnce(&mut Generator) -> T) -> T {
        let kept = self.variables.clone();
        let smooth = std::mem::replace(&mut self.smooth, false);
        self.variables.retain(|variable| !variable.active);
        let made = make(self);
        self.variables = kept;
        self.smooth = smooth;
        made
    }

    /// Names bound in here are not seen outside.
    fn scoped<T>(&mut self, make: impl FnOnce(&mut Generator) -> T) -> T {
        let known = self.variables.len();
        let made = make(self);
        self.variables.truncate(known);
        made
    }

    fn bind(&mut self, name: &str, ty: &Type, bound: f64) {
        let variable = Variable { name: name.to_string(), ty: ty.clone(), bound, active: self.smooth, mutable: false };
        self.variables.push(variable);
    }

    // ---- choices -----------------------------------------------------------------------------------------------

    /// Some axes that fit together.
    fn some_axes(&mut self, most: usize) -> Set {
        let mut axes = Set::new();
        for _ in 0..self.dice.below(most + 1) {
            if let Some(axis) = self.another_axis(&axes) {
                axes.insert(axis);
            }
        }
        axes
    }

    /// An axis that a tensor over `axes` can have in addition.
    fn another_axis(&mut self, axes: &Set) -> Option<usize> {
        let room = LARGEST / self.axes.elements(axes).max(1);
        let all: Vec<usize> =
            (0..self.axes.0.len()).filter(|&axis| self.axes.fits(axes, axis) && self.axes.size(axis) <= room).collect();
        (!all.is_empty()).then(|| self.dice.pick(&all))
    }

    fn some_type(&mut self) -> Type {
        let axes = self.some_axes(3);
        let elem = match self.dice.below(20) {
            0..8 => Elem::F32,
            8..15 => Elem::F64,
            15..17 => Elem::Int,
            17..19 => Elem::Bool,
            _ => match self.sized_axis(&Set::new()) {
                Some(of) => Elem::Index(of),
                None => Elem::Int,
            },
        };
        Type::new(elem, &axes)
    }

    fn sized_axis(&mut self, besides: &Set) -> Option<usize> {
        let sized = |&axis: &usize| self.axes.0[axis].sized && self.axes.fits(besides, axis);
        let all: Vec<usize> = (0..self.axes.0.len()).filter(sized).collect();
        (!all.is_empty()).then(|| self.dice.pick(&all))
    }

    /// A part of the axes that is not empty, unless they are none.
    fn part_of(&mut self, axes: &Set) -> Set {
        if axes.is_empty() {
            return Set::new();
        }
        let all: Vec<usize> = axes.iter().copied().collect();
        let mut part: Set = all.iter().copied().filter(|_| self.dice.chance(50)).collect();
        part.insert(self.dice.pick(&all));
        part
    }

    /// Two sets whose union is `axes` and that share one, as elementwise operations ask; either may be a scalar's.
    fn operands(&mut self, axes: &Set) -> (Set, Set) {
        if axes.is_empty() {
            return (Set::new(), Set::new());
        }
        let (left, right) = match self.dice.below(10) {
            0..4 => (axes.clone(), axes.clone()),
            4..7 => (axes.clone(), self.part_of(axes)),
            7 => (axes.clone(), Set::new()),
            _ => {
                let shared = self.part_of(axes);
                let mut sides = (shared.clone(), shared.clone());
                for &axis in axes.difference(&shared) {
                    if self.dice.chance(50) { &mut sides.0 } else { &mut sides.1 }.insert(axis);
                }
                sides
            }
        };
        if self.dice.chance(50) { (left, right) } else { (right, left) }
    }

    /// An expression of the type.
    fn value(&mut self, ty: &Type, depth: usize) -> Made {
        match ty.elem {
            Elem::F32 | Elem::F64 => self.float(ty, depth),
            Elem::Int => self.int(ty, depth),
            Elem::Bool => Made::new(self.truth(ty, depth), 1.0),
            Elem::Index(of) => Made::new(self.index(of, ty, depth), 0.0),
        }
    }

    /// A variable of the type, or one that becomes it by an index or a range.
    fn variable(&mut self, ty: &Type) -> Option<Made> {
        let exact: Vec<Variable> = self.variables.iter().filter(|variable| variable.ty == *ty).cloned().collect();
        if !exact.is_empty() && self.dice.chance(85) {
            // What was bound last is read most, or gradients would seldom be by anything.
            let last = exact.len() - 1;
            let at = if self.dice.chance(40) { last } else { self.dice.below(exact.len()) };
            return Some(Made::new(exact[at].name.clone(), exact[at].bound));
        }
        let wider = |variable: &&Variable| variable.ty.elem == ty.elem && variable.ty.axes.is_superset(&ty.axes);
        let wider: Vec<Variable> = self.variables.iter().filter(wider).cloned().collect();
        if wider.is_empty() {
            return None;
        }
        let found = self.dice.pick(&wider);
        let extra: Set = found.ty.axes.difference(&ty.axes).copied().collect();
        let places: Vec<String> = extra.iter().map(|&axis| self.place(axis)).collect();
        if places.is_empty() {
            return Some(Made::new(found.name, found.bound));
        }
        self.mark("index");
        Some(Made::new(format!("{}[{}]", found.name, places.join(", ")), found.bound))
    }

    /// `a: 2`: one index of an axis, a number or something computed.
    fn place(&mut self, axis: usize) -> String {
        let (name, size) = (self.axes.name(axis).to_string(), self.axes.size(axis));
        let binders: Vec<Binder> = self.binders.iter().filter(|binder| binder.axis == axis).cloned().collect();
        if !binders.is_empty() && self.dice.chance(80) {
            return format!("{name}: {}", self.dice.pick(&binders).name);
        }
        match self.dice.below(6) {
            0 if !self.binders.is_empty() => {
                let binder = self.dice.pick(&self.binders.clone()).name;
                format!("{name}: int({binder}) % {size}")
            }
            1 => {
                let at = self.frozen(|g| g.int(&Type::scalar(Elem::Int), 1));
                let beyond = if self.wild && self.dice.chance(20) { size + 1 } else { size };
                format!("{name}: {} % {beyond}", at.text)
            }
            _ => format!("{name}: {}", self.dice.below(size)),
        }
    }
}
