//! Quantiles, and durations for people.

use std::time::Duration;

/// The value below which `share` of the samples lie (nearest rank).
pub(crate) fn quantile(samples: &[Duration], share: f64) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

/// One line of the report.
pub(crate) fn line(name: &str, samples: &[Duration]) {
    let [p50, p99] = [0.5, 0.99].map(|share| quantile(samples, share));
    println!("  {name:<36} {p50:>12.2?}   p99 {p99:>10.2?}");
}

/// The ratio of two medians against the most that it should be.
pub(crate) fn ratio(own: &[Duration], floor: &[Duration], most: f64) {
    let [own, floor] = [own, floor].map(|samples| quantile(samples, 0.5).as_secs_f64());
    let ratio = own / floor;
    let verdict = if ratio <= most { "within" } else { "over" };
    println!("  → {ratio:.2} times the floor, budget {most}: {verdict}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_sample_whatever_the_order() {
        let samples = [5, 1, 4, 2, 3].map(Duration::from_nanos);
        assert_eq!(quantile(&samples, 0.5), Duration::from_nanos(3));
        assert_eq!(quantile(&samples, 0.99), Duration::from_nanos(5));
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
    }
}
