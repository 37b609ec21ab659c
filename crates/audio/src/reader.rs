//! A file, as a stream of mono blocks at its own sample rate.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Cursor};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use symphonia::core::errors::Error;
use symphonia::core::io::MediaSource;
use symphonia::core::packet::Packet;
use symphonia::core::units::Timestamp;

use crate::container::Link;
use crate::decoders::opus;
use crate::error::AudioError;
use crate::ffmpeg::Input;
use crate::formats::{Format, is_known_to_ffmpeg};
use crate::guard::contain;
use crate::limits::{Limits, ReadOptions};
use crate::mix::{self, MonoMixer, SampleKind};
use crate::open_track::{Clock, OpenTrack, check_channels, check_rate, from_symphonia, io_error, malformed};
use crate::remarks::{Missing, Remarks};
use crate::resample::{Converter, ResampledReader};
use crate::timeline::{Before, Timeline};
use crate::trim::{Cutter, Frames, Piece, Ticks};

/// A stream of which so many packets in a row decode to nothing has ended.
const MAX_BARREN_PACKETS: u32 = 10_000;

/// The largest sample taken for audio: 240 dB above full scale. Floats beyond it would overflow in later
/// arithmetic, which is no better than if they had come as infinities.
const MAX_SAMPLE: f32 = (1u64 << 40) as f32;

/// Sample rates other than the first that a file may have: a converter for odd rates takes a fifth of a
/// second to make.
const MAX_OTHER_RATES: usize = 15;

/// What a file says about itself, corrected by what its first block decodes to.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioInfo {
    /// Container: a name of [`FORMATS`](crate::FORMATS).
    pub format: String,
    /// Codec, e.g. "pcm_s16le", "vorbis", "opus".
    pub codec: String,
    /// The program that decoded it, with its version, if it was not decoded here: "ffmpeg 5.1.9".
    pub decoder: Option<String>,
    /// Sample rate of the decoded audio, in Hz.
    pub sample_rate: u32,
    /// Channels of the decoded audio, before mixing to mono.
    pub channels: u16,
    /// Length as declared (or estimated from the bit rate, for MP3 and ADTS without a length), in
    /// seconds; `None` if the file does not say.
    pub duration_s: Option<f64>,
}

/// Silence is handed out in blocks of this many samples.
const SILENT_BLOCK: u64 = 1 << 14;

/// Decoded samples that a file may have whatever its size: half an hour of stereo.
const FREE_SAMPLES: u64 = 2 * 48_000 * 1800;

/// By so many seconds less than a rounded or estimated length is no end before the end.
const END_TOLERANCE_S: f64 = 0.15;

/// Frames that a byte of coded sound holds at most, as a rule: Opus at 6 kbit/s.
const USUAL_FRAMES_PER_BYTE: u64 = 64;

/// Decodes one file into mono blocks, holding only one block in memory.
///
/// Time is the container's: where time stamps leave something out, where bytes are damaged and where the
/// sound starts late, there is silence, and [`remarks`](Self::remarks) says so. A packet that cannot be
/// decoded is silence, too; when the stream ends and more packets were bad than good, that is
/// [`AudioError::Malformed`]. A file that stops before its end gives what it has.
pub struct AudioReader {
    file: String,
    limits: Limits,
    /// `None` once the stream ended or failed.
    source: Option<OpenTrack>,
    channels: Channels,
    mixer: MonoMixer,
    /// What the decoder gives; known when the first packet is decoded.
    sample_kind: SampleKind,
    /// Made when the first packet is decoded.
    stream: Option<Stream>,
    info: AudioInfo,
    remarks: Remarks,
    /// What is decoded and not handed out yet.
    queue: VecDeque<Piece>,
    declared_frames: Option<u64>,
    /// Where the sound should end by a header that is not exact, in seconds.
    ends_at_s: Option<f64>,
    file_bytes: u64,
    /// Decoded samples of all channels, and those of silence.
    samples_decoded: u64,
    frames_decoded: u64,
    frames_read: u64,
    largest_block: usize,
    good_packets: u64,
    first_bad: Option<Error>,
    last_was_bad: bool,
    /// A sample was not zero.
    has_sound: bool,
    /// Time stamp of the packet before.
    previous_stamp: Option<Timestamp>,
    /// Time spent in here.
    spent: Duration,
}

/// Which channels are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channels {
    /// Mixed to one.
    Mono,
    /// All of them, as they are.
    All,
}

/// From packets to what is heard.
struct Stream {
    /// That of the first packet.
    rate: u32,
    timeline: Timeline,
    cutter: Cutter,
    /// From another rate to that of the first packet.
    converter: Option<RateChange>,
    /// Samples handed to the queue.
    queued: u64,
}

struct RateChange {
    from: u32,
    /// One for each channel that is read.
    converters: Vec<Converter>,
    is_mono: bool,
    samples_in: u64,
}

impl AudioReader {
    /// Opens a file and decodes its first block.
    ///
    /// # Errors
    /// Every [`AudioError`] but `OutOfRange`.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, AudioError> {
        Self::open_channels(path, Channels::Mono, options)
    }

    /// Opens a file to read some of its channels.
    pub(crate) fn open_channels(
        path: &Path,
        channels: Channels,
        options: &ReadOptions,
    ) -> Result<Self, AudioError> {
        let name = path.display().to_string();
        let len = check_file(path, &name, &options.limits)?;
        let open = || -> io::Result<Box<dyn MediaSource>> { Ok(Box::new(File::open(path)?)) };
        Self::from_media(name, &open, len, Input::Path(path), channels, options)
    }

    /// Reads a file already in memory; `name` is only for messages.
    ///
    /// # Errors
    /// As for [`open`](Self::open), but `Io`.
    pub fn from_bytes(name: &str, bytes: Vec<u8>, options: &ReadOptions) -> Result<Self, AudioError> {
        let len = bytes.len() as u64;
        check_bytes(name, len, &options.limits)?;
        let bytes = SharedBytes(Arc::new(bytes));
        let open = || -> io::Result<Box<dyn MediaSource>> { Ok(Box::new(Cursor::new(bytes.clone()))) };
        Self::from_media(name.to_owned(), &open, len, Input::Bytes(&bytes.0), Channels::Mono, options)
    }

    fn from_media(
        file: String,
        open: &dyn Fn() -> io::Result<Box<dyn MediaSource>>,
        file_bytes: u64,
        input: Input<'_>,
        channels: Channels,
        ReadOptions { limits, ffmpeg }: &ReadOptions,
    ) -> Result<Self, AudioError> {
        let began = Instant::now();
        let read = |source, decoder| {
            let reader = Self::from_source(file.clone(), source, decoder, file_bytes, began, limits)?;
            reader.started(channels)
        };
        let mut opened =
            contain(|| OpenTrack::open(&file, open, limits)).map_err(|panic| panicked(&file, &panic))?;
        let lacking = match &mut opened {
            Err(AudioError::NoDecoder { codec, ffmpeg, .. }) => {
                let likely = if is_known_to_ffmpeg(codec) { "would" } else { "may" };
                *ffmpeg = format!("; ffmpeg {likely} decode it, where it is installed and not turned off");
                Some(codec.clone())
            }
            Ok(source) => source.passed_over.clone(),
            Err(_) => None,
        };
        let (Some(codec), Some(ffmpeg)) = (lacking, ffmpeg) else {
            return read(opened?, None);
        };
        let decoder = Some((ffmpeg.name().to_owned(), codec));
        let by_ffmpeg = ffmpeg
            .decode(&file, input, limits)
            .and_then(|format| OpenTrack::by_ffmpeg(&file, format, limits))
            .and_then(|source| read(source, decoder));
        match (by_ffmpeg, opened) {
            // Another track is better than none, and a remark says that it is another.
            (Err(error), Ok(source)) if !matches!(error, AudioError::OverLimit { .. }) => read(source, None),
            (by_ffmpeg, _) => by_ffmpeg,
        }
    }

    fn from_source(
        file: String,
        source: OpenTrack,
        second: Option<(String, String)>,
        file_bytes: u64,
        began: Instant,
        limits: &Limits,
    ) -> Result<Self, AudioError> {
        let duration_s = believed_duration(&file, &source, file_bytes, limits)?;
        let (decoder, codec) = second.unzip();
        let extension = Path::new(&file).extension().and_then(|extension| extension.to_str());
        let format = match &decoder {
            None => source.format_name,
            // What is inside, only ffmpeg knows.
            Some(_) => extension.and_then(Format::of_extension).map_or("other", |format| format.name),
        };
        let info = AudioInfo {
            format: format.to_owned(),
            codec: codec.unwrap_or_else(|| source.decoder.codec_info().short_name.to_owned()),
            decoder,
            sample_rate: 0,
            channels: 0,
            duration_s,
        };
        let remarks = Remarks {
            rescaled: source.gain.is_rescaled.then_some(source.gain.factor),
            passed_over: source.passed_over.clone(),
            edits_ignored: source.edits_ignored,
            header_s: source.header_s,
            ..Remarks::default()
        };
        Ok(Self {
            file,
            limits: limits.clone(),
            declared_frames: source.declared.frames,
            // Matroska says how long its longest track is.
            ends_at_s: source
                .declared
                .duration_s
                .filter(|_| source.format_name == "mkv" && source.format.tracks().len() == 1),
            source: Some(source),
            channels: Channels::Mono,
            mixer: MonoMixer::default(),
            sample_kind: SampleKind::Float(32),
            stream: None,
            info,
            remarks,
            queue: VecDeque::new(),
            file_bytes,
            samples_decoded: 0,
            frames_decoded: 0,
            frames_read: 0,
            largest_block: 0,
            good_packets: 0,
            first_bad: None,
            last_was_bad: false,
            has_sound: false,
            previous_stamp: None,
            spent: began.elapsed(),
        })
    }

    /// With the first block read: only that tells the true rate and channels, and whether there is audio at
    /// all.
    fn started(self, channels: Channels) -> Result<Self, AudioError> {
        let mut reader = Self { channels, ..self };
        reader.fill_queue()?;
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

    /// Replaces `out` with the next mono block (samples at the file's own rate; the mean of the channels, or
    /// the loudest where they cancel each other out); `false`, with `out` empty, at the end.
    ///
    /// # Errors
    /// [`AudioError`]; after an error the stream is at its end.
    pub fn read_block(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioError> {
        out.clear();
        match self.next_piece()? {
            None => return Ok(false),
            Some(Piece::Samples(samples)) => *out = samples,
            // Only of a reader of all channels, whose blocks are not asked for.
            Some(Piece::Frames(frames)) => *out = frames.channel(0),
            Some(Piece::Silence(len)) => out.resize(len as usize, 0.0),
        }
        Ok(true)
    }

    /// The next frames, of as many channels as [`info`](Self::info) says, of a reader of all channels; `None`
    /// at the end.
    pub(crate) fn read_frames(&mut self) -> Result<Option<Frames>, AudioError> {
        let channels = usize::from(self.info.channels).max(1);
        Ok(self.next_piece()?.map(|piece| match piece {
            Piece::Frames(frames) => frames,
            Piece::Samples(samples) => Frames::of_channels(&vec![samples; channels]),
            Piece::Silence(len) => Frames { channels, samples: vec![0.0; len as usize * channels] },
        }))
    }

    /// What the decoder of a reader of all channels gives.
    pub(crate) fn sample_kind(&self) -> SampleKind {
        self.sample_kind
    }

    /// What is to be handed out next.
    fn next_piece(&mut self) -> Result<Option<Piece>, AudioError> {
        if self.queue.is_empty() {
            self.fill_queue()?;
        }
        let mut piece = self.queue.pop_front();
        if let Some(Piece::Silence(len)) = &mut piece
            && *len > SILENT_BLOCK
        {
            self.queue.push_front(Piece::Silence(*len - SILENT_BLOCK));
            *len = SILENT_BLOCK;
        }
        self.frames_read += piece.as_ref().map_or(0, Piece::len);
        Ok(piece)
    }

    /// What a user should know about how the file was read. Complete once `read_block` has returned `false`.
    pub fn remarks(&self) -> &Remarks {
        &self.remarks
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

    /// Decodes packets until something is to be handed out, or the stream ends.
    fn fill_queue(&mut self) -> Result<(), AudioError> {
        let filled = self.try_fill_queue();
        if filled.is_err() {
            self.source = None;
            self.queue.clear();
        }
        filled
    }

    fn try_fill_queue(&mut self) -> Result<(), AudioError> {
        // Taken, so that an error or a panic leaves the stream at its end.
        while let Some(mut source) = self.source.take() {
            let began = Instant::now();
            let before = self.stream.as_ref().map_or(0, |stream| stream.queued);
            let step = contain(|| self.step(&mut source)).map_err(|panic| panicked(&self.file, &panic))?;
            self.spent += began.elapsed();
            let is_end = step? == Step::End;
            if !is_end {
                self.source = Some(source);
            } else {
                self.remarks.truncated |= source.is_cut;
                self.stream.iter_mut().for_each(|stream| stream.flush(&mut self.queue, &mut self.remarks));
            }
            self.check_queue(before)?;
            if is_end {
                self.finish()?;
            }
            if !self.queue.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Reads packets until one decodes to samples, or gives silence. The cutter may drop all of them: long
    /// stretches that an edit list leaves out are no end of the stream, but the limits must be checked on the
    /// way.
    fn step(&mut self, source: &mut OpenTrack) -> Result<Step, AudioError> {
        let mut barren = 0;
        while barren < MAX_BARREN_PACKETS {
            source.meter.reset();
            let packet = match source.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(Step::End),
                Err(Error::ResetRequired) => {
                    let link = source.next_link(&self.file, &self.limits)?;
                    self.stream.iter_mut().for_each(|stream| stream.timeline.reset(link));
                    if link == Link::New {
                        // The declared length was that of the first link.
                        self.declared_frames = None;
                    }
                    continue;
                }
                Err(error @ Error::IoError(_)) if !is_end(&error) => {
                    return Err(from_symphonia(&self.file, error));
                }
                Err(Error::IoError(_)) if source.declared.is_open_ended => return Ok(Step::End),
                Err(error) => {
                    // Demuxers cannot go on after an error: the audio ends here.
                    self.remarks.truncated = true;
                    self.first_bad.get_or_insert(error);
                    return Ok(Step::End);
                }
            };
            if packet.track_id != source.track_id {
                continue;
            }
            barren += 1;
            let decoded = self.samples_decoded;
            if self.read_packet(source, &packet)? {
                return Ok(Step::Block);
            }
            if self.stream.as_ref().is_some_and(|stream| stream.cutter.is_done()) {
                return Ok(Step::End);
            }
            if self.samples_decoded > decoded {
                return Ok(Step::Block);
            }
        }
        self.remarks.truncated = true;
        Ok(Step::End)
    }

    /// Decodes a packet into the queue; whether that gave anything.
    fn read_packet(&mut self, source: &mut OpenTrack, packet: &Packet) -> Result<bool, AudioError> {
        let mut decoded = source.decoder.decode(packet).map(|buf| buf.frames());
        if matches!(decoded, Err(Error::ResetRequired)) {
            source.decoder.reset();
            return Ok(false);
        }
        if decoded.is_err() && self.good_packets > 0 && !self.last_was_bad {
            // The stream may have changed its channels or its rate, which a decoder is made for.
            source.renew_decoder(&self.file, &self.limits)?;
            decoded = source.decoder.decode(packet).map(|buf| buf.frames());
        }
        let taken = match decoded {
            Ok(frames) => {
                self.good_packets += 1;
                self.last_was_bad = false;
                if frames == 0 { Ok(false) } else { self.take_decoded(source, packet) }
            }
            Err(error) => {
                self.remarks.skipped_packets += 1;
                self.last_was_bad = true;
                self.first_bad.get_or_insert(error);
                self.take_bad(source, packet);
                Ok(!self.queue.is_empty())
            }
        };
        self.previous_stamp = Some(packet.pts);
        taken
    }

    /// Takes what the decoder holds.
    fn take_decoded(&mut self, source: &mut OpenTrack, packet: &Packet) -> Result<bool, AudioError> {
        let buf = source.decoder.last_decoded();
        let (rate, channels) = (buf.spec().rate(), buf.spec().channels().count());
        let len = buf.frames() as u64;
        let piece = match self.channels {
            Channels::Mono => {
                let mut block = Vec::with_capacity(buf.frames());
                self.mixer.append(&buf, source.gain.factor, &mut block);
                Piece::Samples(block)
            }
            Channels::All => {
                let first = usize::from(self.info.channels);
                self.sample_kind = SampleKind::of(&buf, source.decoder.codec_params());
                let wanted = if first == 0 { channels } else { first };
                Piece::Frames(mix::frames(&buf, source.gain.factor, wanted))
            }
        };
        self.samples_decoded += len * channels as u64;
        self.check_spec(rate, channels)?;
        let main_rate = self.info.sample_rate;
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let clock = std::mem::replace(&mut source.clock, Clock::Count(VecDeque::new()));
                none.insert(Stream {
                    rate: main_rate,
                    timeline: Timeline::new(clock, main_rate),
                    cutter: Cutter::new(&source.cuts(packet.pts, main_rate), main_rate),
                    converter: None,
                    queued: 0,
                })
            }
        };
        let base = source.time_base();
        // Of the first packet after a start the decoder may have dropped some, or trimmed it. Containers do
        // not all say how long a packet of Opus is.
        let full = if self.info.codec == "opus" {
            i64::try_from(opus::packet_samples(&packet.data)).unwrap_or(0)
        } else {
            let parts = [packet.dur, packet.trim_start, packet.trim_end];
            let full = parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.get()));
            stream.timeline.samples(as_stamp(full), base).unwrap_or(0)
        };
        let dropped = stream.dropped(full, len, rate);
        // Vorbis gives the sound of a packet with the next one; Ogg's time stamps know that, Matroska's do
        // not.
        let is_late = source.format_name == "mkv" && self.info.codec == "vorbis";
        let stamp = self.previous_stamp.filter(|_| is_late).unwrap_or(packet.pts);
        let start = stream.timeline.samples(stamp, base).map(|start| start.saturating_add(dropped));
        let before = stream.timeline.before(start);
        stream.fill(before, &mut self.queue, &mut self.remarks);
        stream.push(piece, rate, &self.file, &mut self.queue, &mut self.remarks)?;
        Ok(!self.queue.is_empty())
    }

    /// Puts silence in the place of a packet that cannot be decoded.
    fn take_bad(&mut self, source: &OpenTrack, packet: &Packet) {
        let Some(stream) = &mut self.stream else { return };
        let base = source.time_base();
        let len = stream.timeline.samples(as_stamp(packet.dur.get()), base);
        if let Some(len) = len.and_then(|len| u64::try_from(len).ok()).filter(|len| *len > 0) {
            let before = stream.timeline.before(stream.timeline.samples(packet.pts, base));
            stream.fill(before, &mut self.queue, &mut self.remarks);
            stream.timeline.read(len);
            stream.silence(Missing::Damaged, len, &mut self.queue, &mut self.remarks);
        }
    }

    /// Rate and channels may change on the way.
    fn check_spec(&mut self, rate: u32, channels: usize) -> Result<(), AudioError> {
        if self.info.sample_rate == rate && usize::from(self.info.channels) == channels {
            return Ok(());
        }
        check_rate(&self.file, rate, &self.limits)?;
        check_channels(&self.file, channels, &self.limits)?;
        if self.info.sample_rate == 0 {
            self.info.sample_rate = rate;
            self.info.channels = u16::try_from(channels).unwrap_or(u16::MAX);
        } else if self.info.sample_rate != rate && !self.remarks.other_rates.contains(&rate) {
            if self.remarks.other_rates.len() == MAX_OTHER_RATES {
                return Err(AudioError::OverLimit {
                    file: self.file.clone(),
                    what: "sample rates in one file",
                    limit: format!("at most {}", MAX_OTHER_RATES + 1),
                    received: "more".to_owned(),
                });
            }
            self.remarks.other_rates.push(rate);
        }
        Ok(())
    }

    /// Checks what came into the queue, of which `before` samples had been handed out.
    fn check_queue(&mut self, before: u64) -> Result<(), AudioError> {
        let mut frame = before;
        for piece in &self.queue {
            let (bad, has_sound) = match piece {
                Piece::Samples(block) => {
                    let bad = block.iter().position(|s| !s.is_finite() || s.abs() > MAX_SAMPLE);
                    (bad.map(|at| (at, block[at])), block.iter().any(|sample| *sample != 0.0))
                }
                Piece::Frames(Frames { channels, samples }) => {
                    let bad = samples.iter().position(|s| !s.is_finite() || s.abs() > MAX_SAMPLE.into());
                    (bad.map(|at| (at / channels, samples[at] as f32)), samples.iter().any(|s| *s != 0.0))
                }
                Piece::Silence(len) => {
                    frame = frame.saturating_add(*len);
                    self.samples_decoded = self.samples_decoded.saturating_add(*len);
                    continue;
                }
            };
            if let Some((at, value)) = bad {
                return Err(AudioError::NonFinite {
                    file: self.file.clone(),
                    value,
                    at_s: (frame + at as u64) as f64 / f64::from(self.info.sample_rate),
                });
            }
            self.has_sound |= has_sound;
            frame += piece.len();
            self.largest_block = self.largest_block.max(piece.len() as usize);
        }
        self.frames_decoded = self.stream.as_ref().map_or(0, |stream| stream.queued);
        self.remarks.antiphase_s = self.mixer.antiphase() as f64 / f64::from(self.info.sample_rate.max(1));
        check_duration(&self.file, self.decoded_s(), &self.limits)?;
        self.check_effort()
    }

    /// Refuses files that cost far more than their size.
    fn check_effort(&self) -> Result<(), AudioError> {
        let over = |what, limit, received| {
            Err(AudioError::OverLimit { file: self.file.clone(), what, limit, received })
        };
        let bytes = self.file_bytes;
        let allowed = bytes.saturating_mul(self.limits.max_samples_per_byte).max(FREE_SAMPLES);
        if self.samples_decoded > allowed {
            let limit = format!("at most {}", self.limits.max_samples_per_byte);
            return over(
                "samples a byte",
                limit,
                format!("{} and more", self.samples_decoded / bytes.max(1)),
            );
        }
        if self.spent.as_secs_f64() > self.limits.max_decode_s {
            let limit = format!("at most {} s", self.limits.max_decode_s);
            return over("decoding time", limit, format!("{:.1} s", self.spent.as_secs_f64()));
        }
        Ok(())
    }

    fn decoded_s(&self) -> f64 {
        self.frames_decoded as f64 / f64::from(self.info.sample_rate.max(1))
    }

    /// Judges the whole stream once it has ended.
    fn finish(&mut self) -> Result<(), AudioError> {
        let bad = self.remarks.skipped_packets;
        let total = self.good_packets + bad;
        let first_bad = self.first_bad.take();
        if self.frames_decoded == 0 {
            return Err(match first_bad {
                Some(error) => from_symphonia(&self.file, error),
                None => AudioError::Empty { file: self.file.clone(), received: "0 samples" },
            });
        }
        if bad > self.good_packets {
            let why = first_bad.map(|e| e.to_string()).unwrap_or_default();
            let received = format!("{bad} of {total} packets that do not ({why})");
            return Err(malformed(&self.file, "packets that decode", received));
        }
        // Less than declared by more than a packet, or broken off inside the last one.
        let is_short = self
            .declared_frames
            .is_some_and(|declared| declared.saturating_sub(self.frames_decoded) > self.largest_block as u64);
        let ends_early = self.ends_at_s.is_some_and(|end_s| end_s - self.decoded_s() > END_TOLERANCE_S);
        self.remarks.truncated |= is_short || ends_early || self.last_was_bad;
        self.remarks.silent = !self.has_sound;
        Ok(())
    }
}

impl Stream {
    /// Samples that the decoder dropped or trimmed from the first packet after a start, of which `full`
    /// samples were coded; at the main rate.
    fn dropped(&self, full: i64, decoded: u64, rate: u32) -> i64 {
        if !self.timeline.is_start() {
            return 0;
        }
        let decoded = Ticks { count: decoded, per_second: rate }.frames(self.rate);
        (full - decoded as i64).max(0)
    }

    /// Queues decoded samples.
    fn push(
        &mut self,
        piece: Piece,
        rate: u32,
        file: &str,
        queue: &mut VecDeque<Piece>,
        remarks: &mut Remarks,
    ) -> Result<(), AudioError> {
        if self.converter.as_ref().is_some_and(|change| change.from != rate) {
            self.flush(queue, remarks);
        }
        if rate == self.rate {
            self.timeline.read(piece.len());
            self.cut(piece, queue, remarks);
            return Ok(());
        }
        let is_mono = matches!(piece, Piece::Samples(_));
        let planes = match &piece {
            Piece::Frames(frames) => (0..frames.channels).map(|index| frames.channel(index)).collect(),
            Piece::Samples(samples) => vec![samples.clone()],
            Piece::Silence(_) => Vec::new(),
        };
        let change = match &mut self.converter {
            Some(change) => change,
            none => {
                let converter = || Converter::new(rate, self.rate);
                let converters = planes.iter().map(|_| converter()).collect::<Result<_, _>>();
                let converters = converters.map_err(|why| {
                    let received = format!("{rate} Hz and {} Hz ({why})", self.rate);
                    malformed(file, "sample rates that can be converted into each other", received)
                })?;
                none.insert(RateChange { from: rate, converters, is_mono, samples_in: 0 })
            }
        };
        // The converter holds some back; time goes on with what it takes in.
        let frames = |count| Ticks { count, per_second: rate }.frames(self.rate);
        let before = frames(change.samples_in);
        change.samples_in += piece.len();
        self.timeline.read(frames(change.samples_in) - before);
        let mut converted = vec![Vec::new(); planes.len()];
        for ((converter, plane), out) in change.converters.iter_mut().zip(&planes).zip(&mut converted) {
            converter.push(plane, out);
        }
        self.cut(Self::joined(converted, is_mono), queue, remarks);
        Ok(())
    }

    /// Queues what the converter still holds.
    fn flush(&mut self, queue: &mut VecDeque<Piece>, remarks: &mut Remarks) {
        if let Some(mut change) = self.converter.take() {
            let mut rest = vec![Vec::new(); change.converters.len()];
            for (converter, out) in change.converters.iter_mut().zip(&mut rest) {
                converter.finish(out);
            }
            self.cut(Self::joined(rest, change.is_mono), queue, remarks);
        }
    }

    /// Converted channels as a piece.
    fn joined(mut planes: Vec<Vec<f32>>, is_mono: bool) -> Piece {
        match planes.pop() {
            Some(only) if is_mono => Piece::Samples(only),
            Some(last) => {
                planes.push(last);
                Piece::Frames(Frames::of_channels(&planes))
            }
            None => Piece::Silence(0),
        }
    }

    /// Queues silence for what is missing.
    fn fill(&mut self, before: Before, queue: &mut VecDeque<Piece>, remarks: &mut Remarks) {
        let (why, len) = match before {
            Before::Nothing => return,
            Before::Jump(len) => {
                remarks.unfilled_s += self.seconds(len);
                return;
            }
            Before::Damage(len) => (Missing::Damaged, len),
            Before::Gap(len) => (Missing::Gap, len),
            Before::Late(len) => (Missing::LateStart, len),
        };
        self.timeline.filled(len);
        self.flush(queue, remarks);
        self.silence(why, len, queue, remarks);
    }

    fn silence(&mut self, why: Missing, len: u64, queue: &mut VecDeque<Piece>, remarks: &mut Remarks) {
        let from = self.queued;
        self.cut(Piece::Silence(len), queue, remarks);
        if self.queued > from {
            remarks.add_missing(why, self.seconds(from), self.seconds(self.queued));
        }
    }

    /// Queues what is heard of a piece.
    fn cut(&mut self, piece: Piece, queue: &mut VecDeque<Piece>, remarks: &mut Remarks) {
        let from = self.queued;
        let added = self.cutter.push(piece, queue);
        self.queued = self.queued.saturating_add(added.samples);
        if added.silence > 0 {
            // An edit list that delays the track.
            let why = if from == 0 { Missing::LateStart } else { Missing::Gap };
            remarks.add_missing(why, self.seconds(from), self.seconds(from.saturating_add(added.silence)));
        }
    }

    fn seconds(&self, samples: u64) -> f64 {
        samples as f64 / f64::from(self.rate.max(1))
    }
}

fn is_end(error: &Error) -> bool {
    matches!(error, Error::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof)
}

/// A duration as a time stamp; both have the same unit.
fn as_stamp(ticks: u64) -> Timestamp {
    Timestamp::new(i64::try_from(ticks).unwrap_or(i64::MAX))
}

#[derive(PartialEq, Eq)]
enum Step {
    Block,
    End,
}

/// Bytes that can be read from the start more than once.
#[derive(Clone)]
struct SharedBytes(Arc<Vec<u8>>);

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The length of a file that may be read, in bytes.
pub(crate) fn check_file(path: &Path, name: &str, limits: &Limits) -> Result<u64, AudioError> {
    let meta = std::fs::metadata(path).map_err(|e| io_error(name, e))?;
    if !meta.is_file() {
        // Opening a pipe would block, reading a directory fails obscurely.
        let kind = std::io::ErrorKind::InvalidInput;
        return Err(io_error(name, std::io::Error::new(kind, "not a regular file")));
    }
    check_bytes(name, meta.len(), limits)?;
    Ok(meta.len())
}

fn check_bytes(file: &str, len: u64, limits: &Limits) -> Result<(), AudioError> {
    if len == 0 {
        return Err(AudioError::Empty { file: file.to_owned(), received: "0 bytes" });
    }
    if len > limits.max_bytes {
        return Err(AudioError::OverLimit {
            file: file.to_owned(),
            what: "bytes",
            limit: format!("at most {} bytes", limits.max_bytes),
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
            limit: format!("at most {} s", limits.max_duration_s),
            received: format!("{duration_s:.3} s"),
        });
    }
    Ok(())
}

/// The declared length, in seconds, unless it is both over the limit and more than the file has room for.
///
/// # Errors
/// `OverLimit` for a length that the file has room for. What is decoded is checked on the way, so a wrong
/// length need not cost a file that is sound.
fn believed_duration(
    file: &str,
    source: &OpenTrack,
    file_bytes: u64,
    limits: &Limits,
) -> Result<Option<f64>, AudioError> {
    let (Some(seconds), Some(frames)) = (source.declared.duration_s, source.declared.frames) else {
        return Ok(source.declared.duration_s);
    };
    let room = source.room.unwrap_or_else(|| file_bytes.saturating_mul(USUAL_FRAMES_PER_BYTE));
    match check_duration(file, seconds, limits) {
        Err(_) if frames > room => Ok(None),
        checked => checked.map(|()| Some(seconds)),
    }
}

pub(crate) fn panicked(file: &str, message: &str) -> AudioError {
    malformed(file, "audio the decoder can take", format!("bytes it panics on ({message})"))
}
