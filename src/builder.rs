//! What a program says of the reactor before it starts.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::driver;
use crate::driver::config::{Config, Hook, check_name, check_shards, invalid};
use crate::timer;

/// The fewest and the most timers that a round can be asked to expire.
const BUDGETS: std::ops::RangeInclusive<usize> = 2..=1 << 20;

/// The longest that timers can be asked to wait for each other.
const LONGEST_BOUND: Duration = Duration::from_secs(1);

/// Says how the reactor is to be, before it starts.
///
/// Nobody needs it: without a builder, the reactor starts with the first timer that waits, the first
/// source or the first call of [`block_on`](crate::block_on), with defaults that suit most programs.
/// It is for programs, not for libraries: there is one reactor for the process.
///
/// # Environment
///
/// `ASYNC_WHEEL_SHARDS` and `ASYNC_WHEEL_THREAD_NAME` set what the program has not said, with a
/// builder and without one. A value that is no good is an error of [`build`](Builder::build). Without
/// a builder it is ignored and reported once (the first, if both are no good), as a warning of
/// `tracing` if that feature is on, else on the standard error output. Without the fallback thread
/// neither variable is looked at.
///
/// # Examples
///
/// ```
/// use async_wheel::{Builder, Timer, block_on};
/// use std::time::Duration;
///
/// Builder::new()
///     .shards(2)
///     .thread_name("timers-and-io")
///     .default_slack(Duration::from_millis(1))
///     .build()?;
/// block_on(async {
///     Timer::after(Duration::from_millis(1)).await;
/// });
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing before `build`"]
pub struct Builder {
    config: Config,
    default_slack: Option<Duration>,
}

impl Builder {
    /// Creates a builder that says nothing yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Builder;
    ///
    /// // All is as it would be without a builder.
    /// Builder::new().build()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Sets how many shards there may be, from 1 to 1,024: by default, as many as the system says
    /// that there are processors.
    ///
    /// Each shard is a poller and a timing wheel, made when a thread enters
    /// [`block_on`](crate::block_on) and finds all others used. More shards than such threads are
    /// never made. On systems whose pollers cannot be nested there is always one.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::{Builder, block_on, diagnostics};
    ///
    /// Builder::new().shards(1).build()?;
    /// let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(|| block_on(async {}))).collect();
    /// threads.into_iter().for_each(|thread| thread.join().unwrap());
    /// assert_eq!(diagnostics::shards().len(), 1);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn shards(mut self, shards: usize) -> Builder {
        self.config.shards = Some(shards);
        self
    }

    /// Sets the name of the fallback thread, `async-wheel` by default. Linux shows 15 bytes of it.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Builder;
    ///
    /// Builder::new().thread_name("timers-and-io").build()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn thread_name(mut self, name: impl Into<String>) -> Builder {
        self.config.thread_name = Some(name.into());
        self
    }

    /// Says whether there is a fallback thread, which drives timers and I/O while no thread does. By
    /// default there is.
    ///
    /// Without it, nothing is ever spawned, there is one shard, and timers and I/O go on **only
    /// inside** [`block_on`](crate::block_on) and [`driver::drive`]. The program has to see that
    /// some thread is there whenever a task is to be woken: an executor on threads of its own, with
    /// nobody in `block_on`, would wait for ever. A task that computes for long inside `block_on`,
    /// or a waker that blocks, holds up all timers and I/O, unless another thread is in `block_on`
    /// or `drive`.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::{Builder, Timer, block_on};
    /// use std::time::Duration;
    ///
    /// Builder::new().fallback_thread(false).build()?;
    /// block_on(async {
    ///     Timer::after(Duration::from_millis(1)).await;
    /// });
    /// # std::io::Result::Ok(())
    /// ```
    pub fn fallback_thread(mut self, is_wanted: bool) -> Builder {
        self.config.no_fallback = !is_wanted;
        self
    }

    /// Sets how many timers a round expires at most, from 2 to 1,048,576, before it looks at I/O
    /// again: 512 by default. Timers with a [slack](crate::Timer::with_slack) take at most half. While
    /// tasks of its thread have more to do, a round expires 128 at most, so that they get their turn.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Builder;
    ///
    /// // Sockets are looked at more often among many timers.
    /// Builder::new().expiry_budget(64).build()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn expiry_budget(mut self, timers: usize) -> Builder {
        self.config.expiry_budget = Some(timers);
        self
    }

    /// Sets how late timers may be for others, at most a second, where they are dense: 0.5 ms by
    /// default. Zero: they are never late for others.
    ///
    /// Timers are dense where on one thread at least four fire in this time on average, by default
    /// 8,000 a second, and not in bursts with four times as long between them. They then fire together,
    /// at moments that are as far apart as it takes for 256 timers to come due, but no further than the
    /// bound, and that all threads have in common. They are counted for 16 ms each time, or for eight
    /// times the bound if that is more, and a count holds for twice as long: after a pause, timers are
    /// exact again. A [`DelayQueue`](crate::time::DelayQueue) does the same with its entries. A timer
    /// with a [slack](crate::Timer::with_slack) of its own is never later than that.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Builder;
    /// use std::time::Duration;
    ///
    /// // Each timer is woken for by itself, however dense they are.
    /// Builder::new().coalescing_bound(Duration::ZERO).build()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn coalescing_bound(mut self, bound: Duration) -> Builder {
        self.config.coalescing_bound = Some(bound);
        self
    }

    /// Sets the slack of timers that have none of their own, as
    /// [`set_default_slack`](crate::time::set_default_slack) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::{Builder, time};
    /// use std::time::Duration;
    ///
    /// let slack = Duration::from_millis(5);
    /// Builder::new().default_slack(slack).build()?;
    /// assert_eq!(time::default_slack(), Some(slack));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn default_slack(mut self, slack: Duration) -> Builder {
        self.default_slack = Some(slack);
        self
    }

    /// Sets how late timers have to be for an event of `tracing` that says so: a warning for a round
    /// in which some were later than this, with the field `late` and what has delayed them, as far as
    /// it is known, in `delayed_by` and `time`. Without this there are none. Only with the feature
    /// `tracing`.
    ///
    /// - "the system woke the thread late": the thread slept for the timer.
    /// - "the budget of a round was used up": so many timers were due that some had to wait for
    ///   another round.
    /// - "nobody drove": threads were busy with tasks and wakers for `time`.
    ///
    /// A timer with a slack is late when its slack has ended. Costs two looks at the clock a round.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Builder;
    /// use std::time::Duration;
    ///
    /// Builder::new().late_threshold(Duration::from_millis(10)).build()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[cfg(feature = "tracing")]
    pub fn late_threshold(mut self, threshold: Duration) -> Builder {
        self.config.late_threshold = Some(threshold);
        self
    }

    /// Sets code that the fallback thread runs before anything else: to set its priority or its
    /// processors, or to register it somewhere. A panic in it is printed and otherwise ignored.
    ///
    /// # Examples
    ///
    /// ```
    /// async_wheel::Builder::new()
    ///     .on_thread_start(|| println!("timers and I/O begin"))
    ///     .build()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Builder {
        self.config.on_thread_start = Some(Hook(Arc::new(hook)));
        self
    }

    /// Sets code that the fallback thread runs when it ends. It lives as long as its process, and
    /// ends only in a child that a waker on it has forked, where nothing is left for it to do.
    ///
    /// # Examples
    ///
    /// ```
    /// async_wheel::Builder::new()
    ///     .on_thread_start(|| println!("timers and I/O begin"))
    ///     .on_thread_stop(|| println!("they end in this child"))
    ///     .build()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Builder {
        self.config.on_thread_stop = Some(Hook(Arc::new(hook)));
        self
    }

    /// Starts the reactor as said. Children that are forked later, and need a reactor, start theirs
    /// in the same way.
    ///
    /// # Errors
    ///
    /// - `InvalidInput`: a value is out of its range, or two of them contradict each other. The
    ///   message names them.
    /// - `AlreadyExists`: the reactor runs, or was built before.
    /// - What the system says if it has no descriptors or threads left.
    ///
    /// After an error nothing has changed: another builder may try.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::Builder;
    /// use std::io::ErrorKind;
    ///
    /// let error = Builder::new().shards(0).build().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidInput);
    /// Builder::new().shards(1).build()?;
    /// let error = Builder::new().build().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn build(self) -> io::Result<()> {
        let Builder { mut config, default_slack } = self;
        check(&config)?;
        config.add_environment()?;
        driver::build(config)?;
        if default_slack.is_some() {
            timer::set_default_slack(default_slack);
        }
        Ok(())
    }
}

/// Checks what was said.
fn check(config: &Config) -> io::Result<()> {
    check_contradictions(config)?;
    if let Some(budget) = config.expiry_budget.filter(|budget| !BUDGETS.contains(budget)) {
        let (least, most) = BUDGETS.into_inner();
        let message = format!("expiry_budget: {budget} timers: not from {least} to {most}");
        return Err(invalid(message));
    }
    if let Some(bound) = config.coalescing_bound.filter(|bound| *bound > LONGEST_BOUND) {
        let message = format!("coalescing_bound: {bound:?}: longer than {LONGEST_BOUND:?}");
        return Err(invalid(message));
    }
    config.shards.map_or(Ok(()), |shards| check_shards("shards", shards))?;
    config.thread_name.as_ref().map_or(Ok(()), |name| check_name("thread_name", name))
}

/// Without the thread there is nothing to say of it, and one shard.
fn check_contradictions(config: &Config) -> io::Result<()> {
    let contradicts = [
        ("thread_name", config.thread_name.is_some()),
        ("on_thread_start", config.on_thread_start.is_some()),
        ("on_thread_stop", config.on_thread_stop.is_some()),
        ("shards other than 1", config.shards.is_some_and(|shards| shards > 1)),
    ];
    match contradicts.iter().find(|(_, is_said)| config.no_fallback && *is_said) {
        Some((what, _)) => Err(invalid(format!("fallback_thread(false) contradicts {what}"))),
        None => Ok(()),
    }
}
