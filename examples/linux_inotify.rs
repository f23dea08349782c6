//! Watches a directory with Linux's inotify.

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use std::fs;
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use async_wheel::{Async, Timer, block_on};
    use futures_lite::FutureExt;
    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

    /// Waits for events and prints them. How many there were.
    async fn print_events(watcher: &Async<OwnedFd>) -> io::Result<usize> {
        watcher
            .read_with(|fd| {
                let mut buffer = [MaybeUninit::uninit(); 4096];
                let mut reader = Reader::new(fd, &mut buffer);
                // The first read may find nothing, and is tried again then. The others come
                // out of the buffer.
                let mut count = 0;
                loop {
                    let event = reader.next()?;
                    let name = event.file_name().map(|name| name.to_string_lossy().into_owned());
                    let happened: ReadFlags = event.events();
                    println!("{happened:?} {}", name.unwrap_or_default());
                    count += 1;
                    if reader.is_buffer_empty() {
                        return Ok(count);
                    }
                }
            })
            .await
    }

    let directory = std::env::temp_dir().join(format!("inotify-{}", std::process::id()));
    fs::create_dir(&directory)?;
    let fd = inotify::init(CreateFlags::CLOEXEC)?;
    inotify::add_watch(
        &fd,
        &directory,
        WatchFlags::CREATE | WatchFlags::MOVE | WatchFlags::DELETE,
    )?;
    let watcher = Async::new(fd)?;

    let changes = {
        let directory = directory.clone();
        std::thread::spawn(move || -> io::Result<()> {
            fs::write(directory.join("one"), "1")?;
            fs::rename(directory.join("one"), directory.join("two"))?;
            fs::remove_file(directory.join("two"))
        })
    };
    let result = block_on(async {
        // Created, moved from, moved to, deleted.
        let mut seen = 0;
        while seen < 4 {
            let timeout = async {
                Timer::after(Duration::from_secs(10)).await;
                Err(io::Error::new(io::ErrorKind::TimedOut, "the directory does not change"))
            };
            seen += print_events(&watcher).or(timeout).await?;
        }
        Ok(())
    });
    let changed = changes.join().expect("the thread does not panic");
    fs::remove_dir_all(&directory)?;
    result.and(changed)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("Only Linux has inotify.");
}
