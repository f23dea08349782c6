//! The peers. Each connection is one life of a kind: how it behaves, and how the server has to
//! see it end.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_wheel::{Async, Timer};
use fastrand::Rng;
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt, future};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, sockopt};

use super::ledger::{Ledger, Left, Saw};
use super::server::{BEAT, Ending};
use super::stats::Stats;

/// How long an answer or a connection may take, and how much longer than the idle limit a drop.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most beats of a life.
const MOST_BEATS: u32 = 40;
/// What a socket may hold, so that a reader that does not read is felt. The system makes it what
/// it finds sensible.
pub const SMALL_BUFFER: usize = 4 * 1024;
/// Bytes that all buffers on the way together do not hold.
const FLOOD: usize = 64 * 1024;

/// How a peer behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Beats for a while and closes.
    Orderly,
    /// Is gone at any moment, whatever it was doing.
    Vanishing,
    /// Closes in the middle of a beat.
    Cutting,
    /// Resets the connection, with a beat under way or without.
    Resetting,
    /// Closes its side and waits until the server has closed the other.
    HalfClosing,
    /// Sends far more than the buffers hold and reads the answers late and slowly.
    SlowReading,
    /// Sends and never reads. The system may let answers trickle through for a while, so that
    /// the server is kept from dropping it; then it gives up, and is gone with a reset.
    NotReading,
    /// Falls silent and stays: before its first beat, after some, or within one. To the server
    /// this is a half-open connection: the peer is gone and nobody said so.
    HalfOpen,
}

impl Kind {
    /// All of them, with how many there are of each in a hundred.
    pub const ALL: [(Kind, u32); 8] = [
        (Kind::Orderly, 32),
        (Kind::Vanishing, 16),
        (Kind::Cutting, 10),
        (Kind::Resetting, 16),
        (Kind::HalfClosing, 6),
        (Kind::SlowReading, 4),
        (Kind::NotReading, 3),
        (Kind::HalfOpen, 13),
    ];

    fn choose(rng: &mut Rng) -> Kind {
        let mut left = rng.u32(0..Kind::ALL.iter().map(|(_, share)| share).sum());
        for (kind, share) in Kind::ALL {
            match left.checked_sub(share) {
                Some(rest) => left = rest,
                None => return kind,
            }
        }
        Kind::Orderly
    }

    /// How the server may see it end.
    pub fn expected(self) -> &'static [Ending] {
        match self {
            Kind::Orderly | Kind::HalfClosing | Kind::SlowReading => &[Ending::Closed],
            // With an answer that it did not read, the system makes a reset of its going.
            Kind::Vanishing => &[Ending::Closed, Ending::Cut, Ending::Failed],
            Kind::Cutting => &[Ending::Cut],
            Kind::Resetting => &[Ending::Failed],
            Kind::NotReading | Kind::HalfOpen => &[Ending::Idle],
        }
    }
}

/// What all peers have in common.
pub struct Plan {
    pub address: SocketAddr,
    pub period: Duration,
    pub idle: Duration,
    /// When they stop. Nobody connects after this.
    pub end: Instant,
    pub ledger: Arc<Ledger>,
    pub stats: Arc<Stats>,
}

/// Lives one life after the other until the end.
pub async fn peer(plan: Arc<Plan>, mut rng: Rng) {
    // Not all in the same moment: the queue of the listener has its limits.
    Timer::after(plan.period.mul_f64(rng.f64())).await;
    while Instant::now() < plan.end {
        live(&plan, &mut rng).await;
    }
}

async fn live(plan: &Plan, rng: &mut Rng) {
    let kind = Kind::choose(rng);
    let start = Instant::now();
    let connecting = connect(plan.address, kind).or(too_late("connection", PATIENCE));
    let connected = connecting.await.and_then(|stream| {
        stream.get_ref().set_nodelay(true)?;
        let address = stream.get_ref().local_addr()?;
        Ok((stream, address))
    });
    let (stream, address) = match connected {
        Ok(connected) => connected,
        Err(error) => {
            plan.ledger.complain(format!("a peer cannot connect: {error}"));
            Timer::after(plan.period).await;
            return;
        }
    };
    let ticket = plan.ledger.connected(address);
    let mut life = Life { plan, rng, stream: &stream, heard: start, beat: 0 };
    let result = life.act(kind).await;
    let heard = life.heard;
    drop(stream);
    let saw = match result {
        Ok(saw) => saw,
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Saw::Dropped,
            _ => Saw::Wrong(error.to_string()),
        },
    };
    plan.ledger.left(ticket, Left { kind, saw, heard });
}

/// Connects. A peer that will not read as it should has little room for what it does not read.
/// The system has to know that before: it does not take back what it has offered.
async fn connect(address: SocketAddr, kind: Kind) -> io::Result<Async<TcpStream>> {
    if !matches!(kind, Kind::SlowReading | Kind::NotReading) {
        return Async::<TcpStream>::connect(address).await;
    }
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    sockopt::set_socket_recv_buffer_size(&socket, SMALL_BUFFER)?;
    sockopt::set_socket_send_buffer_size(&socket, SMALL_BUFFER)?;
    let stream = Async::new(TcpStream::from(socket))?;
    match rustix::net::connect(&stream, &address) {
        Ok(()) => return Ok(stream),
        // One of them is what it says on Windows.
        Err(Errno::INPROGRESS | Errno::WOULDBLOCK) => {}
        Err(error) => return Err(error.into()),
    }
    stream.writable().await?;
    stream.get_ref().take_error()?.map_or(Ok(stream), Err)
}

/// An error after some time.
async fn too_late<T>(what: &str, patience: Duration) -> io::Result<T> {
    Timer::after(patience).await;
    Err(nothing_within(what, patience))
}

fn nothing_within(what: &str, patience: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no {what} within {patience:?}"))
}

struct Life<'a> {
    plan: &'a Plan,
    rng: &'a mut Rng,
    stream: &'a Async<TcpStream>,
    /// A moment at or before which the server last heard of this peer, as far as is known.
    heard: Instant,
    /// The next beat.
    beat: u64,
}

impl Life<'_> {
    async fn act(&mut self, kind: Kind) -> io::Result<Saw> {
        let beats = self.rng.u32(1..=MOST_BEATS);
        match kind {
            Kind::Orderly => self.beats(beats).await?,
            Kind::Vanishing => {
                let longest = self.plan.period * MOST_BEATS;
                let moment = Timer::after(longest.mul_f64(self.rng.f64()));
                let gone = async {
                    moment.await;
                    Ok(())
                };
                self.beats(MOST_BEATS).or(gone).await?;
            }
            Kind::Cutting => {
                self.beats(beats).await?;
                self.part_of_a_beat().await?;
            }
            Kind::Resetting => {
                if self.rng.bool() {
                    self.beats(beats).await?;
                }
                if self.rng.bool() {
                    self.send().await?;
                }
                sockopt::set_socket_linger(self.stream, Some(Duration::ZERO))?;
            }
            Kind::HalfClosing => {
                self.beats(beats).await?;
                self.stream.get_ref().shutdown(Shutdown::Write)?;
                self.until_dropped(PATIENCE).await?;
            }
            Kind::SlowReading => self.read_slowly().await?,
            Kind::NotReading => {
                let patience = Timer::after(self.plan.idle + PATIENCE);
                let gives_up = async {
                    patience.await;
                    Ok(Saw::GaveUp)
                };
                // The flood has no end but an error.
                let taken = || Saw::Wrong("all of a flood was taken".to_owned());
                return async { self.flood().await.map(|()| taken()) }.or(gives_up).await;
            }
            Kind::HalfOpen => {
                if self.rng.u32(0..3) > 0 {
                    self.beats(beats).await?;
                    if self.rng.bool() {
                        self.part_of_a_beat().await?;
                    }
                }
                self.until_dropped(self.plan.idle + PATIENCE).await?;
                return Ok(Saw::Dropped);
            }
        }
        Ok(Saw::Left)
    }

    /// Beats so many times, or until the end, and waits for each answer.
    async fn beats(&mut self, count: u32) -> io::Result<()> {
        let stats = &*self.plan.stats;
        let mut ticks = Timer::interval(self.plan.period);
        let mut timeout = Timer::never();
        for _ in 0..count {
            let Some(due) = ticks.next().await else { break };
            stats.fired(Instant::now(), due, &stats.beat_late);
            if due >= self.plan.end {
                break;
            }
            timeout.set_after(PATIENCE);
            stats.armed.add(2);
            let sent = Instant::now();
            let beat = self.send().await?;
            stats.beats_sent.add(1);
            let mut answer = [0; BEAT];
            let mut stream = self.stream;
            let late = async {
                (&mut timeout).await;
                Err(nothing_within("answer", PATIENCE))
            };
            stream.read_exact(&mut answer).or(late).await?;
            timeout.clear();
            self.check(beat, answer)?;
            self.heard = sent;
            stats.answered(sent.elapsed());
        }
        Ok(())
    }

    async fn send(&mut self) -> io::Result<u64> {
        let beat = self.beat;
        self.beat += 1;
        let mut stream = self.stream;
        stream.write_all(&beat.to_ne_bytes()).await?;
        Ok(beat)
    }

    fn check(&self, beat: u64, answer: [u8; BEAT]) -> io::Result<()> {
        let answer = u64::from_ne_bytes(answer);
        if answer == beat {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("beat {beat} answered by {answer}")))
    }

    async fn part_of_a_beat(&mut self) -> io::Result<()> {
        let length = self.rng.usize(1..BEAT);
        let mut stream = self.stream;
        stream.write_all(&self.beat.to_ne_bytes()[..length]).await
    }

    /// Waits for the server to close the connection.
    async fn until_dropped(&mut self, patience: Duration) -> io::Result<()> {
        let mut stream = self.stream;
        let mut byte = [0];
        match stream.read(&mut byte).or(too_late("drop", patience)).await {
            Ok(0) => Ok(()),
            Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "an answer to no beat")),
            Err(error) => Err(error),
        }
    }

    /// Sends more than the way holds, and while that goes on reads the answers in small pieces.
    async fn read_slowly(&mut self) -> io::Result<()> {
        let sent = Instant::now();
        let (hold, pause) = (self.plan.idle.mul_f64(0.4 * self.rng.f64()), self.rng.u64(1..=4));
        let count = self.rng.u64(256..2_048);
        let mut stream = self.stream;
        let write = async {
            let beats: Vec<u8> = (0..count).flat_map(u64::to_ne_bytes).collect();
            stream.write_all(&beats).await
        };
        let read = async {
            Timer::after(hold).await;
            let mut answers = [0; 64 * BEAT];
            let mut beat = 0;
            while beat < count {
                let piece = self.rng.u64(1..=64).min(count - beat);
                let answers = &mut answers[..piece as usize * BEAT];
                let mut stream = self.stream;
                stream.read_exact(answers).or(too_late("answer", PATIENCE)).await?;
                for answer in answers.chunks_exact(BEAT) {
                    self.check(beat, answer.try_into().expect("a chunk is a beat"))?;
                    beat += 1;
                }
                Timer::after(Duration::from_millis(pause)).await;
            }
            Ok(())
        };
        future::try_zip(write, read).await?;
        self.heard = sent;
        Ok(())
    }

    /// Sends without end, and reads nothing. Ends in an error, when the server has dropped it.
    async fn flood(&mut self) -> io::Result<()> {
        let mut stream = self.stream;
        stream.write_all(&[0; FLOOD]).await
    }
}
