//! Products where no free axis is left: for each kept position one sum of products of numbers.
//!
//! They run in f64 in the fixed order of `rt::reduce`, because the BLAS's dot product depends on how pointers are
//! aligned.

use super::super::blas::Float;
use super::super::error::Result;
use super::super::reduce::{Engine, FloatSum, Source, ToF64};
use super::super::tensor::{Aligned, Dim, Tensor};
use super::super::walk::Walk;
use super::plan::Groups;

struct Pairs<'a, T> {
    a: &'a [T],
    b: &'a [T],
    first: [isize; 2],
}

impl<T: ToF64> Source<2> for Pairs<'_, T> {
    type Item = f64;

    fn read(&self, offsets: [isize; 2], [in_a, in_b]: [isize; 2], out: &mut [f64]) {
        let from_a = (self.first[0] + offsets[0]) as usize;
        let from_b = (self.first[1] + offsets[1]) as usize;
        if in_a == 1 && in_b == 1 {
            let (a, b) = (&self.a[from_a..from_a + out.len()], &self.b[from_b..from_b + out.len()]);
            return T::products(a, b, out);
        }
        for (i, x) in out.iter_mut().enumerate() {
            let (a, b) = (from_a as isize + i as isize * in_a, from_b as isize + i as isize * in_b);
            *x = self.a[a as usize].to_f64() * self.b[b as usize].to_f64();
        }
    }

    fn direct(&self, _: [isize; 2], _: [isize; 2], _: usize) -> Option<&[f64]> {
        None
    }
}

pub fn run<T: Float>(a: &Tensor, b: &Tensor, groups: &Groups) -> Result<Tensor> {
    let source = Pairs { a: a.store::<T>()?, b: b.store::<T>()?, first: [a.offset as isize, b.offset as isize] };
    // The free axes are all of length 1 here; those that are batches in one operand only have stride 0 in the other.
    let kept = groups.kept_pairs();
    let walk = |pairs: &[(Dim, isize, isize)]| Walk::new(pairs.iter().map(|&(dim, x, y)| (dim.len, [x, y])));
    let engine = Engine::new(&source, walk(&kept), walk(&groups.inner_pairs()));
    let dims: Vec<Dim> = kept.iter().map(|pair| pair.0).collect();
    let mut out = Aligned::<T>::scratch(dims.iter().map(|dim| dim.len).product());
    engine.run::<FloatSum<f64, T>>(&mut out);
    Tensor::dense_over(&dims, out)
}
