//! Values as bytes and back, for results that are kept and for checkpoints.
//!
//! A tensor keeps the order of its axes, its strides and the place of its first element within a cache line: a copy
//! that lay otherwise in memory could make other bits of a product. Never trusts what it reads: whatever does not
//! fit is `None`, and whoever asked computes the value anew.

use std::io::{self, Read, Write};
use std::sync::Arc;

use crate::base::axis::Axis;
use crate::rt::chunked::Chunked;
use crate::rt::rng::Key;
use crate::rt::sparse::{Pattern, Sparse};
use crate::rt::tensor::{Aligned, Buffer, Dim, Element, Origin, Tensor};
use crate::rt::value::{Items, Value};

/// A view that reaches over this many times its own elements is copied before it is kept.
const WIDEST_VIEW: usize = 8;

/// What a tensor in tiles begins with.
pub const TILES: u8 = 11;

/// Bytes of a cache line; offsets keep their place within one.
const LINE: usize = 64;

/// Writes a value. Opened files have no bytes of their own: an error.
pub fn write(value: &Value, exact: bool, out: &mut dyn Write) -> io::Result<()> {
    match value {
        Value::None => out.write_all(&[0]),
        Value::Int(x) => tagged(out, 1, &x.to_le_bytes()),
        Value::F32(x) => tagged(out, 2, &x.to_bits().to_le_bytes()),
        Value::F64(x) => tagged(out, 3, &x.to_bits().to_le_bytes()),
        Value::Bool(x) => tagged(out, 4, &[u8::from(*x)]),
        Value::Str(x) => {
            out.write_all(&[5])?;
            text(out, x)
        }
        Value::Key(key) => tagged(out, 6, &key.0),
        Value::List(items) => many(out, 7, items, exact),
        Value::Record(items) => many(out, 8, items, exact),
        Value::Tensor(found) => {
            out.write_all(&[9])?;
            tensor(found, exact, out)
        }
        Value::Sparse(found) => {
            out.write_all(&[10])?;
            sparse(found, out)
        }
        Value::Chunked(found) => {
            out.write_all(&[TILES])?;
            tiles(found, exact, out)
        }
        Value::File(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "an opened file cannot be kept")),
    }
}

/// The axes of a tensor with their lengths and where these came from; `None` for other values.
pub fn shape(value: &Value) -> Option<Vec<(String, usize, String)>> {
    let dims: Vec<Dim> = match value {
        Value::Tensor(tensor) => tensor.dims.clone(),
        Value::Sparse(sparse) => sparse.rows.iter().copied().chain([sparse.along]).collect(),
        Value::Chunked(chunked) => chunked.dims.clone(),
        _ => return None,
    };
    dims.iter().map(|dim| Some((dim.axis.key()?, dim.len, dim.origin.text()))).collect()
}

/// A tensor of this shape whose elements nobody may read.
pub fn of_shape(shape: &[(String, usize, String)]) -> Option<Value> {
    let dim = |(axis, len, origin): &(String, usize, String)| Dim {
        axis: Axis::of_key(axis),
        len: *len,
        stride: 0,
        origin: Origin::new(origin),
    };
    let mut tensor = Tensor::from_slice(&[], &[0f32]).ok()?;
    tensor.dims = shape.iter().map(dim).collect();
    Some(Value::Tensor(tensor))
}

/// About how many bytes `write` makes of the value.
pub fn size(value: &Value) -> u64 {
    let buffer = |elements: usize, of: &Buffer| (elements * bytes_of(of)) as u64;
    match value {
        Value::List(items) | Value::Record(items) => items.iter().map(size).sum(),
        Value::Tensor(tensor) => buffer(tensor.elements(), &tensor.buffer),
        Value::Sparse(sparse) => (8 * sparse.pattern.starts.len() + 12 * sparse.pattern.index.len()) as u64,
        Value::Chunked(chunked) => chunked.kept_bytes() as u64,
        Value::Str(text) => text.len() as u64,
        _ => 16,
    }
}

fn tagged(out: &mut dyn Write, tag: u8, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&[tag])?;
    out.write_all(bytes)
}

fn number(out: &mut dyn Write, value: usize) -> io::Result<()> {
    out.write_all(&(value as u64).to_le_bytes())
}

fn text(out: &mut dyn Write, text: &str) -> io::Result<()> {
    number(out, text.len())?;
    out.write_all(text.as_bytes())
}

fn many(out: &mut dyn Write, tag: u8, items: &[Value], exact: bool) -> io::Result<()> {
    out.write_all(&[tag])?;
    number(out, items.len())?;
    items.iter().try_for_each(|item| write(item, exact, out))
}

fn bytes_of(buffer: &Buffer) -> usize {
    match buffer {
        Buffer::F32(_) => 4,
        Buffer::F64(_) | Buffer::I64(_) => 8,
        Buffer::Bool(_) => 1,
    }
}

fn dims(out: &mut dyn Write, dims: &[Dim]) -> io::Result<()> {
    number(out, dims.len())?;
    for dim in dims {
        let key = dim.axis.key().ok_or_else(|| io::Error::other("an axis without a name cannot be kept"))?;
        text(out, &key)?;
        number(out, dim.len)?;
        out.write_all(&(dim.stride as i64).to_le_bytes())?;
        text(out, &dim.origin.text())?;
    }
    Ok(())
}

/// The lowest and the highest element that a view reaches, from the buffer's start. `None` if it is empty.
fn reach(dims: &[Dim], offset: usize) -> Option<(usize, usize)> {
    let (mut low, mut high) = (offset as i128, offset as i128);
    for dim in dims {
        let far = dim.len.checked_sub(1)? as i128 * dim.stride as i128;
        if far < 0 { low += far } else { high += far }
    }
    Some((usize::try_from(low).ok()?, usize::try_from(high).ok()?))
}

fn tensor(tensor: &Tensor, exact: bool, out: &mut dyn Write) -> io::Result<()> {
    let Some((low, high)) = reach(&tensor.dims, tensor.offset) else {
        dims(out, &tensor.dims)?;
        number(out, 0)?;
        return buffer(&tensor.buffer, 0..0, out);
    };
    let own: usize = tensor.dims.iter().filter(|dim| dim.stride != 0).map(|dim| dim.len).product();
    if !exact && high - low >= WIDEST_VIEW * own + LINE {
        let mut order: Vec<&Dim> = tensor.dims.iter().collect();
        order.sort_by_key(|dim| std::cmp::Reverse(dim.stride.unsigned_abs()));
        let order: Vec<Axis> = order.into_iter().map(|dim| dim.axis).collect();
        let copy = tensor.in_order(&order).map_err(io::Error::other)?;
        return self::tensor(&copy, true, out);
    }
    let line = LINE / bytes_of(&tensor.buffer);
    let start = low / line * line;
    dims(out, &tensor.dims)?;
    number(out, tensor.offset - start)?;
    buffer(&tensor.buffer, start..high + 1, out)
}

fn buffer(buffer: &Buffer, range: std::ops::Range<usize>, out: &mut dyn Write) -> io::Result<()> {
    fn part<T: Element>(values: &[T], range: std::ops::Range<usize>) -> io::Result<&[u8]> {
        values.get(range).map(bytemuck::cast_slice).ok_or_else(|| io::Error::other("a view outside its buffer"))
    }
    let (tag, bytes) = match buffer {
        Buffer::F32(values) => (0, part::<f32>(values, range.clone())?),
        Buffer::F64(values) => (1, part::<f64>(values, range.clone())?),
        Buffer::I64(values) => (2, part::<i64>(values, range.clone())?),
        Buffer::Bool(values) => (3, part::<u8>(values, range.clone())?),
    };
    out.write_all(&[tag])?;
    number(out, range.len())?;
    out.write_all(bytes)
}

fn whole_buffer(of: &Buffer) -> usize {
    match of {
        Buffer::F32(values) => values.len(),
        Buffer::F64(values) => values.len(),
        Buffer::I64(values) => values.len(),
        Buffer::Bool(values) => values.len(),
    }
}

fn sparse(sparse: &Sparse, out: &mut dyn Write) -> io::Result<()> {
    dims(out, &sparse.rows)?;
    dims(out, std::slice::from_ref(&sparse.along))?;
    number(out, sparse.pattern.starts.len())?;
    sparse.pattern.starts.iter().try_for_each(|&start| number(out, start))?;
    number(out, sparse.pattern.index.len())?;
    out.write_all(bytemuck::cast_slice(&sparse.pattern.index[..]))?;
    buffer(&sparse.values, 0..whole_buffer(&sparse.values), out)
}

/// One tile after another, so that no more than one of them is in memory for it. A loop that puts a tensor together leaves
/// the first tiles in its checkpoints.
fn tiles(chunked: &Chunked, exact: bool, out: &mut dyn Write) -> io::Result<()> {
    dims(out, std::slice::from_ref(&chunked.axis))?;
    number(out, chunked.readable())?;
    let mut bytes = Vec::new();
    for tile in 0..chunked.readable() {
        bytes.clear();
        write(&chunked.tile(tile).map_err(io::Error::other)?, exact, &mut bytes)?;
        number(out, bytes.len())?;
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// What follows `TILES`, one tile after another; each finds its place in memory or in the runtime's store.
pub fn read_tiles(from: &mut dyn Read) -> Option<Value> {
    let axis = read_dims_from(from)?;
    let count = read_number_from(from)?;
    let mut made: Option<Chunked> = None;
    let mut at = 0;
    let mut bytes = Vec::new();
    for _ in 0..count {
        let length = read_number_from(from)?;
        bytes.clear();
        // A length that is a lie ends with the bytes that there are.
        from.take(length as u64).read_to_end(&mut bytes).ok()?;
        let mut rest = &bytes[..];
        let tile = read(&mut rest).filter(|_| rest.is_empty() && bytes.len() == length)?;
        let rows = match &tile {
            Value::Tensor(tensor) => tensor.dim(axis.axis)?.len,
            Value::Sparse(sparse) => sparse.dim(axis.axis)?.len,
            _ => return None,
        };
        match &mut made {
            None => made = Some(Chunked::begin(axis.axis, axis.len, tile).ok()?),
            Some(made) => made.append(at, tile).ok()?,
        }
        at += rows;
    }
    let whole = |made: &Chunked| made.count() == count;
    let made = made.filter(|made| (at == axis.len) == whole(made) && made.readable() == count)?;
    Some(Value::Chunked(Arc::new(made)))
}

fn read_number_from(from: &mut dyn Read) -> Option<usize> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes).ok()?;
    usize::try_from(u64::from_le_bytes(bytes)).ok()
}

/// A single axis; its texts are short.
fn read_dims_from(from: &mut dyn Read) -> Option<Dim> {
    let mut bytes = Vec::new();
    let text = |from: &mut dyn Read, bytes: &mut Vec<u8>| {
        let length = read_number_from(from)?;
        bytes.extend_from_slice(&(length as u64).to_le_bytes());
        (from.take(length as u64).read_to_end(bytes).ok()? == length).then_some(())
    };
    bytes.extend_from_slice(&(read_number_from(from)? as u64).to_le_bytes());
    text(from, &mut bytes)?;
    for _ in 0..2 {
        bytes.extend_from_slice(&(read_number_from(from)? as u64).to_le_bytes());
    }
    text(from, &mut bytes)?;
    match read_dims(&mut &bytes[..])?.as_slice() {
        [dim] => Some(*dim),
        _ => None,
    }
}

/// Reads one value from the front of `bytes`.
pub fn read(bytes: &mut &[u8]) -> Option<Value> {
    Some(match take(bytes, 1)?[0] {
        0 => Value::None,
        1 => Value::Int(i64::from_le_bytes(array(bytes)?)),
        2 => Value::F32(f32::from_bits(u32::from_le_bytes(array(bytes)?))),
        3 => Value::F64(f64::from_bits(u64::from_le_bytes(array(bytes)?))),
        4 => Value::Bool(take(bytes, 1)?[0] != 0),
        5 => Value::Str(read_text(bytes)?.into()),
        6 => Value::Key(Key(array(bytes)?)),
        7 => Value::List(Items::new(read_many(bytes)?)),
        8 => Value::Record(Items::new(read_many(bytes)?)),
        9 => Value::Tensor(read_tensor(bytes)?),
        10 => Value::Sparse(Arc::new(read_sparse(bytes)?)),
        TILES => read_tiles(bytes)?,
        _ => return None,
    })
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (front, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(front)
}

fn array<const COUNT: usize>(bytes: &mut &[u8]) -> Option<[u8; COUNT]> {
    take(bytes, COUNT)?.try_into().ok()
}

fn read_number(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(array(bytes)?)).ok()
}

fn read_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let count = read_number(bytes)?;
    std::str::from_utf8(take(bytes, count)?).ok()
}

fn read_many(bytes: &mut &[u8]) -> Option<Vec<Value>> {
    let count = read_number(bytes)?;
    // Each item takes a byte at least.
    (0..count.min(bytes.len() + 1)).map(|_| read(bytes)).collect()
}

fn read_dims(bytes: &mut &[u8]) -> Option<Vec<Dim>> {
    let count = read_number(bytes)?;
    let one = |bytes: &mut &[u8]| {
        let axis = Axis::of_key(read_text(bytes)?);
        let len = read_number(bytes)?;
        let stride = isize::try_from(i64::from_le_bytes(array(bytes)?)).ok()?;
        Some(Dim { axis, len, stride, origin: Origin::new(read_text(bytes)?) })
    };
    (0..count.min(bytes.len() + 1)).map(|_| one(bytes)).collect()
}

fn read_buffer(bytes: &mut &[u8]) -> Option<Buffer> {
    fn filled<T: Element>(bytes: &mut &[u8]) -> Option<Buffer> {
        let count = read_number(bytes)?;
        let from = take(bytes, count.checked_mul(size_of::<T>())?)?;
        let mut values = Aligned::<T>::scratch(count);
        bytemuck::cast_slice_mut::<T, u8>(&mut values).copy_from_slice(from);
        Some(T::wrap(values))
    }
    match take(bytes, 1)?[0] {
        0 => filled::<f32>(bytes),
        1 => filled::<f64>(bytes),
        2 => filled::<i64>(bytes),
        3 => filled::<u8>(bytes),
        _ => None,
    }
}

fn read_tensor(bytes: &mut &[u8]) -> Option<Tensor> {
    let dims = read_dims(bytes)?;
    let offset = read_number(bytes)?;
    let buffer = read_buffer(bytes)?;
    match reach(&dims, offset) {
        Some((_, high)) if high >= whole_buffer(&buffer) => None,
        None if dims.iter().all(|dim| dim.len > 0) => None,
        _ => Some(Tensor { dims, offset, buffer }),
    }
}

fn read_sparse(bytes: &mut &[u8]) -> Option<Sparse> {
    let rows = read_dims(bytes)?;
    let along = read_dims(bytes)?.into_iter().next()?;
    let count = read_number(bytes)?;
    let starts: Vec<usize> = (0..count.min(bytes.len() + 1)).map(|_| read_number(bytes)).collect::<Option<_>>()?;
    let kept = read_number(bytes)?;
    let from = take(bytes, kept.checked_mul(4)?)?;
    let mut index = Aligned::<u32>::scratch(kept);
    bytemuck::cast_slice_mut::<u32, u8>(&mut index).copy_from_slice(from);
    let values = read_buffer(bytes)?;
    let ascending = starts.windows(2).all(|pair| pair[0] <= pair[1]) && starts.last() == Some(&kept);
    let fits = index.iter().all(|&place| (place as usize) < along.len) && whole_buffer(&values) == kept;
    (ascending && fits).then(|| Sparse { rows, along, pattern: Arc::new(Pattern { starts, index }), values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::index;
    use crate::rt::testing::{ALL_TYPES, Dice, axes};

    fn round_trip(value: &Value, exact: bool) -> Value {
        let mut bytes = Vec::new();
        write(value, exact, &mut bytes).unwrap();
        let mut rest = &bytes[..];
        let found = read(&mut rest).unwrap();
        assert!(rest.is_empty());
        for cut in [1, bytes.len() / 2, bytes.len() - 1].into_iter().filter(|&cut| cut < bytes.len()) {
            assert!(read(&mut &bytes[..cut]).is_none(), "cut at {cut} of {}", bytes.len());
        }
        found
    }

    fn same(a: &Tensor, b: &Tensor) {
        let order: Vec<Axis> = a.dims.iter().map(|dim| dim.axis).collect();
        assert_eq!(a.dtype(), b.dtype());
        assert_eq!(a.to_f64(&order).unwrap(), b.to_f64(&order).unwrap());
    }

    #[test]
    fn tensors_keep_values_layout_and_origins() {
        let [a, b, c] = axes(["a", "b", "c"]);
        for seed in 0..100 {
            let mut dice = Dice::new(seed);
            let shape = [(a, dice.below(5)), (b, 1 + dice.below(4)), (c, 1 + dice.below(4))];
            let tensor = dice.tensor(ALL_TYPES[seed as usize % 4], &shape);
            let Value::Tensor(found) = round_trip(&Value::Tensor(tensor.clone()), true) else { panic!("no tensor") };
            assert_eq!(found.dims, tensor.dims);
            let line = LINE / bytes_of(&tensor.buffer);
            if tensor.elements() > 0 {
                assert_eq!(found.offset % line, tensor.offset % line);
            }
            same(&tensor, &found);
        }
    }

    #[test]
    fn tiles_come_back_as_the_tiles_they_were() {
        let [a, b, c] = axes(["a", "b", "c"]);
        for seed in 0..40 {
            let mut dice = Dice::new(seed);
            let (len, step) = (3 + dice.below(9), 1 + dice.below(4));
            let shape = [(a, len), (b, 1 + dice.below(4)), (c, 1 + dice.below(4))];
            let whole = dice.dense(ALL_TYPES[seed as usize % 4], &shape);
            let tile = |lo: usize| {
                let part = index::slice(&whole, a, a, lo as i64, (lo + step).min(len) as i64).unwrap();
                match seed % 3 {
                    0 => Value::Sparse(Arc::new(Sparse::of_dense(&part, c).unwrap())),
                    _ => Value::Tensor(part),
                }
            };
            let mut cut = Chunked::begin(a, len, tile(0)).unwrap();
            (step..len).step_by(step).for_each(|at| cut.append(at, tile(at)).unwrap());
            let Value::Chunked(found) = round_trip(&Value::Chunked(Arc::new(cut.clone())), false) else {
                panic!("not in tiles")
            };
            assert_eq!((found.step, found.count(), &found.dims), (cut.step, cut.count(), &cut.dims));
            same(&found.whole().unwrap(), &cut.whole().unwrap());
            let kind = |value: Value| matches!(value, Value::Sparse(_));
            assert_eq!(kind(found.tile(0).unwrap()), seed % 3 == 0);
            // What is still being put together is gone on with.
            let begun = Value::Chunked(Arc::new(Chunked::begin(a, len, tile(0)).unwrap()));
            let Value::Chunked(begun) = round_trip(&begun, true) else { panic!("not in tiles") };
            assert_eq!(begun.readable(), 1);
            let mut ended = Arc::unwrap_or_clone(begun);
            (step..len).step_by(step).for_each(|at| ended.append(at, tile(at)).unwrap());
            same(&ended.whole().unwrap(), &cut.whole().unwrap());
        }
    }

    #[test]
    fn a_part_of_something_large_is_kept_small_in_its_own_order() {
        let [a, b] = axes(["a", "b"]);
        let whole = Tensor::from_slice(&[(a, 1000), (b, 100)], &vec![1.5f32; 100_000]).unwrap();
        let Value::Tensor(part) = index::select(&whole, b, 7).unwrap() else { panic!("no tensor") };
        let mut bytes = Vec::new();
        write(&Value::Tensor(part.clone()), false, &mut bytes).unwrap();
        assert!(bytes.len() < 5_000, "{} bytes", bytes.len());
        same(&part, &read_tensor(&mut &bytes[1..]).unwrap());
        bytes.clear();
        write(&Value::Tensor(part), true, &mut bytes).unwrap();
        assert!(bytes.len() > 300_000, "a checkpoint keeps the strides");
    }

    #[test]
    fn everything_else_comes_back_to_the_bit() {
        let list = Value::List(Items::new(vec![
            Value::F32(f32::from_bits(0x7fc0_1234)),
            Value::F64(-0.0),
            Value::Int(i64::MIN),
            Value::Bool(true),
            Value::Str("tabs\tand \u{1f980}".into()),
            Value::Key(Key([7; 32])),
            Value::Record(Items::new(vec![Value::None])),
        ]));
        let mut bytes = (Vec::new(), Vec::new());
        write(&list, true, &mut bytes.0).unwrap();
        write(&round_trip(&list, true), true, &mut bytes.1).unwrap();
        assert_eq!(bytes.0, bytes.1);
    }

    #[test]
    fn a_view_that_leaves_its_buffer_is_refused() {
        let [a] = axes(["a"]);
        let tensor = Tensor::from_slice(&[(a, 4)], &[1i64, 2, 3, 4]).unwrap();
        let mut bytes = Vec::new();
        super::tensor(&tensor, true, &mut bytes).unwrap();
        let lie = Dim { len: 5, ..tensor.dims[0] };
        let mut told = Vec::new();
        dims(&mut told, &[lie]).unwrap();
        bytes[..told.len()].copy_from_slice(&told);
        assert!(read_tensor(&mut &bytes[..]).is_none());
    }
}
