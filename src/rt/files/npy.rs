//! Arrays in NumPy's npy format. The header is read by `npyz`, after a look at what it claims.

use super::super::error::{Error, Result};
use super::super::tensor::Tensor;
use super::FileHandle;
use super::decode::{Array, Stored, claimed_bytes, shape_shown};
use crate::base::axis::Axis;
use crate::rt::guard::quoted;
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};

/// NumPy's own limit for headers that it does not trust.
pub const MAX_HEADER: usize = 10_000;

pub const MAGIC: &[u8] = b"\x93NUMPY";

/// The file as indices; `axes` are the axis that the values index, then the axes of the array in order.
pub fn read_index(file: &FileHandle, axes: &[Axis]) -> Result<Tensor> {
    let Some((&of, own)) = axes.split_first() else {
        return Err(file.fault("was asked for indices, but not of which axis"));
    };
    parse(file)?.to_index(of, own)
}

/// The file as f32 over `axes`, in order.
pub fn read_f32(file: &FileHandle, axes: &[Axis]) -> Result<Tensor> {
    parse(file)?.to_f32(axes)
}

/// The array that the file is, checked against its length.
pub fn parse(file: &FileHandle) -> Result<Array<'_>> {
    let found = header(&file.bytes, file.bytes.len(), &|message| file.fault(message))?;
    let Header { stored, big_endian, fortran, shape, start } = found;
    let bytes = file.bytes.get(start..).unwrap_or(&[]);
    Ok(Array { file, name: "", stored, big_endian, fortran, shape, bytes })
}

/// What an npy header says, checked.
pub struct Header {
    pub stored: Stored,
    pub big_endian: bool,
    pub fortran: bool,
    pub shape: Vec<usize>,
    /// Where the numbers begin; they go on to the end.
    pub start: usize,
}

/// Makes an error of what is wrong.
type Fault<'a> = &'a dyn Fn(String) -> Error;

/// Reads the header of an npy file of `total` bytes, of which `bytes` are the first.
pub fn header(bytes: &[u8], total: usize, fault: Fault) -> Result<Header> {
    let start = header_end(bytes, fault)?;
    let claimed = claimed_shape(bytes, start, fault)?;
    // What the crate says of a header is a page of its own.
    let header =
        NpyHeader::from_reader(bytes).map_err(|_| fault("has an npy header that cannot be read".to_string()))?;
    let shape: Vec<usize> = header.shape().iter().map(|&length| length as usize).collect();
    let (stored, big_endian) = element(&header.dtype()).ok_or_else(|| {
        fault(format!(
            "holds elements of type {}, not numbers",
            header.dtype().descr().replace('\'', "").escape_debug()
        ))
    })?;
    let needed = claimed_bytes(&shape, stored.bytes()).filter(|_| shape == claimed);
    let needed = needed.ok_or_else(|| fault(format!("claims an array of {}", shape_shown(&claimed))))?;
    let found = total.saturating_sub(start);
    if found != needed {
        let what = if found < needed { "is cut short" } else { "has bytes after its array" };
        return Err(fault(format!("{what}: {found} bytes of numbers where {needed} belong"))
            .note("needed", format!("{} of {}, by its header", shape_shown(&shape), stored.shown())));
    }
    Ok(Header { stored, big_endian, fortran: header.order() == Order::Fortran, shape, start })
}

/// Where the header's text begins and ends.
fn header_range(bytes: &[u8]) -> Option<(usize, usize)> {
    let (length, text) = match bytes.get(6)? {
        1 => (u16::from_le_bytes([*bytes.get(8)?, *bytes.get(9)?]) as usize, 10),
        _ => (u32::from_le_bytes([*bytes.get(8)?, *bytes.get(9)?, *bytes.get(10)?, *bytes.get(11)?]) as usize, 12),
    };
    Some((text, text.checked_add(length)?))
}

fn header_end(bytes: &[u8], fault: Fault) -> Result<usize> {
    if !bytes.starts_with(MAGIC) {
        return Err(fault("is not an npy file: it does not begin with \\x93NUMPY".to_string()));
    }
    match header_range(bytes) {
        Some((text, end)) if end <= bytes.len() && end - text <= MAX_HEADER => Ok(end),
        Some((text, end)) => Err(fault(format!("claims an npy header of {} bytes", end - text))),
        None => Err(fault("ends within its npy header".to_string())),
    }
}

/// Reads the shape out of the header's text with checked arithmetic. The crate multiplies the lengths without a
/// check and descends into nested brackets without a limit, so both are settled before it sees the text.
fn claimed_shape(bytes: &[u8], end: usize, fault: Fault) -> Result<Vec<usize>> {
    let begin = header_range(bytes).map_or(0, |(text, _)| text);
    let text = bytes.get(begin..end).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("");
    let odd = || fault("has an npy header of an unusual form".to_string());
    let mut depth = 0i32;
    for letter in text.chars() {
        depth += matches!(letter, '(' | '[' | '{') as i32 - matches!(letter, ')' | ']' | '}') as i32;
        if depth > 6 || letter == '\\' {
            return Err(odd());
        }
    }
    let mut parts = text.split("shape");
    let (Some(_), Some(after), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(odd());
    };
    let after = after.get(1..).unwrap_or("").trim_start().strip_prefix(':').ok_or_else(odd)?;
    let inside = after.trim_start().strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or_else(odd)?.0;
    let numbers: Vec<&str> = inside.split(',').map(str::trim).collect();
    // `()` is a scalar and `(3,)` one axis: an empty last part is no number.
    let numbers = match numbers.split_last() {
        Some((last, rest)) if last.is_empty() => rest,
        _ => &numbers[..],
    };
    let shape: Option<Vec<usize>> = numbers.iter().map(|number| number.parse().ok()).collect();
    let shape = shape.ok_or_else(|| fault(format!("claims an array of ({})", quoted(&inside))))?;
    match claimed_bytes(&shape, 16) {
        Some(_) => Ok(shape),
        None => Err(fault(format!("claims an array of {}", shape_shown(&shape)))),
    }
}

fn element(dtype: &DType) -> Option<(Stored, bool)> {
    let DType::Plain(plain) = dtype else {
        return None;
    };
    let stored = match (plain.type_char(), plain.size_field()) {
        (TypeChar::Bool, 1) => Stored::Bool,
        (TypeChar::Uint, 1) => Stored::U8,
        (TypeChar::Uint, 2) => Stored::U16,
        (TypeChar::Uint, 4) => Stored::U32,
        (TypeChar::Uint, 8) => Stored::U64,
        (TypeChar::Int, 1) => Stored::I8,
        (TypeChar::Int, 2) => Stored::I16,
        (TypeChar::Int, 4) => Stored::I32,
        (TypeChar::Int, 8) => Stored::I64,
        (TypeChar::Float, 2) => Stored::F16,
        (TypeChar::Float, 4) => Stored::F32,
        (TypeChar::Float, 8) => Stored::F64,
        _ => return None,
    };
    Some((stored, plain.endianness() == Endianness::Big))
}

#[cfg(test)]
mod tests {
    use super::super::tests::handle;
    use super::super::write::npy_bytes;
    use super::*;

    fn axis(name: &str) -> Axis {
        Axis::named("", name)
    }

    fn npy(dtype: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let text = format!("{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let mut out = b"\x93NUMPY\x01\x00".to_vec();
        out.extend((text.len() as u16).to_le_bytes());
        out.extend(text.as_bytes());
        out.extend(data);
        out
    }

    #[test]
    fn every_type_reads() {
        let (a, of) = (axis("pos"), axis("vocab"));
        let cases: &[(&str, &[u8])] = &[
            ("|u1", &[3, 7]),
            ("<u2", &[3, 0, 7, 0]),
            (">u2", &[0, 3, 0, 7]),
            ("<u4", &[3, 0, 0, 0, 7, 0, 0, 0]),
            ("|i1", &[3, 7]),
            ("<i2", &[3, 0, 7, 0]),
            ("<i4", &[3, 0, 0, 0, 7, 0, 0, 0]),
            ("<i8", &[3, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]),
        ];
        for (dtype, data) in cases {
            let file = handle("t", &npy(dtype, "False", "(2,)", data));
            assert_eq!(read_index(&file, &[of, a]).unwrap().as_dense::<i64>().unwrap(), [3, 7], "{dtype}");
            assert_eq!(read_f32(&file, &[a]).unwrap().as_dense::<f32>().unwrap(), [3.0, 7.0], "{dtype}");
        }
        let floats: &[(&str, &[u8])] = &[
            ("<f2", &[0, 0x3c, 0, 0xc0]),
            ("<f4", &[0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]),
            (">f8", &[0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0]),
        ];
        for (dtype, data) in floats {
            let file = handle("t", &npy(dtype, "False", "(2,)", data));
            assert_eq!(read_f32(&file, &[a]).unwrap().as_dense::<f32>().unwrap(), [1.0, -2.0], "{dtype}");
            assert_eq!(read_index(&file, &[of, a]).unwrap_err().code, "R008");
        }
        let bits = handle("t", &npy("|b1", "False", "(2,)", &[1, 0]));
        assert_eq!(read_f32(&bits, &[a]).unwrap().as_dense::<f32>().unwrap(), [1.0, 0.0]);
    }

    #[test]
    fn fortran_order_gives_the_same_array() {
        let (a, b) = (axis("batch"), axis("pos"));
        let c = handle("c", &npy("|u1", "False", "(2, 3)", &[1, 2, 3, 4, 5, 6]));
        let fortran = handle("f", &npy("|u1", "True", "(2, 3)", &[1, 4, 2, 5, 3, 6]));
        let order = [a, b];
        let read = |file| read_f32(file, &order).unwrap().to_f64(&order).unwrap();
        assert_eq!(read(&c), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(read(&c), read(&fortran));
        let bad = handle("f", &npy("|i1", "True", "(2, 3)", &[1, 4, 2, 0xff, 3, 6]));
        let error = read_index(&bad, &[axis("vocab"), a, b]).unwrap_err();
        assert_eq!(error.code, "R004");
        assert!(error.message.contains("-1 at [1, 1]"), "{}", error.message);
    }

    #[test]
    fn round_trip() {
        let (a, b) = (axis("batch"), axis("pos"));
        let tensor = Tensor::from_slice(&[(a, 2), (b, 2)], &[0.5f32, -1.25, 3.0, 1e-30]).unwrap();
        let bytes = npy_bytes(&tensor).unwrap();
        assert_eq!(bytes, npy_bytes(&tensor).unwrap());
        assert_eq!(bytes.len() % 16, 0);
        let back = read_f32(&handle("t", &bytes), &[a, b]).unwrap();
        assert_eq!(back.as_dense::<f32>(), tensor.as_dense::<f32>());
    }

    #[test]
    fn truncation_anywhere_is_an_error() {
        let a = axis("pos");
        let whole = npy("<f4", "False", "(3,)", &[0; 12]);
        assert!(read_f32(&handle("t", &whole), &[a]).is_ok());
        for end in 1..whole.len() {
            let error = read_f32(&handle("t", &whole[..end]), &[a]).unwrap_err();
            assert_eq!(error.code, "R008", "cut at {end}");
        }
    }

    #[test]
    fn any_changed_byte_is_an_error_or_an_array() {
        let whole = npy("<f4", "False", "(2, 3)", &[0; 24]);
        for at in 0..whole.len() - 24 {
            for byte in [0, 1, b'(', b'9', b'\'', 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                let _ = read_f32(&handle("t", &bytes), &[axis("batch"), axis("pos")]);
            }
        }
    }

    #[test]
    fn lying_headers_are_errors() {
        let told = |dtype: &str, shape: &str, data: &[u8]| {
            let error = read_f32(&handle("t", &npy(dtype, "False", shape, data)), &[axis("pos")]).unwrap_err();
            assert_eq!(error.code, "R008");
            error.message
        };
        assert!(told("<f4", "(4,)", &[0; 12]).contains("cut short: 12 bytes of numbers where 16 belong"));
        assert!(told("<f4", "(2,)", &[0; 12]).contains("bytes after its array"));
        assert!(told("<f4", "(9223372036854775807, 4)", &[]).contains("claims"));
        assert!(told("<f4", "(0, 9223372036854775807)", &[]).contains("claims"));
        assert!(told("<f4", "(99999999999999999999999,)", &[]).contains("claims"));
        assert!(told("<f4", "(1, 1, 1, 1, 1, 1, 1, 1, 1)", &[0; 4]).contains("claims"));
        assert!(told("|O", "(1,)", &[0; 8]).contains("type |O,"));
        assert!(told("<c8", "(1,)", &[0; 8]).contains("not numbers"));
        assert!(told("<f4", &"(".repeat(9000), &[]).contains("unusual"));
        assert!(told("<f4", "(-1,)", &[0; 4]).contains("claims"));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let file = handle("acts", &npy("<f4", "False", "(2, 2)", &[0; 16]));
        let error = read_f32(&file, &[axis("pos")]).unwrap_err();
        assert_eq!(error.message, "input `acts` has 2 axes, the script names 1");
        assert!(error.notes.contains(&("found", "2 x 2".to_string())));
        assert!(error.notes.contains(&("needed", "[pos]".to_string())));
        let mut data = [0; 16];
        data[8..12].copy_from_slice(&f32::NAN.to_le_bytes());
        let file = handle("acts", &npy("<f4", "False", "(2, 2)", &data));
        let error = read_f32(&file, &[axis("batch"), axis("pos")]).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), ("R006", "input `acts` holds NaN at [1, 0]"));
        let big = handle("n", &npy("<i4", "False", "(1,)", &16_777_217i32.to_le_bytes()));
        assert_eq!(read_f32(&big, &[axis("pos")]).unwrap_err().code, "R005");
    }
}
