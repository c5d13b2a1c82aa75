//! Types. Axis names are in the type as a set; sizes are not.

use crate::base::axis::Axis;
use crate::base::ops::DType;
use smallvec::{SmallVec, smallvec};
use std::fmt;

/// What one element of a tensor is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Elem {
    F32,
    F64,
    Int,
    Bool,
    /// An index of that axis: stored as a 64-bit integer.
    Index(Axis),
}

impl Elem {
    pub fn dtype(self) -> DType {
        match self {
            Elem::F32 => DType::F32,
            Elem::F64 => DType::F64,
            Elem::Int | Elem::Index(_) => DType::I64,
            Elem::Bool => DType::Bool,
        }
    }

    pub fn is_float(self) -> bool {
        matches!(self, Elem::F32 | Elem::F64)
    }
}

/// A set of axes, sorted by identity.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
pub struct AxisSet(SmallVec<[Axis; FEW]>);

/// So many axes need no allocation of their own; hardly a value has more.
const FEW: usize = 6;

impl AxisSet {
    pub const fn empty() -> AxisSet {
        AxisSet(SmallVec::new_const())
    }

    pub fn one(axis: Axis) -> AxisSet {
        AxisSet(smallvec![axis])
    }

    pub fn iter(&self) -> impl Iterator<Item = Axis> + '_ {
        self.0.iter().copied()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, axis: Axis) -> bool {
        self.0.binary_search(&axis).is_ok()
    }

    /// False if it was there already.
    pub fn insert(&mut self, axis: Axis) -> bool {
        match self.0.binary_search(&axis) {
            Ok(_) => false,
            Err(place) => {
                self.0.insert(place, axis);
                true
            }
        }
    }

    pub fn remove(&mut self, axis: Axis) -> bool {
        match self.0.binary_search(&axis) {
            Ok(place) => {
                self.0.remove(place);
                true
            }
            Err(_) => false,
        }
    }

    pub fn with(&self, axis: Axis) -> AxisSet {
        let mut set = self.clone();
        set.insert(axis);
        set
    }

    pub fn without(&self, axis: Axis) -> AxisSet {
        let mut set = self.clone();
        set.remove(axis);
        set
    }

    pub fn union(&self, other: &AxisSet) -> AxisSet {
        self.iter().chain(other.iter()).collect()
    }

    pub fn minus(&self, other: &AxisSet) -> AxisSet {
        self.iter().filter(|&a| !other.contains(a)).collect()
    }

    pub fn intersect(&self, other: &AxisSet) -> AxisSet {
        self.iter().filter(|&a| other.contains(a)).collect()
    }

    pub fn is_subset(&self, other: &AxisSet) -> bool {
        self.iter().all(|a| other.contains(a))
    }

    pub fn as_slice(&self) -> &[Axis] {
        &self.0
    }
}

impl FromIterator<Axis> for AxisSet {
    fn from_iter<I: IntoIterator<Item = Axis>>(axes: I) -> AxisSet {
        let mut list: SmallVec<[Axis; FEW]> = axes.into_iter().collect();
        list.sort();
        list.dedup();
        AxisSet(list)
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Type {
    /// A scalar if the set is empty: `float` is `f64[]`, `int` is `int[]`, an index is `pos[]`.
    Tensor(Elem, AxisSet),
    Str,
    /// A key of the counter-based random generator.
    Key,
    /// An opened input.
    File,
    List(Box<Type>),
    /// Fields in the order of declaration. In the IR only as elements of lists.
    Record(Vec<(String, Type)>),
    /// A function value; exists only while checking, and in no local of the IR.
    Fn(Vec<Type>, Box<Type>),
    Unit,
    /// Of an expression with a reported error; absorbs everything. Never in checked IR.
    Error,
}

impl Type {
    pub const INT: Type = Type::Tensor(Elem::Int, AxisSet::empty());
    pub const FLOAT: Type = Type::Tensor(Elem::F64, AxisSet::empty());
    pub const F32: Type = Type::Tensor(Elem::F32, AxisSet::empty());
    pub const BOOL: Type = Type::Tensor(Elem::Bool, AxisSet::empty());

    pub fn tensor(elem: Elem, axes: AxisSet) -> Type {
        Type::Tensor(elem, axes)
    }

    pub fn index(axis: Axis) -> Type {
        Type::Tensor(Elem::Index(axis), AxisSet::empty())
    }

    pub fn axes(&self) -> Option<&AxisSet> {
        match self {
            Type::Tensor(_, axes) => Some(axes),
            _ => None,
        }
    }

    pub fn elem(&self) -> Option<Elem> {
        match self {
            Type::Tensor(elem, _) => Some(*elem),
            _ => None,
        }
    }

    /// A single index of the axis, or a whole number, which is checked against the length when it is used.
    pub fn is_index_of(&self, axis: Axis) -> bool {
        *self == Type::INT || *self == Type::index(axis)
    }

    /// A number, bool or index with no axes: kept in a machine register.
    pub fn is_scalar(&self) -> bool {
        matches!(self, Type::Tensor(_, axes) if axes.is_empty())
    }

    /// A tensor with at least one axis.
    pub fn is_tensor(&self) -> bool {
        matches!(self, Type::Tensor(_, axes) if !axes.is_empty())
    }

    /// The storage type of a scalar or of a tensor's elements.
    pub fn dtype(&self) -> Option<DType> {
        self.elem().map(Elem::dtype)
    }
}

impl fmt::Display for AxisSet {
    /// Sorted by name, so that messages do not depend on the order of interning; rows last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<String> = self.iter().map(|a| a.shown()).collect();
        names.sort_by_key(|name| (name.starts_with(".."), name.clone()));
        write!(f, "{}", names.join(", "))
    }
}

impl fmt::Display for Elem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Elem::F32 => write!(f, "f32"),
            Elem::F64 => write!(f, "f64"),
            Elem::Int => write!(f, "int"),
            Elem::Bool => write!(f, "bool"),
            Elem::Index(axis) => write!(f, "{axis}"),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Tensor(Elem::F64, axes) if axes.is_empty() => write!(f, "float"),
            Type::Tensor(elem, axes) if axes.is_empty() => write!(f, "{elem}"),
            Type::Tensor(elem, axes) => write!(f, "{elem}[{axes}]"),
            Type::Str => write!(f, "str"),
            Type::Key => write!(f, "key"),
            Type::File => write!(f, "file"),
            Type::List(item) => write!(f, "list<{item}>"),
            Type::Record(fields) => {
                let fields: Vec<String> = fields.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
                write!(f, "{{ {} }}", fields.join(", "))
            }
            Type::Fn(params, result) => {
                let params: Vec<String> = params.iter().map(|ty| ty.to_string()).collect();
                write!(f, "fn({}) -> {result}", params.join(", "))
            }
            Type::Unit => write!(f, "nothing"),
            Type::Error => write!(f, "?"),
        }
    }
}
