//! A timeout of a whole request: to connect, to ask and to read all of the answer.
//!
//! A limit on each read does not find a server that sends a little now and then. The request as a
//! whole gets one limit: what was not done by then is dropped, wherever it was.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use async_wheel::time::IoTimeoutExt;
use async_wheel::{Async, Timer, block_on};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};

/// How long a read may take; a request, twice as long.
const LIMIT: Duration = Duration::from_secs(1);

/// Answers with ten letters, and a pause before each.
async fn answer(mut stream: Async<TcpStream>, pause: Duration) -> io::Result<()> {
    stream.read_exact(&mut [0]).await?;
    for letter in "abcdefghij".bytes() {
        Timer::after(pause).await;
        stream.write_all(&[letter]).await?;
    }
    Ok(())
}

/// Serves one client after the other, each second one slowly.
async fn serve(listener: &Async<TcpListener>) -> io::Result<()> {
    for pause in [Duration::ZERO, Duration::from_millis(400)].into_iter().cycle() {
        let (stream, _) = listener.accept().await?;
        // A client that is gone is no error of the server's.
        answer(stream, pause).await.unwrap_or_default();
    }
    Ok(())
}

async fn request(server: SocketAddr) -> io::Result<String> {
    let mut stream = Async::<TcpStream>::connect(server).await?;
    stream.write_all(b"?").await?;
    let mut answer = String::new();
    let mut buffer = [0; 16];
    // Each read has a limit, too, which no server here uses up.
    while let length @ 1.. = stream.read(&mut buffer).io_timeout(LIMIT).await? {
        answer.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    Ok(answer)
}

fn main() -> io::Result<()> {
    block_on(async {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
        let address = listener.get_ref().local_addr()?;
        let client = async {
            for name in ["quick", "slow"] {
                match request(address).io_timeout(2 * LIMIT).await {
                    Ok(answer) => println!("{name} server: {answer}"),
                    Err(error) => println!("{name} server: {:?}", error.kind()),
                }
            }
            Ok(())
        };
        future::or(client, serve(&listener)).await
    })
}
