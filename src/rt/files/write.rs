//! Tensors to bytes, the same bytes for the same tensors, and bytes to disk, all or nothing.

use super::super::error::{Error, Result, code};
use super::super::tensor::{Buffer, Tensor};
use super::super::value::Value;
use npyz::WriterBuilder;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;

/// The npy file of a tensor, its axes in the order of `dims`.
pub fn npy_bytes(tensor: &Tensor) -> Result<Vec<u8>> {
    let shape: Vec<u64> = tensor.dims.iter().map(|dim| dim.len as u64).collect();
    let mut bytes = header_for(tensor, &shape)?;
    bytes.extend(little_endian(tensor)?);
    Ok(bytes)
}

fn header_for(tensor: &Tensor, shape: &[u64]) -> Result<Vec<u8>> {
    let header = match tensor.buffer {
        Buffer::F32(_) => npy_header::<f32>(shape),
        Buffer::F64(_) => npy_header::<f64>(shape),
        Buffer::I64(_) => npy_header::<i64>(shape),
        Buffer::Bool(_) => npy_header::<bool>(shape),
    };
    header.map_err(|cause| Error::new(code::INTERNAL, format!("no npy header: {cause}")))
}

fn npy_header<T: npyz::AutoSerialize>(shape: &[u64]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new_header_only().dtype(T::default_dtype()).shape(shape);
    options.writer(&mut bytes).write_header_only()?;
    Ok(bytes)
}

/// The safetensors file of a list of tensors and scalars. The order of the axes is kept in the metadata, under `axes`.
pub fn safetensors_bytes(list: &[(String, Value)]) -> Result<Vec<u8>> {
    let mut axes = serde_json::Map::new();
    let mut stored = Vec::new();
    for (name, value) in list {
        let (dtype, shape, bytes, names) = parts(name, value)?;
        if axes.insert(name.clone(), names.into()).is_some() {
            return Err(Error::new(code::ARGUMENT, format!("two tensors of one file are called `{name}`")));
        }
        stored.push((name.as_str(), (dtype, shape, bytes)));
    }
    serialized(&stored, "axes", serde_json::Value::Object(axes).to_string())
}

/// Tensors as safetensors. One entry of metadata only: the crate writes it in the order of a hash map.
fn serialized(stored: &[(&str, (Dtype, Vec<usize>, Vec<u8>))], key: &str, about: String) -> Result<Vec<u8>> {
    let refused = |cause| Error::new(code::INTERNAL, format!("cannot write safetensors: {cause}"));
    let mut views = Vec::new();
    for (name, (dtype, shape, bytes)) in stored {
        views.push((*name, TensorView::new(*dtype, shape.clone(), bytes).map_err(refused)?));
    }
    safetensors::serialize(views, Some(HashMap::from([(key.to_string(), about)]))).map_err(refused)
}

/// A tensor as the file of a model holds it: the lengths of its dimensions, and its numbers, the last dimension fastest.
pub struct Named<'a> {
    pub name: &'a str,
    pub shape: Vec<usize>,
    pub data: &'a Tensor,
}

/// The safetensors file of a model, as other programs write it: nothing but the tensors, under the names that are told.
pub fn model_bytes(list: &[Named]) -> Result<Vec<u8>> {
    let mut stored = std::collections::BTreeMap::new();
    for named in list {
        filled(named)?;
        let Named { name, shape, data } = named;
        if stored.insert(*name, (dtype_of(data), shape.clone(), little_endian(data)?)).is_some() {
            return Err(Error::new(code::ARGUMENT, format!("two tensors of one file are called `{name}`")));
        }
    }
    // Hugging Face's readers ask for this entry.
    serialized(&stored.into_iter().collect::<Vec<_>>(), "format", "pt".to_string())
}

/// Do the numbers fill the shape?
pub(super) fn filled(Named { name, shape, data }: &Named) -> Result<()> {
    let found: usize = data.dims.iter().map(|dim| dim.len).product();
    let needed = shape.iter().try_fold(1usize, |count, length| count.checked_mul(*length));
    if needed == Some(found) {
        return Ok(());
    }
    Err(Error::new(code::ARGUMENT, format!("`{name}` has {found} numbers, which do not fill the shape {shape:?}")))
}

/// The header of an npy file with the shape that is told.
pub(super) fn npy_header_of(named: &Named) -> Result<Vec<u8>> {
    let shape: Vec<u64> = named.shape.iter().map(|&length| length as u64).collect();
    header_for(named.data, &shape)
}

fn dtype_of(tensor: &Tensor) -> Dtype {
    match tensor.buffer {
        Buffer::F32(_) => Dtype::F32,
        Buffer::F64(_) => Dtype::F64,
        Buffer::I64(_) => Dtype::I64,
        Buffer::Bool(_) => Dtype::BOOL,
    }
}

type Parts = (Dtype, Vec<usize>, Vec<u8>, Vec<String>);

fn parts(name: &str, value: &Value) -> Result<Parts> {
    let scalar = |dtype, bytes: &[u8]| Ok((dtype, Vec::new(), bytes.to_vec(), Vec::new()));
    match value {
        Value::Int(x) => scalar(Dtype::I64, &x.to_le_bytes()),
        Value::F32(x) => scalar(Dtype::F32, &x.to_le_bytes()),
        Value::F64(x) => scalar(Dtype::F64, &x.to_le_bytes()),
        Value::Bool(x) => scalar(Dtype::BOOL, &[*x as u8]),
        Value::Tensor(tensor) => {
            let shape = tensor.dims.iter().map(|dim| dim.len).collect();
            let names = tensor.dims.iter().map(|dim| dim.axis.shown()).collect();
            Ok((dtype_of(tensor), shape, little_endian(tensor)?, names))
        }
        _ => Err(Error::new(code::ARGUMENT, format!("`{name}` is neither a tensor nor a number"))),
    }
}

/// The elements in the order of `dims`.
pub(super) fn little_endian(tensor: &Tensor) -> Result<Vec<u8>> {
    let dense = if tensor.is_dense() { tensor.clone() } else { tensor.copied()? };
    let fault = || Error::new(code::INTERNAL, "a tensor that is not dense after copying");
    Ok(match &dense.buffer {
        Buffer::F32(_) => dense.as_dense::<f32>().ok_or_else(fault)?.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::F64(_) => dense.as_dense::<f64>().ok_or_else(fault)?.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::I64(_) => dense.as_dense::<i64>().ok_or_else(fault)?.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::Bool(_) => dense.as_dense::<u8>().ok_or_else(fault)?.to_vec(),
    })
}

/// The folder that a file lies in; `.` for a name alone.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The one way in which the project makes files: under a temporary name in the same folder, which must exist; filled,
/// brought to the disk, and renamed. A reader sees the old bytes or the new ones, and a failure (a full disk too) leaves no
/// trace. `mode` are its rights; the umask still applies.
pub fn write_whole(path: &Path, mode: u32, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    // The rename would put a file where a device was, for the whole machine.
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a device or a pipe, not a plain file"));
    }
    // The same folder, so that the rename stays within one file system.
    let folder = folder_of(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".locus-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    let mut part = builder.tempfile_in(folder).map_err(without_path)?;
    fill(part.as_file_mut())?;
    // Without this a power cut may leave a complete name on an incomplete file.
    part.as_file().sync_all()?;
    part.persist(path).map_err(|failed| failed.error)?;
    // The rename itself reaches the disk with the folder. Not every file system can do this, and the file is whole
    // either way.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// The temporary name, which the crate adds, means nothing to the person.
fn without_path(error: io::Error) -> io::Error {
    let told = error.to_string();
    let cause = told.split_once(" at path ").map_or(told.as_str(), |(cause, _)| cause);
    io::Error::new(error.kind(), cause)
}

/// Why a file cannot be read or written, as the end of a sentence.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_string(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "permission denied".to_string(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full".to_string(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::axis::Axis;
    use std::io::Write;

    fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
        write_whole(path, 0o666, |file| file.write_all(bytes))
    }

    #[test]
    fn bytes_of_a_transposed_view_are_in_the_order_of_its_dims() {
        let (a, b) = (Axis::named("", "batch"), Axis::named("", "pos"));
        let mut tensor = Tensor::from_slice(&[(a, 2), (b, 3)], &[1i64, 2, 3, 4, 5, 6]).unwrap();
        tensor.dims.reverse();
        let bytes = npy_bytes(&tensor).unwrap();
        let text = String::from_utf8_lossy(&bytes[..80]).to_string();
        assert!(text.contains("'shape': (3, 2") && text.contains("'<i8'"), "{text}");
        let numbers: Vec<u8> = bytes[bytes.len() - 48..].iter().step_by(8).copied().collect();
        assert_eq!(numbers, [1, 4, 2, 5, 3, 6]);
    }

    #[test]
    fn safetensors_say_their_axes() {
        let a = Axis::named("", "pos");
        let list = [("w".to_string(), Value::Tensor(Tensor::from_slice(&[(a, 1)], &[1.0f32]).unwrap()))];
        let bytes = safetensors_bytes(&list).unwrap();
        let header = String::from_utf8_lossy(&bytes[8..bytes.len() - 4]).to_string();
        assert!(header.starts_with(r#"{"__metadata__":{"axes":"{\"w\":[\"pos\"]}"},"w":{"dtype":"F32""#), "{header}");
        let twice = [list[0].clone(), list[0].clone()];
        assert_eq!(safetensors_bytes(&twice).unwrap_err().code, "R007");
    }

    #[test]
    fn the_file_of_a_model_holds_its_tensors_and_nothing_else() {
        let a = Axis::named("", "pos");
        let data = Tensor::from_slice(&[(a, 2)], &[1.0f32, 2.0]).unwrap();
        let named = |name| Named { name, shape: vec![2, 1], data: &data };
        let bytes = model_bytes(&[named("w"), named("b")]).unwrap();
        assert_eq!(bytes, model_bytes(&[named("b"), named("w")]).unwrap());
        let header = String::from_utf8_lossy(&bytes[8..bytes.len() - 16]).to_string();
        let start = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}"#;
        assert!(header.starts_with(start), "{header}");
        assert_eq!(model_bytes(&[named("w"), named("w")]).unwrap_err().code, "R007");
    }

    #[test]
    fn writing_replaces_whole_files_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        // A folder cannot be replaced by a file: the rename fails after all bytes were written.
        let taken = folder.path().join("taken");
        std::fs::create_dir_all(taken.join("inside")).unwrap();
        assert!(write(&taken, b"three").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(write(&folder.path().join("absent/a.txt"), b"").is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_device_stays_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sink");
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert!(write(&path, b"x").unwrap_err().to_string().contains("device"));
        assert!(path.symlink_metadata().unwrap().is_symlink());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_folder_that_takes_no_files_is_an_error() {
        assert!(write(Path::new("/proc/full"), b"x").is_err());
    }
}
