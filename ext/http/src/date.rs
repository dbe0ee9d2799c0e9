//! The field Date (RFC 9110 section 6.6.1).

use std::cell::RefCell;
use std::time::Duration;
use std::time::SystemTime;

use http::HeaderValue;

/// The value of the field for the current time. It is made once a second.
pub(crate) fn header_value() -> HeaderValue {
    thread_local! {
        static CACHED: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let second = now.map_or(0, |now| now.as_secs());
    CACHED.with_borrow_mut(|cached| {
        if let Some((when, value)) = cached
            && *when == second
        {
            return value.clone();
        }
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let value = HeaderValue::try_from(httpdate::fmt_http_date(time))
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        *cached = Some((second, value.clone()));
        value
    })
}
