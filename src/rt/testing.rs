//! For unit tests: seeded random tensors with every kind of strides, and element access without any cleverness.

use super::index;
use super::tensor::{Buffer, Element, Tensor};
use super::value::Value;
use crate::base::axis::Axis;
use crate::base::ops::DType;

/// A small generator (xorshift); tests need variety, not quality.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Between -1 and 1.
    pub fn float(&mut self) -> f64 {
        (self.next() % 2_000_001) as f64 / 1e6 - 1.0
    }

    pub fn any_type(&mut self) -> DType {
        ALL_TYPES[self.below(4)]
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i + 1));
        }
    }

    /// A tensor over these axes in any physical order, perhaps a part of a larger one, perhaps repeated.
    pub fn tensor(&mut self, dtype: DType, axes: &[(Axis, usize)]) -> Tensor {
        let mut order = axes.to_vec();
        self.shuffle(&mut order);
        let repeated: Vec<bool> = order.iter().map(|_| self.one_in(8)).collect();
        let mut whole = Vec::new();
        let mut cut = Vec::new();
        for (&(axis, len), &repeated) in order.iter().zip(&repeated) {
            let (before, after) = if self.one_in(3) { (self.below(3), self.below(3)) } else { (0, 0) };
            if !repeated {
                whole.push((axis, len + before + after));
                cut.push((axis, before, before + len));
            }
        }
        let mut t = self.dense(dtype, &whole);
        for (axis, lo, hi) in cut {
            t = index::slice(&t, axis, axis, lo as i64, hi as i64).expect("slice");
        }
        for (&(axis, len), _) in order.iter().zip(&repeated).filter(|(_, repeated)| **repeated) {
            t = index::expand(&Value::from(t), axis, len as i64).expect("expand");
        }
        self.shuffle(&mut t.dims);
        t
    }

    pub fn dense(&mut self, dtype: DType, axes: &[(Axis, usize)]) -> Tensor {
        let mut t = Tensor::zeros(dtype, axes).expect("zeros");
        match &mut t.buffer {
            Buffer::F32(values) => values_mut(values).iter_mut().for_each(|x| *x = self.float() as f32),
            Buffer::F64(values) => values_mut(values).iter_mut().for_each(|x| *x = self.float()),
            Buffer::I64(values) => values_mut(values).iter_mut().for_each(|x| *x = self.below(200) as i64 - 100),
            Buffer::Bool(values) => values_mut(values).iter_mut().for_each(|x| *x = self.below(2) as u8),
        }
        t
    }

    /// Indices below `n` over these axes.
    pub fn indices(&mut self, n: usize, axes: &[(Axis, usize)]) -> Tensor {
        let mut t = self.tensor(DType::I64, axes);
        if let Buffer::I64(values) = &mut t.buffer {
            values_mut(values).iter_mut().for_each(|x| *x = self.below(n) as i64);
        }
        t
    }
}

fn values_mut<T: Element>(values: &mut std::sync::Arc<super::tensor::Aligned<T>>) -> &mut [T] {
    std::sync::Arc::get_mut(values).expect("unshared")
}

/// One element. Axes that the tensor does not have are ignored.
pub fn at(t: &Tensor, place: &[(Axis, usize)]) -> f64 {
    let mut offset = t.offset as isize;
    for dim in &t.dims {
        let (_, i) = place.iter().rev().find(|(axis, _)| *axis == dim.axis).expect("all axes are given");
        assert!(*i < dim.len);
        offset += *i as isize * dim.stride;
    }
    match &t.buffer {
        Buffer::F32(values) => values[offset as usize] as f64,
        Buffer::F64(values) => values[offset as usize],
        Buffer::I64(values) => values[offset as usize] as f64,
        Buffer::Bool(values) => values[offset as usize] as f64,
    }
}

pub fn value_at(v: &Value, place: &[(Axis, usize)]) -> f64 {
    match v {
        Value::Tensor(t) => at(t, place),
        Value::F32(x) => *x as f64,
        Value::F64(x) => *x,
        Value::Int(x) => *x as f64,
        Value::Bool(x) => *x as u8 as f64,
        other => panic!("not a number: {other:?}"),
    }
}

/// All combinations of indices of these axes.
pub fn places(axes: &[(Axis, usize)]) -> Vec<Vec<(Axis, usize)>> {
    let mut all = vec![Vec::new()];
    for &(axis, len) in axes {
        all = all
            .iter()
            .flat_map(|head| {
                (0..len).map(move |i| {
                    let mut place: Vec<(Axis, usize)> = head.clone();
                    place.push((axis, i));
                    place
                })
            })
            .collect();
    }
    all
}

/// The bits of all elements, in the order of the axes' names.
pub fn bits(v: &Value) -> Vec<u64> {
    let Value::Tensor(t) = v else { return vec![value_at(v, &[]).to_bits()] };
    let mut order: Vec<Axis> = t.dims.iter().map(|dim| dim.axis).collect();
    order.sort();
    t.to_f64(&order).expect("to_f64").iter().map(|x| x.to_bits()).collect()
}

/// The same with 1, 2 and 3 threads: the results, which must be equal to the bit.
pub fn same_for_all_threads<T: PartialEq + std::fmt::Debug + Send>(work: impl Fn() -> T + Sync) -> T {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(&work)
    };
    let one = run(1);
    for threads in [2, 3] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
    one
}

pub fn axes<const N: usize>(names: [&str; N]) -> [Axis; N] {
    names.map(|name| Axis::named("", name))
}

pub const ALL_TYPES: [DType; 4] = [DType::F32, DType::F64, DType::I64, DType::Bool];
