//! A file, as a stream of mono blocks at its own sample rate.

use std::fs::File;
use std::io::{self, Cursor};
use std::path::Path;
use std::sync::Arc;

use symphonia::core::errors::Error;
use symphonia::core::io::MediaSource;

use crate::error::AudioError;
use crate::guard::contain;
use crate::limits::Limits;
use crate::mix::MonoMixer;
use crate::resample::ResampledReader;
use crate::source::{Source, check_channels, check_rate, from_symphonia, io_error, malformed, unsupported};
use crate::trim::Trimmer;

/// A file that yields nothing for this many packets in a row is not going to.
const MAX_BARREN_PACKETS: u32 = 10_000;

/// The largest sample taken for audio: 240 dB above full scale. Floats beyond it would overflow in later
/// arithmetic, which is no better than if they had come as infinities.
const MAX_SAMPLE: f32 = (1u64 << 40) as f32;

/// What a file says about itself, corrected by what its first block decodes to.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioInfo {
    /// Container, e.g. "wav", "aiff", "flac", "mp3", "ogg", "caf", "mp4", "mkv", "aac".
    pub format: String,
    /// Codec, e.g. "pcm_s16le", "vorbis", "opus".
    pub codec: String,
    /// Sample rate of the decoded audio, in Hz.
    pub sample_rate: u32,
    /// Channels of the decoded audio, before mixing to mono.
    pub channels: u16,
    /// Length as declared (or estimated from the bit rate, for MP3 and ADTS without a length), in
    /// seconds; `None` if the file does not say.
    pub duration_s: Option<f64>,
}

/// Decodes one file into mono blocks, holding only one block in memory.
///
/// An error inside a packet skips that packet; when the stream ends and more packets were bad than
/// good, that is [`AudioError::Malformed`]. A file that stops before its end gives what it has and is
/// then [`truncated`](Self::truncated).
pub struct AudioReader {
    file: String,
    limits: Limits,
    /// `None` once the stream ended or failed.
    source: Option<Source>,
    mixer: MonoMixer,
    /// Made when the first packet is decoded.
    trimmer: Option<Trimmer>,
    info: AudioInfo,
    /// The block decoded ahead by `open`.
    ahead: Option<Vec<f32>>,
    declared_frames: Option<u64>,
    frames_decoded: u64,
    frames_read: u64,
    largest_block: usize,
    good_packets: u64,
    bad_packets: u64,
    first_bad: Option<Error>,
    last_was_bad: bool,
    truncated: bool,
}

impl AudioReader {
    /// Opens a file and decodes its first block.
    ///
    /// # Errors
    /// Every [`AudioError`] but `OutOfRange`.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, AudioError> {
        let name = path.display().to_string();
        let meta = std::fs::metadata(path).map_err(|e| io_error(&name, e))?;
        if !meta.is_file() {
            // Opening a pipe would block, reading a directory fails obscurely.
            let kind = std::io::ErrorKind::InvalidInput;
            return Err(io_error(&name, std::io::Error::new(kind, "not a regular file")));
        }
        check_bytes(&name, meta.len(), limits)?;
        Self::from_media(name, &|| Ok(Box::new(File::open(path)?)), limits)
    }

    /// Reads a file already in memory; `name` is only for messages.
    ///
    /// # Errors
    /// As for [`open`](Self::open), but `Io`.
    pub fn from_bytes(name: &str, bytes: Vec<u8>, limits: &Limits) -> Result<Self, AudioError> {
        check_bytes(name, bytes.len() as u64, limits)?;
        let bytes = SharedBytes(Arc::new(bytes));
        Self::from_media(name.to_owned(), &|| Ok(Box::new(Cursor::new(bytes.clone()))), limits)
    }

    fn from_media(
        file: String,
        open: &dyn Fn() -> io::Result<Box<dyn MediaSource>>,
        limits: &Limits,
    ) -> Result<Self, AudioError> {
        let source =
            contain(|| Source::open(&file, open, limits)).map_err(|panic| panicked(&file, &panic))??;
        if let (Some(declared), Some(_)) = (source.declared.duration_s, source.declared.frames) {
            check_duration(&file, declared, limits)?;
        }
        let info = AudioInfo {
            format: source.format_name().to_owned(),
            codec: source.decoder.codec_info().short_name.to_owned(),
            sample_rate: 0,
            channels: 0,
            duration_s: source.declared.duration_s,
        };
        let mut reader = Self {
            file,
            limits: limits.clone(),
            declared_frames: source.declared.frames,
            source: Some(source),
            mixer: MonoMixer::default(),
            trimmer: None,
            info,
            ahead: None,
            frames_decoded: 0,
            frames_read: 0,
            largest_block: 0,
            good_packets: 0,
            bad_packets: 0,
            first_bad: None,
            last_was_bad: false,
            truncated: false,
        };
        // Only the first block tells the true rate and channels, and whether there is audio at all.
        let mut first = Vec::new();
        reader.decode_block(&mut first)?;
        reader.ahead = Some(first);
        Ok(reader)
    }

    /// What the file is.
    pub fn info(&self) -> &AudioInfo {
        &self.info
    }

    /// The file's name, as given.
    pub fn name(&self) -> &str {
        &self.file
    }

    /// Replaces `out` with the next mono block (samples at the file's own rate, mean of the channels);
    /// `false`, with `out` empty, at the end.
    ///
    /// # Errors
    /// [`AudioError`]; after an error the stream is at its end.
    pub fn read_block(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioError> {
        let more = if let Some(block) = &mut self.ahead {
            std::mem::swap(block, out);
            self.ahead = None;
            true
        } else {
            self.decode_block(out)?
        };
        self.frames_read += out.len() as u64;
        Ok(more)
    }

    /// Whether the file stopped before its end. Known once `read_block` has returned `false`.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// Packets that could not be decoded and were skipped so far.
    pub fn skipped_packets(&self) -> u64 {
        self.bad_packets
    }

    /// Mono samples handed out so far.
    pub fn frames_read(&self) -> u64 {
        self.frames_read
    }

    /// The same audio at `sample_rate` Hz. Blocks pass through untouched if that is the file's rate.
    ///
    /// # Errors
    /// [`AudioError::Unsupported`] if the two rates cannot be converted.
    pub fn resampled(self, sample_rate: u32) -> Result<ResampledReader, AudioError> {
        ResampledReader::new(self, sample_rate)
    }

    /// Decodes packets until one gives samples. `false` at the end.
    fn decode_block(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioError> {
        out.clear();
        // Taken, so that an error or a panic leaves the stream at its end.
        let Some(mut source) = self.source.take() else { return Ok(false) };
        let step = contain(|| self.step(&mut source, out)).map_err(|panic| panicked(&self.file, &panic))?;
        match step? {
            Step::Block => {
                self.source = Some(source);
                self.check_block(out)?;
                Ok(true)
            }
            Step::End => {
                self.truncated |= source.is_cut;
                self.finish()?;
                Ok(false)
            }
        }
    }

    fn step(&mut self, source: &mut Source, out: &mut Vec<f32>) -> Result<Step, AudioError> {
        let mut barren = 0;
        while barren < MAX_BARREN_PACKETS {
            let packet = match source.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(Step::End),
                Err(Error::ResetRequired) => {
                    self.chain(source)?;
                    continue;
                }
                Err(Error::IoError(e)) if e.kind() != std::io::ErrorKind::UnexpectedEof => {
                    return Err(io_error(&self.file, e));
                }
                Err(Error::IoError(_)) if source.declared.is_open_ended => return Ok(Step::End),
                Err(error) => {
                    // Demuxers cannot go on after an error: the audio ends here.
                    self.truncated = true;
                    self.first_bad.get_or_insert(error);
                    return Ok(Step::End);
                }
            };
            if packet.track_id != source.track_id {
                continue;
            }
            if packet.data.is_empty() && source.is_raw() {
                // Behind the end of the file, PCM demuxers go on with packets of nothing.
                self.truncated = !source.declared.is_open_ended;
                return Ok(Step::End);
            }
            barren += 1;
            match source.decoder.decode(&packet) {
                Ok(buf) => {
                    self.good_packets += 1;
                    self.last_was_bad = false;
                    if buf.is_empty() {
                        continue;
                    }
                    let (rate, channels) = (buf.spec().rate(), buf.spec().channels().count());
                    self.mixer.append(&buf, out);
                    self.check_spec(rate, channels)?;
                    let trimmer = self.trimmer.get_or_insert_with(|| source.trimmer(packet.pts, rate));
                    trimmer.apply(out);
                    if !out.is_empty() {
                        return Ok(Step::Block);
                    }
                    if trimmer.is_done() {
                        return Ok(Step::End);
                    }
                }
                Err(Error::ResetRequired) => source.decoder.reset(),
                Err(error) => {
                    self.bad_packets += 1;
                    self.last_was_bad = true;
                    self.first_bad.get_or_insert(error);
                }
            }
        }
        self.truncated = true;
        Ok(Step::End)
    }

    /// Goes on with the next link of a chained stream.
    fn chain(&mut self, source: &mut Source) -> Result<(), AudioError> {
        (source.track_id, source.decoder) =
            Source::decoder_for(&self.file, source.format.as_ref(), source.adts.as_deref(), &self.limits)?;
        // The declared length was that of the first link.
        self.declared_frames = None;
        Ok(())
    }

    /// The rate must not change on the way; channels may.
    fn check_spec(&mut self, rate: u32, channels: usize) -> Result<(), AudioError> {
        if self.info.sample_rate == rate && usize::from(self.info.channels) == channels {
            return Ok(());
        }
        check_rate(&self.file, rate, &self.limits)?;
        check_channels(&self.file, channels, &self.limits)?;
        if self.info.sample_rate == 0 {
            self.info.sample_rate = rate;
            self.info.channels = u16::try_from(channels).unwrap_or(u16::MAX);
        } else if self.info.sample_rate != rate {
            return Err(unsupported(
                &self.file,
                format!("one sample rate throughout ({} Hz)", self.info.sample_rate),
                format!("{rate} Hz from {:.3} s on", self.decoded_s()),
            ));
        }
        Ok(())
    }

    fn check_block(&mut self, block: &[f32]) -> Result<(), AudioError> {
        if let Some(at) = block.iter().position(|s| !s.is_finite() || s.abs() > MAX_SAMPLE) {
            self.source = None;
            let frame = self.frames_decoded + at as u64;
            return Err(AudioError::NonFinite {
                file: self.file.clone(),
                value: block[at],
                at_s: frame as f64 / f64::from(self.info.sample_rate),
            });
        }
        self.frames_decoded += block.len() as u64;
        self.largest_block = self.largest_block.max(block.len());
        check_duration(&self.file, self.decoded_s(), &self.limits).inspect_err(|_| {
            self.source = None;
        })
    }

    fn decoded_s(&self) -> f64 {
        self.frames_decoded as f64 / f64::from(self.info.sample_rate.max(1))
    }

    /// Judges the whole stream once it has ended.
    fn finish(&mut self) -> Result<(), AudioError> {
        let total = self.good_packets + self.bad_packets;
        let first_bad = self.first_bad.take();
        if self.frames_decoded == 0 {
            return Err(match first_bad {
                Some(error) => from_symphonia(&self.file, error),
                None => AudioError::Empty { file: self.file.clone(), received: "0 samples" },
            });
        }
        if self.bad_packets > self.good_packets {
            let why = first_bad.map(|e| e.to_string()).unwrap_or_default();
            return Err(malformed(
                &self.file,
                "packets that decode",
                format!("{} of {total} packets that do not ({why})", self.bad_packets),
            ));
        }
        // Less than declared by more than a packet, or broken off inside the last one.
        let is_short = self
            .declared_frames
            .is_some_and(|declared| declared.saturating_sub(self.frames_decoded) > self.largest_block as u64);
        self.truncated |= is_short || self.last_was_bad;
        Ok(())
    }
}

/// Bytes that can be read from the start more than once.
#[derive(Clone)]
struct SharedBytes(Arc<Vec<u8>>);

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

enum Step {
    Block,
    End,
}

fn check_bytes(file: &str, len: u64, limits: &Limits) -> Result<(), AudioError> {
    if len == 0 {
        return Err(AudioError::Empty { file: file.to_owned(), received: "0 bytes" });
    }
    if len > limits.max_bytes {
        return Err(AudioError::OverLimit {
            file: file.to_owned(),
            what: "bytes",
            limit: format!("{} bytes", limits.max_bytes),
            received: format!("{len} bytes"),
        });
    }
    Ok(())
}

fn check_duration(file: &str, duration_s: f64, limits: &Limits) -> Result<(), AudioError> {
    if duration_s > limits.max_duration_s {
        return Err(AudioError::OverLimit {
            file: file.to_owned(),
            what: "duration",
            limit: format!("{} s", limits.max_duration_s),
            received: format!("{duration_s:.3} s"),
        });
    }
    Ok(())
}

fn panicked(file: &str, message: &str) -> AudioError {
    malformed(file, "audio the decoder can take", format!("bytes it panics on ({message})"))
}
