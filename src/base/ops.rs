//! The scalar operations: one meaning each, shared by the IR, the kernels, the oracle and machine code.

/// How an element is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum DType {
    F32,
    F64,
    /// Integers and indices: 64-bit.
    I64,
    /// One byte, 0 or 1.
    Bool,
}

impl DType {
    pub fn bytes(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F64 | DType::I64 => 8,
            DType::Bool => 1,
        }
    }
}

/// An operation on scalars, applied element by element to tensors. Operands have one common type, except for
/// `Where(bool, t, t)` and `Cast`. Comparisons and logic give bool.
///
/// Floats follow IEEE 754 with no contraction of `a*b + c`. `Div` on integers does not exist (`/` makes floats);
/// `IntDiv` and `Rem` round toward minus infinity (so `-1 % 3 == 2`). Integer overflow and division by zero are
/// errors; division of float *scalars* by zero is an error too, of float tensors it gives infinity or NaN.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum ScalarOp {
    Add,
    Sub,
    Mul,
    Div,
    IntDiv,
    Rem,
    /// Float power; an integral exponent constant is expanded to products before it gets here.
    Pow,
    Neg,
    Abs,
    Sign,
    Floor,
    Sqrt,
    Exp,
    Log,
    Tanh,
    Erf,
    Sin,
    Cos,
    /// The smaller; if either is NaN, NaN.
    Min,
    /// The larger; if either is NaN, NaN.
    Max,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    Not,
    /// `where(cond, x, y)`.
    Where,
    /// Conversion to the given type. Float to int truncates toward zero and refuses NaN and out-of-range;
    /// number to bool is `!= 0`; bool to number is 0 or 1.
    Cast(DType),
}

impl ScalarOp {
    pub fn arity(self) -> usize {
        use ScalarOp::*;
        match self {
            Neg | Abs | Sign | Floor | Sqrt | Exp | Log | Tanh | Erf | Sin | Cos | Not | Cast(_) => 1,
            Where => 3,
            _ => 2,
        }
    }

    pub fn is_comparison(self) -> bool {
        use ScalarOp::*;
        matches!(self, Eq | Ne | Lt | Le | Gt | Ge)
    }

    /// The type of the result, given the types of the operands.
    pub fn result(self, args: &[DType]) -> DType {
        use ScalarOp::*;
        match self {
            Eq | Ne | Lt | Le | Gt | Ge | And | Or | Not => DType::Bool,
            Where => args[1],
            Cast(to) => to,
            _ => args[0],
        }
    }

    /// Can the operation fail on some operands (and so must not be moved or vectorised without a check)?
    pub fn can_fail(self, args: &[DType]) -> bool {
        use ScalarOp::*;
        match self {
            Add | Sub | Mul | IntDiv | Rem | Neg | Abs | Pow => args[0] == DType::I64,
            Cast(DType::I64) => matches!(args[0], DType::F32 | DType::F64),
            _ => false,
        }
    }

    /// The name in the printed IR and of the function in `stdlib/core.exp`.
    pub fn name(self) -> &'static str {
        use ScalarOp::*;
        match self {
            Add => "add",
            Sub => "sub",
            Mul => "mul",
            Div => "div_float",
            IntDiv => "div",
            Rem => "rem",
            Pow => "pow",
            Neg => "neg",
            Abs => "abs",
            Sign => "sign",
            Floor => "floor",
            Sqrt => "sqrt",
            Exp => "exp",
            Log => "log",
            Tanh => "tanh",
            Erf => "erf",
            Sin => "sin",
            Cos => "cos",
            Min => "minimum",
            Max => "maximum",
            Eq => "eq",
            Ne => "ne",
            Lt => "lt",
            Le => "le",
            Gt => "gt",
            Ge => "ge",
            And => "and_",
            Or => "or_",
            Not => "not_",
            Where => "where",
            Cast(DType::F32) => "f32",
            Cast(DType::F64) => "f64",
            Cast(DType::I64) => "int",
            Cast(DType::Bool) => "bool",
        }
    }

    pub fn from_name(name: &str) -> Option<ScalarOp> {
        ALL.iter().copied().find(|op| op.name() == name)
    }
}

/// Every operation, for tables and tests.
pub const ALL: &[ScalarOp] = &[
    ScalarOp::Add,
    ScalarOp::Sub,
    ScalarOp::Mul,
    ScalarOp::Div,
    ScalarOp::IntDiv,
    ScalarOp::Rem,
    ScalarOp::Pow,
    ScalarOp::Neg,
    ScalarOp::Abs,
    ScalarOp::Sign,
    ScalarOp::Floor,
    ScalarOp::Sqrt,
    ScalarOp::Exp,
    ScalarOp::Log,
    ScalarOp::Tanh,
    ScalarOp::Erf,
    ScalarOp::Sin,
    ScalarOp::Cos,
    ScalarOp::Min,
    ScalarOp::Max,
    ScalarOp::Eq,
    ScalarOp::Ne,
    ScalarOp::Lt,
    ScalarOp::Le,
    ScalarOp::Gt,
    ScalarOp::Ge,
    ScalarOp::And,
    ScalarOp::Or,
    ScalarOp::Not,
    ScalarOp::Where,
    ScalarOp::Cast(DType::F32),
    ScalarOp::Cast(DType::F64),
    ScalarOp::Cast(DType::I64),
    ScalarOp::Cast(DType::Bool),
];

/// What a reduction does to the elements along the axes that go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum ReduceKind {
    /// Sum with f64 accumulators on a fixed tree; result in the element type. Integers are exact.
    Sum,
    /// The same, with the result in f64 whatever the element type.
    SumF64,
    Max,
    Min,
    Any,
    All,
    /// How many are true: int.
    Count,
    /// One axis only; the lowest index among equals; an index of that axis. NaN is an error.
    ArgMax,
    ArgMin,
}

impl ReduceKind {
    pub fn result(self, arg: DType) -> DType {
        match self {
            ReduceKind::Sum | ReduceKind::Max | ReduceKind::Min => arg,
            ReduceKind::SumF64 => DType::F64,
            ReduceKind::Any | ReduceKind::All => DType::Bool,
            ReduceKind::Count | ReduceKind::ArgMax | ReduceKind::ArgMin => DType::I64,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            ReduceKind::Sum => "sum",
            ReduceKind::SumF64 => "sum64",
            ReduceKind::Max => "max",
            ReduceKind::Min => "min",
            ReduceKind::Any => "any",
            ReduceKind::All => "all",
            ReduceKind::Count => "count",
            ReduceKind::ArgMax => "argmax",
            ReduceKind::ArgMin => "argmin",
        }
    }

    pub fn from_name(name: &str) -> Option<ReduceKind> {
        use ReduceKind::*;
        [Sum, SumF64, Max, Min, Any, All, Count, ArgMax, ArgMin].into_iter().find(|kind| kind.name() == name)
    }
}
