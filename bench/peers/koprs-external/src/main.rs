//! Polls a bucket or a folder through the published crate's `ObjectStorePoller`, once for every line read, and prints for
//! each poll a line of JSON: the milliseconds it took, its events by type, and the memory of the process in bytes.
//!
//! Usage: `koprs-external-peer s3 ENDPOINT BUCKET` with `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` set, or
//! `koprs-external-peer folder PATH`.

use std::{env, error::Error, fs, io, sync::Arc, time::Instant};

use koprs_external::{
    store::ObjectStorePoller,
    watcher::{ExternalEvent, ExternalSource},
};
use object_store::{aws::AmazonS3Builder, local::LocalFileSystem, ObjectStore};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let store: Arc<dyn ObjectStore> = match args.as_slice() {
        ["s3", endpoint, bucket] => Arc::new(
            AmazonS3Builder::new()
                .with_endpoint(*endpoint)
                .with_allow_http(true)
                .with_region("us-east-1")
                .with_virtual_hosted_style_request(false)
                .with_bucket_name(*bucket)
                .with_access_key_id(env::var("AWS_ACCESS_KEY_ID")?)
                .with_secret_access_key(env::var("AWS_SECRET_ACCESS_KEY")?)
                .build()?,
        ),
        ["folder", path] => Arc::new(LocalFileSystem::new_with_prefix(path)?),
        _ => return Err("usage: (s3 ENDPOINT BUCKET | folder PATH)".into()),
    };
    let mut poller = ObjectStorePoller::new(store);
    for line in io::stdin().lines() {
        line?;
        let start = Instant::now();
        let events = poller.poll().await?;
        // Counting is part of it, as the events are made while they are read on the other side.
        let (mut added, mut modified, mut removed) = (0, 0, 0);
        for event in &events {
            match event {
                ExternalEvent::Added(_) => added += 1,
                ExternalEvent::Modified(_) => modified += 1,
                ExternalEvent::Removed(_) => removed += 1,
            }
        }
        drop(events);
        let ms = start.elapsed().as_secs_f64() * 1000.0;
        println!(
            "{{\"ms\":{ms:.3},\"added\":{added},\"modified\":{modified},\"removed\":{removed},\"rss\":{},\"peak\":{}}}",
            memory("VmRSS:"),
            memory("VmHWM:"),
        );
    }
    Ok(())
}

/// A figure of this process in bytes, or 0 where the system does not tell.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}
