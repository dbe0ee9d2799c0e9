//! The fetcher of the files of modules.

use std::sync::Arc;

use deno_cache_dir::file_fetcher::BlobData;
use deno_core::url::Url;
use deno_resolver::file_fetcher::PermissionedFileFetcher;
use deno_web::BlobStoreTrait;

use crate::packages::fetch::ModuleClient;
use crate::packages::sys::Sys;

/// Fetches the files of modules, from the cache and from their hosts.
pub(super) type FileFetcher = PermissionedFileFetcher<Blobs, Sys, ModuleClient>;

/// The store that `blob:` URLs are resolved in.
#[derive(Debug)]
pub(super) struct Blobs(pub Option<Arc<dyn BlobStoreTrait>>);

#[async_trait::async_trait(?Send)]
impl deno_cache_dir::file_fetcher::BlobStore for Blobs {
    async fn get(&self, specifier: &Url) -> std::io::Result<Option<BlobData>> {
        let blob = self
            .0
            .as_ref()
            .and_then(|store| store.get_object_url(specifier.clone()));
        Ok(match blob {
            Some(blob) => Some(BlobData {
                media_type: blob.media_type.clone(),
                bytes: blob.read_all().await,
            }),
            None => None,
        })
    }
}
