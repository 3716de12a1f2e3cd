//! Choices that follow from a seed (`SplitMix64`).

/// The same seed gives the same choices.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// For one purpose of a run: those of others don't change it.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut random = Self(seed);
        Self(random.next() ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Any number below the bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The bias is that of a bound far below 2^64: none that matters here.
        self.next() % bound.max(1)
    }

    /// Any of them.
    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Any order of them.
    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        for end in (1..all.len()).rev() {
            all.swap(end, usize::try_from(self.below(end as u64 + 1)).unwrap());
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
