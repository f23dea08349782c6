//! Clients of a TCP echo server, in threads that never enter a runtime.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::{LIMIT, MESSAGE};

/// How many threads they are in.
const THREADS: usize = 2;

/// Connections with a message under way on each.
pub struct Clients(Vec<TcpStream>);

impl Clients {
    /// Connects to each address in turn. All have been answered once.
    pub fn connect(addresses: &[SocketAddr], connections: usize) -> Result<Clients> {
        let addresses = addresses.iter().cycle().take(connections);
        let mut streams = addresses.map(connect).collect::<Result<Vec<_>>>()?;
        for stream in &mut streams {
            stream.write_all(&MESSAGE)?;
        }
        exchange(&mut streams)?;
        Ok(Clients(streams))
    }

    /// Round trips a second.
    pub fn rate(&mut self, window: Duration) -> Result<f64> {
        let share = self.0.len().div_ceil(THREADS);
        // Relaxed: a statistic, and an end that may come a round late.
        let (count, done) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            let talk = |streams: &mut [TcpStream]| {
                while !done.load(Relaxed) {
                    exchange(streams)?;
                    count.fetch_add(streams.len() as u64, Relaxed);
                }
                Ok(())
            };
            let shares = self.0.chunks_mut(share);
            let threads: Vec<_> = shares.map(|share| scope.spawn(move || talk(share))).collect();
            thread::sleep(window / 4);
            let (before, start) = (count.load(Relaxed), Instant::now());
            thread::sleep(window);
            let rate = (count.load(Relaxed) - before) as f64 / start.elapsed().as_secs_f64();
            done.store(true, Relaxed);
            for thread in threads {
                let talked: Result<()> = thread.join().map_err(|_| anyhow!("a client panicked"))?;
                talked?;
            }
            Ok(rate)
        })
    }
}

/// The server sends at once, and so do its clients.
pub fn connect(address: &SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Reads the answer on each, and sends the next message.
fn exchange(streams: &mut [TcpStream]) -> Result<()> {
    let mut buffer = MESSAGE;
    for stream in streams {
        stream.read_exact(&mut buffer)?;
        stream.write_all(&MESSAGE)?;
    }
    Ok(())
}
