//! The fence around a command: which folders it needs, from its arguments alone, before it reads a word of a program.

use std::fs;
use std::path::{Path, PathBuf};

use super::bundle;
use super::cli::{Command, Common};
use crate::rt::chunked::store;
use crate::rt::files::folder_of;
use crate::session::fence::{Fence, raise};
use crate::session::folder::Claim;
use crate::session::remember::store::location;

/// Raises the fence of a command that runs or reads what strangers may have written. The claim on its output folder is
/// to be kept until the command has ended.
pub fn around(command: &Command) -> Option<Claim> {
    let (mut fence, mut claim) = (Fence::default(), None);
    match command {
        Command::Run(args) => {
            claim = running(&mut fence, &args.shown.common, std::slice::from_ref(&args.shown.file), true);
            let file = args.profile.as_deref().filter(|file| *file != Path::new("-"));
            fence.write.extend(file.map(|file| folder_of(file).to_path_buf()));
        }
        Command::Report(args) => {
            claim = running(&mut fence, &args.shown.common, std::slice::from_ref(&args.shown.file), true);
            fence.write.extend(args.to.as_deref().map(made_folder_of));
        }
        Command::Verify(args) => {
            claim = running(&mut fence, &args.common, &args.files, args.remembered);
            if args.files.iter().any(|file| bundle::is_one(file)) {
                fence.read.extend(args.inputs.iter().flat_map(|(_, place)| with_blobs(Path::new(place))));
                fence.write.push(args.unpack.as_deref().map_or_else(std::env::temp_dir, made_folder_of));
                // Results of a bundle in a folder go beside its files.
                for own in args.files.iter().filter(|file| file.is_dir()).map(|folder| folder.join("out")) {
                    let _ = fs::create_dir_all(&own);
                    fence.write.push(own);
                }
            }
        }
        Command::Bundle(args) => {
            claim = running(&mut fence, &args.common, std::slice::from_ref(&args.file), args.remembered);
            // What was written is unpacked and checked before it gets its name.
            fence.write.push(std::env::temp_dir());
            fence.write.extend(args.to.as_deref().map(made_folder_of));
        }
        Command::Bless(args) => {
            claim = running(&mut fence, &args.common, std::slice::from_ref(&args.file), args.remembered);
            fence.write.push(folder_of(&args.file).to_path_buf());
        }
        Command::Plan(args) => {
            fence.read.extend(args.read.iter().cloned().chain([folder_of(&args.file).to_path_buf()]));
        }
        Command::Check(args) => fence.read.extend(args.files.iter().map(|file| folder_of(file).to_path_buf())),
        Command::Dump(args) => fence.read.push(folder_of(&args.file).to_path_buf()),
        Command::Inspect { path } => fence.read.extend(with_blobs(path)),
        Command::Convert(args) => {
            fence.read.extend(with_blobs(&args.from));
            let nearest = args.to.ancestors().skip(1).find(|folder| folder.is_dir());
            fence.write.push(nearest.unwrap_or(Path::new(".")).to_path_buf());
        }
        Command::Tokenize(args) => fence.read.extend(with_blobs(&args.tokenizer)),
        // What a person types, and what reads and writes nothing of a stranger's.
        _ => return None,
    }
    raise(&fence);
    claim
}

/// Draws the fence closer around the program of a bundle, which was unpacked below `root`: what unpacking needed is over.
pub fn around_bundle(root: &Path, common: &Common) {
    let (mut read, mut write) = (vec![root.to_path_buf()], vec![common.out.clone(), store::folder()]);
    read.extend(common.read.iter().flat_map(|place| with_blobs(place)));
    write.extend(location());
    let _ = fs::create_dir_all(&common.out);
    raise(&Fence { read, write, tidy: Vec::new() });
}

/// What a run may read and write: the folders of its programs, what `--read` says, the output folder, and the folder of
/// remembered results and of the store.
fn running(fence: &mut Fence, common: &Common, files: &[PathBuf], remembers: bool) -> Option<Claim> {
    fence.read.extend(files.iter().map(|file| folder_of(file).to_path_buf()));
    fence.read.extend(common.read.iter().flat_map(|place| with_blobs(place)));
    for own in location().filter(|_| remembers).into_iter().chain([store::folder()]) {
        // One that cannot be made is not used, and whoever needs it says so.
        let _ = fs::create_dir_all(&own);
        fence.write.push(own);
    }
    let claim = Claim::new(&common.out);
    fence.write.push(common.out.clone());
    fence.tidy.extend(claim.iter().flat_map(Claim::parents));
    claim
}

fn made_folder_of(file: &Path) -> PathBuf {
    let folder = folder_of(file);
    let _ = fs::create_dir_all(folder);
    folder.to_path_buf()
}

/// The place, and where a snapshot of a Hugging Face cache keeps its bytes.
fn with_blobs(place: &Path) -> Vec<PathBuf> {
    let full = place.canonicalize().unwrap_or_else(|_| place.to_path_buf());
    let snapshot = if full.is_dir() { full.as_path() } else { full.parent().unwrap_or(&full) };
    let blobs =
        snapshot.parent().filter(|parent| parent.ends_with("snapshots")).map(|parent| parent.with_file_name("blobs"));
    [Some(place.to_path_buf()), blobs].into_iter().flatten().collect()
}
