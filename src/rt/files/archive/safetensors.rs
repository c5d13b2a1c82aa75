//! Named tensors in the safetensors format. Its crate has the last word; before it, the header is read with our own
//! limits, because the crate accepts repeated names and absurd shapes and does not say which tensor is wrong.

use super::super::super::error::Result;
use super::super::FileHandle;
use super::super::decode::{Stored, claimed_bytes, shape_shown};
use super::{Archive, Encoding, Entry, MAX_TENSORS, Order, Place, is_proper_name};
use crate::rt::guard::short;
use safetensors::tensor::{Dtype, SafeTensors, TensorInfo};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// Headers of large models are below 1 MiB.
const MAX_HEADER: usize = 8 << 20;

fn stored(dtype: Dtype) -> Option<Stored> {
    Some(match dtype {
        Dtype::BOOL => Stored::Bool,
        Dtype::U8 => Stored::U8,
        Dtype::U16 => Stored::U16,
        Dtype::U32 => Stored::U32,
        Dtype::U64 => Stored::U64,
        Dtype::I8 => Stored::I8,
        Dtype::I16 => Stored::I16,
        Dtype::I32 => Stored::I32,
        Dtype::I64 => Stored::I64,
        Dtype::F16 => Stored::F16,
        Dtype::BF16 => Stored::BF16,
        Dtype::F32 => Stored::F32,
        Dtype::F64 => Stored::F64,
        _ => return None,
    })
}

/// The parsed and checked header of a safetensors file.
pub fn read(file: &FileHandle) -> Result<Archive> {
    let start = header_end(file)?;
    let header = file.bytes.get(8..start).unwrap_or(&[]);
    let listed = serde_json::Deserializer::from_slice(header)
        .deserialize_map(Listing)
        .map_err(|cause| file.fault(format!("has a safetensors header that cannot be read: {}", short(&cause))))?;
    check_layout(file, &listed, file.bytes.len() - start)?;
    SafeTensors::read_metadata(&file.bytes)
        .map_err(|cause| file.fault(format!("is not a sound safetensors file: {}", short(&cause))))?;
    let entries = listed.into_iter().map(|(name, info)| (name, entry(info, start))).collect();
    Ok(Archive { format: "safetensors", entries, settings: None })
}

fn entry(info: TensorInfo, start: usize) -> Entry {
    let encoding = match stored(info.dtype) {
        Some(stored) => Encoding::Plain(stored),
        None => Encoding::Foreign(info.dtype.to_string()),
    };
    let place = Place::File(start + info.data_offsets.0..start + info.data_offsets.1);
    Entry { encoding, shape: info.shape, order: Order::Rows, big_endian: false, member: None, place }
}

fn header_end(file: &FileHandle) -> Result<usize> {
    let bytes = &file.bytes;
    let length = match bytes.get(..8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()) {
        Some(raw) => u64::from_le_bytes(raw),
        None => return Err(file.fault("is too short for a safetensors file")),
    };
    if length > MAX_HEADER as u64 {
        let message = format!("claims a safetensors header of {length} bytes; the limit is {MAX_HEADER}");
        return Err(file.fault(message));
    }
    let end = 8 + length as usize;
    if end > bytes.len() {
        let message = format!("ends within its safetensors header: {} bytes where {end} belong", bytes.len());
        return Err(file.fault(message));
    }
    Ok(end)
}

/// Every tensor has the bytes that its shape asks for, and together they cover the data without a gap.
fn check_layout(file: &FileHandle, listed: &[(String, TensorInfo)], data: usize) -> Result<()> {
    let mut sorted: Vec<&(String, TensorInfo)> = listed.iter().collect();
    sorted.sort_by_key(|(name, info)| (info.data_offsets, name.clone()));
    let mut free = 0;
    for (name, info) in sorted {
        let (from, to) = info.data_offsets;
        let at = || format!("bytes {from} to {to}");
        let size = claimed_bytes(&info.shape, info.dtype.bitsize()).map(|bits| bits / 8);
        let size = size
            .filter(|&size| size > 0)
            .ok_or_else(|| file.fault(format!("claims that tensor `{name}` is {}", shape_shown(&info.shape))))?;
        if to < from || to - from != size {
            let shape = shape_shown(&info.shape);
            let message = format!("gives tensor `{name}` {}, but {shape} of {} are {size} bytes", at(), info.dtype);
            return Err(file.fault(message));
        }
        if to > data {
            let message = format!("is cut short: tensor `{name}` is {}, but only {data} follow the header", at());
            return Err(file.fault(message));
        }
        if from != free {
            let what = if from < free { "overlaps another" } else { "leaves a gap before it" };
            let message = format!("is damaged: tensor `{name}` {what} ({}, expected from {free})", at());
            return Err(file.fault(message));
        }
        free = to;
    }
    if free != data {
        let message = format!("has {data} bytes of numbers, but its tensors cover {free}");
        return Err(file.fault(message));
    }
    Ok(())
}

/// Reads a header into a list, in which a repeated name can be seen.
struct Listing;

impl<'de> Visitor<'de> for Listing {
    type Value = Vec<(String, TensorInfo)>;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("the tensors of a safetensors file")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Self::Value, M::Error> {
        use serde::de::Error;
        let mut listed = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !is_proper_name(&name) {
                return Err(M::Error::custom("a tensor has a name that is too long or not printable"));
            }
            if !names.insert(name.clone()) {
                return Err(M::Error::custom(format!("the name `{name}` stands twice")));
            }
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            listed.push((name, map.next_value::<TensorInfo>()?));
            if listed.len() > MAX_TENSORS {
                return Err(M::Error::custom(format!("more than {MAX_TENSORS} tensors")));
            }
        }
        Ok(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::tensor::Tensor;
    use super::super::super::super::value::Value;
    use super::super::super::tests::handle;
    use super::super::super::write::safetensors_bytes;
    use super::super::{tensor, tensor_names, tensor_size};
    use super::*;
    use crate::base::axis::Axis;

    fn axis(name: &str) -> Axis {
        Axis::named("", name)
    }

    fn file(header: &str, data: &[u8]) -> FileHandle {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        handle("model", &bytes)
    }

    fn told(header: &str, data: &[u8]) -> String {
        let error = read(&file(header, data)).unwrap_err();
        assert_eq!(error.code, "R008");
        error.message
    }

    #[test]
    fn every_type_reads() {
        let cases: &[(&str, &[u8])] = &[
            ("F32", &[0, 0, 0x80, 0x3f]),
            ("F64", &[0, 0, 0, 0, 0, 0, 0xf0, 0x3f]),
            ("F16", &[0, 0x3c]),
            ("BF16", &[0x80, 0x3f]),
            ("I64", &[1, 0, 0, 0, 0, 0, 0, 0]),
            ("U8", &[1]),
            ("BOOL", &[1]),
        ];
        for (dtype, data) in cases {
            let header = format!(r#"{{"w":{{"dtype":"{dtype}","shape":[1],"data_offsets":[0,{}]}}}}"#, data.len());
            let read = tensor(&file(&header, data), "w", &[axis("pos")]).unwrap();
            assert_eq!(read.as_dense::<f32>().unwrap(), [1.0], "{dtype}");
        }
        let header = r#"{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#;
        assert!(tensor(&file(header, &[0]), "w", &[axis("pos")]).unwrap_err().message.contains("F8_E4M3"));
    }

    #[test]
    fn lies_name_the_tensor_and_the_sizes() {
        let one = |shape: &str, from: u64, to: u64| {
            format!(r#""w":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#)
        };
        let short = told(&format!("{{{}}}", one("[4]", 0, 16)), &[0; 8]);
        assert!(short.contains("tensor `w` is bytes 0 to 16, but only 8 follow"), "{short}");
        let lie = told(&format!("{{{}}}", one("[4]", 0, 8)), &[0; 8]);
        assert!(lie.contains("gives tensor `w` bytes 0 to 8, but 4 of F32 are 16 bytes"), "{lie}");
        assert!(told(&format!("{{{}}}", one("[1]", 4, 8)), &[0; 8]).contains("gap"));
        assert!(told(&format!("{{{}}}", one("[1]", 0, 4)), &[0; 8]).contains("cover 4"));
        assert!(told(&format!("{{{}}}", one("[2]", 8, 0)), &[0; 8]).contains("bytes 8 to 0"));
        assert!(told(&format!("{{{}}}", one("[0,9223372036854775807]", 0, 0)), &[]).contains("claims"));
        assert!(told(&format!("{{{}}}", one("[0]", 0, 0)), &[]).contains("claims"));
        assert!(told(&format!("{{{}}}", one("[4294967296,4294967296]", 0, 0)), &[]).contains("claims"));
        assert!(told(&format!("{{{}}}", one(&format!("[{}1]", "1,".repeat(9)), 0, 4)), &[0; 4]).contains("claims"));
        let twice = told(&format!("{{{},{}}}", one("[1]", 0, 4), one("[1]", 0, 4)), &[0; 4]);
        assert!(twice.contains("`w` stands twice"), "{twice}");
        let other = one("[1]", 2, 6).replace("\"w\"", "\"v\"");
        let overlap = told(&format!("{{{},{other}}}", one("[1]", 0, 4)), &[0; 6]);
        assert!(overlap.contains("`v` overlaps"), "{overlap}");
        assert!(told("{", &[]).contains("cannot be read"));
        assert!(told(&"[".repeat(100_000), &[]).contains("cannot be read"));
        assert!(read(&handle("m", &[255; 40])).unwrap_err().message.contains("claims a safetensors header"));
    }

    #[test]
    fn round_trip_and_truncation() {
        let (a, b) = (axis("pos"), axis("dmodel"));
        let weights = Tensor::from_slice(&[(a, 2), (b, 2)], &[1.0f32, 2.0, 3.0, 4.0]).unwrap();
        let list = [("w".to_string(), Value::Tensor(weights)), ("steps".to_string(), Value::Int(7))];
        let bytes = safetensors_bytes(&list).unwrap();
        assert_eq!(bytes, safetensors_bytes(&list).unwrap());
        let whole = handle("m", &bytes);
        assert_eq!(tensor_names(&whole).unwrap(), ["steps", "w"]);
        assert_eq!(tensor(&whole, "w", &[a, b]).unwrap().as_dense::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(tensor(&whole, "steps", &[]).unwrap().as_dense::<f32>().unwrap(), [7.0]);
        assert_eq!(tensor_size(&whole, "w", 1).unwrap(), 2);
        assert_eq!(tensor_size(&whole, "w", 2).unwrap_err().code, "R007");
        for end in 1..bytes.len() {
            assert_eq!(tensor_names(&handle("m", &bytes[..end])).unwrap_err().code, "R008", "cut at {end}");
        }
    }

    #[test]
    fn any_changed_byte_is_an_error_or_a_tensor() {
        let header = r#"{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#;
        let mut whole = (header.len() as u64).to_le_bytes().to_vec();
        whole.extend(header.as_bytes());
        whole.extend([0; 8]);
        for at in 0..whole.len() - 8 {
            for byte in [0, 1, b'[', b'9', b'"', b'-', 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                let file = handle("m", &bytes);
                for name in tensor_names(&file).unwrap_or_default() {
                    let _ = tensor(&file, &name, &[axis("pos"), axis("dmodel")]);
                }
            }
        }
    }

    #[test]
    fn faults_of_one_tensor() {
        let data: Vec<u8> = [1.0f32, 2.0, f32::NEG_INFINITY].iter().flat_map(|x| x.to_le_bytes()).collect();
        let file = file(r#"{"w":{"dtype":"F32","shape":[1,3],"data_offsets":[0,12]}}"#, &data);
        let error = tensor(&file, "w", &[axis("pos"), axis("dmodel")]).unwrap_err();
        assert_eq!(error.code, "R006");
        assert_eq!(error.message, "tensor `w` of input `model` holds -infinity at [0, 2]");
        let rank = tensor(&file, "w", &[axis("pos")]).unwrap_err();
        assert!(rank.notes.contains(&("found", "1 x 3".into())) && rank.notes.contains(&("needed", "[pos]".into())));
        let missing = tensor(&file, "W", &[]).unwrap_err();
        assert_eq!(missing.message, "input `model` has no tensor `W`");
        assert!(missing.notes.contains(&("found", "w".to_string())));
        assert_eq!(missing.help.as_deref(), Some("did you mean `w`?"));
    }
}
