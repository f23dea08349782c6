//! What a queue yields.

use std::time::Instant;

use super::Key;

/// An entry whose deadline has come: an item of a [`DelayQueue`](super::DelayQueue).
///
/// # Examples
///
/// ```
/// use async_wheel::time::DelayQueue;
/// use futures_lite::StreamExt;
/// use std::time::{Duration, Instant};
///
/// # async_wheel::block_on(async {
/// let mut queue = DelayQueue::new();
/// let key = queue.insert("a", Duration::from_millis(1));
/// let expired = queue.next().await.unwrap();
/// assert_eq!(expired.key(), key);
/// assert!(expired.deadline() <= Instant::now());
/// assert_eq!(expired.into_inner(), "a");
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired<T> {
    key: Key,
    deadline: Instant,
    value: T,
}

impl<T> Expired<T> {
    pub(super) fn new(key: Key, deadline: Instant, value: T) -> Expired<T> {
        Expired { key, deadline, value }
    }

    /// Returns the key that the entry had. It leads nowhere by now.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use futures_lite::StreamExt;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut queue = DelayQueue::new();
    /// let key = queue.insert("a", Duration::ZERO);
    /// let expired = queue.next().await.unwrap();
    /// assert_eq!(expired.key(), key);
    /// assert!(queue.remove(key).is_err());
    /// # });
    /// ```
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// Returns the deadline that the entry had, exactly as it was set.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use futures_lite::StreamExt;
    /// use std::time::{Duration, Instant};
    ///
    /// # async_wheel::block_on(async {
    /// let mut queue = DelayQueue::new();
    /// let deadline = Instant::now() + Duration::from_millis(1);
    /// queue.insert_at("a", deadline);
    /// assert_eq!(queue.next().await.unwrap().deadline(), deadline);
    /// # });
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use futures_lite::StreamExt;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut queue = DelayQueue::new();
    /// queue.insert("a", Duration::ZERO);
    /// assert_eq!(queue.next().await.unwrap().get_ref(), &"a");
    /// # });
    /// ```
    #[must_use]
    pub fn get_ref(&self) -> &T {
        &self.value
    }

    /// Returns the value, to change it.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use futures_lite::StreamExt;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut queue = DelayQueue::new();
    /// queue.insert(String::from("a"), Duration::ZERO);
    /// let mut expired = queue.next().await.unwrap();
    /// expired.get_mut().push('b');
    /// assert_eq!(expired.into_inner(), "ab");
    /// # });
    /// ```
    #[must_use]
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.value
    }

    /// Returns the value itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use futures_lite::StreamExt;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut queue = DelayQueue::new();
    /// queue.insert(vec![1], Duration::ZERO);
    /// assert_eq!(queue.next().await.unwrap().into_inner(), [1]);
    /// # });
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }
}
