//! `/v1/clips/{id}/spectrogram.png`

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use earmark_audio::AudioReader;
use earmark_library::bounded;
use realfft::RealFftPlanner;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::peaks::{place, rendered};
use crate::error::{ApiError, ApiResult};
use crate::extract::{ApiId, ApiQuery};
use crate::openapi::Binary;
use crate::state::App;

/// Samples of one spectrum: 46 ms at 44.1 kHz.
const N_FFT: usize = 2048;

/// Decibels below the loudest point at which the picture is dark.
const RANGE_DB: f32 = 80.0;

/// Lowest frequency, Hz.
const F_MIN: f32 = 40.0;

/// Spectra averaged in a column at most; of more, some are passed over.
const PER_COLUMN: u64 = 16;

/// How large.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct PictureQuery {
    /// Pixels.
    #[param(minimum = 16, maximum = 4000, default = 800)]
    width: usize,
    /// Pixels.
    #[param(minimum = 16, maximum = 1000, default = 128)]
    height: usize,
}

impl Default for PictureQuery {
    fn default() -> Self {
        Self { width: 800, height: 128 }
    }
}

/// A picture of the clip
///
/// Time to the right, frequency (mel scale) upwards, decibels as brightness.
#[utoipa::path(get, path = "/v1/clips/{id}/spectrogram.png", operation_id = "getClipSpectrogram", tag = "clips",
    params(("id" = String, Path, description = "A clip's id"), PictureQuery),
    responses((status = 200, body = Binary, content_type = "image/png", description = "The picture"),
        (status = 304, description = "Unchanged")))]
pub(crate) async fn spectrogram(
    State(app): State<App>,
    ApiId(id): ApiId,
    ApiQuery(query): ApiQuery<PictureQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let width = bounded("width", query.width, 16, 4000)?;
    let height = bounded("height", query.height, 16, 1000)?;
    let what = format!("spectrogram {width}x{height}");
    rendered(&app, id, &headers, &what, "image/png", move |path, frames, read| {
        let mut reader = AudioReader::open(path, read)?;
        let mut picture = Picture::new(width, height, frames, reader.info().sample_rate);
        let mut block = Vec::new();
        while reader.read_block(&mut block)? {
            picture.push(&block)?;
        }
        picture.finish()
    })
    .await
}

/// Power by column and row, as far as it is known.
struct Picture {
    width: usize,
    height: usize,
    frames: u64,
    hop: u64,
    /// The bins that each row covers, lowest frequency first.
    bins: Vec<(usize, usize)>,
    /// `[width][height]`: sum of powers.
    power: Vec<f32>,
    spectra: Vec<u32>,
    window: Vec<f32>,
    /// The samples from `from` on that the next spectra need.
    waiting: Vec<f32>,
    from: u64,
    next: u64,
    fft: std::sync::Arc<dyn realfft::RealToComplex<f32>>,
}

impl Picture {
    fn new(width: usize, height: usize, frames: u64, sample_rate: u32) -> Self {
        let nyquist = sample_rate as f32 / 2.0;
        // The mel scale as HTK has it: 2595 log10(1 + f / 700).
        let mel = |f: f32| 2595.0 * (1.0 + f / 700.0).log10();
        let hz = |m: f32| 700.0 * (10.0_f32.powf(m / 2595.0) - 1.0);
        let (low, high) = (mel(F_MIN.min(nyquist / 2.0)), mel(nyquist));
        let bin =
            |row: usize| hz(low + (high - low) * row as f32 / height as f32) / nyquist * (N_FFT / 2) as f32;
        let bins = (0..height)
            .map(|row| {
                let first = (bin(row) as usize).min(N_FFT / 2);
                (first, (bin(row + 1) as usize).clamp(first + 1, N_FFT / 2 + 1))
            })
            .collect();
        let hann = |i: usize| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / N_FFT as f32).cos();
        Self {
            width,
            height,
            frames,
            hop: (frames / (width as u64 * PER_COLUMN)).max(N_FFT as u64 / 4),
            bins,
            power: vec![0.0; width * height],
            spectra: vec![0; width],
            window: (0..N_FFT).map(hann).collect(),
            // Half a spectrum of silence, so that the first one is centred on the start.
            waiting: vec![0.0; N_FFT / 2],
            from: 0,
            next: 0,
            fft: RealFftPlanner::new().plan_fft_forward(N_FFT),
        }
    }

    /// Takes samples. Positions count from half a spectrum before the sound.
    fn push(&mut self, block: &[f32]) -> ApiResult<()> {
        self.waiting.extend_from_slice(block);
        let mut input = vec![0.0; N_FFT];
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        while self.next + N_FFT as u64 <= self.from + self.waiting.len() as u64 {
            let start = (self.next - self.from) as usize;
            for ((x, sample), w) in input.iter_mut().zip(&self.waiting[start..]).zip(&self.window) {
                *x = sample * w;
            }
            self.fft
                .process_with_scratch(&mut input, &mut spectrum, &mut scratch)
                .map_err(ApiError::internal)?;
            let column = place(self.next, self.frames, self.width);
            self.spectra[column] += 1;
            for (power, &(first, last)) in self.power[column * self.height..].iter_mut().zip(&self.bins) {
                let sum: f32 = spectrum[first..last].iter().map(|c| c.norm_sqr()).sum();
                *power += sum / (last - first) as f32;
            }
            self.next += self.hop;
        }
        let used = (self.next - self.from).min(self.waiting.len() as u64);
        self.waiting.drain(..used as usize);
        self.from += used;
        Ok(())
    }

    fn finish(mut self) -> ApiResult<Vec<u8>> {
        self.push(&[0.0; N_FFT])?;
        // A column between two spectra looks like the one before it.
        for column in 0..self.width {
            if self.spectra[column] == 0 {
                if column > 0 {
                    let before = self.power[(column - 1) * self.height..column * self.height].to_vec();
                    self.power[column * self.height..(column + 1) * self.height].copy_from_slice(&before);
                }
            } else {
                let n = self.spectra[column] as f32;
                let column = &mut self.power[column * self.height..(column + 1) * self.height];
                column.iter_mut().for_each(|power| *power /= n);
            }
        }
        let loudest = self.power.iter().copied().fold(1e-12, f32::max);
        let mut pixels = vec![0_u8; self.width * self.height];
        for (i, power) in self.power.iter().enumerate() {
            let (column, row) = (i / self.height, i % self.height);
            let db = 10.0 * (power.max(1e-20) / loudest).log10();
            let level = ((db + RANGE_DB) / RANGE_DB).clamp(0.0, 1.0);
            pixels[(self.height - 1 - row) * self.width + column] = (level * 255.0).round() as u8;
        }
        png(self.width, self.height, &pixels).map_err(ApiError::internal)
    }
}

/// A picture with a palette from black through violet and orange to pale yellow.
fn png(width: usize, height: usize, pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette());
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(file)
}

fn palette() -> Vec<u8> {
    const STOPS: [[f32; 3]; 5] = [
        [6.0, 6.0, 16.0],
        [74.0, 24.0, 110.0],
        [187.0, 55.0, 84.0],
        [249.0, 142.0, 9.0],
        [252.0, 255.0, 200.0],
    ];
    (0..256)
        .flat_map(|i| {
            let at = i as f32 / 255.0 * (STOPS.len() - 1) as f32;
            let stop = (at as usize).min(STOPS.len() - 2);
            let part = at - stop as f32;
            (0..3).map(move |c| (STOPS[stop][c] + (STOPS[stop + 1][c] - STOPS[stop][c]) * part).round() as u8)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_a_bright_line_at_its_frequency_all_along() {
        let rate = 16_000;
        let tone = |i: u64| (i as f32 * 1000.0 * std::f32::consts::TAU / rate as f32).sin();
        let samples: Vec<f32> = (0..32_000).map(tone).collect();
        let (width, height) = (32, 64);
        let mut picture = Picture::new(width, height, 32_000, rate);
        samples.chunks(777).for_each(|chunk| picture.push(chunk).unwrap());
        let expected = picture.bins.iter().position(|&(first, last)| (first..last).contains(&128)).unwrap();
        picture.push(&[0.0; N_FFT]).unwrap();
        for column in 1..width - 1 {
            let rows = &picture.power[column * height..(column + 1) * height];
            let brightest = (0..height).max_by(|a, b| rows[*a].total_cmp(&rows[*b])).unwrap();
            assert!(
                brightest.abs_diff(expected) <= 1,
                "column {column}: row {brightest}, expected {expected}"
            );
        }
    }
}
