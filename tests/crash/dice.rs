//! Chance that can be had again: the same seed, the same choices.

use std::time::Duration;

/// xorshift64*: good enough to choose, and the same everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.max(1)) // from nothing comes nothing
    }
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }
    pub fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }
    pub fn millis(&mut self, end: usize) -> Duration {
        Duration::from_micros(self.below(end * 1000) as u64)
    }
}

#[test]
fn the_dice_fall_as_the_seed_says() {
    let mut counts = [0; 6];
    let (mut one, mut other) = (Dice::new(7), Dice::new(7));
    for _ in 0..6000 {
        let face = one.below(6);
        assert_eq!(face, other.below(6));
        counts[face] += 1;
    }
    assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
}
