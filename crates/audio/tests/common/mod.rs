//! What tests share. Each file of tests uses a part of it.

#![allow(dead_code)]

/// The signal of `make_goldens.py`: two tones, a chirp, and noise from a linear congruential generator,
/// then a tenth of silence.
pub(crate) fn signal(n: usize, rate: f64) -> Vec<f32> {
    let mut state = 12_345u32;
    (0..n)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(state >> 8) / f64::from(1 << 24) - 0.5;
            let t = i as f64 / rate;
            let tau = std::f64::consts::TAU;
            let tones = 0.3 * (tau * 440.0 * t).sin() + 0.1 * (tau * 3000.0 * t).sin();
            let chirp = 0.2 * (tau * (200.0 * t + 2000.0 * t * t)).sin();
            if i >= n * 9 / 10 { 0.0 } else { (tones + chirp + 0.02 * noise) as f32 }
        })
        .collect()
}

/// The checksum of a FLAC frame's header.
pub(crate) fn flac_crc8(bytes: &[u8]) -> u8 {
    let bit = |crc: u8, _| if crc >> 7 == 1 { crc << 1 ^ 7 } else { crc << 1 };
    bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ byte, bit))
}

/// The checksum of a whole FLAC frame.
pub(crate) fn flac_crc16(bytes: &[u8]) -> u16 {
    let bit = |crc: u16, _| if crc >> 15 == 1 { crc << 1 ^ 0x8005 } else { crc << 1 };
    bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ u16::from(*byte) << 8, bit))
}
