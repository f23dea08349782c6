//! A timer of Linux's own, by its descriptor.
//!
//! [`Timer`](async_wheel::Timer) is what one wants otherwise: any number of them costs one
//! descriptor. A timerfd is for what only the system can do, such as waiting for a time of day
//! (`CLOCK_REALTIME`) and being told when somebody sets the clock.

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Instant;

    use async_wheel::{Async, block_on};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };

    /// Waits for expirations and takes them: how many there were since the last look.
    async fn expirations(timer: &Async<OwnedFd>) -> io::Result<u64> {
        let mut count = [0; 8];
        timer.read_with(|fd| Ok(rustix::io::read(fd, &mut count)?)).await?;
        Ok(u64::from_ne_bytes(count))
    }

    let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let period = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    let schedule = Itimerspec { it_interval: period, it_value: period };
    let start = Instant::now();
    timerfd_settime(&fd, TimerfdTimerFlags::empty(), &schedule)?;

    let timer = Async::new(fd)?;
    block_on(async {
        for _ in 0..3 {
            println!("{} after {:?}", expirations(&timer).await?, start.elapsed());
        }
        // What was missed is reported at once, by its number.
        std::thread::sleep(std::time::Duration::from_millis(350));
        println!("{} after {:?}", expirations(&timer).await?, start.elapsed());
        Ok(())
    })
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("Only Linux has timerfd.");
}
