//! Files that are wrong in ways that recorders, editors and disks make them, and files that are right and
//! strange: each is heard as it is, at the right time, or the user is told.
//!
//! What cannot be written here in a few lines comes from `tests/fixtures/faults/make.py`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use earmark_audio::{AudioError, AudioReader, Missing, ReadOptions, Remarks, Waveform};

use common::{flac_crc8, flac_crc16};

const RATE: u32 = 16_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn fixture(name: &str) -> Vec<u8> {
    let path = root().join("tests/fixtures/faults").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

struct Heard {
    samples: Vec<f32>,
    rate: u32,
    format: String,
    remarks: Remarks,
}

fn hear(name: &str, bytes: Vec<u8>) -> Result<Heard, AudioError> {
    let mut reader = AudioReader::from_bytes(name, bytes, &ReadOptions::default())?;
    let (mut samples, mut block) = (Vec::new(), Vec::new());
    while reader.read_block(&mut block)? {
        assert!(!block.is_empty(), "{name}");
        samples.extend_from_slice(&block);
    }
    let info = reader.info().clone();
    Ok(Heard { samples, rate: info.sample_rate, format: info.format, remarks: reader.remarks().clone() })
}

/// The dog that barks, at some rate; the first two seconds.
fn dog(rate: u32) -> Arc<Vec<f32>> {
    static KNOWN: LazyLock<Mutex<HashMap<u32, Arc<Vec<f32>>>>> = LazyLock::new(Mutex::default);
    Arc::clone(KNOWN.lock().unwrap().entry(rate).or_insert_with(|| Arc::new(read_dog(rate))))
}

fn read_dog(rate: u32) -> Vec<f32> {
    let path = root().join("index-data/sounds/animals/dog-barking.wav");
    let mut reader = AudioReader::open(&path, &ReadOptions::default()).unwrap().resampled(rate).unwrap();
    let (mut samples, mut block) = (Vec::new(), Vec::new());
    while reader.read_block(&mut block).unwrap() {
        samples.extend_from_slice(&block);
    }
    samples.truncate(2 * rate as usize);
    samples
}

/// The dog in 16 bits.
fn dog_16() -> Vec<i16> {
    dog(RATE).iter().map(|x| (x * 32_768.0).round() as i16).collect()
}

/// Cosine between the dog and what is heard from `at_s` on, for `seconds`.
fn likeness(heard: &Heard, at_s: f64, seconds: f64) -> f64 {
    let rate = f64::from(heard.rate);
    let dog = dog(heard.rate);
    let dog = &dog[..dog.len().min((seconds * rate) as usize)];
    let start = (at_s * rate).round() as usize;
    let part = heard.samples.get(start..).unwrap_or_default();
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in part.iter().zip(dog) {
        xy += f64::from(*x) * f64::from(*y);
        xx += f64::from(*x).powi(2);
        yy += f64::from(*y).powi(2);
    }
    // Where the dog is cut short, what is missing counts as silence.
    yy += dog.iter().skip(part.len()).map(|y| f64::from(*y).powi(2)).sum::<f64>();
    xy / (xx * yy).sqrt().max(1e-30)
}

/// What a file should sound like.
#[derive(Clone, Copy)]
struct Right {
    duration_s: f64,
    /// Where the dog's file starts, and how much of it there is.
    dog_at_s: f64,
    dog_s: f64,
    /// Cosine, at least.
    likeness: f64,
    /// Duration may be off by this.
    slack_s: f64,
    /// The dog may be off by this.
    lag_s: f64,
}

const WHOLE: Right =
    Right { duration_s: 2.0, dog_at_s: 0.0, dog_s: 2.0, likeness: 0.9999, slack_s: 0.0, lag_s: 0.0 };

/// Where the dog fits best.
fn lag_of(heard: &Heard, right: Right) -> f64 {
    let steps = (right.lag_s * 4000.0) as i32;
    let places =
        (-steps..=steps).map(|step| right.dog_at_s + f64::from(step) / 4000.0).filter(|at| *at >= 0.0);
    let fits = |at: &f64| likeness(heard, *at, right.dog_s);
    places.max_by(|a, b| fits(a).total_cmp(&fits(b))).unwrap()
}

#[track_caller]
fn check(name: &str, bytes: Vec<u8>, right: Right) -> Heard {
    let heard = hear(name, bytes).unwrap_or_else(|e| panic!("{e}"));
    let duration_s = heard.samples.len() as f64 / f64::from(heard.rate);
    assert!(
        (duration_s - right.duration_s).abs() <= right.slack_s + 1e-9,
        "{name}: {duration_s} s, expected {}; {}",
        right.duration_s,
        heard.remarks
    );
    let at_s = lag_of(&heard, right);
    let found = likeness(&heard, at_s, right.dog_s);
    assert!(found >= right.likeness, "{name}: likeness {found:.5} at {at_s} s; {}", heard.remarks);
    // Ten milliseconds earlier or later it fits worse.
    for off in [-0.01, 0.01] {
        if at_s + off >= 0.0 {
            let other = likeness(&heard, at_s + off, right.dog_s);
            assert!(other < found - 0.05, "{name}: {other:.4} at {off} s, {found:.4} at 0");
        }
    }
    heard
}

#[track_caller]
fn check_quiet(name: &str, bytes: Vec<u8>, right: Right) {
    let heard = check(name, bytes, right);
    assert!(heard.remarks.is_empty(), "{name}: {}", heard.remarks);
}

// WAV and its relatives

/// A chunk of RIFF.
fn chunk(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut bytes = id.to_vec();
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

fn fmt(tag: u16, channels: u16, rate: u32, bits: u16, block: u16) -> Vec<u8> {
    let mut fmt = Vec::new();
    fmt.extend(tag.to_le_bytes());
    fmt.extend(channels.to_le_bytes());
    fmt.extend(rate.to_le_bytes());
    fmt.extend((rate * u32::from(block)).to_le_bytes());
    fmt.extend(block.to_le_bytes());
    fmt.extend(bits.to_le_bytes());
    fmt
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let content = [b"WAVE".to_vec(), chunks.concat()].concat();
    chunk(b"RIFF", &content)
}

fn wav(tag: u16, channels: u16, bits: u16, block: u16, data: &[u8]) -> Vec<u8> {
    riff(&[chunk(b"fmt ", &fmt(tag, channels, RATE, bits, block)), chunk(b"data", data)])
}

fn le16() -> Vec<u8> {
    dog_16().iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[test]
fn samples_of_any_width_lie_in_blocks_of_any_width() {
    let dog: Vec<i32> = dog_16().iter().map(|x| i32::from(*x) << 16).collect();
    let bytes = |from: usize, to: usize, shift: u32| -> Vec<u8> {
        dog.iter().flat_map(|x| (x >> shift).to_le_bytes()[from..to].to_vec()).collect()
    };
    for (name, bits, block, data) in [
        ("24 bits at the top of 32", 24, 4, bytes(0, 4, 0)),
        ("24 bits at the bottom of 32", 24, 4, bytes(0, 4, 8)),
        ("20 bits at the top of 24", 20, 3, bytes(1, 4, 0)),
        ("20 bits at the top of 32", 20, 4, bytes(0, 4, 0)),
        ("20 bits at the bottom of 24", 20, 3, bytes(0, 3, 12)),
        ("12 bits at the top of 16", 12, 2, bytes(2, 4, 0)),
        ("12 bits at the bottom of 16", 12, 2, bytes(0, 2, 20)),
        ("16 bits", 16, 2, bytes(2, 4, 0)),
        ("24 bits", 24, 3, bytes(1, 4, 0)),
        ("32 bits", 32, 4, bytes(0, 4, 0)),
        ("24 bits, no block size", 24, 0, bytes(1, 4, 0)),
    ] {
        let heard = check(name, wav(1, 1, bits, block, &data), WHOLE);
        assert!(heard.remarks.is_empty(), "{name}: {}", heard.remarks);
        // As loud as it is, too.
        let peak = heard.samples.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        assert!((0.83..0.85).contains(&peak), "{name}: {peak}");
    }
}

#[test]
fn any_number_of_channels_is_mixed() {
    for channels in [1, 2, 3, 6, 8, 16, 23, 24, 33, 64] {
        let data: Vec<u8> =
            dog_16().iter().flat_map(|x| x.to_le_bytes().repeat(usize::from(channels))).collect();
        check_quiet(&format!("{channels} channels"), wav(1, channels, 16, 2 * channels, &data), WHOLE);
        let mut extensible = fmt(0xfffe, channels, RATE, 16, 2 * channels);
        extensible.extend([22, 0, 16, 0, 0, 0, 0, 0, 1, 0]);
        extensible.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]);
        let name = format!("{channels} channels, extensible");
        check_quiet(&name, riff(&[chunk(b"fmt ", &extensible), chunk(b"data", &data)]), WHOLE);
    }
    let error = hear("65 channels", wav(1, 65, 16, 130, &[0; 1300])).err().unwrap();
    assert!(matches!(error, AudioError::OverLimit { what: "channels", .. }), "{error}");
}

#[test]
fn floats_with_the_range_of_integers_are_scaled_and_told() {
    let scaled = |full: f64, bits: u16, whole: bool| -> Vec<u8> {
        let values = dog(RATE).iter().map(|x| f64::from(*x) * full).collect::<Vec<f64>>().into_iter();
        let values = values.map(|x| if whole { x.round() } else { x });
        let bytes =
            |x: f64| if bits == 32 { (x as f32).to_le_bytes().to_vec() } else { x.to_le_bytes().to_vec() };
        values.flat_map(bytes).collect()
    };
    for bits in [32, 64] {
        for (full, whole) in
            [(32_768.0, true), (32_768.0, false), (8_388_608.0, true), (2_147_483_648.0, true)]
        {
            let name = format!("{bits}-bit floats up to {full}");
            let heard = check(&name, wav(3, 1, bits, bits / 8, &scaled(full, bits, whole)), WHOLE);
            assert_eq!(heard.remarks.rescaled, Some((1.0 / full) as f32), "{name}");
            let peak = heard.samples.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            assert!((0.83..0.85).contains(&peak), "{name}: {peak}");
        }
        // Loud, and meant so.
        check_quiet("floats up to 1", wav(3, 1, bits, bits / 8, &scaled(1.0, bits, false)), WHOLE);
        check_quiet("floats up to 12", wav(3, 1, bits, bits / 8, &scaled(12.0, bits, false)), WHOLE);
    }
}

#[test]
fn channels_that_cancel_out_are_heard_one_at_a_time() {
    let stereo = |right: &dyn Fn(i16) -> i16| -> Vec<u8> {
        dog_16().iter().flat_map(|x| [x.to_le_bytes(), right(*x).to_le_bytes()].concat()).collect()
    };
    let heard = check("antiphase", wav(1, 2, 16, 4, &stereo(&|x| x.saturating_neg())), WHOLE);
    assert!(
        heard.remarks.antiphase_s > 1.9 && heard.remarks.to_string().contains("cancel"),
        "{}",
        heard.remarks
    );
    let heard = check("nearly", wav(1, 2, 16, 4, &stereo(&|x| (-i32::from(x) * 19 / 20) as i16)), WHOLE);
    assert!(heard.remarks.antiphase_s > 1.0, "{}", heard.remarks);
    let four: Vec<u8> = dog_16()
        .iter()
        .flat_map(|x| [*x, x.saturating_neg(), *x, x.saturating_neg()].map(i16::to_le_bytes).concat())
        .collect();
    check("antiphase of four", wav(1, 4, 16, 8, &four), WHOLE);
    // Half as loud is no cancellation.
    check_quiet("a quieter channel", wav(1, 2, 16, 4, &stereo(&|x| -(x / 2))), WHOLE);
    check_quiet("a silent channel", wav(1, 2, 16, 4, &stereo(&|_| 0)), WHOLE);
}

#[test]
fn lengths_in_headers_are_checked_against_the_file() {
    let good = wav(1, 1, 16, 2, &le16());
    let with = |at: usize, value: u32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let (whole, data) = ((good.len() - 8) as u32, (good.len() - 44) as u32);
    for (name, bytes) in [
        ("RIFF of 36 and data of 0", {
            let mut bytes = with(4, 36);
            bytes[40..44].fill(0);
            bytes
        }),
        ("RIFF of 0", with(4, 0)),
        ("RIFF 8 too small", with(4, whole - 8)),
        ("RIFF 8 too large", with(4, whole + 8)),
        ("data of 0", with(40, 0)),
        ("data of 2^32 - 1", with(40, u32::MAX)),
        ("data of 2^31 - 1", with(40, 0x7fff_ffff)),
        ("both of 2^32 - 1", {
            let mut bytes = with(4, u32::MAX);
            bytes[40..44].fill(0xff);
            bytes
        }),
    ] {
        check_quiet(name, bytes, WHOLE);
    }
    let heard = check("data of a stale header", with(40, data / 10), WHOLE);
    assert_eq!(heard.remarks.header_s, Some(0.2));
    assert_eq!(heard.remarks.sentences().len(), 1, "{}", heard.remarks);
    // Longer than the file: cut off, and told.
    let heard = check("data 1000 too large", with(40, data + 4000), WHOLE);
    assert!(heard.remarks.truncated);
    // A few bytes short are a header's business; the samples it does not count are not heard.
    let short = Right { duration_s: 2.0 - 4.0 / f64::from(RATE), likeness: 0.999, ..WHOLE };
    check_quiet("data 8 too small", with(40, data - 8), short);
    // No samples is no error of the header.
    let empty = wav(1, 1, 16, 2, &[]);
    assert!(matches!(hear("none", empty), Err(AudioError::Empty { .. })));
    let empty_with_tags =
        riff(&[chunk(b"fmt ", &fmt(1, 1, RATE, 16, 2)), chunk(b"data", &[]), chunk(b"LIST", &[1; 40])]);
    assert!(matches!(hear("none but tags", empty_with_tags), Err(AudioError::Empty { .. })));
}

#[test]
fn broken_and_strange_chunks_do_not_hide_the_samples() {
    let (format, data) = (chunk(b"fmt ", &fmt(1, 1, RATE, 16, 2)), chunk(b"data", &le16()));
    let broken = |id: &[u8; 4], len: u32| [id.to_vec(), len.to_le_bytes().to_vec(), vec![7; 21]].concat();
    let mut unpadded = chunk(b"bext", &[1; 21]);
    unpadded.pop();
    for (name, chunks) in [
        ("a LIST longer than the file", vec![format.clone(), broken(b"LIST", 1 << 30), data.clone()]),
        ("a LIST that is too short", vec![format.clone(), broken(b"LIST", 4), data.clone()]),
        ("a broken chunk first", vec![broken(b"JUNK", 0xffff_fff0), format.clone(), data.clone()]),
        ("an odd chunk without padding", vec![unpadded, format.clone(), data.clone()]),
        ("a broken chunk behind", vec![format.clone(), data.clone(), broken(b"id3 ", 1 << 30)]),
        ("zeros behind", vec![format.clone(), data.clone(), vec![0; 500]]),
        (
            "an ID3v1 tag behind",
            vec![format.clone(), data.clone(), [b"TAG".to_vec(), vec![32; 125]].concat()],
        ),
        ("the format behind", vec![data.clone(), format.clone()]),
        ("JUNK of an unfinished RF64", vec![chunk(b"JUNK", &[0; 28]), format.clone(), data.clone()]),
    ] {
        check_quiet(name, riff(&chunks), WHOLE);
    }
}

#[test]
fn a_text_that_names_the_chunk_of_samples_does_not_hide_it() {
    let (format, data) = (chunk(b"fmt ", &fmt(1, 1, RATE, 16, 2)), chunk(b"data", &le16()));
    let list =
        |len: u32, text: &[u8]| [b"LIST", &len.to_le_bytes()[..], b"INFOICMT\x20\0\0\0", text].concat();
    for text in [
        &b"field recording metadata: night no.3 "[..],
        b"field data\0\0\0\0 and more data\x20\0\0\0 of the night",
        b"a fmt \x10\0\0\0, data\xff\xff\xff\xff, and nothing else",
    ] {
        let name = String::from_utf8_lossy(text).into_owned();
        check_quiet(&name, riff(&[format.clone(), list(4, text), data.clone()]), WHOLE);
        check_quiet(&name, riff(&[format.clone(), list(1 << 30, text), data.clone()]), WHOLE);
        check_quiet(&name, riff(&[format.clone(), list(4, text), data.clone(), list(44, &[1; 32])]), WHOLE);
        let mut open = riff(&[format.clone(), list(4, text), data.clone()]);
        let at = open.len() - le16().len() - 4;
        open[at..at + 4].fill(0xff);
        check(&name, open, WHOLE);
    }
}

#[test]
fn metadata_behind_the_samples_is_no_sound_however_broken_it_is() {
    let short = &le16()[6400..9600];
    let noise: Vec<u8> = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let format = chunk(b"fmt ", &fmt(1, 1, RATE, 16, 2));
    let whole = riff(&[format, chunk(b"data", short), chunk(b"iXML", &noise)]);
    let data_len = 12 + 8 + 16 + 4;
    for (name, cut, off) in [("whole", 0, 0), ("cut", 2, 0), ("cut in half", 10_000, 0)]
        .into_iter()
        .chain([("too short", 2, -8), ("too long", 2, 2)])
    {
        let mut bytes = whole[..whole.len() - cut].to_vec();
        bytes[data_len..data_len + 4].copy_from_slice(&(short.len() as i32 + off).to_le_bytes());
        let heard = hear(name, bytes).unwrap();
        assert_eq!(heard.samples.len() as i32, (short.len() as i32 + off.min(0)) / 2, "{name}");
        assert!(heard.remarks.is_empty(), "{name}: {}", heard.remarks);
    }
    // Who knows what this is.
    let heard = hear("junk", [whole[..whole.len() - 20_008].to_vec(), noise].concat()).unwrap();
    assert!(heard.remarks.to_string().contains("its header counts 0.10 s"), "{}", heard.remarks);
}

#[test]
fn files_over_four_gigabytes_have_their_own_headers() {
    let data = le16();
    let format = fmt(1, 1, RATE, 16, 2);
    let ds64 = |size: u64| {
        let mut content = [100_000_u64, size, (data.len() / 2) as u64].map(u64::to_le_bytes).concat();
        content.extend([0; 4]);
        chunk(b"ds64", &content)
    };
    let open = |id: &[u8; 4], size: u64| {
        let mut bytes =
            [id.to_vec(), vec![0xff; 4], b"WAVE".to_vec(), ds64(size), chunk(b"fmt ", &format)].concat();
        bytes.extend(b"data\xff\xff\xff\xff");
        bytes.extend(&data);
        bytes
    };
    for id in [b"RF64", b"BW64"] {
        let name = String::from_utf8_lossy(id).into_owned();
        check_quiet(&name, open(id, data.len() as u64), WHOLE);
        check_quiet(&format!("{name}, never closed"), open(id, 0), WHOLE);
        check_quiet(
            &format!("{name}, tags behind"),
            {
                let mut bytes = open(id, data.len() as u64);
                bytes.extend(chunk(b"LIST", &[1; 4000]));
                bytes
            },
            WHOLE,
        );
    }
    assert_eq!(hear("x", open(b"RF64", 0)).unwrap().format, "rf64");

    const TAIL: [u8; 12] = [0xf3, 0xac, 0xd3, 0x11, 0x8c, 0xd1, 0, 0xc0, 0x4f, 0x8e, 0xdb, 0x8a];
    let guid = |id: &[u8; 4]| [id.to_vec(), TAIL.to_vec()].concat();
    let w64_chunk = |id: &[u8; 4], content: &[u8], len: u64| {
        let mut bytes = [guid(id), (24 + len).to_le_bytes().to_vec(), content.to_vec()].concat();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let w64 = |len: u64| {
        [
            b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0".to_vec(),
            vec![0xff; 8],
            guid(b"wave"),
            w64_chunk(b"fmt ", &format, format.len() as u64),
            w64_chunk(b"data", &data, len),
        ]
        .concat()
    };
    check_quiet("W64", w64(data.len() as u64), WHOLE);
    check_quiet("W64, never closed", w64(0), WHOLE);
    check_quiet("W64, length unknown", w64(u64::MAX >> 1), WHOLE);
    assert_eq!(hear("x", w64(0)).unwrap().format, "w64");

    // RIFX is RIFF in the other byte order.
    let be = |bytes: Vec<u8>| bytes;
    let mut rifx = be(b"RIFX\0\0\0\0WAVEfmt \0\0\0\x10".to_vec());
    rifx.extend([1_u16, 1].map(u16::to_be_bytes).concat());
    rifx.extend([RATE, RATE * 2].map(u32::to_be_bytes).concat());
    rifx.extend([2_u16, 16].map(u16::to_be_bytes).concat());
    rifx.extend(b"data");
    rifx.extend((data.len() as u32).to_be_bytes());
    rifx.extend(dog_16().iter().flat_map(|x| x.to_be_bytes()));
    check_quiet("RIFX", rifx, WHOLE);
}

#[test]
fn other_codecs_in_wav_are_decoded_or_named() {
    let half = Right { duration_s: 0.5, dog_s: 0.5, likeness: 0.98, slack_s: 0.02, ..WHOLE };
    check_quiet("adpcm_ima_wav.wav", fixture("adpcm_ima_wav.wav"), half);
    check_quiet("adpcm_ms.wav", fixture("adpcm_ms.wav"), half);
    let mut unclosed = fixture("adpcm_ms.wav");
    let data = unclosed.windows(4).position(|four| four == b"data").unwrap();
    unclosed[data + 4..data + 8].fill(0);
    check_quiet("adpcm_ms.wav, never closed", unclosed, half);
    let right = Right { duration_s: 1.0, dog_s: 1.0, likeness: 0.9, slack_s: 0.11, ..WHOLE };
    let heard = hear("mp3_in.wav", fixture("mp3_in.wav")).unwrap();
    let duration_s = heard.samples.len() as f64 / f64::from(heard.rate);
    assert!((duration_s - right.duration_s).abs() < right.slack_s, "{duration_s}");
    for (tag, named) in [(0x31, "GSM 6.10"), (0x2000, "AC-3"), (0x161, "WMA 2"), (0x4242, "0x4242")] {
        let error = hear("coded", wav(tag, 1, 0, 65, &[1; 6500])).err().unwrap();
        let likely = if named == "AC-3" { "ffmpeg would" } else { "ffmpeg may" };
        assert!(error.to_string().contains(likely), "{error}");
        assert!(matches!(error, AudioError::NoDecoder { .. }), "{error}");
        assert!(error.to_string().contains(named) && error.to_string().contains("ffmpeg"), "{error}");
    }
}

// AIFF, AU, CAF

fn aiff_chunk(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut bytes = [id.to_vec(), (content.len() as u32).to_be_bytes().to_vec(), content.to_vec()].concat();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

fn aiff(kind: &[u8; 4], bits: u16, frames: u32, compression: &[u8], data: &[u8], before: &[u8]) -> Vec<u8> {
    let mut common =
        [1_u16.to_be_bytes().to_vec(), frames.to_be_bytes().to_vec(), bits.to_be_bytes().to_vec()].concat();
    // 16,000 Hz as an 80-bit float.
    common.extend([0x40, 0x0c, 0xfa, 0, 0, 0, 0, 0, 0, 0]);
    common.extend(compression);
    let sound = [vec![0; 8], data.to_vec()].concat();
    let content =
        [kind.to_vec(), before.to_vec(), aiff_chunk(b"COMM", &common), aiff_chunk(b"SSND", &sound)].concat();
    aiff_chunk(b"FORM", &content)
}

#[test]
fn aiff_of_every_kind() {
    let wide: Vec<i32> = dog_16().iter().map(|x| i32::from(*x) << 16).collect();
    let be = |len: usize| -> Vec<u8> { wide.iter().flat_map(|x| x.to_be_bytes()[..len].to_vec()).collect() };
    let floats: Vec<u8> = dog(RATE).iter().flat_map(|x| x.to_be_bytes()).collect();
    let doubles: Vec<u8> = dog(RATE).iter().flat_map(|x| f64::from(*x).to_be_bytes()).collect();
    let name = |code: &[u8; 4]| [code.to_vec(), vec![0, 0]].concat();
    for (what, kind, bits, compression, data) in [
        ("12 bits", b"AIFF", 12, vec![], be(2)),
        ("16 bits", b"AIFF", 16, vec![], be(2)),
        ("20 bits", b"AIFF", 20, vec![], be(3)),
        ("24 bits", b"AIFF", 24, vec![], be(3)),
        ("32 bits", b"AIFF", 32, vec![], be(4)),
        ("sowt", b"AIFC", 16, name(b"sowt"), le16()),
        ("in24", b"AIFC", 24, name(b"in24"), be(3)),
        ("fl32", b"AIFC", 32, name(b"fl32"), floats),
        ("FL64", b"AIFC", 64, name(b"FL64"), doubles),
    ] {
        check_quiet(what, aiff(kind, bits, 32_000, &compression, &data, &[]), WHOLE);
    }
    let s8: Vec<u8> = be(1);
    let coarse = Right { likeness: 0.99, ..WHOLE };
    check_quiet("8 bits", aiff(b"AIFF", 8, 32_000, &[], &s8, &[]), coarse);
    let u8s: Vec<u8> = s8.iter().map(|x| x ^ 0x80).collect();
    check_quiet("raw", aiff(b"AIFC", 8, 32_000, &name(b"raw "), &u8s, &[]), coarse);
    check_quiet("no frames counted", aiff(b"AIFF", 16, 0, &[], &be(2), &[]), WHOLE);
    let broken = [b"ANNO".to_vec(), vec![0x7f, 0xff, 0xff, 0xff], vec![1; 11]].concat();
    check_quiet("a broken chunk", aiff(b"AIFF", 16, 32_000, &[], &be(2), &broken), WHOLE);
    let half = Right { duration_s: 0.5, dog_s: 0.5, likeness: 0.98, slack_s: 0.02, ..WHOLE };
    check_quiet("adpcm_ima_qt.aifc", fixture("adpcm_ima_qt.aifc"), half);
    let error = hear("MACE", aiff(b"AIFC", 8, 32_000, &name(b"MAC3"), &u8s, &[])).err().unwrap();
    assert!(error.to_string().contains("MACE 3:1"), "{error}");
}

#[test]
fn au_of_every_kind() {
    let au = |len: u32, encoding: u32, data: &[u8]| {
        let fields = [28, len, encoding, RATE, 1];
        [b".snd".to_vec(), fields.map(u32::to_be_bytes).concat(), vec![0; 4], data.to_vec()].concat()
    };
    let be: Vec<u8> = dog_16().iter().flat_map(|x| x.to_be_bytes()).collect();
    let floats: Vec<u8> = dog(RATE).iter().flat_map(|x| x.to_be_bytes()).collect();
    check_quiet("16 bits", au(be.len() as u32, 3, &be), WHOLE);
    check_quiet("length unknown", au(u32::MAX, 3, &be), WHOLE);
    check_quiet("never closed", au(0, 3, &be), WHOLE);
    check_quiet("floats", au(floats.len() as u32, 6, &floats), WHOLE);
    let s8: Vec<u8> = dog_16().iter().map(|x| (x >> 8) as u8).collect();
    check_quiet("8 bits", au(s8.len() as u32, 2, &s8), Right { likeness: 0.99, ..WHOLE });
    let mu: Vec<u8> = dog_16().iter().map(|x| mu_law(*x)).collect();
    check_quiet("mu-law", au(mu.len() as u32, 1, &mu), Right { likeness: 0.999, ..WHOLE });
    assert!(hear("cut", au(be.len() as u32 + 4000, 3, &be)).unwrap().remarks.truncated);
    let error = hear("G.721", au(100, 23, &be)).err().unwrap();
    assert!(error.to_string().contains("G.721"), "{error}");
}

/// ITU-T G.711.
fn mu_law(x: i16) -> u8 {
    let magnitude = i32::from(x).abs().min(32_635) + 132;
    let exponent = 31 - (magnitude as u32).leading_zeros() as i32 - 7;
    let mantissa = magnitude >> (exponent + 3) & 15;
    !((if x < 0 { 0x80 } else { 0 }) | (exponent << 4) as u8 | mantissa as u8)
}

#[test]
fn caf_of_every_kind() {
    let caf = |id: &[u8; 4], flags: u32, packet: u32, bits: u32, data: &[u8], len: i64| {
        let mut desc = f64::from(RATE).to_be_bytes().to_vec();
        desc.extend(id);
        desc.extend([flags, packet, 1, 1, bits].map(u32::to_be_bytes).concat());
        let head = [b"caff".to_vec(), vec![0, 1, 0, 0]].concat();
        let desc = [b"desc".to_vec(), 32_u64.to_be_bytes().to_vec(), desc].concat();
        [head, desc, b"data".to_vec(), len.to_be_bytes().to_vec(), vec![0; 4], data.to_vec()].concat()
    };
    let be: Vec<u8> = dog_16().iter().flat_map(|x| x.to_be_bytes()).collect();
    let wide: Vec<u8> = dog_16().iter().flat_map(|x| (i32::from(*x) << 16).to_be_bytes()).collect();
    let floats: Vec<u8> = dog(RATE).iter().flat_map(|x| x.to_le_bytes()).collect();
    let len = |data: &[u8]| data.len() as i64 + 4;
    check_quiet("big-endian", caf(b"lpcm", 0, 2, 16, &be, len(&be)), WHOLE);
    check_quiet("length unknown", caf(b"lpcm", 0, 2, 16, &be, -1), WHOLE);
    check_quiet("little-endian", caf(b"lpcm", 2, 2, 16, &le16(), -1), WHOLE);
    check_quiet("24 bits in 32", caf(b"lpcm", 0, 4, 24, &wide, len(&wide)), WHOLE);
    check_quiet("floats", caf(b"lpcm", 3, 4, 32, &floats, len(&floats)), WHOLE);
    let s8: Vec<u8> = dog_16().iter().map(|x| (x >> 8) as u8).collect();
    check_quiet("8 bits", caf(b"lpcm", 0, 1, 8, &s8, -1), Right { likeness: 0.99, ..WHOLE });
    let mu: Vec<u8> = dog_16().iter().map(|x| mu_law(*x)).collect();
    check_quiet("mu-law", caf(b"ulaw", 0, 1, 8, &mu, len(&mu)), Right { likeness: 0.999, ..WHOLE });
    let error = hear("QDesign", caf(b"QDM2", 0, 0, 0, &mu, -1)).err().unwrap();
    assert!(error.to_string().contains("QDesign"), "{error}");
}

// QuickTime, MP4, Matroska

#[test]
fn samples_in_quicktime_have_their_byte_order_and_layout() {
    let half = Right { duration_s: 0.5, dog_s: 0.5, ..WHOLE };
    for (codec, likeness) in [
        ("pcm_s24be", 0.999),
        ("pcm_s24le", 0.999),
        ("pcm_s32be", 0.999),
        ("pcm_f32be", 0.999),
        ("pcm_f64be", 0.999),
        ("pcm_s16le", 0.999),
        ("pcm_s8", 0.99),
        ("pcm_u8", 0.99),
        ("pcm_mulaw", 0.99),
        ("pcm_alaw", 0.99),
        ("pcm_s24be_stereo", 0.999),
    ] {
        let name = format!("{codec}.mov");
        check_quiet(&name, fixture(&name), Right { likeness, ..half });
    }
    for codec in ["adpcm_ima_qt", "adpcm_ms", "adpcm_ima_wav"] {
        let name = format!("{codec}.mov");
        check_quiet(&name, fixture(&name), Right { likeness: 0.98, slack_s: 0.1, ..half });
    }
    check_quiet("alac.mov", fixture("alac.mov"), Right { duration_s: 1.0, dog_s: 1.0, ..WHOLE });
    // The `enda` box turns the order round; without it, it is big-endian.
    let little = fixture("pcm_s24le.mov");
    let enda = little.windows(4).position(|four| four == b"enda").unwrap();
    assert_eq!(little[enda + 4..enda + 6], [0, 1]);
    let mut wrong = little.clone();
    wrong[enda + 5] = 0;
    assert!(likeness(&hear("wrong order", wrong).unwrap(), 0.0, 0.5) < 0.5);
}

#[test]
fn tracks_that_start_late_do() {
    for (name, at_s) in [("late.mka", 1.0), ("late.m4a", 1.0)] {
        let right =
            Right { duration_s: 3.0, dog_at_s: at_s, likeness: 0.97, slack_s: 0.03, lag_s: 0.003, ..WHOLE };
        let heard = check(name, fixture(name), right);
        assert_eq!(heard.remarks.missing.len(), 1, "{name}: {}", heard.remarks);
        assert_eq!(heard.remarks.missing[0].why, Missing::LateStart, "{name}");
        assert!(heard.samples[..heard.rate as usize * 9 / 10].iter().all(|x| *x == 0.0), "{name}");
    }
}

#[test]
fn edit_lists_cut_and_delay() {
    // One edit that shows from a tenth of a second on for half a second, and one from a second on.
    let original = fixture("late.m4a");
    let elst = original.windows(4).position(|four| four == b"elst").unwrap();
    let count = u32::from_be_bytes(original[elst + 8..elst + 12].try_into().unwrap());
    assert_eq!(count, 2, "an empty edit and the sound");
    let entry = |bytes: &mut Vec<u8>, number: usize, duration: u32, start: i32| {
        let at = elst + 12 + number * 12;
        bytes[at..at + 4].copy_from_slice(&duration.to_be_bytes());
        bytes[at + 4..at + 8].copy_from_slice(&start.to_be_bytes());
    };
    // The encoder's delay, in the track's samples.
    let delay = 1024;
    // The movie's clock has 1000 ticks, the track's 16,000.
    let mut cut = original.clone();
    entry(&mut cut, 0, 500, delay + 1600);
    entry(&mut cut, 1, 500, delay + 16_000);
    let heard = hear("cut", cut).unwrap();
    assert_eq!(heard.samples.len(), 16_000, "{}", heard.remarks);
    let dog = dog(RATE);
    for (part, from) in [(0, 1600), (8000, 16_000)] {
        let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
        for (x, y) in heard.samples[part..part + 8000].iter().zip(&dog[from..]) {
            (xy, xx, yy) = (xy + x * y, xx + x * x, yy + y * y);
        }
        assert!(xy / (xx * yy).sqrt() > 0.9, "from {from}");
    }
    // Backwards is more than a stream can show: all of it, once, and told.
    let mut back = original.clone();
    entry(&mut back, 0, 500, delay + 24_000);
    entry(&mut back, 1, 500, delay);
    let heard = hear("back", back).unwrap();
    assert!(heard.samples.len() >= 32_000 && heard.remarks.edits_ignored, "{}", heard.remarks);
}

/// An atom of QuickTime.
fn atom(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
}

fn numbers(all: &[u32]) -> Vec<u8> {
    all.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A QuickTime file of one byte a sample, which shows the parts in `edits` (length and start, in samples).
fn edited_quicktime(rate: u32, data: &[u8], edits: &[(u32, u32)]) -> Vec<u8> {
    let frames = data.len() as u32;
    let mut entry = vec![0; 6];
    entry.extend([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 0, 0, 0]);
    entry.extend(numbers(&[rate << 16]));
    let tables = [
        atom(b"stsd", &[numbers(&[0, 1]), atom(b"raw ", &entry)].concat()),
        atom(b"stts", &numbers(&[0, 1, frames, 1])),
        atom(b"stsc", &numbers(&[0, 1, 1, frames, 1])),
        atom(b"stsz", &numbers(&[0, 1, frames])),
        atom(b"stco", &numbers(&[0, 1, 24])),
    ];
    let media = [
        atom(b"mdhd", &numbers(&[0, 0, 0, rate, frames, 0])),
        atom(b"hdlr", &[&[0; 8][..], b"soun", &[0; 13]].concat()),
        atom(b"minf", &[atom(b"smhd", &[0; 8]), atom(b"stbl", &tables.concat())].concat()),
    ];
    let shown = edits.iter().flat_map(|(len, start)| numbers(&[*len, *start, 1 << 16]));
    let list = numbers(&[0, edits.len() as u32]).into_iter().chain(shown).collect::<Vec<u8>>();
    let track = [
        atom(b"tkhd", &[numbers(&[1, 0, 0, 1, 0, frames]), vec![0; 60]].concat()),
        atom(b"edts", &atom(b"elst", &list)),
        atom(b"mdia", &media.concat()),
    ];
    let movie = [
        atom(b"mvhd", &[numbers(&[0, 0, 0, rate, frames]), vec![0; 80]].concat()),
        atom(b"trak", &track.concat()),
    ];
    [atom(b"ftyp", b"qt  \0\0\0\0"), atom(b"mdat", data), atom(b"moov", &movie.concat())].concat()
}

#[test]
fn edit_lists_may_leave_out_half_an_hour() {
    let loud: Vec<u8> = dog_16().iter().map(|x| ((x >> 8) + 128) as u8).collect();
    // More packets than a stream may have that decode to nothing.
    let mut data = vec![0x90; 12_000_000];
    let late = data.len() - loud.len();
    data[late..].copy_from_slice(&loud);
    let (len, late) = (loud.len() as u32, late as u32);
    let right = Right { likeness: 0.99, ..WHOLE };
    check_quiet("the end", edited_quicktime(RATE, &data, &[(len, late)]), right);
    let both = Right { duration_s: 3.0, dog_at_s: 1.0, ..right };
    check_quiet("the start and the end", edited_quicktime(RATE, &data, &[(RATE, 0), (len, late)]), both);
}

#[test]
fn gaps_in_time_stamps_are_silence() {
    let right = Right { duration_s: 8.0, dog_at_s: 6.0, likeness: 0.97, slack_s: 0.05, lag_s: 0.01, ..WHOLE };
    let heard = check("gap.mka", fixture("gap.mka"), right);
    let [gap] = heard.remarks.missing[..] else { panic!("{}", heard.remarks) };
    assert_eq!(gap.why, Missing::Gap);
    assert!((gap.start_s - 1.0).abs() < 0.1 && (gap.end_s - 4.0).abs() < 0.1, "{gap:?}");
}

#[test]
fn the_default_track_is_heard() {
    let right = Right { likeness: 0.98, slack_s: 0.02, ..WHOLE };
    check_quiet("second.mkv", fixture("second.mkv"), right);
}

// MP3, ADTS, FLAC, Ogg

fn coded(likeness: f64) -> Right {
    Right { likeness, slack_s: 0.15, lag_s: 0.002, ..WHOLE }
}

#[test]
fn joined_mp3s_are_heard_to_their_end() {
    let (mono, stereo, other) = (fixture("dog.mp3"), fixture("dog_stereo.mp3"), fixture("dog_22k.mp3"));
    check("dog.mp3", mono.clone(), coded(0.9));
    let tag = [b"TAG".to_vec(), vec![32; 125]].concat();
    let id3 = [b"ID3\x03\0\0\0\0\x07\x68".to_vec(), vec![0; 1000]].concat();
    for (name, bytes, rates) in [
        ("twice", [mono.clone(), mono.clone()].concat(), 0),
        ("with tags between", [id3.clone(), mono.clone(), tag.clone(), id3, mono.clone(), tag].concat(), 0),
        ("mono then stereo", [mono.clone(), stereo.clone()].concat(), 0),
        ("stereo then mono", [stereo, mono.clone()].concat(), 0),
        ("another rate", [mono.clone(), other].concat(), 1),
    ] {
        let heard = hear(name, bytes).unwrap();
        let duration_s = heard.samples.len() as f64 / f64::from(heard.rate);
        assert!((4.05..4.25).contains(&duration_s), "{name}: {duration_s}");
        assert_eq!(heard.remarks.other_rates.len(), rates, "{name}: {}", heard.remarks);
        assert!(heard.remarks.missing.is_empty() && !heard.remarks.truncated, "{name}: {}", heard.remarks);
        for dog_at_s in [0.0, 2.1] {
            let right = Right { dog_at_s, dog_s: 1.8, lag_s: 0.06, ..WHOLE };
            let at_s = lag_of(&heard, right);
            let found = likeness(&heard, at_s, 1.8);
            assert!(found > 0.85, "{name}: {found:.3} at {at_s}");
        }
    }
    // A count that is simply wrong, in the first frame.
    let info = mono.windows(4).position(|four| matches!(four, b"Info" | b"Xing")).unwrap();
    for (frames, truncated) in [(10_u32, false), (1, false), (10_000, true)] {
        let mut stale = mono.clone();
        stale[info + 8..info + 12].copy_from_slice(&frames.to_be_bytes());
        let heard = check("a wrong count", stale, coded(0.9));
        assert_eq!(heard.remarks.truncated, truncated, "{frames}: {}", heard.remarks);
    }
    // Without a header, the length is not known beforehand, and nothing is cut.
    let heard = hear("dog_no_header.mp3", fixture("dog_no_header.mp3")).unwrap();
    let duration_s = heard.samples.len() as f64 / f64::from(heard.rate);
    assert!((2.0..2.2).contains(&duration_s), "{duration_s}");
}

#[test]
fn bytes_behind_flac_are_not_sound() {
    let flac = fixture("dog.flac");
    let ape = {
        let mut tag = b"APETAGEX".to_vec();
        tag.extend([2000_u32, 32, 0, 0, 0, 0].map(u32::to_le_bytes).concat());
        tag
    };
    let noise: Vec<u8> = (0..3000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (name, behind) in [
        ("nothing", vec![]),
        ("ID3v1", [b"TAG".to_vec(), vec![32; 125]].concat()),
        ("APEv2", ape),
        ("one byte", vec![0x55]),
        ("zeros", vec![0; 4096]),
        ("noise", noise),
    ] {
        check_quiet(&format!("{name} behind"), [flac.clone(), behind.clone()].concat(), WHOLE);
        let id3 = [b"ID3\x03\0\0\0\0\x07\x68".to_vec(), vec![0; 1000]].concat();
        check_quiet(&format!("ID3v2 before, {name} behind"), [id3, flac.clone(), behind].concat(), WHOLE);
    }
}

/// A FLAC file of silence whose last frame holds `samples` as they are.
fn flac_of_long_last_frame(samples: &[u8]) -> Vec<u8> {
    let mut file = b"fLaC\x80\0\0\x22\x10\0\x10\0\0\0\0\0\0\0".to_vec();
    let frames = 4 * (samples.len() / 2) as u64;
    file.extend((u64::from(RATE) << 44 | 15 << 36 | frames).to_be_bytes());
    file.extend([0; 16]);
    for number in 0..4 {
        // 4096 samples at 16 kHz, mono, 16 bits.
        let mut frame = vec![0xff, 0xf8, 0xc5, 0x08, number];
        frame.push(flac_crc8(&frame));
        match number {
            3 => frame.extend([&[2], samples].concat()),
            _ => frame.extend([0, 0, 0]),
        }
        frame.extend(flac_crc16(&frame).to_be_bytes());
        file.extend(frame);
    }
    file
}

#[test]
fn a_checksum_that_comes_out_early_does_not_end_flac() {
    let mut random = 1_u32;
    for number in 0..60 {
        let mut byte = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 24) as u8
        };
        let file = flac_of_long_last_frame(&(0..8192).map(|_| byte()).collect::<Vec<u8>>());
        let id3 = [b"TAG".to_vec(), vec![32; 125]].concat();
        let mut footer = b"APETAGEX".to_vec();
        footer.extend([2000_u32, 52, 1, 0, 0, 0].map(u32::to_le_bytes).concat());
        let ape = [vec![9; 20], footer].concat();
        for behind in [vec![], id3.clone(), ape.clone(), [ape, id3].concat()] {
            let name = format!("file {number}, {} bytes behind", behind.len());
            let heard = hear(&name, [file.clone(), behind].concat()).unwrap();
            assert_eq!(heard.samples.len(), 4 * 4096, "{name}: {}", heard.remarks);
            assert!(heard.remarks.is_empty(), "{name}: {}", heard.remarks);
        }
    }
}

/// Silence, then the dog, coded by repeating and joining; then noise over the middle.
fn damaged(bytes: &[u8], from: f64, to: f64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let (from, to) = ((bytes.len() as f64 * from) as usize, (bytes.len() as f64 * to) as usize);
    for (n, byte) in bytes[from..to].iter_mut().enumerate() {
        *byte = ((n as u32).wrapping_mul(2_654_435_761) >> 11) as u8;
    }
    bytes
}

#[test]
fn damage_in_the_middle_keeps_the_time_of_what_follows() {
    // Ogg and FLAC begin with headers, without which nothing can be decoded.
    for (name, from, slack_s) in [
        ("dog.ogg", 0.6, 0.02),
        ("dog.opus", 0.3, 0.02),
        ("dog.flac", 0.3, 0.002),
        ("dog.mp3", 0.3, 0.15),
        ("dog.aac", 0.3, 0.3),
    ] {
        let whole = hear(name, fixture(name)).unwrap();
        let broken = hear(name, damaged(&fixture(name), from, from + 0.15)).unwrap();
        let (rate, len) = (f64::from(whole.rate), whole.samples.len() as f64);
        let duration_s = broken.samples.len() as f64 / rate;
        assert!((duration_s - len / rate).abs() <= slack_s, "{name}: {duration_s} s; {}", broken.remarks);
        let stretches: Vec<_> = broken.remarks.missing.iter().filter(|m| m.why == Missing::Damaged).collect();
        assert!(!stretches.is_empty(), "{name}: {}", broken.remarks);
        assert!(
            stretches.iter().all(|m| (0.2..1.4).contains(&m.start_s) && m.end_s < 1.6),
            "{name}: {stretches:?}"
        );
        assert!(broken.remarks.to_string().contains("damaged"), "{name}");
        // The last half second is where it was.
        let tail = (rate * 0.4) as usize;
        let (a, b) = (&whole.samples, &broken.samples);
        let shift = (slack_s * rate) as i64;
        let end = a.len().min(b.len()) - shift as usize - (rate * 0.05) as usize;
        let fits = |lag: i64| {
            let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
            for n in end - tail..end {
                let (x, y) = (a[n], b[(n as i64 + lag) as usize]);
                (xy, xx, yy) = (xy + x * y, xx + x * x, yy + y * y);
            }
            xy / (xx * yy).sqrt().max(1e-30)
        };
        let best = (-shift..=shift).map(fits).fold(0.0, f32::max);
        assert!(best > 0.9, "{name}: {best}");
    }
}

#[test]
fn damage_in_matroska_keeps_the_sound_behind_it() {
    for (name, duration_s, from) in [("late.mka", 3.0, 0.3), ("gap.mka", 8.0, 0.7)] {
        let bytes = fixture(name);
        let whole = hear(name, bytes.clone()).unwrap();
        for step in 0..12 {
            let at = (bytes.len() as f64 * (from + 0.02 * f64::from(step))) as usize;
            let mut broken = bytes.clone();
            for (n, byte) in broken[at..at + 200].iter_mut().enumerate() {
                *byte = ((n as u32 + 1000 * step).wrapping_mul(2_654_435_761) >> 11) as u8;
            }
            let heard = hear(name, broken).unwrap();
            let name = format!("{name}, damaged at {at}: {}", heard.remarks);
            let heard_s = heard.samples.len() as f64 / f64::from(heard.rate);
            assert!((heard_s - duration_s).abs() < 0.02, "{heard_s} s of {name}");
            let damaged: Vec<_> =
                heard.remarks.missing.iter().filter(|m| m.why == Missing::Damaged).collect();
            assert!(!damaged.is_empty() && !heard.remarks.truncated, "{name}");
            // What comes behind is where it was.
            let tail = heard.rate as usize / 5;
            let pairs = whole.samples.iter().rev().zip(heard.samples.iter().rev()).take(tail);
            let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
            for (x, y) in pairs {
                (xy, xx, yy) = (xy + x * y, xx + x * x, yy + y * y);
            }
            assert!(xy / (xx * yy).sqrt().max(1e-30) > 0.9, "{name}");
        }
    }
}

#[test]
fn a_damaged_cluster_ends_at_the_next() {
    let original = fixture("gap.mka");
    let is_cluster = |at: &usize| original[*at..].starts_with(b"\x1f\x43\xb6\x75");
    let clusters: Vec<usize> = (0..original.len()).filter(is_cluster).collect();
    assert!(clusters.len() > 1, "{clusters:?}");
    let check = |what: &str, bytes: Vec<u8>| {
        let heard = hear(what, bytes).unwrap();
        let heard_s = heard.samples.len() as f64 / f64::from(heard.rate);
        assert!((heard_s - 8.0).abs() < 0.02, "{what}: {heard_s} s; {}", heard.remarks);
        assert!(heard.remarks.missing.iter().any(|m| m.why == Missing::Damaged), "{what}: {}", heard.remarks);
    };
    for cluster in clusters[..clusters.len() - 1].iter().copied() {
        let mut larger = original.clone();
        larger[cluster + 5] = larger[cluster + 5].wrapping_add(1);
        check("size", larger);
    }
    let mut without = original.clone();
    without[clusters[1]] = 0;
    let heard = hear("id", without).unwrap();
    assert!(!heard.remarks.is_empty());
    // Cut off, as the header's length shows.
    let cut = hear("cut", original[..original.len() * 9 / 10].to_vec()).unwrap();
    assert!(cut.remarks.truncated, "{}", cut.remarks);
    let short = hear("fewer clusters", original[..clusters[clusters.len() - 1]].to_vec()).unwrap();
    assert!(short.remarks.truncated, "{}", short.remarks);
}

#[test]
fn chained_ogg_goes_on_at_any_rate() {
    let (one, other) = (fixture("dog.ogg"), fixture("dog_22k.ogg"));
    for (name, bytes, rates) in [
        ("the same rate", [one.clone(), one.clone()].concat(), 0),
        ("another rate", [one.clone(), other].concat(), 1),
    ] {
        // Links have serial numbers of their own.
        let heard = hear(name, bytes).unwrap();
        let duration_s = heard.samples.len() as f64 / f64::from(heard.rate);
        assert!((duration_s - 4.0).abs() < 0.02, "{name}: {duration_s}; {}", heard.remarks);
        assert_eq!(heard.remarks.other_rates.len(), rates, "{name}");
        assert!(heard.remarks.missing.is_empty(), "{name}: {}", heard.remarks);
        for at_s in [0.0, 2.0] {
            let found = likeness(&heard, at_s, 2.0);
            assert!(found > 0.97, "{name}: {found:.3} at {at_s}");
        }
    }
}

// Limits

#[test]
fn files_that_cost_more_than_they_weigh_are_refused() {
    use AudioError::OverLimit;
    let slow = riff(&[chunk(b"fmt ", &fmt(1, 1, 1, 16, 2)), chunk(b"data", &[1; 20])]);
    let error = hear("1 Hz", slow).err().unwrap();
    assert!(matches!(error, OverLimit { what: "sample rate", .. }), "{error}");
    assert!(error.to_string().contains("at least 1000 Hz"), "{error}");
    let slow = riff(&[chunk(b"fmt ", &fmt(1, 1, 999, 16, 2)), chunk(b"data", &[1; 20])]);
    assert!(matches!(hear("999 Hz", slow), Err(OverLimit { what: "sample rate", .. })));
    let fast = riff(&[chunk(b"fmt ", &fmt(1, 1, 800_000, 16, 2)), chunk(b"data", &[1; 20])]);
    assert!(matches!(hear("800 kHz", fast), Err(OverLimit { what: "sample rate", .. })));
    let limits = earmark_audio::Limits { max_decode_s: 0.0, ..Default::default() };
    let reader = AudioReader::from_bytes("slow", fixture("dog.flac"), &limits.into());
    let error = reader.err().unwrap();
    assert!(matches!(error, OverLimit { what: "decoding time", .. }), "{error}");
}

#[test]
fn a_wrong_length_in_a_header_does_not_refuse_the_file() {
    let be: Vec<u8> = dog_16().iter().flat_map(|x| x.to_be_bytes()).collect();
    let mu: Vec<u8> = dog_16().iter().map(|x| mu_law(*x)).collect();
    let au = [0x7fff_ffff_u32, 1, RATE, 1].map(u32::to_be_bytes).concat();
    let au = [b".snd\0\0\0\x18".to_vec(), au, mu].concat();
    let mut caf = b"caff\0\x01\0\0desc\0\0\0\0\0\0\0\x20".to_vec();
    caf.extend(f64::from(RATE).to_be_bytes());
    caf.extend(b"lpcm");
    caf.extend(numbers(&[0, 2, 1, 1, 16]));
    caf.extend(b"data");
    caf.extend((1_u64 << 40).to_be_bytes());
    caf.extend([0; 4]);
    caf.extend(be);
    let mut mp3 = fixture("dog.mp3");
    let info = mp3.windows(4).position(|four| four == b"Info" || four == b"Xing").unwrap();
    mp3[info + 8..info + 12].fill(0xff);
    let mut flac = fixture("dog.flac");
    flac[21] |= 0x0f;
    flac[22..26].fill(0xff);
    for (name, bytes, right) in [
        ("AU", au, Right { likeness: 0.999, ..WHOLE }),
        ("CAF", caf, WHOLE),
        ("MP3", mp3, Right { slack_s: 0.2, lag_s: 0.1, likeness: 0.9, ..WHOLE }),
        ("FLAC", flac, WHOLE),
    ] {
        assert!(check(name, bytes, right).remarks.truncated, "{name}");
    }
    // A length that the file has room for is refused before anything is decoded.
    let limits = earmark_audio::Limits { max_duration_s: 1.0, ..Default::default() };
    let error = AudioReader::from_bytes("long", fixture("dog.flac"), &limits.into()).err().unwrap();
    assert!(matches!(error, AudioError::OverLimit { what: "duration", .. }), "{error}");
}

#[test]
fn silence_and_ranges_without_sound_are_told_for_what_they_are() {
    let heard = hear("silence", wav(1, 1, 16, 2, &[0; 32_000])).unwrap();
    assert!(heard.remarks.silent && heard.remarks.to_string() == "all its samples are zero");
    let reader =
        AudioReader::from_bytes("short", wav(1, 1, 16, 2, &le16()), &ReadOptions::default()).unwrap();
    let error = Waveform::read(reader.resampled(RATE).unwrap(), Some((10.0, f64::INFINITY))).unwrap_err();
    let said = error.to_string();
    assert!(said.contains("0 to 2.000 s") && said.ends_with("received 10.000 s and later"), "{said}");
}

#[track_caller]
fn check_named(name: &str, bytes: Vec<u8>, codec: &str) {
    let error = hear(name, bytes).err().unwrap_or_else(|| panic!("{name} is read"));
    assert!(matches!(&error, AudioError::NoDecoder { codec: named, .. } if named == codec), "{error}");
    assert!(error.to_string().contains("decode it, where"), "{error}");
}

#[test]
fn containers_that_only_ffmpeg_reads_are_named() {
    let at = |places: &[(usize, &[u8])]| {
        let mut head = vec![1; 600];
        for (place, bytes) in places {
            head[*place..*place + bytes.len()].copy_from_slice(bytes);
        }
        head
    };
    let start = |bytes: &[u8]| at(&[(0, bytes)]);
    for (head, codec) in [
        (start(b"FLV\x01\x05"), "Flash video"),
        (start(b"nut/multimedia container\0"), "NUT"),
        (start(b"\xb7\xd8\x00\x20\x37\x49\xda\x11"), "Windows TV recording"),
        (start(b"\0\0\0\0\x01\xbc\0\0"), "GXF"),
        (start(b"\x64\xa3\x01\0"), "IRCAM"),
        (start(b"NIST_1A\n   1024\n"), "NIST SPHERE"),
        (start(b"PVF1\n2 44100 16\n"), "Portable Voice Format"),
        (start(b"STRM\0\x0a"), "AST"),
        (start(b"FORM\0\x01\x58\xe48SVXVHDR"), "Amiga IFF"),
        (at(&[(0, b"\x80\0\0\x20\x03\x12\x04\x02"), (0x1e, b"(c)CRI")]), "CRI ADX"),
        (at(&[(65, b"FSSD"), (128, b"HCOM")]), "Macintosh HCOM"),
        (at(&[(4, b"\xf8\x72\x6f\xbb")]), "MLP"),
        (at(&[(0, b"\x56\xe0\x20"), (0x23, b"\x56\xe0\x20")]), "AAC in LATM"),
        (at(&[(4, b"G"), (196, b"G"), (388, b"G")]), "MPEG transport stream"),
    ] {
        check_named(codec, head, codec);
    }
}

#[test]
fn codecs_that_no_decoder_takes_are_named() {
    let frames = |head: &[u8], len: usize| -> Vec<u8> {
        let mut frame = head.to_vec();
        frame.resize(len, 0);
        frame.repeat(5)
    };
    // Layer II, 384 kbit/s, 48 kHz, one channel: what ffmpeg writes if it is not asked for a bit rate.
    let mono = frames(&[0xff, 0xfd, 0xe4, 0xc0], 1152);
    check_named("mono.mp2", mono, "MP2 of one channel at 384 kbit/s");
    // ADTS, low complexity, 7350 Hz, one channel, frames of 20 bytes.
    check_named("7350.aac", frames(&[0xff, 0xf1, 0x70, 0x40, 0x02, 0x9f, 0xfc], 20), "AAC at 7350 Hz");
    check_named("64.wav", wav(1, 1, 64, 8, &[0; 800]), "PCM of 64-bit integers");
}

/// An element of Matroska.
fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    let mut bytes = id.to_vec();
    bytes.extend((0x0100_0000_0000_0000 | content.len() as u64).to_be_bytes());
    bytes.extend(content);
    bytes
}

#[test]
fn tracks_that_the_demuxer_passes_over_are_named() {
    for (codec, private, named) in [
        (&b"A_MS/ACM"[..], &b"\x45\0\x01\0"[..], "G.726 ADPCM"),
        (b"A_MS/ACM", b"\x09\xa1\x01\0", "Speex"),
        (b"A_MLP", b"", "MLP"),
    ] {
        let audio = element(b"\xe1", &element(b"\x9f", &[1]));
        let fields = [
            element(b"\xd7", &[1]),
            element(b"\x73\xc5", &[1]),
            element(b"\x83", &[2]),
            element(b"\x86", codec),
            element(b"\x63\xa2", private),
            audio,
        ];
        let tracks = element(b"\x16\x54\xae\x6b", &element(b"\xae", &fields.concat()));
        let info = [
            element(b"\x2a\xd7\xb1", &1_000_000_u32.to_be_bytes()),
            element(b"\x4d\x80", b"test"),
            element(b"\x57\x41", b"test"),
        ];
        let info = element(b"\x15\x49\xa9\x66", &info.concat());
        let block = element(b"\xa3", b"\x81\0\0\x80 some sound");
        let cluster = element(b"\x1f\x43\xb6\x75", &[element(b"\xe7", &[0]), block].concat());
        let segment = element(b"\x18\x53\x80\x67", &[info, tracks, cluster].concat());
        let head = element(b"\x1a\x45\xdf\xa3", &element(b"\x42\x82", b"matroska"));
        check_named("track.mka", [head, segment].concat(), named);
    }
    // The same in QuickTime.
    for (kind, named) in [(b"dtsc", "DTS"), (b".mp2", "MP2"), (b"ms\x01\x61", "WMA 2"), (b"agsm", "GSM 6.10")]
    {
        let mut file = fixture("pcm_alaw.mov");
        let at = file.windows(4).rposition(|four| four == b"alaw").unwrap();
        file[at..at + 4].copy_from_slice(kind);
        check_named(named, file, named);
    }
}

/// A program that answers like ffmpeg, and does `does` to decode.
#[cfg(unix)]
fn fake_ffmpeg(folder: &Path, does: &str) -> ReadOptions {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("ffmpeg");
    let answer = "if [ \"$1\" = -version ]; then echo 'ffmpeg version 9.9 Copyright'; exit; fi";
    std::fs::write(&path, format!("#!/bin/sh\n{answer}\n{does}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    ReadOptions { ffmpeg: Some(earmark_audio::Ffmpeg::at(&path).unwrap()), ..ReadOptions::default() }
}

#[cfg(unix)]
#[test]
fn what_ffmpeg_refuses_is_read_as_without_it() {
    let folder = tempfile::tempdir().unwrap();
    // The default track, which is the second, in a codec that is not decoded here.
    let mut file = fixture("second.mkv");
    let codec = file.windows(8).rposition(|eight| eight == b"A_VORBIS").unwrap();
    file[codec..codec + 8].copy_from_slice(b"A_AC3\0\0\0");
    let passed_over = |options: &ReadOptions| {
        let mut reader = AudioReader::from_bytes("two.mkv", file.clone(), options).unwrap();
        while reader.read_block(&mut Vec::new()).unwrap() {}
        assert!((1.9..2.1).contains(&(reader.frames_read() as f64 / f64::from(reader.info().sample_rate))));
        assert_eq!(reader.info().decoder, None);
        reader.remarks().passed_over.clone()
    };
    assert_eq!(passed_over(&ReadOptions::default()).as_deref(), Some("AC-3"));
    let head = folder.path().join("head");
    std::fs::write(&head, [&b".snd"[..], &numbers(&[24, u32::MAX, 6, RATE, 1])].concat()).unwrap();
    for does in ["exit 1".to_owned(), "echo hello".to_owned(), format!("cat '{}'", head.display())] {
        assert_eq!(passed_over(&fake_ffmpeg(folder.path(), &does)).as_deref(), Some("AC-3"), "{does}");
    }
}

#[cfg(unix)]
#[test]
fn ffmpeg_is_not_asked_about_playlists() {
    let folder = tempfile::tempdir().unwrap();
    let asked = folder.path().join("asked");
    let options = fake_ffmpeg(folder.path(), &format!("touch '{}'; exit 1", asked.display()));
    for text in [
        "#EXTM3U\n/etc/passwd",
        "ffconcat version 1.0\nfile x",
        "<MPD urn:mpeg:DASH:profile:isoff-live:2011>",
    ] {
        let file = [b"wvpk\0\0", text.as_bytes()].concat();
        let error = AudioReader::from_bytes("list.wv", file.clone(), &options).err().unwrap();
        assert!(matches!(error, AudioError::Unsupported { .. }), "{error}");
        let path = folder.path().join("list.wv");
        std::fs::write(&path, file).unwrap();
        let error = AudioReader::open(&path, &options).err().unwrap();
        assert!(error.to_string().contains("description of files"), "{error}");
        assert!(!asked.exists(), "{text}");
    }
    assert!(AudioReader::from_bytes("sound.wv", b"wvpk\0\0".to_vec(), &options).is_err() && asked.exists());
}

#[test]
fn layer_ii_in_mp4_is_not_taken_for_layer_iii() {
    let bytes = fixture("mp2.mp4");
    check(
        "mp2.mp4",
        bytes,
        Right { duration_s: 1.0, dog_s: 1.0, lag_s: 0.035, slack_s: 0.07, likeness: 0.9, ..WHOLE },
    );
}
