//! Random numbers that a seed determines, on every machine and in every release.

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): small,
/// and good enough to choose faults.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// Whether something happens whose chance is one in `of`.
    pub fn one_in(&mut self, of: u64) -> bool {
        self.between(1, of) == 1
    }

    /// One of these.
    pub fn pick<'list, T>(&mut self, list: &'list [T]) -> &'list T {
        &list[self.between(0, list.len() as u64 - 1) as usize]
    }

    /// One of these, each as often as its weight says.
    pub fn weighted<T: Copy>(&mut self, list: &[(T, u64)]) -> T {
        let mut left = self.between(1, list.iter().map(|(_, weight)| weight).sum());
        for (one, weight) in list {
            if left <= *weight {
                return *one;
            }
            left -= weight;
        }
        list[0].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_published_sequence() {
        // The reference implementation's first numbers for the seed 1234567.
        let mut dice = Dice::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| dice.next()).collect();
        assert_eq!(
            first,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn weights_decide_how_often_one_comes() {
        let mut dice = Dice::new(7);
        let rare = (0..4000).filter(|_| dice.weighted(&[('a', 1), ('b', 3)]) == 'a').count();
        assert!((800..1200).contains(&rare), "{rare}");
        assert!((0..100).all(|_| (3..=5).contains(&dice.between(3, 5))));
    }
}
