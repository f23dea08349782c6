//! Inserting and cancelling timers that are not the earliest. Only of interest under strace.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use fastrand::Rng;

use super::create::create_poll_drop;
use super::{Figures, LIMIT, Scale, far, mark};
use crate::population::{BATCH, Population};
use crate::runtimes::Runtime;

pub fn run<R: Runtime>(scale: Scale) -> Figures {
    let (pending, operations) = (scale.count(10_000), scale.count(10_000));
    R::block_on(async {
        let mut random = Rng::with_seed(9);
        let mut others = Population::new((0..pending).map(|_| R::after(far(&mut random))));
        others.arm().await;
        // What memory that takes is there by then.
        create_poll_drop::<R>(&[LIMIT; 10 * BATCH]).await;
        poll_fn(|cx| {
            mark();
            for _ in 0..operations {
                let timer = pin!(R::after(LIMIT));
                assert!(timer.poll(cx).is_pending());
            }
            mark();
            Poll::Ready(())
        })
        .await;
        vec![("operations", operations as f64)]
    })
}
