//! UDP: datagrams arrive one by one, whole, with their sender.

mod common;

use std::time::Duration;

use async_wheel::Timer;
use common::{both_ways, in_time, sockets::udp};
use futures_lite::future;

#[test]
fn datagrams_arrive_whole_with_their_sender() {
    both_ways(|| async {
        let ((left, left_address), (right, right_address)) = (udp(), udp());
        assert_eq!(left.send_to(b"first", right_address).await.unwrap(), 5);
        assert_eq!(left.send_to(b"the second", right_address).await.unwrap(), 10);
        let mut buffer = [0; 64];
        for expected in [&b"first"[..], b"the second"] {
            let received = in_time("a datagram", right.recv_from(&mut buffer)).await.unwrap();
            assert_eq!(received, (expected.len(), left_address));
            assert_eq!(&buffer[..expected.len()], expected);
        }
        assert!(future::poll_once(right.recv_from(&mut buffer)).await.is_none());
    });
}

#[test]
fn pending_receive_is_woken_by_a_datagram() {
    both_ways(|| async {
        let ((left, _), (right, right_address)) = (udp(), udp());
        for _ in 0..20 {
            let mut buffer = [0; 16];
            let receive = in_time("a datagram", right.recv_from(&mut buffer));
            let (received, ()) = future::zip(receive, async {
                Timer::after(Duration::from_micros(500)).await;
                left.send_to(b"later", right_address).await.unwrap();
            })
            .await;
            assert_eq!(received.unwrap().0, 5);
        }
    });
}

#[test]
fn connected_sockets_send_receive_and_peek_without_addresses() {
    both_ways(|| async {
        let ((left, left_address), (right, right_address)) = (udp(), udp());
        left.get_ref().connect(right_address).unwrap();
        right.get_ref().connect(left_address).unwrap();
        let mut buffer = [0; 16];
        for _ in 0..10 {
            assert_eq!(left.send(b"there").await.unwrap(), 5);
            assert_eq!(in_time("a peek", right.peek(&mut buffer)).await.unwrap(), 5);
            let peeked = in_time("a peek", right.peek_from(&mut buffer)).await.unwrap();
            assert_eq!(peeked, (5, left_address));
            assert_eq!(in_time("the datagram", right.recv(&mut buffer)).await.unwrap(), 5);
            assert!(future::poll_once(right.peek(&mut buffer)).await.is_none());
            assert_eq!(right.send(b"and back").await.unwrap(), 8);
            assert_eq!(in_time("the answer", left.recv(&mut buffer)).await.unwrap(), 8);
        }
    });
}

#[test]
fn each_waiting_receive_gets_one_datagram() {
    both_ways(|| async {
        let ((left, _), (right, right_address)) = (udp(), udp());
        let right = &right;
        let receive = |_| {
            Box::pin(async move {
                let mut byte = [0];
                right.recv(&mut byte).await.unwrap();
                byte[0]
            })
        };
        let mut waiting: Vec<_> = (0..20).map(receive).collect();
        for receive in &mut waiting {
            assert!(future::poll_once(receive).await.is_none());
        }
        for number in 0..20 {
            left.send_to(&[number], right_address).await.unwrap();
        }
        let mut received = in_time("twenty datagrams", async {
            let mut received = Vec::new();
            for receive in waiting {
                received.push(receive.await);
            }
            received
        })
        .await;
        received.sort_unstable();
        assert_eq!(received, (0..20).collect::<Vec<_>>());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn socket_error_wakes_the_pending_receive() {
    both_ways(|| async {
        // Nobody is there: the system says so to the next operation on a connected socket.
        let (gone, gone_address) = udp();
        drop(gone);
        let (socket, _) = udp();
        socket.get_ref().connect(gone_address).unwrap();
        let mut byte = [0];
        let receive = in_time("a refusal", socket.recv(&mut byte));
        let (received, ()) = future::zip(receive, async {
            Timer::after(common::MS).await;
            let _ = socket.get_ref().send(b"anybody?");
        })
        .await;
        assert_eq!(received.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    });
}
