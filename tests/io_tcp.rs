//! TCP: connections come about, carry data, fail with the right error and end.

mod common;

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_wheel::{Async, Timer};
use common::{MS, both_ways, in_time, not_tested, sockets::LOOPBACK, watchdog};
use futures_lite::future::{self, FutureExt};
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};

fn listen() -> (Async<TcpListener>, SocketAddr) {
    let listener = Async::<TcpListener>::bind(LOOPBACK).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    (listener, address)
}

/// Both ends of a connection.
async fn connection() -> (Async<TcpStream>, Async<TcpStream>) {
    let (listener, address) = listen();
    let both = future::try_zip(listener.accept(), Async::<TcpStream>::connect(address));
    let ((server, peer), client) = in_time("a connection", both).await.unwrap();
    assert_eq!(peer, client.get_ref().local_addr().unwrap());
    (server, client)
}

#[test]
fn data_arrives_in_order_in_both_directions() {
    both_ways(|| async {
        const LENGTH: usize = 3 << 20;
        let (server, client) = connection().await;
        let bytes: Vec<u8> = (0..LENGTH).map(|index| (index * 31 / 8) as u8).collect();
        let send = |stream| send_all(stream, &bytes);
        let receive = |stream| receive_all(stream, &bytes);
        let there = future::zip(send(&client), receive(&server));
        let back = future::zip(send(&server), receive(&client));
        in_time("megabytes each way", future::zip(there, back)).await;
    });
}

async fn send_all(mut stream: &Async<TcpStream>, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
    stream.get_ref().shutdown(Shutdown::Write).unwrap();
}

async fn receive_all(mut stream: &Async<TcpStream>, bytes: &[u8]) {
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    assert!(received == bytes, "{} of {} bytes, or others", received.len(), bytes.len());
}

#[test]
fn vectored_operations_use_all_their_buffers() {
    both_ways(|| async {
        let (mut server, mut client) = connection().await;
        let parts = [IoSlice::new(b"in "), IoSlice::new(b"three "), IoSlice::new(b"parts")];
        assert_eq!(client.write_vectored(&parts).await.unwrap(), 14);
        client.close().await.unwrap();
        let (mut first, mut second) = ([0; 4], [0; 32]);
        let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        let length = in_time("a vectored read", server.read_vectored(&mut buffers)).await.unwrap();
        assert_eq!(length, 14);
        assert_eq!((&first, &second[..10]), (b"in t", &b"hree parts"[..]));
        // Through a shared reference as well.
        assert_eq!((&server).write_vectored(&parts).await.unwrap(), 14);
        let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!((&client).read_vectored(&mut buffers).await.unwrap(), 14);
    });
}

#[test]
fn a_refused_connection_says_so() {
    both_ways(|| async {
        let address = {
            let (listener, address) = listen();
            drop(listener);
            address
        };
        for _ in 0..5 {
            let refused = in_time("a refusal", Async::<TcpStream>::connect(address)).await;
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
    });
}

#[test]
fn an_address_in_use_says_so() {
    let _watchdog = watchdog();
    let (_listener, address) = listen();
    let refused = Async::<TcpListener>::bind(address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AddrInUse);
}

#[test]
fn accept_is_tried_before_it_waits() {
    both_ways(|| async {
        let (listener, address) = listen();
        assert!(future::poll_once(listener.accept()).await.is_none(), "nobody is there");
        let client = TcpStream::connect(address).unwrap();
        // One poll, then given up: the connection must not be lost.
        let (stream, peer) = future::poll_once(listener.accept()).await.unwrap().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert_eq!(stream.get_ref().peer_addr().unwrap(), peer);
        assert!(future::poll_once(listener.accept()).await.is_none());
    });
}

#[test]
fn connections_that_wait_together_are_all_accepted() {
    both_ways(|| async {
        let (listener, address) = listen();
        let clients: Vec<_> = (0..50).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut incoming = pin!(listener.incoming());
        for client in &clients {
            let stream = in_time("an incoming one", incoming.next()).await.unwrap().unwrap();
            assert_eq!(stream.get_ref().peer_addr().unwrap(), client.local_addr().unwrap());
        }
        assert!(future::poll_once(incoming.next()).await.is_none());
    });
}

#[test]
fn many_tasks_accept_from_one_listener() {
    both_ways(|| async {
        let (listener, address) = listen();
        let listener = &listener;
        let accepts = (0..8).map(|_| Box::pin(async move { listener.accept().await.unwrap() }));
        let mut waiting: Vec<_> = accepts.collect();
        for accept in &mut waiting {
            assert!(future::poll_once(accept).await.is_none());
        }
        let clients = thread::spawn(move || {
            let connect = |_| {
                thread::sleep(MS);
                TcpStream::connect(address).unwrap()
            };
            (0..8).map(connect).collect::<Vec<_>>()
        });
        in_time("eight accepts", async {
            for accept in waiting {
                accept.await;
            }
        })
        .await;
        clients.join().unwrap();
    });
}

#[test]
fn close_only_flushes() {
    both_ways(|| async {
        let (mut server, mut client) = connection().await;
        client.write_all(b"before").await.unwrap();
        client.close().await.unwrap();
        client.write_all(b", after").await.unwrap();
        let mut heard = [0; 13];
        in_time("what was sent", server.read_exact(&mut heard)).await.unwrap();
        assert_eq!(&heard, b"before, after");
        assert!(future::poll_once(server.read(&mut heard)).await.is_none(), "the stream has ended");
        server.write_all(b"answer").await.unwrap();
        in_time("an answer", client.read_exact(&mut heard[..6])).await.unwrap();
        // To end it takes a shutdown.
        client.get_ref().shutdown(Shutdown::Write).unwrap();
        assert_eq!(in_time("the end", server.read(&mut heard)).await.unwrap(), 0);
    });
}

#[test]
fn closed_peer_ends_reads_and_fails_writes() {
    both_ways(|| async {
        let (mut server, client) = connection().await;
        let waits = async { server.read(&mut [0; 8]).await };
        let (read, ()) = future::zip(in_time("the end", waits), async {
            Timer::after(5 * MS).await;
            drop(client);
        })
        .await;
        assert_eq!(read.unwrap(), 0);
        let failed = in_time("a failing write", async {
            loop {
                if let Err(error) = server.write_all(&[0; 1024]).await {
                    return error.kind();
                }
                Timer::after(MS).await;
            }
        })
        .await;
        let expected =
            [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted];
        assert!(expected.contains(&failed), "{failed:?}");
    });
}

#[test]
fn half_closed_stream_carries_the_other_direction() {
    both_ways(|| async {
        let (mut server, mut client) = connection().await;
        client.get_ref().shutdown(Shutdown::Write).unwrap();
        assert_eq!(in_time("the end", server.read(&mut [0; 8])).await.unwrap(), 0);
        let bytes = vec![9; 1 << 20];
        let (sent, received) = future::zip(
            async {
                server.write_all(&bytes).await.unwrap();
                drop(server);
            },
            in_time("the other direction", async {
                let mut received = Vec::new();
                client.read_to_end(&mut received).await.unwrap();
                received.len()
            }),
        )
        .await;
        assert_eq!((sent, received), ((), bytes.len()));
    });
}

#[test]
fn peeked_data_stays() {
    both_ways(|| async {
        let (mut server, mut client) = connection().await;
        let mut buffer = [0; 16];
        assert!(future::poll_once(server.peek(&mut buffer)).await.is_none());
        client.write_all(b"stays").await.unwrap();
        for _ in 0..3 {
            assert_eq!(in_time("a peek", server.peek(&mut buffer)).await.unwrap(), 5);
        }
        in_time("readable", server.readable()).await.unwrap();
        assert_eq!(server.read(&mut buffer).await.unwrap(), 5);
        assert!(future::poll_once(server.peek(&mut buffer)).await.is_none());
    });
}

#[test]
fn a_read_that_times_out_loses_nothing() {
    both_ways(|| async {
        let (mut server, mut client) = connection().await;
        for round in 0..20u8 {
            let mut buffer = [0; 8];
            let timeout = async {
                Timer::after(Duration::from_micros(300)).await;
                None
            };
            let read = async { Some(server.read(&mut buffer).await) };
            assert!(read.or(timeout).await.is_none(), "nothing was sent");
            client.write_all(&[round]).await.unwrap();
            assert_eq!(in_time("a read", server.read(&mut buffer)).await.unwrap(), 1);
            assert_eq!(buffer[0], round);
        }
    });
}

#[test]
fn tasks_on_two_threads_share_one_stream() {
    let _watchdog = watchdog();
    let (server, client) = future::block_on(connection());
    let (server, client) = (Arc::new(server), Arc::new(client));
    let writer = thread::spawn({
        let client = client.clone();
        move || {
            async_wheel::block_on(async {
                for number in 0..500u32 {
                    (&*client).write_all(&number.to_le_bytes()).await.unwrap();
                    if number % 50 == 0 {
                        Timer::after(MS).await;
                    }
                }
            });
        }
    });
    let echo = thread::spawn(move || {
        future::block_on(async {
            let mut buffer = [0; 64];
            loop {
                match (&*server).read(&mut buffer).await.unwrap() {
                    0 => return,
                    length => (&*server).write_all(&buffer[..length]).await.unwrap(),
                }
            }
        });
    });
    async_wheel::block_on(in_time("all echoes", async {
        for number in 0..500u32 {
            let mut bytes = [0; 4];
            (&*client).read_exact(&mut bytes).await.unwrap();
            assert_eq!(u32::from_le_bytes(bytes), number);
        }
    }));
    writer.join().unwrap();
    client.get_ref().shutdown(Shutdown::Both).unwrap();
    echo.join().unwrap();
}

#[test]
fn ipv6_connects_too() {
    let _watchdog = watchdog();
    let Ok(listener) = Async::<TcpListener>::bind((Ipv6Addr::LOCALHOST, 0)) else {
        return not_tested("this machine has no IPv6");
    };
    let address = listener.get_ref().local_addr().unwrap();
    let client = thread::spawn(move || {
        async_wheel::block_on(in_time("a connection", Async::<TcpStream>::connect(address)))
    });
    let accepted = async_wheel::block_on(in_time("an accept", listener.accept())).unwrap();
    let client = client.join().unwrap().unwrap();
    assert_eq!(accepted.1, client.get_ref().local_addr().unwrap());
}

#[test]
fn into_inner_returns_the_plain_stream() {
    let _watchdog = watchdog();
    let (server, client) = future::block_on(connection());
    let (mut server, mut client) = (server.into_inner().unwrap(), client.into_inner().unwrap());
    server.set_nonblocking(false).unwrap();
    client.set_nonblocking(false).unwrap();
    client.write_all(b"plain").unwrap();
    let mut heard = [0; 5];
    server.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"plain");
}
