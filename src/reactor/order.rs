//! In which order those are woken who could be woken at the same time, while time is paused.

use fastrand::Rng;

/// Without a seed: that of their keys, which do not depend on the time. With one: an order that the
/// seed decides, another one for each crowd.
#[derive(Debug, Default)]
pub(crate) struct Order(Option<Rng>);

impl Order {
    pub(crate) fn seeded(seed: u64) -> Order {
        Order(Some(Rng::with_seed(seed)))
    }

    /// Arranges them. What a poller or a wheel happened to report first does not matter.
    pub(crate) fn arrange<T, K: Ord>(&mut self, items: &mut [T], key: impl Fn(&T) -> K) {
        if items.len() < 2 {
            return;
        }
        items.sort_by_key(key);
        if let Order(Some(rng)) = self {
            rng.shuffle(items);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arranged(order: &mut Order) -> Vec<u8> {
        let mut items = vec![3, 1, 2, 0, 5, 4];
        order.arrange(&mut items, |item| *item);
        items
    }

    #[test]
    fn seed_decides_order() {
        assert_eq!(arranged(&mut Order::default()), [0, 1, 2, 3, 4, 5]);
        let (mut one, mut same) = (Order::seeded(7), Order::seeded(7));
        let mut seen = std::collections::HashSet::new();
        for _ in 0..20 {
            let items = arranged(&mut one);
            assert_eq!(items, arranged(&mut same));
            seen.insert(items);
        }
        assert!(seen.len() > 10, "{} orders", seen.len());
        assert_ne!(arranged(&mut Order::seeded(1)), arranged(&mut Order::seeded(2)));
    }
}
