use earmark_audio::*;
fn main() {
    for arg in std::env::args().skip(1) {
        let name = std::path::Path::new(&arg).file_name().unwrap().to_string_lossy().into_owned();
        match AudioReader::open(std::path::Path::new(&arg), &Limits::default()) {
            Err(e) => println!("{name:28} OPEN {e}"),
            Ok(mut r) => {
                let mut all = vec![];
                let mut b = vec![];
                let res = loop {
                    match r.read_block(&mut b) {
                        Ok(true) => all.extend_from_slice(&b),
                        Ok(false) => break Ok(()),
                        Err(e) => break Err(e),
                    }
                };
                let rate = r.info().sample_rate as f64;
                let burst = |u: f64| {
                    if u < 0.0 {
                        0.0
                    } else {
                        (std::f64::consts::TAU * (400.0 * u + 1500.0 * u * u)).sin() * (-8.0 * u).exp()
                    }
                };
                let refsig: Vec<f64> = (0..all.len().max((rate / 2.0) as usize))
                    .map(|n| {
                        let t = n as f64 / rate;
                        if t < 0.5 { 0.6 * (burst(t - 0.1) + burst(t - 0.3)) } else { 0.0 }
                    })
                    .collect();
                let mut best = (f64::MIN, 0i64, 0.0);
                for lag in -2500i64..2500 {
                    let mut d = 0.0;
                    let mut xx = 0.0;
                    let mut yy = 0.0;
                    for (n, x) in all.iter().enumerate() {
                        let m = n as i64 - lag;
                        if m >= 0 && (m as usize) < refsig.len() {
                            let y = refsig[m as usize];
                            d += *x as f64 * y;
                            xx += (*x as f64).powi(2);
                            yy += y * y;
                        }
                    }
                    let c = d / (xx * yy).sqrt();
                    if c > best.0 {
                        best = (c, lag, d / yy)
                    }
                }
                println!(
                    "{name:28} {:?} n={} ({:.4} s) trunc={} skipped={} lag={} corr={:.6} gain={:.4} {res:?}",
                    r.info(),
                    all.len(),
                    all.len() as f64 / rate,
                    r.truncated(),
                    r.skipped_packets(),
                    best.1,
                    best.0,
                    best.2
                );
            }
        }
    }
}
