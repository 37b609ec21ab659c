//! What fuzzing starts from: the repository's own fixtures, and files made from them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::shell::Repo;

/// Larger files are left out: each step from them would take long.
const MAX_BYTES: usize = 40_000;

/// Extensions of the sound files that a target starts from.
fn extensions(target: &str) -> &'static [&'static str] {
    match target {
        "wav" => &["wav"],
        "aiff" => &["aiff", "aifc"],
        "au_caf" => &["caf"],
        "mp4" => &["m4a", "mp4", "mov"],
        "mkv" => &["mka", "mkv", "webm"],
        "ogg" => &["ogg", "oga", "opus"],
        "flac" => &["flac"],
        "mpeg" => &["mp3", "mp2"],
        "adts" => &["aac"],
        "any" => &[
            "wav", "aiff", "aifc", "caf", "m4a", "mp4", "mov", "mka", "mkv", "webm", "ogg", "oga", "opus",
            "flac", "mp3", "mp2", "aac", "bin",
        ],
        _ => &[],
    }
}

/// Writes the seeds of a target into `folder`.
pub(crate) fn write(repo: &Repo, target: &str, folder: &Path) -> Result<()> {
    let put = |name: &str, bytes: &[u8]| {
        fs::write(folder.join(name), bytes).with_context(|| format!("cannot write {name}"))
    };
    let fixtures = repo.root.join("tests/fixtures");
    for (name, bytes) in ["audio", "faults"]
        .iter()
        .map(|kind| files(&fixtures.join(kind), extensions(target)))
        .collect::<Result<Vec<_>>>()?
        .concat()
    {
        put(&name, &bytes)?;
    }
    match target {
        "wav" => {
            let wav = fs::read(fixtures.join("audio/wav_s16.wav"))?;
            let (format, samples) = (&wav[12..36], &wav[44..2044]);
            put("made.rf64", &rf64(format, samples))?;
            put("made.w64", &w64(&format[8..], samples))?;
        }
        "au_caf" => {
            let wav = fs::read(fixtures.join("audio/wav_s16.wav"))?;
            for encoding in [1, 2, 3, 4, 6, 7, 27] {
                put(&format!("made-{encoding}.au"), &au(encoding, &wav[44..2044]))?;
            }
        }
        "opus" => {
            for (name, bytes) in files(&fixtures.join("audio"), &["opus"])? {
                put(&name, &opus(&bytes))?;
            }
        }
        "manifest" => {
            for models in [repo.root.join("models"), fixtures.join("models")] {
                for model in fs::read_dir(models)? {
                    let model = model?.path();
                    if let (Ok(text), Some(name)) = (fs::read(model.join("manifest.toml")), model.file_name())
                    {
                        put(&name.to_string_lossy(), &text)?;
                    }
                }
            }
        }
        "published" => {
            // No edit; then one in each file, with each search, with checksums made right and not.
            for how in 0..8_u8 {
                put(&format!("none-{how}"), &[how])?;
                for file in 0..5 {
                    put(&format!("edit-{how}-{file}"), &[how, file, 24, 0, 2, 1, 1])?;
                }
            }
        }
        "api" => {
            let requests = fs::read_to_string(repo.root.join("fuzz/requests.txt"))?;
            for (number, request) in requests.split("\n---\n").enumerate() {
                put(&format!("{number}"), request.as_bytes())?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The files of a folder with one of these extensions, and their names.
fn files(folder: &Path, extensions: &[&str]) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let is_one = path.extension().is_some_and(|own| extensions.iter().any(|known| own == *known));
        if let (true, Some(name)) = (is_one, path.file_name()) {
            let bytes = fs::read(&path)?;
            if bytes.len() <= MAX_BYTES {
                found.push((name.to_string_lossy().into_owned(), bytes));
            }
        }
    }
    Ok(found)
}

/// `format` is a whole chunk, with its name and length.
fn rf64(format: &[u8], samples: &[u8]) -> Vec<u8> {
    let mut file = b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0".to_vec();
    for length in [samples.len() as u64 + 100, samples.len() as u64, samples.len() as u64 / 2] {
        file.extend(length.to_le_bytes());
    }
    file.extend([0; 4]);
    file.extend(format);
    file.extend(b"data\xff\xff\xff\xff");
    file.extend(samples);
    file
}

/// `format` is the content of a chunk.
fn w64(format: &[u8], samples: &[u8]) -> Vec<u8> {
    const RIFF: &[u8] = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00";
    const REST: &[u8] = &[0xf3, 0xac, 0xd3, 0x11, 0x8c, 0xd1, 0x00, 0xc0, 0x4f, 0x8e, 0xdb, 0x8a];
    let mut chunks = Vec::new();
    for (name, content) in [(b"fmt ", format), (b"data", samples)] {
        chunks.extend(name);
        chunks.extend(REST);
        chunks.extend((content.len() as u64 + 24).to_le_bytes());
        chunks.extend(content);
        chunks.resize(chunks.len().next_multiple_of(8), 0);
    }
    let mut file = RIFF.to_vec();
    file.extend((chunks.len() as u64 + 40).to_le_bytes());
    file.extend(b"wave");
    file.extend(REST);
    file.extend(chunks);
    file
}

fn au(encoding: u32, samples: &[u8]) -> Vec<u8> {
    let mut file = b".snd".to_vec();
    for field in [24, samples.len() as u32, encoding, 16_000, 1] {
        file.extend(field.to_be_bytes());
    }
    file.extend(samples);
    file
}

/// The packets of an Ogg file, as `fuzz/src/opus.rs` wants them: channels first, then each with its length.
fn opus(ogg: &[u8]) -> Vec<u8> {
    let mut packets: Vec<Vec<u8>> = vec![Vec::new()];
    let mut at = 0;
    while let Some(segments) = ogg.get(at + 26).map(|count| usize::from(*count)) {
        let mut from = at + 27 + segments;
        for length in ogg.get(at + 27..from).unwrap_or_default() {
            let length = usize::from(*length);
            if let Some(packet) = packets.last_mut() {
                packet.extend(ogg.get(from..from + length).unwrap_or_default());
            }
            from += length;
            if length < 255 {
                packets.push(Vec::new());
            }
        }
        at = from;
    }
    let head = packets.first().cloned().unwrap_or_default();
    let channels = head.get(9).copied().unwrap_or(1);
    let coupled = if head.get(18) == Some(&0) { channels / 2 } else { head.get(20).copied().unwrap_or(0) };
    let mut made = vec![channels | coupled << 4];
    for packet in packets.iter().skip(2).filter(|packet| !packet.is_empty()) {
        made.extend((packet.len() as u16).to_le_bytes());
        made.extend(packet);
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_opus_are_taken_out_of_their_pages() -> Result<()> {
        let repo = Repo::find()?;
        let made = opus(&fs::read(repo.root.join("tests/fixtures/audio/opus.opus"))?);
        assert_eq!(made[0], 0x12, "stereo, coupled");
        let (mut rest, mut packets) = (&made[1..], 0);
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            rest = &after[usize::from(u16::from_le_bytes(*length))..];
            packets += 1;
        }
        assert!(packets > 20 && rest.is_empty(), "{packets} packets");
        Ok(())
    }
}
