//! Operations on scalars in machine code, with the meaning that `base::ops` documents.
//!
//! Whatever can fail is tested first; the failing case goes, in a cold block, to the executor with the same
//! operands, which finds the same error in the same words. Operations without a short sequence go there always.

use cranelift::prelude::*;

use crate::base::ops::{DType, ScalarOp};
use crate::ir::{LocalId, Stmt};
use crate::rt::error::Result;

use super::func::{Lower, machine};
use super::table;

/// How an operation is done inline.
enum Plan {
    /// This is the result.
    Done(Value),
    /// The result if the flag is set; else the executor knows.
    If(Value, Value),
    /// As soon as the flag is set, it is safe to compute the result.
    Then(Value, Late),
    /// Not inline.
    Generic,
}

/// Instructions that would trap without their test.
#[derive(Clone, Copy)]
enum Late {
    Quotient,
    Remainder,
    Truncate,
}

impl Lower<'_, '_> {
    /// Lowers an elementwise operation on scalars.
    pub fn scalar_op(&mut self, stmt: &Stmt, op: ScalarOp, args: &[LocalId]) -> Result<()> {
        let dtype = self.function.ty(args[0]).dtype().unwrap_or(DType::I64);
        let values: Vec<Value> = args.iter().map(|&local| self.scalar(local)).collect();
        let result = match self.plan(op, dtype, &values)? {
            Plan::Generic => return self.execute(stmt, args, &vec![false; args.len()]),
            Plan::Done(value) => value,
            Plan::If(ok, value) => self.guarded(stmt, args, ok, |_| value)?,
            Plan::Then(ok, late) => self.guarded(stmt, args, ok, |lower| lower.late(late, &values))?,
        };
        let result = self.finite(stmt, args, result)?;
        self.bind_scalar(stmt.dest[0], result);
        Ok(())
    }

    /// `fast` if `ok`; otherwise what the executor says. The operands of `stmt` are the scalars `args`.
    pub fn guarded(
        &mut self,
        stmt: &Stmt,
        args: &[LocalId],
        ok: Value,
        fast: impl FnOnce(&mut Self) -> Value,
    ) -> Result<Value> {
        let ty = machine(self.function.ty(stmt.dest[0]).dtype().unwrap_or(DType::I64));
        let (quick, cold, next) = (self.b.create_block(), self.b.create_block(), self.block_with(&[ty]));
        self.b.ins().brif(ok, quick, &[], cold, &[]);
        self.b.switch_to_block(cold);
        self.b.set_cold_block(cold);
        let slow = self.executed(stmt, args, &vec![false; args.len()])?.first().copied().flatten();
        let slow = slow.unwrap_or(ok);
        self.jump(next, &[slow]);
        self.b.switch_to_block(quick);
        let value = fast(self);
        self.jump(next, &[value]);
        self.b.switch_to_block(next);
        Ok(self.b.block_params(next)[0])
    }

    /// With `--check-finite`: a NaN or infinity goes to the executor, which knows whether the operands are to blame.
    fn finite(&mut self, stmt: &Stmt, args: &[LocalId], value: Value) -> Result<Value> {
        let result = self.function.ty(stmt.dest[0]).dtype();
        let Some(result @ (DType::F32 | DType::F64)) = result.filter(|_| self.unit.check_finite) else {
            return Ok(value);
        };
        let nothing = self.b.ins().fsub(value, value);
        let zero = self.zero(result);
        let ok = self.b.ins().fcmp(FloatCC::Equal, nothing, zero);
        self.guarded(stmt, args, ok, |_| value)
    }

    /// `index[a](i)`: the index itself, if it is inside.
    pub fn index_check(&mut self, stmt: &Stmt, index: LocalId, size: LocalId) -> Result<()> {
        let (value, bound) = (self.scalar(index), self.scalar(size));
        let ok = self.b.ins().icmp(IntCC::UnsignedLessThan, value, bound);
        let zero = self.b.ins().iconst(types::I64, 0);
        let sensible = self.b.ins().icmp(IntCC::SignedGreaterThanOrEqual, bound, zero);
        let ok = self.b.ins().band(ok, sensible);
        let value = self.guarded(stmt, &[index, size], ok, |_| value)?;
        self.bind_scalar(stmt.dest[0], value);
        Ok(())
    }

    fn plan(&mut self, op: ScalarOp, dtype: DType, values: &[Value]) -> Result<Plan> {
        use ScalarOp::*;
        if let Cast(to) = op {
            return Ok(self.cast(dtype, to, values[0]));
        }
        if op == Where {
            return Ok(Plan::Done(self.b.ins().select(values[0], values[1], values[2])));
        }
        if op.is_comparison() {
            return Ok(Plan::Done(self.compare(op, dtype, values[0], values[1])));
        }
        match dtype {
            DType::I64 => Ok(self.integer(op, values)),
            DType::Bool => Ok(self.logic(op, values)),
            DType::F32 | DType::F64 => self.float(op, dtype, values),
        }
    }

    fn logic(&mut self, op: ScalarOp, values: &[Value]) -> Plan {
        Plan::Done(match op {
            ScalarOp::And => self.b.ins().band(values[0], values[1]),
            ScalarOp::Or => self.b.ins().bor(values[0], values[1]),
            ScalarOp::Not => {
                let one = self.b.ins().iconst(types::I8, 1);
                self.b.ins().bxor(values[0], one)
            }
            _ => return Plan::Generic,
        })
    }

    fn integer(&mut self, op: ScalarOp, values: &[Value]) -> Plan {
        use ScalarOp::*;
        let x = values[0];
        let y = values.get(1).copied().unwrap_or(x);
        let zero = self.b.ins().iconst(types::I64, 0);
        let (value, overflow) = match op {
            Add => self.b.ins().sadd_overflow(x, y),
            Sub => self.b.ins().ssub_overflow(x, y),
            Mul => self.b.ins().smul_overflow(x, y),
            Neg => self.b.ins().ssub_overflow(zero, x),
            IntDiv | Rem => {
                // Zero may not be divided by; by -1 the quotient may overflow. Both go the slow way.
                let one = self.b.ins().iconst(types::I64, 1);
                let shifted = self.b.ins().iadd(y, one);
                let ok = self.b.ins().icmp(IntCC::UnsignedGreaterThan, shifted, one);
                return Plan::Then(ok, if op == Rem { Late::Remainder } else { Late::Quotient });
            }
            Min => return Plan::Done(self.b.ins().smin(x, y)),
            Max => return Plan::Done(self.b.ins().smax(x, y)),
            Sign => return Plan::Done(int_sign(&mut self.b, x)),
            Floor => return Plan::Done(x),
            Abs => {
                let least = self.b.ins().iconst(types::I64, i64::MIN);
                let ok = self.b.ins().icmp(IntCC::NotEqual, x, least);
                let value = self.b.ins().iabs(x);
                return Plan::If(ok, value);
            }
            _ => return Plan::Generic,
        };
        let zero = self.b.ins().iconst(types::I8, 0);
        let ok = self.b.ins().icmp(IntCC::Equal, overflow, zero);
        Plan::If(ok, value)
    }

    fn late(&mut self, late: Late, values: &[Value]) -> Value {
        let x = values[0];
        let y = values.get(1).copied().unwrap_or(x);
        match late {
            Late::Truncate => self.b.ins().fcvt_to_sint(types::I64, x),
            Late::Quotient => {
                let quotient = self.b.ins().sdiv(x, y);
                let crossed = self.crossed(x, y, quotient);
                self.b.ins().isub(quotient, crossed)
            }
            Late::Remainder => {
                let quotient = self.b.ins().sdiv(x, y);
                let crossed = self.crossed(x, y, quotient);
                let quotient = self.b.ins().isub(quotient, crossed);
                let whole = self.b.ins().imul(quotient, y);
                self.b.ins().isub(x, whole)
            }
        }
    }

    /// 1 if the truncated quotient lies above the true one, so that it must go down by one.
    fn crossed(&mut self, x: Value, y: Value, quotient: Value) -> Value {
        let whole = self.b.ins().imul(quotient, y);
        let rest = self.b.ins().isub(x, whole);
        let zero = self.b.ins().iconst(types::I64, 0);
        let uneven = self.b.ins().icmp(IntCC::NotEqual, rest, zero);
        let signs = self.b.ins().bxor(rest, y);
        let opposite = self.b.ins().icmp(IntCC::SignedLessThan, signs, zero);
        let both = self.b.ins().band(uneven, opposite);
        self.b.ins().uextend(types::I64, both)
    }

    fn float(&mut self, op: ScalarOp, dtype: DType, values: &[Value]) -> Result<Plan> {
        use ScalarOp::*;
        // `rem` may fail, so it goes to the executor.
        if let Some(symbol) = table::scalar_symbol(op, dtype).filter(|_| op != Rem) {
            let target = self.import(symbol)?;
            let call = self.b.ins().call(target, values);
            return Ok(Plan::Done(self.b.inst_results(call)[0]));
        }
        let x = values[0];
        let y = values.get(1).copied().unwrap_or(x);
        if matches!(op, Div | IntDiv) {
            let zero = self.zero(dtype);
            let ok = self.b.ins().fcmp(FloatCC::NotEqual, y, zero);
            let quotient = float_op(&mut self.b, op, x, y);
            return Ok(quotient.map_or(Plan::Generic, |quotient| Plan::If(ok, quotient)));
        }
        Ok(match op {
            Min | Max => Plan::Done(extreme(&mut self.b, op, x, y, choose)),
            Sign => {
                let (one, zero) = (super::lanes::one(&mut self.b, machine(dtype)), self.zero(dtype));
                Plan::Done(sign(&mut self.b, x, one, zero, choose))
            }
            _ => float_op(&mut self.b, op, x, y).map_or(Plan::Generic, Plan::Done),
        })
    }

    fn compare(&mut self, op: ScalarOp, dtype: DType, x: Value, y: Value) -> Value {
        match dtype {
            DType::F32 | DType::F64 => self.b.ins().fcmp(float_condition(op), x, y),
            DType::I64 => self.b.ins().icmp(int_condition(op, true), x, y),
            DType::Bool => self.b.ins().icmp(int_condition(op, false), x, y),
        }
    }

    fn cast(&mut self, from: DType, to: DType, x: Value) -> Plan {
        if to == DType::I64 && matches!(from, DType::F32 | DType::F64) {
            let ok = self.fits(from, x);
            return Plan::Then(ok, Late::Truncate);
        }
        Plan::Done(convert(&mut self.b, from, to, x))
    }

    /// Is the float inside -2^63..2^63? NaN is not.
    fn fits(&mut self, dtype: DType, x: Value) -> Value {
        let bound = 2f64.powi(63);
        let (low, high) = match dtype {
            DType::F32 => {
                let bits = (bound as f32).to_bits();
                (self.b.ins().f32const(f32::from_bits(bits ^ 1 << 31)), self.b.ins().f32const(f32::from_bits(bits)))
            }
            _ => (self.b.ins().f64const(-bound), self.b.ins().f64const(bound)),
        };
        let above = self.b.ins().fcmp(FloatCC::GreaterThanOrEqual, x, low);
        let below = self.b.ins().fcmp(FloatCC::LessThan, x, high);
        self.b.ins().band(above, below)
    }
}

pub fn float_condition(op: ScalarOp) -> FloatCC {
    match op {
        ScalarOp::Ne => FloatCC::NotEqual,
        ScalarOp::Lt => FloatCC::LessThan,
        ScalarOp::Le => FloatCC::LessThanOrEqual,
        ScalarOp::Gt => FloatCC::GreaterThan,
        ScalarOp::Ge => FloatCC::GreaterThanOrEqual,
        _ => FloatCC::Equal,
    }
}

pub fn int_condition(op: ScalarOp, signed: bool) -> IntCC {
    match (op, signed) {
        (ScalarOp::Ne, _) => IntCC::NotEqual,
        (ScalarOp::Lt, true) => IntCC::SignedLessThan,
        (ScalarOp::Le, true) => IntCC::SignedLessThanOrEqual,
        (ScalarOp::Gt, true) => IntCC::SignedGreaterThan,
        (ScalarOp::Ge, true) => IntCC::SignedGreaterThanOrEqual,
        (ScalarOp::Lt, false) => IntCC::UnsignedLessThan,
        (ScalarOp::Le, false) => IntCC::UnsignedLessThanOrEqual,
        (ScalarOp::Gt, false) => IntCC::UnsignedGreaterThan,
        (ScalarOp::Ge, false) => IntCC::UnsignedGreaterThanOrEqual,
        _ => IntCC::Equal,
    }
}

/// Float operations that are one or two instructions, for scalars and vectors alike.
pub fn float_op(b: &mut FunctionBuilder, op: ScalarOp, x: Value, y: Value) -> Option<Value> {
    use ScalarOp::*;
    Some(match op {
        Add => b.ins().fadd(x, y),
        Sub => b.ins().fsub(x, y),
        Mul => b.ins().fmul(x, y),
        Div => b.ins().fdiv(x, y),
        IntDiv => {
            let quotient = b.ins().fdiv(x, y);
            b.ins().floor(quotient)
        }
        Neg => b.ins().fneg(x),
        Abs => b.ins().fabs(x),
        Sqrt => b.ins().sqrt(x),
        Floor => b.ins().floor(x),
        _ => return None,
    })
}

/// How a flag or mask chooses between two values: scalars and vectors differ.
pub type Choose = fn(&mut FunctionBuilder, Value, Value, Value) -> Value;

pub fn choose(b: &mut FunctionBuilder, flag: Value, yes: Value, no: Value) -> Value {
    b.ins().select(flag, yes, no)
}

/// The smaller or larger: `x` if it is that or NaN, else `y`.
pub fn extreme(b: &mut FunctionBuilder, op: ScalarOp, x: Value, y: Value, choose: Choose) -> Value {
    // In this form vectors become one instruction each for the comparison and for the exception.
    let better =
        if op == ScalarOp::Min { b.ins().fcmp(FloatCC::LessThan, x, y) } else { b.ins().fcmp(FloatCC::LessThan, y, x) };
    let best = choose(b, better, x, y);
    let odd = b.ins().fcmp(FloatCC::Unordered, x, x);
    choose(b, odd, x, best)
}

/// 1 or -1; zeros and NaN stay what they are.
pub fn sign(b: &mut FunctionBuilder, x: Value, one: Value, zero: Value, choose: Choose) -> Value {
    let minus = b.ins().fneg(one);
    let (above, below) = (b.ins().fcmp(FloatCC::GreaterThan, x, zero), b.ins().fcmp(FloatCC::LessThan, x, zero));
    let low = choose(b, below, minus, x);
    choose(b, above, one, low)
}

pub fn int_sign(b: &mut FunctionBuilder, x: Value) -> Value {
    let zero = b.ins().iconst(types::I64, 0);
    let above = b.ins().icmp(IntCC::SignedGreaterThan, x, zero);
    let below = b.ins().icmp(IntCC::SignedLessThan, x, zero);
    let (above, below) = (b.ins().uextend(types::I64, above), b.ins().uextend(types::I64, below));
    b.ins().isub(above, below)
}

/// Conversions that cannot fail, on scalars.
pub fn convert(b: &mut FunctionBuilder, from: DType, to: DType, x: Value) -> Value {
    match (from, to) {
        (DType::F32, DType::F64) => b.ins().fpromote(types::F64, x),
        (DType::F64, DType::F32) => b.ins().fdemote(types::F32, x),
        (DType::F32, DType::Bool) => {
            let zero = b.ins().f32const(0.0);
            b.ins().fcmp(FloatCC::NotEqual, x, zero)
        }
        (DType::F64, DType::Bool) => {
            let zero = b.ins().f64const(0.0);
            b.ins().fcmp(FloatCC::NotEqual, x, zero)
        }
        (DType::I64, DType::Bool) => {
            let zero = b.ins().iconst(types::I64, 0);
            b.ins().icmp(IntCC::NotEqual, x, zero)
        }
        (DType::I64, DType::F32 | DType::F64) => b.ins().fcvt_from_sint(machine(to), x),
        (DType::Bool, DType::I64) => b.ins().uextend(types::I64, x),
        (DType::Bool, DType::F32 | DType::F64) => {
            let wide = b.ins().uextend(types::I64, x);
            b.ins().fcvt_from_sint(machine(to), wide)
        }
        _ => x,
    }
}
