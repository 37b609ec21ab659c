//! Manifests of models: read, checked, and where they are sound, used.

use std::sync::Once;

use earmark_audio::{FrontEnd, WindowStream};
use earmark_encoder::Manifest;

use crate::panics;

/// The longest window that is computed here, in samples: of more, only the bounds are of interest.
const MAX_WINDOW: usize = 1 << 18;

/// Reads a manifest; of one that is accepted, makes its front end and computes a window.
pub fn read(data: &[u8]) {
    static FIRST: Once = Once::new();
    FIRST.call_once(panics::watch);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(manifest) = Manifest::parse(text, "fuzz") else { return };
    let _ = (manifest.vector_hash(), manifest.window_s(), manifest.has_text(), manifest.unpinned().count());
    let detect = manifest.detect.as_ref().map(|detect| detect.window());
    for window in [Some(manifest.window.clone()), detect].into_iter().flatten() {
        let Ok(front_end) = FrontEnd::new(&manifest.front_end, &manifest.features) else { continue };
        if window.length_samples > MAX_WINDOW {
            continue;
        }
        let Ok(mut stream) = WindowStream::new(front_end, &window) else { continue };
        let sound = vec![0.5; 1000];
        stream.push(&sound, &mut |_| {});
        stream.finish(&mut |_| {});
    }
}
