//! Every format against files that other programs wrote (`tests/reference/readers.py`), and what is refused.

use locus::base::axis::Axis;
use locus::rt::files::{
    FileHandle, document, file_format, json_bool, json_float, json_int, json_str, listed, open, open_folder,
    safetensors_bytes, tensor, tensor_names, tensor_size,
};
use locus::rt::value::Value;
use serde_json::json;
use std::path::{Path, PathBuf};

/// A handle on bytes that were never a file.
fn handle(name: &str, bytes: &[u8]) -> FileHandle {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.bin");
    std::fs::write(&path, bytes).unwrap();
    open(&path, "?", name).unwrap()
}

fn fixture(name: &str) -> FileHandle {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/readers").join(name);
    open(&path, "", "").unwrap()
}

fn shape(file: &FileHandle, name: &str) -> Vec<usize> {
    listed(file).unwrap().into_iter().find(|one| one.name == name).unwrap().shape
}

/// As many axes as the tensor has.
fn axes(file: &FileHandle, name: &str) -> Vec<Axis> {
    (0..shape(file, name).len()).map(|number| Axis::named("", &format!("axis{number}"))).collect()
}

fn numbers(file: &FileHandle, name: &str) -> Vec<u32> {
    let axes = axes(file, name);
    let read = tensor(file, name, &axes).unwrap();
    read.to_f64(&axes).unwrap().iter().map(|&x| (x as f32).to_bits()).collect()
}

/// All tensors of `expected` are in `file`, with the same shapes and bits; gives their number.
fn agree(file: &FileHandle, expected: &FileHandle) -> usize {
    let names = tensor_names(expected).unwrap();
    for name in &names {
        assert_eq!(shape(file, name), shape(expected, name), "{name}");
        assert_eq!(numbers(file, name), numbers(expected, name), "{name}");
    }
    names.len()
}

#[test]
fn gguf_agrees_to_the_bit() {
    let file = fixture("quantised.gguf");
    assert_eq!(agree(&file, &fixture("quantised.safetensors")), 19);
    assert_eq!(tensor_names(&file).unwrap().len(), 19);
    assert_eq!(file_format(&file).unwrap(), "gguf");
    assert_eq!(json_int(&file, "llama.block_count").unwrap(), 3);
    assert_eq!(json_float(&file, "llama.rope.freq_base").unwrap(), 10000.0);
    assert_eq!(json_float(&file, "llama.attention.layer_norm_rms_epsilon").unwrap(), 1e-5f32 as f64);
    assert_eq!(json_str(&file, "tokenizer.ggml.tokens.2").unwrap(), " b\n");
    assert_eq!(json_int(&file, "test.negative").unwrap(), -(1 << 40));
    assert!(json_bool(&file, "test.yes").unwrap());
    assert_eq!(document(&file).unwrap()["test.nested"], json!([[1, 2], [3]]));
}

#[test]
fn torch_agrees_whatever_the_layout() {
    let file = fixture("nested.pt");
    assert_eq!(agree(&file, &fixture("nested.safetensors")), tensor_names(&file).unwrap().len());
    assert_eq!(file_format(&file).unwrap(), "torch");
    assert_eq!((json_int(&file, "epoch").unwrap(), json_float(&file, "loss").unwrap()), (3, 0.125));
    assert_eq!(json_str(&file, "config.name").unwrap(), "tiny");
    assert_eq!(json_int(&file, "config.layers.3").unwrap(), 1 << 40);
    assert_eq!((json_str(&file, "dtype").unwrap().as_str(), json_int(&file, "size.1").unwrap()), ("float16", 6));
    let old = tensor_names(&fixture("old.pt")).unwrap_err();
    assert!(old.notes.contains(&("found", "a pickle by itself".into())), "{old:?}");
}

#[test]
fn npz_agrees_packed_or_not() {
    let (stored, packed) = (fixture("stored.npz"), fixture("packed.npz"));
    let expected = fixture("packed.safetensors");
    assert_eq!(agree(&packed, &expected), 7);
    assert_eq!(file_format(&stored).unwrap(), "npz");
    for name in tensor_names(&stored).unwrap() {
        assert_eq!(numbers(&stored, &name), numbers(&expected, &name), "{name}");
    }
    assert_eq!(tensor_size(&packed, "W_enc", 1).unwrap(), 3);
}

#[test]
fn llama2c_agrees() {
    let file = fixture("llama2c.bin");
    assert_eq!(agree(&file, &fixture("llama2c.safetensors")), 14);
    assert_eq!((file_format(&file).unwrap(), tensor_names(&file).unwrap().len()), ("llama2c", 14));
    assert_eq!((json_int(&file, "dim").unwrap(), json_int(&file, "vocab_size").unwrap()), (8, 10));
    assert!(!json_bool(&file, "shared_classifier").unwrap());
    let cut = handle("m", &file.bytes[..file.bytes.len() - 4]);
    let error = tensor_names(&cut).unwrap_err();
    assert!(error.message.contains("cut short or too long: 4712 bytes"), "{error}");
    assert!(error.notes.iter().any(|(_, text)| text.starts_with("4716 bytes")));
}

/// A zip archive with a pickle of these bytes.
fn pickled(pickle: &[u8]) -> FileHandle {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [("a/data.pkl", pickle), ("a/data/0", &[0u8; 16][..])] {
        writer.start_file(name, stored).unwrap();
        std::io::Write::write_all(&mut writer, bytes).unwrap();
    }
    handle("m", &writer.finish().unwrap().into_inner())
}

fn refused(pickle: &[u8]) -> String {
    let error = tensor_names(&pickled(pickle)).unwrap_err();
    assert_eq!(error.code, "R008");
    error.message
}

#[test]
fn a_pickle_calls_nothing() {
    assert!(refused(b"\x80\x02cposix\nsystem\nX\x02\0\0\0id\x85R.").contains("asks for `posix.system`"));
    assert!(refused(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.").contains("asks for `os.system`"));
    assert!(refused(b"\x80\x02cbuiltins\neval\nX\x01\0\0\x001\x85R.").contains("asks for `builtins.eval`"));
    assert!(refused(b"\x80\x02ctorch._utils\n_rebuild_qtensor\n)R.").contains("`torch._utils._rebuild_qtensor`"));
    // Old operations that call by a name in the text itself, or make objects.
    assert!(refused(b"\x80\x02(X\x02\0\0\0idios\nsystem\n.").contains("operation 0x69"));
    assert!(refused(b"\x80\x02ccollections\nOrderedDict\n)\x81.").contains("operation 0x81"));
    assert!(refused(b"\x80\x02}}X\x01\0\0\0aX\x01\0\0\0bsb.").contains("gives attributes"));
    assert!(refused(b"\x80\x02ccollections\nOrderedDict\n.").contains("holds a function"));
    assert!(refused(b"\x80\x02ccollections\nOrderedDict\n]R.").contains("without arguments"));
}

#[test]
fn a_pickle_cannot_take_the_machine_apart() {
    for rubbish in [&b"."[..], b"", b"0.", b"(.", b"t.", b"\x80\x09.", b"s.", b"e.", b"}u.", b"h\x05.", b"R.", b"q\0."]
    {
        assert!(refused(rubbish).contains("has a pickle"), "{rubbish:?}");
    }
    // A list that holds itself, and one that holds another twice, forty times over.
    assert!(refused(b"\x80\x02]q\0h\0a.").contains("too deep"));
    let mut twice = b"\x80\x02]q\0K\x01a".to_vec();
    for level in 0..40u8 {
        twice.extend([b']', b'q', level + 1, b'(', b'h', level, b'h', level, b'e']);
    }
    twice.push(b'.');
    assert!(refused(&twice).contains("too deep, or holds too many"));
    let mut deep = b"\x80\x02".to_vec();
    deep.extend([b']'; 100_000]);
    deep.extend([b'a'; 99_999]);
    deep.push(b'.');
    assert!(refused(&deep).contains("too deep"));
    assert!(refused(b"\x80\x02X\xff\xff\xff\xffa.").contains("ends too early"));
    assert!(refused(b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa.").contains("ends too early"));
}

/// A tensor of `shape` and `steps` over a storage of `count` numbers; lengths below 2^31.
fn rebuilt(count: i32, offset: i32, shape: &[i32], steps: &[i32]) -> Vec<u8> {
    let int = |out: &mut Vec<u8>, number: i32| {
        out.push(b'J');
        out.extend(number.to_le_bytes());
    };
    let mut out = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
    out.extend(b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu");
    int(&mut out, count);
    out.extend(b"tQ");
    int(&mut out, offset);
    for list in [shape, steps] {
        out.push(b'(');
        list.iter().for_each(|&number| int(&mut out, number));
        out.push(b't');
    }
    out.extend(b"\x89}tR.");
    out
}

#[test]
fn tensors_lie_within_their_storage() {
    assert_eq!(tensor_names(&pickled(&rebuilt(4, 0, &[2, 2], &[2, 1]))).unwrap(), ["tensor"]);
    assert_eq!(tensor_names(&pickled(&rebuilt(4, 1, &[], &[]))).unwrap(), ["tensor"]);
    let most = i32::MAX;
    for (offset, shape, steps) in [
        (1, &[2, 2][..], &[2, 1][..]),
        (0, &[2, 2], &[3, 1]),
        (-1, &[1], &[1]),
        (0, &[5], &[1]),
        (0, &[5], &[0]),
        (0, &[most, most, most], &[0, 0, 0]),
        (0, &[0, most, most], &[0, 0, 0]),
        (0, &[2], &[-1]),
        (0, &[2], &[1, 1]),
        (0, &[1; 9], &[1; 9]),
        (4, &[], &[]),
    ] {
        assert!(refused(&rebuilt(4, offset, shape, steps)).contains("do not have"), "{offset} {shape:?} {steps:?}");
    }
    assert!(
        refused(&rebuilt(5, 0, &[1], &[1])).contains("claims 5 numbers of float32 for tensor `tensor` in 16 bytes")
    );
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &[u8])]) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        files.iter().for_each(|(name, bytes)| std::fs::write(folder.path(name), bytes).unwrap());
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self) -> FileHandle {
        open_folder(self.0.path(), "", "m").unwrap()
    }

    fn told(&self) -> String {
        tensor_names(&self.open()).unwrap_err().message
    }
}

/// A safetensors file with one number of each name.
fn shard(names: &[&str]) -> Vec<u8> {
    let one = |name: &&str| (name.to_string(), Value::Int(7));
    safetensors_bytes(&names.iter().map(one).collect::<Vec<_>>()).unwrap()
}

#[test]
fn a_folder_is_its_settings_and_weights() {
    let weights = shard(&["w"]);
    let folder = Folder::new(&[("config.json", br#"{"n": 3}"#), ("model.safetensors", &weights), ("README.md", b"x")]);
    std::fs::write(folder.path("pytorch_model.bin"), b"never read").unwrap();
    std::fs::create_dir(folder.path("more.json")).unwrap();
    let file = folder.open();
    assert_eq!((json_int(&file, "n").unwrap(), tensor_names(&file).unwrap()), (3, vec!["w".to_string()]));
    assert_eq!(numbers(&file, "w"), [7f32.to_bits()]);
    assert_eq!((file_format(&file).unwrap(), file.members.len()), ("folder", 2));
    let hash = |name: &str| format!("{}  {name}\n", open(&folder.path(name), "", "").unwrap().sha256);
    let lines = hash("config.json") + &hash("model.safetensors");
    assert_eq!(file.sha256, handle("", lines.as_bytes()).sha256);
    assert!(open_folder(folder.0.path(), &file.sha256, "m").is_ok());
    assert_eq!(open_folder(folder.0.path(), &"0".repeat(64), "m").unwrap_err().code, "R009");
    std::fs::write(folder.path("other.safetensors"), b"not looked into").unwrap();
    assert_eq!(tensor_names(&folder.open()).unwrap(), ["w"]);
    std::fs::rename(folder.path("model.safetensors"), folder.path("own.safetensors")).unwrap();
    let error = tensor_names(&folder.open()).unwrap_err();
    assert!(error.message.contains("2 files that could hold"), "{error}");
    assert!(error.notes.contains(&("found", "other.safetensors, own.safetensors".into())));
    let bare = Folder::new(&[("tokenizer.json", b"{}")]);
    assert!(bare.told().contains("no file of weights"));
    assert!(json_int(&bare.open(), "n").unwrap_err().message.contains("no `config.json`"));
    assert!(open_folder(&folder.path("absent"), "", "m").unwrap_err().message.contains("there is no folder"));
    assert!(open_folder(&folder.path("README.md"), "", "m").unwrap_err().message.contains("is a file"));
    assert!(open_folder(Folder::new(&[]).0.path(), "", "m").unwrap_err().message.contains("no file that is known"));
}

#[test]
fn an_index_and_its_shards_say_the_same() {
    let (first, second) = (shard(&["a", "b"]), shard(&["c"]));
    let with = |map: &str| {
        let index = format!(r#"{{"weight_map": {map}}}"#);
        let files = [("1.safetensors", &first[..]), ("2.safetensors", &second), ("x.index.json", index.as_bytes())];
        Folder::new(&files)
    };
    let whole = with(r#"{"a": "1.safetensors", "b": "1.safetensors", "c": "2.safetensors"}"#);
    assert_eq!(tensor_names(&whole.open()).unwrap(), ["a", "b", "c"]);
    assert_eq!(numbers(&whole.open(), "c"), [7f32.to_bits()]);
    let wrong = with(r#"{"a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors"}"#);
    assert!(wrong.told().contains("tensor `b` is in `2.safetensors`, which has none"), "{}", wrong.told());
    assert!(
        with(r#"{"a": "1.safetensors", "c": "2.safetensors"}"#)
            .told()
            .contains("tensor `b` is in `1.safetensors`, and")
    );
    assert!(with(r#"{"a": "../1.safetensors"}"#).told().contains("`../1.safetensors`, which is not there"));
    assert!(with(r#"{"a": 1}"#).told().contains("no file for tensor `a`"));
    assert!(with("{}").told().contains("empty"));
    assert!(with("[]").told().contains("no `weight_map`"));
}

#[cfg(unix)]
#[test]
fn links_lead_nowhere_else() {
    use std::os::unix::fs::symlink;
    let cache = Folder::new(&[]);
    for folder in ["blobs", "snapshots", "snapshots/1", "elsewhere"] {
        std::fs::create_dir(cache.path(folder)).unwrap();
    }
    std::fs::write(cache.path("blobs/abc"), br#"{"n": 3}"#).unwrap();
    std::fs::write(cache.path("elsewhere/secret"), b"{}").unwrap();
    symlink("../../blobs/abc", cache.path("snapshots/1/config.json")).unwrap();
    let snapshot = cache.path("snapshots/1");
    assert_eq!(json_int(&open_folder(&snapshot, "", "m").unwrap(), "n").unwrap(), 3);
    symlink("../../elsewhere/secret", cache.path("snapshots/1/tokenizer.json")).unwrap();
    let error = open_folder(&snapshot, "", "m").unwrap_err();
    assert!(error.message.contains("leads out of its folder"), "{error}");
    std::fs::rename(cache.path("snapshots"), cache.path("plain")).unwrap();
    assert!(open_folder(&cache.path("plain/1"), "", "m").unwrap_err().message.contains("config.json` is a link"));
}
