//! async-net: UDP and Unix sockets.

use std::io;
use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt, future};
use smol::Timer;

#[test]
fn datagrams_arrive_and_silence_times_out() {
    smol::block_on(async {
        let server = async_net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let echo = async {
            let mut buffer = [0; 64];
            for _ in 0..100 {
                let (length, from) = server.recv_from(&mut buffer).await.unwrap();
                server.send_to(&buffer[..length], from).await.unwrap();
            }
        };
        let client = async {
            let socket = async_net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            socket.connect(address).await.unwrap();
            let mut buffer = [0; 64];
            for index in 0..100_u8 {
                socket.send(&[index, index]).await.unwrap();
                assert_eq!(socket.recv(&mut buffer).await.unwrap(), 2);
                assert_eq!(buffer[..2], [index, index]);
            }
            let silence = socket.recv(&mut buffer).or(async {
                Timer::after(Duration::from_millis(20)).await;
                Err(io::ErrorKind::TimedOut.into())
            });
            assert_eq!(silence.await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        };
        future::zip(echo, client).await;
    });
}

#[test]
fn names_are_resolved_on_the_blocking_pool() {
    smol::block_on(async {
        let listener = async_net::TcpListener::bind("localhost:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (accepted, connected) =
            future::zip(listener.accept(), async_net::TcpStream::connect(("localhost", port)))
                .await;
        let (accepted, connected) = (accepted.unwrap().0, connected.unwrap());
        assert_eq!(accepted.peer_addr().unwrap(), connected.local_addr().unwrap());
    });
}

#[test]
fn two_tasks_share_a_cloned_stream() {
    smol::block_on(async {
        let listener = async_net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let echo = smol::spawn(async move {
            let mut incoming = listener.incoming();
            let stream = incoming.next().await.unwrap().unwrap();
            futures_lite::io::copy(&mut stream.clone(), &mut stream.clone()).await.unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let stream = async_net::TcpStream::connect(address).await.unwrap();
        let mut writer = stream.clone();
        let data: Vec<u8> = (0..1_000_000_u32).map(|index| index as u8).collect();
        let expected = data.clone();
        let write = smol::spawn(async move {
            writer.write_all(&data).await.unwrap();
            writer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let mut read = Vec::new();
        stream.clone().read_to_end(&mut read).await.unwrap();
        write.await;
        echo.await;
        assert!(read == expected);
    });
}

#[cfg(unix)]
mod unix {
    use super::*;
    use async_net::unix::{UnixDatagram, UnixListener, UnixStream};

    fn path(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("async-wheel-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn streams_are_accepted_at_a_path() {
        smol::block_on(async {
            let path = path("stream");
            let listener = UnixListener::bind(&path).unwrap();
            let server = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut heard = String::new();
                stream.read_to_string(&mut heard).await.unwrap();
                assert_eq!(heard, "over a path");
            };
            let client = async {
                let mut stream = UnixStream::connect(&path).await.unwrap();
                stream.write_all(b"over a path").await.unwrap();
            };
            future::zip(server, client).await;
            std::fs::remove_file(path).unwrap();
        });
    }

    #[test]
    fn path_without_listener_is_an_error() {
        smol::block_on(async {
            let error = UnixStream::connect(path("nobody")).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        });
    }

    #[test]
    fn datagrams_between_a_pair_keep_their_bounds() {
        smol::block_on(async {
            let (left, right) = UnixDatagram::pair().unwrap();
            left.send(b"one").await.unwrap();
            left.send(b"two").await.unwrap();
            let mut buffer = [0; 16];
            assert_eq!(right.recv(&mut buffer).await.unwrap(), 3);
            assert_eq!(&buffer[..3], b"one");
            assert_eq!(right.recv(&mut buffer).await.unwrap(), 3);
            assert_eq!(&buffer[..3], b"two");
        });
    }
}
