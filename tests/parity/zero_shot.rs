//! Probabilities of labels, against `transformers`' zero-shot-audio-classification pipeline.

use earmark_encoder::Runtime;
use earmark_engine::classify::{Decision, decide};

use super::tiny::{Clip, Tiny, folder, numbers};

/// Largest difference of a probability, of clips that are resampled too.
const TOLERANCE: f32 = 1e-4;

#[test]
fn probabilities_are_those_of_the_pipeline() {
    let runtime = Runtime::load(None).unwrap();
    for name in ["tiny-clap", "tiny-clap-fused"] {
        let tiny = Tiny::open(name);
        let scores = &tiny.model.manifest().scores;
        let encoder = tiny.model.text_encoder(&runtime).unwrap();
        let labels: Vec<&str> =
            tiny.golden["labels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
        let (mut compared, mut worst_exact, mut worst_resampled) = (0, 0.0_f32, 0.0_f32);
        for case in tiny.golden["zero_shot"].as_array().unwrap() {
            let (file, template) = (case["file"].as_str().unwrap(), case["template"].as_str().unwrap());
            let exact = case["exact"].as_bool().unwrap();
            let clip = Clip { file, path: folder().join("clips").join(file), exact, golden: case };
            let audio = tiny.model.pool(&tiny.rows(&runtime, &clip).concat(), file).unwrap();
            let texts: Vec<String> = labels.iter().map(|l| template.replace("{}", l)).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let cosines: Vec<f32> = encoder.embed(&texts).unwrap().iter().map(|t| t.cosine(&audio)).collect();
            let answer = decide(scores, &cosines, Decision::Single { threshold: None });
            assert_eq!(answer.none_probability, None, "the pipeline knows no `none of these`");
            let reference = numbers(&case["probabilities"]);
            let worst =
                answer.scores.iter().map(|s| (s.probability - reference[s.label]).abs()).fold(0.0, f32::max);
            assert!(worst <= TOLERANCE, "{name}, {file}, {template}: probabilities differ by {worst}");
            let so_far = if exact { &mut worst_exact } else { &mut worst_resampled };
            *so_far = so_far.max(worst);
            compared += 1;
        }
        assert!(compared >= 20, "{name}: {compared} cases");
        println!("{name}: probabilities within {worst_exact:e}, resampled {worst_resampled:e}");
    }
}
