//! Tar archives, plain or compressed with gzip.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Component, Path};

use flate2::read::MultiGzDecoder;

use super::InstallError;

/// Members that an archive may have; models have a dozen.
const MAX_MEMBERS: usize = 10_000;
/// Bytes that its members may have together; the largest model known here has 2 GB.
const MAX_BYTES: u64 = 32 << 30;

/// Whether a file is a tar archive, by its content: gzip's magic (RFC 1952, section 2.3.1), or `ustar` where POSIX puts it.
pub(super) fn is_archive(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(262).read_to_end(&mut head)?;
    Ok(head.starts_with(&[0x1f, 0x8b]) || head.get(257..262) == Some(b"ustar".as_slice()))
}

/// Unpacks the files of an archive into a folder. Links and devices are passed over, and so are names that lead out of
/// the folder.
pub(super) fn unpack(path: &Path, folder: &Path) -> Result<(), InstallError> {
    let bad = |e: io::Error| InstallError::Archive { path: path.to_path_buf(), reason: e.to_string() };
    let mut file = File::open(path).map_err(InstallError::io(path))?;
    let mut magic = [0; 2];
    file.read_exact(&mut magic).map_err(bad)?;
    file.rewind().map_err(bad)?;
    let plain: Box<dyn Read> =
        if magic == [0x1f, 0x8b] { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    // One byte more than allowed, to see that there is more.
    let mut archive = tar::Archive::new(plain.take(MAX_BYTES + 1));
    let mut total = 0_u64;
    for (n, member) in archive.entries().map_err(bad)?.enumerate() {
        let mut member = member.map_err(bad)?;
        total = total.saturating_add(member.size());
        if n >= MAX_MEMBERS || total > MAX_BYTES {
            return Err(bad(io::Error::other("more in it than any model has")));
        }
        let name = member.path().map_err(bad)?.into_owned();
        let parts = || name.components().filter(|c| !matches!(c, Component::CurDir));
        let inside = parts().next().is_some() && parts().all(|c| matches!(c, Component::Normal(_)));
        if !inside || !member.header().entry_type().is_file() {
            continue;
        }
        let to = folder.join(parts().collect::<std::path::PathBuf>());
        let parent = to.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(InstallError::io(parent))?;
        let mut out = File::create(&to).map_err(InstallError::io(&to))?;
        io::copy(&mut member, &mut out).map_err(bad)?;
    }
    Ok(())
}
