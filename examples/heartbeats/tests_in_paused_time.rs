//! Server and clients in paused time: hours and days of beats over real TCP, and timeouts to the
//! nanosecond.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_executor::Executor;
use async_wheel::time::{self, Paused, PendingIo};
use async_wheel::{Async, Timer, block_on};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use indicatif::ProgressBar;

use super::client::{self, Plan};
use super::options;
use super::run::{self, Run};
use super::runtime::{AsyncWheel, Runtime};
use super::server::{self, BEAT, Ending, Limits};
use super::stats::{Durations, Stats};
use super::stop::Stop;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn longest(durations: &Durations) -> Duration {
    durations.view(|histogram| Duration::from_micros(histogram.max()))
}

/// How connections ended, and how long they were silent then.
type Endings = Arc<Mutex<Vec<(Ending, Duration)>>>;

/// A server in paused time, with an executor on this thread.
struct Served {
    executor: Arc<Executor<'static>>,
    stats: Arc<Stats>,
    address: SocketAddr,
    endings: Endings,
}

impl Served {
    fn run(limits: Limits, test: impl AsyncFnOnce(&Paused, &Served)) {
        let paused = time::pause();
        // Both sides are on this thread: what one has sent is there.
        paused.auto_advance(PendingIo::Jump);
        paused.set_patience(Duration::from_secs(60));
        let executor = Arc::new(Executor::new());
        let stats = Arc::new(Stats::new());
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let listener = AsyncWheel::listener(listener).unwrap();
        let endings = Endings::default();
        let witness = {
            let endings = endings.clone();
            move |_| {
                let endings = endings.clone();
                move |ending, silent| endings.lock().unwrap().push((ending, silent))
            }
        };
        let served = Served { executor, stats, address, endings };
        let Served { executor, stats, .. } = &served;
        let serving = server::serve::<AsyncWheel, _, _>(
            listener,
            limits,
            executor.clone(),
            stats.clone(),
            witness,
        );
        let _serving = executor.spawn(serving);
        block_on(executor.run(test(&paused, &served)));
    }

    async fn connect(&self) -> Async<std::net::TcpStream> {
        AsyncWheel::connect(self.address).await.unwrap()
    }

    fn endings(&self) -> Vec<(Ending, Duration)> {
        std::mem::take(&mut *self.endings.lock().unwrap())
    }
}

/// Hazard: a run of a week does not end as it was planned, or ends otherwise each time.
#[test]
fn week_of_beats_is_as_planned() {
    let options = options::of(
        "--connections 40 --period 1h --idle 3h --silent 10 --seconds 604800 --threads 1",
    );
    let limits = Limits { first: options.idle, idle: options.idle };
    Served::run(limits, async |paused, served| {
        let Served { executor, stats, address, .. } = served;
        let start = time::now();
        let bar = ProgressBar::hidden();
        let streams = client::connect::<AsyncWheel>(*address, 40, &bar).await.unwrap();
        let plan = Plan::new(&options, start, &Stop::default());
        let tasks: Vec<_> = streams
            .into_iter()
            .enumerate()
            .map(|(number, stream)| {
                let run = client::run::<AsyncWheel>(number, stream, plan.clone(), stats.clone());
                executor.spawn(run)
            })
            .collect();
        for task in tasks {
            task.await;
        }
        // The last of the 40 falls silent. The first beat of the one before it was due 38 fortieths of an
        // hour after the start.
        assert_eq!(paused.elapsed(), 7 * DAY + HOUR / 40 * 38);
        // Four clients beat for half a week only.
        assert_eq!(stats.beats_sent.get(), 36 * 168 + 4 * 84);
        assert_eq!(stats.beats_answered(), stats.beats_sent.get());
        let dropped = [&stats.silent, &stats.dropped, &stats.idle_fired].map(|count| count.get());
        assert_eq!(dropped, [4; 3]);
        let wrong = [&stats.lost, &stats.early, &stats.skipped, &stats.reply_fired];
        assert_eq!(wrong.map(|count| count.get()), [0; 4]);
        let late = [&stats.beat_late, &stats.idle_late, &stats.round_trip].map(longest);
        assert_eq!(late, [Duration::ZERO; 3], "time passed while somebody had something to do");
        // The others' ends are read once the clients have gone.
        paused.advance(Duration::ZERO).await;
        let mut endings = served.endings();
        endings.sort_by_key(|(ending, _)| *ending == Ending::Idle);
        assert_eq!(endings.len(), 40);
        assert!(endings[..36].iter().all(|(ending, _)| *ending == Ending::Closed));
        assert_eq!(endings[36..], [(Ending::Idle, 3 * HOUR); 4]);
    });
}

/// Hazard: threads that wait for each other make time go on too early, or never.
#[test]
fn whole_run_on_three_threads_is_as_planned() {
    let paused = time::pause_process();
    paused.auto_advance(PendingIo::Jump);
    paused.set_patience(Duration::from_secs(60));
    let options =
        options::of("--connections 50 --period 10s --silent 10 --seconds 600 --threads 3");
    let Run { stats, interrupted, time, .. } =
        run::run::<AsyncWheel>(&options, &Stop::default()).unwrap();
    assert!(!interrupted);
    // It begins after 50 ms, and waits two seconds for those whose next beat is due after the end.
    assert_eq!(time, Duration::from_millis(602_050));
    assert_eq!(stats.beats_sent.get(), 45 * 60 + 5 * 30);
    assert_eq!(stats.beats_answered(), stats.beats_sent.get());
    assert_eq!((stats.idle_fired.get(), stats.dropped.get()), (5, 5));
    let wrong = [&stats.lost, &stats.early, &stats.reply_fired].map(|count| count.get());
    assert_eq!(wrong, [0; 3]);
    let late = [&stats.beat_late, &stats.idle_late, &stats.round_trip].map(longest);
    assert_eq!(late, [Duration::ZERO; 3]);
}

/// Hazard: a client waits for ever for a server that says nothing.
#[test]
fn answer_that_never_comes_is_given_up() {
    let paused = time::pause();
    paused.auto_advance(PendingIo::Jump);
    let options = options::of("--connections 1 --period 1h --silent 0 --seconds 604800");
    // The system accepts; nobody reads.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let stats = Arc::new(Stats::new());
    block_on(async {
        let stream = AsyncWheel::connect(address).await.unwrap();
        let plan = Plan::new(&options, time::now(), &Stop::default());
        client::run::<AsyncWheel>(0, stream, plan, stats.clone()).await;
    });
    assert_eq!(paused.elapsed(), 10 * HOUR);
    let counts = [&stats.beats_sent, &stats.reply_fired, &stats.lost].map(|count| count.get());
    assert_eq!(counts, [1; 3]);
}

/// Hazard: an idle timeout counts from the connection, or from the first byte of a beat, not from the
/// last beat.
#[test]
fn connection_is_dropped_after_days_of_silence() {
    let limits = Limits { first: HOUR, idle: 2 * DAY };
    Served::run(limits, async |paused, served| {
        let Served { stats, .. } = served;
        let mut stream = served.connect().await;
        let mut answer = [0; BEAT];
        for number in 0..10u64 {
            stream.write_all(&number.to_ne_bytes()).await.unwrap();
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, number.to_ne_bytes());
            Timer::after(2 * DAY - Duration::from_nanos(1)).await;
        }
        // Half a beat is none.
        stream.write_all(&[0; BEAT / 2]).await.unwrap();
        assert_eq!(stream.read(&mut answer).await.unwrap(), 0);
        assert_eq!(paused.elapsed(), 20 * DAY - Duration::from_nanos(9));
        assert_eq!(served.endings(), [(Ending::Idle, 2 * DAY)]);
        assert_eq!((stats.idle_fired.get(), longest(&stats.idle_late)), (1, Duration::ZERO));
    });
}

/// Hazard: a connection that never says anything is kept.
#[test]
fn connection_without_a_beat_is_dropped() {
    let limits = Limits { first: 3 * HOUR, idle: DAY };
    Served::run(limits, async |paused, served| {
        let mut first = served.connect().await;
        Timer::after(HOUR).await;
        let mut second = served.connect().await;
        for (stream, hours) in [(&mut first, 3), (&mut second, 4)] {
            assert_eq!(stream.read(&mut [0; BEAT]).await.unwrap(), 0);
            assert_eq!(paused.elapsed(), hours * HOUR);
        }
        assert_eq!(served.endings(), [(Ending::Idle, 3 * HOUR); 2]);
    });
}
