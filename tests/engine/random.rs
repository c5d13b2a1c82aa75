//! Random scalar programs on both engines: arithmetic at its edges, branches, loops, early returns.

use crate::build::*;
use locus::base::ops::{ALL, DType, ScalarOp};
use locus::ir::*;
use locus::rt::value::Value;

/// A small generator: the tests need many different choices, not good randomness.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

pub const FLOATS: [f64; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -2.5,
    3.0,
    1e-3,
    1e30,
    -1e30,
    1e-310,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    9.3e18,
    -7.25,
];
pub const INTS: [i64; 12] = [0, 1, -1, 2, 3, -3, 7, 64, i64::MAX, i64::MIN, 1 << 40, -12345];

/// Does the operation take operands of this type? (`Where` and `Cast` are handled apart.)
pub fn takes(op: ScalarOp, dtype: DType) -> bool {
    use ScalarOp::*;
    match op {
        And | Or | Not => dtype == DType::Bool,
        Div | Sqrt | Exp | Log | Tanh | Erf | Sin | Cos => matches!(dtype, DType::F32 | DType::F64),
        Eq | Ne | Lt | Le | Gt | Ge => true,
        _ => dtype != DType::Bool,
    }
}

struct Random<'a> {
    b: &'a mut Build,
    dice: Dice,
    known: Vec<(LocalId, DType)>,
    depth: u32,
}

const TYPES: [DType; 4] = [DType::F32, DType::F64, DType::I64, DType::Bool];

impl Random<'_> {
    fn one_of(&mut self, dtype: DType) -> LocalId {
        let fitting: Vec<LocalId> = self.known.iter().filter(|known| known.1 == dtype).map(|known| known.0).collect();
        if fitting.is_empty() || self.dice.below(5) == 0 {
            return self.constant(dtype);
        }
        self.dice.pick(&fitting)
    }

    fn constant(&mut self, dtype: DType) -> LocalId {
        let x = self.dice.pick(&FLOATS);
        let constant = match dtype {
            DType::F32 => Const::F32(x as f32),
            DType::F64 => Const::F64(x),
            DType::I64 => Const::Int(self.dice.pick(&INTS)),
            DType::Bool => Const::Bool(self.dice.below(2) == 0),
        };
        let local = self.b.op(scalar(dtype), Op::Const(constant));
        self.known.push((local, dtype));
        local
    }

    fn statement(&mut self) {
        match self.dice.below(10) {
            0 if self.depth < 3 => self.branch(),
            1 if self.depth < 3 => self.count(),
            2 => {
                let from = self.dice.pick(&TYPES);
                let arg = self.one_of(from);
                let to = self.dice.pick(&TYPES);
                self.elem(ScalarOp::Cast(to), &[arg], to);
            }
            3 => {
                let dtype = self.dice.pick(&TYPES);
                let args = [self.one_of(DType::Bool), self.one_of(dtype), self.one_of(dtype)];
                self.elem(ScalarOp::Where, &args, dtype);
            }
            _ => {
                let (op, dtype) = (self.dice.pick(ALL), self.dice.pick(&TYPES));
                if takes(op, dtype) && !matches!(op, ScalarOp::Where | ScalarOp::Cast(_)) {
                    let args: Vec<LocalId> = (0..op.arity()).map(|_| self.one_of(dtype)).collect();
                    self.elem(op, &args, op.result(&[dtype, dtype]));
                }
            }
        }
    }

    fn elem(&mut self, op: ScalarOp, args: &[LocalId], dtype: DType) {
        let dest = self.b.op(scalar(dtype), Op::Elem { op, args: args.to_vec() });
        self.known.push((dest, dtype));
    }

    /// Fills a block with statements; what it binds is unknown outside.
    fn inner(&mut self, results: &[DType]) -> Block {
        let mut dice = Dice::new(self.dice.next());
        std::mem::swap(&mut dice, &mut self.dice);
        let known = self.known.clone();
        let depth = self.depth + 1;
        let dice = std::mem::replace(&mut self.dice, dice);
        self.b.block(|b| {
            let mut inside = Random { b, dice, known, depth };
            for _ in 0..inside.dice.below(5) {
                inside.statement();
            }
            if inside.dice.below(12) == 0 {
                let x = inside.one_of(DType::F64);
                inside.b.effect(Op::Return(vec![x]));
            }
            results.iter().map(|&dtype| inside.one_of(dtype)).collect()
        })
    }

    fn branch(&mut self) {
        let results: Vec<DType> = (0..self.dice.below(3)).map(|_| self.dice.pick(&TYPES)).collect();
        let cond = self.one_of(DType::Bool);
        let (then, other) = (self.inner(&results), self.inner(&results));
        let types: Vec<Type> = results.iter().map(|&dtype| scalar(dtype)).collect();
        let dest = self.b.many(&types, Op::If { cond, then, other });
        self.known.extend(dest.into_iter().zip(results));
    }

    fn count(&mut self) {
        let results: Vec<DType> = (0..self.dice.below(3)).map(|_| self.dice.pick(&TYPES)).collect();
        let lo = self.b.int(0);
        let rounds = self.dice.below(4) as i64;
        let hi = self.b.int(rounds);
        let var = self.b.local(Type::INT);
        let inits: Vec<LocalId> = results.iter().map(|&dtype| self.one_of(dtype)).collect();
        let params: Vec<LocalId> = results.iter().map(|&dtype| self.b.local(scalar(dtype))).collect();
        let outside = self.known.clone();
        self.known.push((var, DType::I64));
        self.known.extend(params.iter().copied().zip(results.iter().copied()));
        let body = self.inner(&results);
        self.known = outside;
        let carried = params.iter().zip(&inits).map(|(&param, &init)| Carried { param, init }).collect();
        let types: Vec<Type> = results.iter().map(|&dtype| scalar(dtype)).collect();
        let dest = self.b.many(&types, Op::For { var, lo, hi, carried, body });
        self.known.extend(dest.into_iter().zip(results));
    }
}

fn scalar(dtype: DType) -> Type {
    match dtype {
        DType::F32 => Type::F32,
        DType::F64 => Type::FLOAT,
        DType::I64 => Type::INT,
        DType::Bool => Type::BOOL,
    }
}

/// Builds a program from a seed; its result depends on everything that is still known at its end.
fn program(module: &mut Module, seed: u64) -> FuncId {
    let params = [Type::FLOAT, Type::F32, Type::INT, Type::BOOL];
    let (mut b, locals) = Build::new("random", &params);
    let known = locals.iter().copied().zip([DType::F64, DType::F32, DType::I64, DType::Bool]).collect();
    let mut random = Random { b: &mut b, dice: Dice::new(seed), known, depth: 0 };
    for _ in 0..12 {
        random.statement();
    }
    let known = random.known.clone();
    let mut sum = b.float(0.0);
    for (local, dtype) in known {
        let wide = match dtype {
            DType::F64 => local,
            _ => b.elem(ScalarOp::Cast(DType::F64), &[local]),
        };
        let half = b.float(0.5);
        let scaled = b.elem(ScalarOp::Mul, &[sum, half]);
        sum = b.elem(ScalarOp::Add, &[scaled, wide]);
    }
    b.finish(module, &[sum])
}

#[test]
fn random_programs_agree() {
    let (mut fine, mut faults) = (0, 0);
    for seed in 1..150 {
        let mut module = Module::default();
        let func = program(&mut module, seed);
        let mut dice = Dice::new(seed + 1000);
        let mut run = Run::new(module);
        run.check_finite = seed % 4 == 0;
        for _ in 0..3 {
            let x = dice.pick(&FLOATS);
            let args = [x.into(), Value::F32(-x as f32), dice.pick(&INTS).into(), (x > 0.0).into()];
            match run.both(func, &args) {
                Ok(_) => fine += 1,
                Err(_) => faults += 1,
            }
        }
    }
    assert!(fine > 40 && faults > 40, "{fine} runs without a fault, {faults} with one: both kinds matter");
}
