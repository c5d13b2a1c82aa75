//! The members of a zip archive, for the formats that are one. The directory is read by its crate; sizes, places and
//! checksums are checked here, and members are unpacked here, never beyond the size that they state.

use super::super::super::error::Result;
use super::super::FileHandle;
use crate::rt::guard::{quoted, short};
use flate2::Crc;
use flate2::read::DeflateDecoder;
use std::borrow::Cow;
use std::io::{Cursor, Read};
use std::ops::Range;
use std::sync::OnceLock;
use zip::{CompressionMethod, ZipArchive};

/// Deflate makes at most so many bytes of one.
const MOST_RATIO: usize = 1032;
const MAX_PARTS: usize = 100_000;

/// One member of a zip archive.
#[derive(Debug)]
pub struct Part {
    pub name: String,
    /// Where its bytes lie in the file, packed or not.
    packed: Range<usize>,
    /// Its bytes when unpacked, as the directory states.
    pub size: usize,
    deflated: bool,
    crc: u32,
    /// Was the checksum of a member that is not packed compared already?
    sound: OnceLock<bool>,
}

/// All members, in the order of the directory. None overlaps another or the directory.
pub fn parts(file: &FileHandle) -> Result<Vec<Part>> {
    let broken = |cause: zip::result::ZipError| file.fault(format!("is not a sound zip archive: {}", short(&cause)));
    let mut archive = ZipArchive::new(Cursor::new(&file.bytes[..])).map_err(broken)?;
    if archive.len() > MAX_PARTS {
        return Err(file.fault(format!("is a zip archive of {} members; at most {MAX_PARTS}", archive.len())));
    }
    if archive.has_duplicate_names() {
        return Err(file.fault("is a zip archive with two members of one name"));
    }
    let end = archive.central_directory_start();
    let mut parts = Vec::new();
    for number in 0..archive.len() {
        let member = archive.by_index_raw(number).map_err(broken)?;
        let name = member.name().map_err(broken)?.to_string();
        let odd = |what: String| file.fault(format!("is a zip archive whose member `{}` {what}", quoted(&name)));
        let deflated = match member.compression() {
            CompressionMethod::Stored => false,
            CompressionMethod::DEFLATE => true,
            other => return Err(odd(format!("is packed by {other}; deflate is read, and nothing else"))),
        };
        if member.encrypted() {
            return Err(odd("is encrypted".to_string()));
        }
        let (size, packed) = (member.size(), member.compressed_size());
        let start = member.data_start().ok_or_else(|| odd("has no place".to_string()))?;
        let stop = start.checked_add(packed).filter(|&stop| stop <= end && stop <= file.bytes.len() as u64);
        let stop = stop.ok_or_else(|| odd(format!("claims {packed} bytes at {start}, beyond the archive")))?;
        let honest = if deflated { size <= packed.saturating_mul(MOST_RATIO as u64) } else { size == packed };
        if !honest {
            return Err(odd(format!("claims {size} bytes in {packed}")));
        }
        let (packed, size, crc) = (start as usize..stop as usize, size as usize, member.crc32());
        drop(member);
        parts.push(Part { name, packed, size, deflated, crc, sound: OnceLock::new() });
    }
    apart(file, &parts)?;
    Ok(parts)
}

fn apart(file: &FileHandle, parts: &[Part]) -> Result<()> {
    let mut places: Vec<(usize, usize, &str)> = Vec::new();
    places.extend(parts.iter().map(|part| (part.packed.start, part.packed.end, part.name.as_str())));
    places.sort_unstable();
    for pair in places.windows(2) {
        if let [(_, end, first), (start, _, second)] = *pair
            && start < end
        {
            let names = format!("`{}` and `{}`", quoted(&first), quoted(&second));
            return Err(file.fault(format!("is a zip archive whose members {names} overlap")));
        }
    }
    Ok(())
}

impl Part {
    /// The bytes of the member as they were before packing, checked against size and checksum.
    pub fn bytes<'a>(&self, file: &'a FileHandle) -> Result<Cow<'a, [u8]>> {
        let packed = file.bytes.get(self.packed.clone()).unwrap_or(&[]);
        let damaged = |what: &str| file.fault(format!("is damaged: its member `{}` {what}", quoted(&self.name)));
        if !self.deflated {
            let sound = *self.sound.get_or_init(|| checksum(packed) == self.crc);
            return if sound { Ok(Cow::Borrowed(packed)) } else { Err(damaged("has another checksum than stated")) };
        }
        let unpacked = unpack(packed, self.size).map_err(|cause| damaged(&format!("cannot be unpacked: {cause}")))?;
        if unpacked.len() != self.size {
            return Err(damaged(&format!("unpacks to another size than the {} bytes stated", self.size)));
        }
        if checksum(&unpacked) != self.crc {
            return Err(damaged("has another checksum than stated"));
        }
        Ok(Cow::Owned(unpacked))
    }

    /// Up to `most` bytes from the beginning, not checked.
    pub fn start<'a>(&self, file: &'a FileHandle, most: usize) -> Cow<'a, [u8]> {
        let packed = file.bytes.get(self.packed.clone()).unwrap_or(&[]);
        if !self.deflated {
            return Cow::Borrowed(packed.get(..most).unwrap_or(packed));
        }
        let mut unpacked = Vec::new();
        // What cannot be unpacked is found when the whole is asked for.
        let _ = DeflateDecoder::new(packed).take(most as u64).read_to_end(&mut unpacked);
        Cow::Owned(unpacked)
    }
}

/// Memory grows with what really comes out. One byte more than stated is enough to see a lie.
fn unpack(packed: &[u8], size: usize) -> std::io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    DeflateDecoder::new(packed).take((size as u64).saturating_add(1)).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
