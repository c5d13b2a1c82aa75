//! The reductions as folds: how one element is added, how two parts are merged, what comes out.
//!
//! A fold never sees axes or threads; the engine decides the order, which is the same for every layout and every
//! number of threads.

use super::super::simd::{rows, sums};
use super::super::tensor::Element;
use std::marker::PhantomData;

/// A reduction of items of type `Item`.
pub trait Fold {
    type Item: Copy + Default + Send + Sync;
    type Acc: Copy + Send + Sync;
    type Out: Element;
    const EMPTY: Self::Acc;
    /// `place` is the position along the reduced axes.
    fn add(acc: Self::Acc, x: Self::Item, place: usize) -> Self::Acc;
    fn merge(a: Self::Acc, b: Self::Acc) -> Self::Acc;
    /// A run of items at once, where that is faster than one by one and gives the same.
    fn run(_items: &[Self::Item], _start: usize) -> Option<Self::Acc> {
        None
    }
    /// Items added to totals beside each other, all at the same place.
    fn add_row(totals: &mut [Self::Acc], items: &[Self::Item], place: usize) {
        totals.iter_mut().zip(items).for_each(|(total, &x)| *total = Self::add(*total, x, place));
    }
    /// `None` if there is no result: an overflow, or NaN where an index was wanted.
    fn finish(acc: Self::Acc) -> Option<Self::Out>;
}

/// Elements that can be summed as floats.
pub trait ToF64: Copy + Default + Send + Sync {
    fn to_f64(self) -> f64;
    /// The products of two runs, each in 64 bits.
    fn products(a: &[Self], b: &[Self], out: &mut [f64]) {
        for ((x, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *x = a.to_f64() * b.to_f64();
        }
    }
    /// Each item added to the total beside it.
    fn add_to(totals: &mut [f64], items: &[Self]) {
        totals.iter_mut().zip(items).for_each(|(total, x)| *total += x.to_f64());
    }
    /// The sum of a tile, in the order of the engine, where there is a fast way.
    fn sum(_items: &[Self]) -> Option<f64> {
        None
    }
}

macro_rules! to_f64 {
    ($($type:ty),*) => {
        $(impl ToF64 for $type {
            fn to_f64(self) -> f64 {
                self as f64
            }
        })*
    };
}
to_f64!(i64, u8);

macro_rules! wide_sums {
    ($type:ty, $add:path, $tile:path $(, $products:path)?) => {
        impl ToF64 for $type {
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            fn add_to(totals: &mut [f64], items: &[$type]) {
                $add(totals, items);
            }
            fn sum(items: &[$type]) -> Option<f64> {
                Some($tile(items))
            }
            $(fn products(a: &[$type], b: &[$type], out: &mut [f64]) {
                $products(a, b, out);
            })?
        }
    };
}
wide_sums!(f32, sums::add_f32, sums::tile_f32, rows::wide_products);
wide_sums!(f64, sums::add_f64, sums::tile_f64);

/// A sum in f64, given out as `O`.
pub struct FloatSum<T, O>(PhantomData<(T, O)>);

/// What an f64 total becomes.
pub trait FromF64: Element {
    fn from_f64(x: f64) -> Self;
}

impl FromF64 for f32 {
    fn from_f64(x: f64) -> f32 {
        x as f32
    }
}

impl FromF64 for f64 {
    fn from_f64(x: f64) -> f64 {
        x
    }
}

impl<T: ToF64, O: FromF64> Fold for FloatSum<T, O> {
    type Item = T;
    type Acc = f64;
    type Out = O;
    const EMPTY: f64 = 0.0;
    #[inline(always)]
    fn add(acc: f64, x: T, _: usize) -> f64 {
        acc + x.to_f64()
    }
    fn add_row(totals: &mut [f64], items: &[T], _: usize) {
        T::add_to(totals, items);
    }
    fn run(items: &[T], _: usize) -> Option<f64> {
        T::sum(items)
    }
    fn merge(a: f64, b: f64) -> f64 {
        a + b
    }
    fn finish(acc: f64) -> Option<O> {
        Some(O::from_f64(acc))
    }
}

/// An exact sum of integers.
pub struct IntSum;

impl Fold for IntSum {
    type Item = i64;
    type Acc = i128;
    type Out = i64;
    const EMPTY: i128 = 0;
    #[inline(always)]
    fn add(acc: i128, x: i64, _: usize) -> i128 {
        acc + x as i128
    }
    fn merge(a: i128, b: i128) -> i128 {
        a + b
    }
    fn finish(acc: i128) -> Option<i64> {
        i64::try_from(acc).ok()
    }
}

/// How many are true.
pub struct Count;

impl Fold for Count {
    type Item = u8;
    type Acc = i64;
    type Out = i64;
    const EMPTY: i64 = 0;
    #[inline(always)]
    fn add(acc: i64, x: u8, _: usize) -> i64 {
        acc + (x != 0) as i64
    }
    fn merge(a: i64, b: i64) -> i64 {
        a + b
    }
    fn finish(acc: i64) -> Option<i64> {
        Some(acc)
    }
}

/// Is any (or, with `ALL`, is every) element true?
pub struct Truth<const ALL: bool>;

impl<const ALL: bool> Fold for Truth<ALL> {
    type Item = u8;
    type Acc = u8;
    type Out = u8;
    const EMPTY: u8 = ALL as u8;
    #[inline(always)]
    fn add(acc: u8, x: u8, _: usize) -> u8 {
        let x = (x != 0) as u8;
        if ALL { acc & x } else { acc | x }
    }
    fn merge(a: u8, b: u8) -> u8 {
        Self::add(a, b, 0)
    }
    fn finish(acc: u8) -> Option<u8> {
        Some(acc)
    }
}

/// Elements with an order, of which floats may have none.
pub trait Ordered: Element + Default {
    const LOWEST: Self;
    const HIGHEST: Self;
    fn is_nan(self) -> bool;
}

macro_rules! ordered {
    ($type:ty, $lowest:expr, $highest:expr, |$x:ident| $nan:expr) => {
        impl Ordered for $type {
            const LOWEST: $type = $lowest;
            const HIGHEST: $type = $highest;
            #[inline(always)]
            fn is_nan(self) -> bool {
                let $x = self;
                $nan
            }
        }
    };
}
ordered!(f32, f32::NEG_INFINITY, f32::INFINITY, |x| x != x);
ordered!(f64, f64::NEG_INFINITY, f64::INFINITY, |x| x != x);
ordered!(i64, i64::MIN, i64::MAX, |_x| false);
ordered!(u8, 0, u8::MAX, |_x| false);

/// The largest (or, with `LEAST`, the smallest) element; NaN if there is one.
pub struct Extreme<T, const LEAST: bool>(PhantomData<T>);

impl<T: Ordered, const LEAST: bool> Fold for Extreme<T, LEAST> {
    type Item = T;
    type Acc = T;
    type Out = T;
    const EMPTY: T = if LEAST { T::HIGHEST } else { T::LOWEST };
    #[inline(always)]
    fn add(acc: T, x: T, _: usize) -> T {
        // Once NaN, no comparison holds any more, so it stays.
        let better = if LEAST { x < acc } else { x > acc };
        if better | x.is_nan() { x } else { acc }
    }
    fn merge(a: T, b: T) -> T {
        Self::add(a, b, 0)
    }
    fn finish(acc: T) -> Option<T> {
        Some(acc)
    }
}

/// Where the largest (or smallest) element is, the first among equals. NaN has no place.
pub struct Place<T, const LEAST: bool>(PhantomData<T>);

/// No element yet, and after a NaN: both are beyond every real position.
const NOWHERE: usize = usize::MAX - 1;
const LOST: usize = usize::MAX;

impl<T: Ordered, const LEAST: bool> Fold for Place<T, LEAST> {
    type Item = T;
    type Acc = (T, usize);
    type Out = i64;
    const EMPTY: (T, usize) = (if LEAST { T::HIGHEST } else { T::LOWEST }, NOWHERE);
    #[inline(always)]
    fn add(acc: (T, usize), x: T, place: usize) -> (T, usize) {
        Self::merge(acc, (x, if x.is_nan() { LOST } else { place }))
    }
    #[inline(always)]
    fn merge(a: (T, usize), b: (T, usize)) -> (T, usize) {
        if (a.1 == LOST) | (b.1 == LOST) {
            return (a.0, LOST);
        }
        let better = if LEAST { b.0 < a.0 } else { b.0 > a.0 };
        if better | ((b.0 == a.0) & (b.1 < a.1)) { b } else { a }
    }
    fn run(items: &[T], start: usize) -> Option<(T, usize)> {
        // The extreme runs over vectors, then its place is looked for.
        let mut lanes = [Self::EMPTY.0; 16];
        let mut groups = items.chunks_exact(16);
        for group in &mut groups {
            for (lane, &x) in lanes.iter_mut().zip(group) {
                *lane = Extreme::<T, LEAST>::add(*lane, x, 0);
            }
        }
        let rest = groups.remainder().iter().chain(&lanes);
        let best = rest.fold(Self::EMPTY.0, |best, &x| Extreme::<T, LEAST>::add(best, x, 0));
        let place = items.iter().position(|&x| x == best).map_or(LOST, |place| start + place);
        Some((best, place))
    }
    fn finish(acc: (T, usize)) -> Option<i64> {
        (acc.1 < NOWHERE).then_some(acc.1 as i64)
    }
}
