//! Timers and I/O of this crate in a program that runs on tokio.
//!
//! Nothing has to be started or entered: nobody is in `async_wheel::block_on`, so that the
//! thread `async-wheel` does the driving and wakes tokio's tasks. That costs a change of
//! threads for each wake. Streams speak the traits of `futures-io`; tokio's own come by
//! adapters such as `tokio_util::compat`.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use async_wheel::{Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};

async fn serve_one(listener: Async<TcpListener>) -> io::Result<()> {
    let (stream, _) = listener.accept().await?;
    futures_lite::io::copy(&stream, &mut &stream).await.map(drop)
}

async fn client(address: std::net::SocketAddr) -> io::Result<()> {
    let mut stream = Async::<TcpStream>::connect(address).await?;
    let start = Instant::now();
    let mut ticks = Timer::interval(Duration::from_millis(50));
    for message in ["one", "two", "three"] {
        ticks.next().await;
        stream.write_all(message.as_bytes()).await?;
        let mut answer = vec![0; message.len()];
        stream.read_exact(&mut answer).await?;
        println!("{} after {:?}", String::from_utf8_lossy(&answer), start.elapsed());
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    runtime.block_on(async {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
        let address = listener.get_ref().local_addr()?;
        let server = tokio::spawn(serve_one(listener));
        tokio::spawn(client(address)).await??;
        server.await?
    })
}
