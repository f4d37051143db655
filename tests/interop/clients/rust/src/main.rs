//! The AWS SDK for Rust. How a driver reports: `../../driver_protocol.py`.

use std::error::Error;
use std::future::Future;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{
    BucketVersioningStatus, CompletedMultipartUpload, CompletedPart, Delete, EncodingType, MetadataDirective,
    ObjectIdentifier, Tag, Tagging, VersioningConfiguration,
};
use aws_sdk_s3::Client;
use aws_smithy_http_client::tls::{rustls_provider::CryptoMode, Provider, TlsContext, TrustStore};
use aws_smithy_http_client::Builder;
use md5::{Digest, Md5};
use percent_encoding::{percent_decode_str, utf8_percent_encode, AsciiSet, NON_ALPHANUMERIC};
use serde_json::json;

const MIB: usize = 1 << 20;
const PART_SIZE: usize = 8 * MIB;
const BIG_SIZE: usize = 100 * MIB;
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Why a step failed.
type Outcome<T = ()> = Result<T, String>;

fn told<E: Error>(error: E) -> String {
    DisplayErrorContext(&error).to_string()
}

fn check(holds: bool, message: impl Into<String>) -> Outcome {
    if holds { Ok(()) } else { Err(message.into()) }
}

fn equal<T: PartialEq + std::fmt::Debug>(found: T, expected: T, what: &str) -> Outcome {
    let shown = |value: &T| format!("{value:?}").chars().take(300).collect::<String>();
    check(found == expected, format!("{what}: found {}, expected {}", shown(&found), shown(&expected)))
}

/// An answer that must be the server's refusal, with one of the codes (a HEAD's has none: its status then).
fn refused<T, E: ProvideErrorMetadata + Error + 'static>(
    answer: Result<T, SdkError<E, HttpResponse>>,
    codes: &[&str],
) -> Outcome {
    match answer {
        Ok(_) => Err(format!("succeeded, but should have been refused with one of {codes:?}")),
        Err(error) => {
            let status = error.raw_response().map(|response| response.status().as_u16().to_string());
            let code = error.code().map(str::to_owned).or(status).unwrap_or_default();
            check(codes.contains(&code.as_str()), format!("refused with {code}, expected {codes:?}: {}", told(error)))
        }
    }
}

fn file(size: usize) -> PathBuf {
    PathBuf::from(env::var("INTEROP_FILES").unwrap()).join(format!("size-{size}"))
}

fn keys(kind: &str) -> Vec<String> {
    let list = PathBuf::from(env::var("INTEROP_FILES").unwrap()).join(kind);
    let text = fs::read_to_string(list).unwrap();
    text.lines().map(|line| percent_decode_str(line).decode_utf8().unwrap().into_owned()).collect()
}

fn md5(data: &[u8]) -> String {
    Md5::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn multipart_etag(data: &[u8]) -> String {
    let digests: Vec<_> = data.chunks(PART_SIZE).map(|part| Md5::digest(part).to_vec()).collect();
    format!("\"{}-{}\"", md5(&digests.concat()), digests.len())
}

fn curl(url: &str, options: &[&str]) -> Outcome<(u16, Vec<u8>)> {
    let authority = env::var("INTEROP_CA_FILE").unwrap();
    let mut command = Command::new("curl");
    command.args(["-sS", "--globoff", "--path-as-is", "--max-time", "60", "--write-out", "\n%{http_code}"]);
    if !authority.is_empty() {
        command.args(["--cacert", &authority]);
    }
    let out = command.args(options).arg(url).output().map_err(told)?.stdout;
    let end = out.iter().rposition(|byte| *byte == b'\n').ok_or("curl said nothing")?;
    let status = std::str::from_utf8(&out[end + 1..]).map_err(told)?.parse().map_err(told)?;
    Ok((status, out[..end].to_vec()))
}

struct Store {
    client: Client,
    bucket: String,
    bucket_2: String,
    versioned: String,
    seeded: String,
}

impl Store {
    fn connect() -> Store {
        let set = |name: &str| env::var(format!("INTEROP_{name}")).unwrap();
        let mut http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
        if !set("CA_FILE").is_empty() {
            let trust = TrustStore::empty().with_pem_certificate(fs::read(set("CA_FILE")).unwrap());
            http = http.tls_context(TlsContext::builder().with_trust_store(trust).build().unwrap());
        }
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(set("ENDPOINT"))
            .region(Region::new(set("REGION")))
            .credentials_provider(Credentials::new(set("ACCESS_KEY"), set("SECRET_KEY"), None, None, "interop"))
            .force_path_style(true)
            .http_client(http.build_https())
            .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        let bucket = set("BUCKET");
        Store {
            client: Client::from_conf(config),
            bucket_2: format!("{bucket}-2"),
            versioned: format!("{bucket}-versions"),
            seeded: set("SEEDED_BUCKET"),
            bucket,
        }
    }

    async fn put(&self, bucket: &str, key: &str, data: &[u8]) -> Outcome<Option<String>> {
        let body = ByteStream::from(data.to_vec());
        let answer = self.client.put_object().bucket(bucket).key(key).body(body).send().await.map_err(told)?;
        Ok(answer.version_id().or(answer.e_tag()).map(str::to_owned))
    }

    async fn get(&self, bucket: &str, key: &str) -> Outcome<Vec<u8>> {
        let answer = self.client.get_object().bucket(bucket).key(key).send().await.map_err(told)?;
        Ok(answer.body.collect().await.map_err(told)?.to_vec())
    }

    async fn list(&self, bucket: &str, prefix: &str) -> Outcome<Vec<String>> {
        // Control characters: only encoded can XML hold them, and the program decodes.
        let encoding = prefix.contains("control").then_some(EncodingType::Url);
        let request = self.client.list_objects_v2().bucket(bucket).prefix(prefix).set_encoding_type(encoding.clone());
        let mut pages = request.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            for item in page.map_err(told)?.contents() {
                let key = item.key().unwrap_or_default();
                found.push(match encoding {
                    Some(_) => percent_decode_str(key).decode_utf8().map_err(told)?.into_owned(),
                    None => key.to_owned(),
                });
            }
        }
        Ok(found)
    }

    async fn create_bucket(&self) -> Outcome {
        for bucket in [&self.bucket, &self.bucket_2] {
            self.client.create_bucket().bucket(bucket).send().await.map_err(told)?;
            self.client.head_bucket().bucket(bucket).send().await.map_err(told)?;
        }
        let all = self.client.list_buckets().send().await.map_err(told)?;
        let names: Vec<_> = all.buckets().iter().filter_map(|bucket| bucket.name()).collect();
        check(names.contains(&self.bucket.as_str()), format!("the new bucket is not listed: {names:?}"))?;
        let absent = format!("{}-absent", self.bucket);
        refused(self.client.head_bucket().bucket(absent).send().await, &["NotFound", "NoSuchBucket", "404"])
    }

    async fn round_trip(&self, sizes: &[usize]) -> Outcome {
        for size in sizes {
            let (data, key) = (fs::read(file(*size)).map_err(told)?, format!("sizes/{size}"));
            let etag = self.put(&self.bucket, &key, &data).await?;
            equal(etag, Some(format!("\"{}\"", md5(&data))), "ETag")?;
            check(self.get(&self.bucket, &key).await? == data, format!("{size} bytes came back changed"))?;
            let head = self.client.head_object().bucket(&self.bucket).key(&key).send().await.map_err(told)?;
            equal(head.content_length(), Some(*size as i64), "HeadObject")?;
            // From a file: the body goes up in chunks, its checksum behind it.
            let body = ByteStream::from_path(file(*size)).await.map_err(told)?;
            let again = self.client.put_object().bucket(&self.bucket).key(&key).body(body).send().await;
            equal(again.map_err(told)?.e_tag(), head.e_tag(), "ETag from a file")?;
        }
        Ok(())
    }

    async fn multipart(&self) -> Outcome {
        let (client, bucket, key) = (&self.client, &self.bucket, "big");
        let upload = client.create_multipart_upload().bucket(bucket).key(key).send().await.map_err(told)?;
        let id = upload.upload_id().ok_or("no upload id")?;
        let mut parts = Vec::new();
        for (index, start) in (0..BIG_SIZE).step_by(PART_SIZE).enumerate() {
            let number = index as i32 + 1;
            let length = Length::Exact(PART_SIZE.min(BIG_SIZE - start) as u64);
            let body = ByteStream::read_from().path(file(BIG_SIZE)).offset(start as u64).length(length);
            let body = body.build().await.map_err(told)?;
            let request = client.upload_part().bucket(bucket).key(key).upload_id(id).part_number(number);
            let part = request.body(body).send().await.map_err(told)?;
            let done = CompletedPart::builder().part_number(number).set_e_tag(part.e_tag);
            parts.push(done.set_checksum_crc32(part.checksum_crc32).build());
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = client.complete_multipart_upload().bucket(bucket).key(key).upload_id(id);
        let completed = request.multipart_upload(parts).send().await.map_err(told)?;
        let data = fs::read(file(BIG_SIZE)).map_err(told)?;
        equal(completed.e_tag(), Some(multipart_etag(&data).as_str()), "ETag of the parts")?;
        check(self.get(bucket, key).await? == data, "other bytes came back")?;
        client.delete_object().bucket(bucket).key(key).send().await.map_err(told)?;
        Ok(())
    }

    async fn ranges(&self) -> Outcome {
        let data = fs::read(file(65537)).map_err(told)?;
        let request = || self.client.get_object().bucket(&self.bucket).key("sizes/65537");
        for (range, first, end) in [
            ("bytes=0-0", 0, 1),
            ("bytes=1-65535", 1, 65536),
            ("bytes=65530-", 65530, 65537),
            ("bytes=-100", 65437, 65537),
            ("bytes=65000-99999", 65000, 65537),
        ] {
            let got = request().range(range).send().await.map_err(told)?;
            let bytes = got.body.collect().await.map_err(told)?.to_vec();
            check(bytes == data[first..end], format!("{range}: wrong bytes"))?;
        }
        refused(request().range("bytes=65537-70000").send().await, &["InvalidRange"])
    }

    async fn metadata(&self) -> Outcome {
        let request = self.client.put_object().bucket(&self.bucket).key("metadata").body(ByteStream::from_static(b"x"));
        let request = request.content_type("text/x-odd; charset=utf-8").cache_control("max-age=60, private");
        request.metadata("plain", "value").send().await.map_err(told)?;
        let got = self.client.head_object().bucket(&self.bucket).key("metadata").send().await.map_err(told)?;
        equal(got.content_type(), Some("text/x-odd; charset=utf-8"), "content type")?;
        equal(got.cache_control(), Some("max-age=60, private"), "cache control")?;
        let plain = got.metadata().and_then(|all| all.get("plain")).map(String::as_str);
        equal(plain, Some("value"), "metadata")
    }

    async fn own_keys(&self, kind: &str) -> Outcome {
        let (own, prefix) = (keys(&format!("own-{kind}")), format!("own/{kind}/"));
        for key in &own {
            self.put(&self.bucket, key, key.as_bytes()).await?;
        }
        for key in &own {
            equal(self.get(&self.bucket, key).await?, key.clone().into_bytes(), "body")?;
        }
        equal(self.list(&self.bucket, &prefix).await?, own.clone(), "listed")?;
        for key in &own {
            self.client.delete_object().bucket(&self.bucket).key(key).send().await.map_err(told)?;
        }
        equal(self.list(&self.bucket, &prefix).await?, vec![], "listed after all were deleted")
    }

    async fn listed(&self, kind: &str) -> Outcome {
        let found = self.list(&self.seeded, &format!("{kind}/")).await?;
        equal(found, keys(&format!("listed-{kind}")), "keys")
    }

    async fn list_folders(&self) -> Outcome {
        let request = self.client.list_objects_v2().bucket(&self.seeded).prefix("folders/").delimiter("/");
        let got = request.send().await.map_err(told)?;
        let folders: Vec<_> = got.common_prefixes().iter().filter_map(|item| item.prefix()).collect();
        equal(folders, vec!["folders/a b/", "folders/a/", "folders/b+c/", "folders/ü/"], "folders")?;
        let found: Vec<_> = got.contents().iter().filter_map(|item| item.key()).collect();
        equal(found, vec!["folders/file", "folders/z%"], "keys")
    }

    async fn copy(&self) -> Outcome {
        let (source, data) = ("copy/source ü + % a//b", fs::read(file(65537)).map_err(told)?);
        let request = self.client.put_object().bucket(&self.bucket).key(source).metadata("kept", "yes");
        request.body(ByteStream::from(data.clone())).send().await.map_err(told)?;
        let origin = format!("{}/{}", self.bucket, utf8_percent_encode(source, PATH));
        let to = self.client.copy_object().bucket(&self.bucket_2).key("copy/target").copy_source(&origin);
        to.send().await.map_err(told)?;
        check(self.get(&self.bucket_2, "copy/target").await? == data, "the copy's bytes differ")?;
        let onto_itself = self.client.copy_object().bucket(&self.bucket).key(source).copy_source(&origin);
        let replaced = onto_itself.metadata_directive(MetadataDirective::Replace).metadata("new", "1");
        replaced.send().await.map_err(told)?;
        let head = self.client.head_object().bucket(&self.bucket).key(source).send().await.map_err(told)?;
        let names: Vec<_> = head.metadata().map(|all| all.keys().cloned().collect()).unwrap_or_default();
        equal(names, vec!["new".to_owned()], "a copy onto itself")?;
        let absent = format!("{}/absent", self.bucket);
        let request = self.client.copy_object().bucket(&self.bucket).key("x").copy_source(absent);
        refused(request.send().await, &["NoSuchKey"])
    }

    async fn delete_batch(&self) -> Outcome {
        let mut own: Vec<_> = keys("own-odd").iter().map(|key| key.replacen("own/odd/", "batch/", 1)).collect();
        while own.len() < 60 {
            own.push(format!("batch/{}", own.len()));
        }
        for key in &own {
            self.put(&self.bucket, key, b"x").await?;
        }
        let named = own.iter().map(|key| ObjectIdentifier::builder().key(key).build());
        let objects: Vec<_> = named.collect::<Result<_, _>>().map_err(told)?;
        let delete = Delete::builder().set_objects(Some(objects)).build().map_err(told)?;
        let answer = self.client.delete_objects().bucket(&self.bucket).delete(delete).send().await.map_err(told)?;
        equal((answer.errors().len(), answer.deleted().len()), (0, 60), "errors and deleted")?;
        equal(self.list(&self.bucket, "batch/").await?, vec![], "listed afterwards")
    }

    async fn tags(&self) -> Outcome {
        let (client, bucket, key) = (&self.client, &self.bucket, "tagged");
        let shown = |set: &[Tag]| {
            let mut pairs: Vec<_> = set.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
            pairs.sort();
            pairs
        };
        let given = vec![("a b+c".to_owned(), "ü/=@".to_owned()), ("team".to_owned(), "storage".to_owned())];
        let made = given.iter().map(|(name, value)| Tag::builder().key(name).value(value).build());
        let set = made.collect::<Result<_, _>>().map_err(told)?;
        let tagging = Tagging::builder().set_tag_set(Some(set)).build().map_err(told)?;
        self.put(bucket, key, b"x").await?;
        let request = client.put_object_tagging().bucket(bucket).key(key).tagging(tagging.clone());
        request.send().await.map_err(told)?;
        let got = client.get_object_tagging().bucket(bucket).key(key).send().await.map_err(told)?;
        equal(shown(got.tag_set()), given.clone(), "tags of the object")?;
        client.delete_object_tagging().bucket(bucket).key(key).send().await.map_err(told)?;
        refused(client.get_bucket_tagging().bucket(bucket).send().await, &["NoSuchTagSet"])?;
        client.put_bucket_tagging().bucket(bucket).tagging(tagging).send().await.map_err(told)?;
        let got = client.get_bucket_tagging().bucket(bucket).send().await.map_err(told)?;
        equal(shown(got.tag_set()), given, "tags of the bucket")?;
        client.delete_bucket_tagging().bucket(bucket).send().await.map_err(told)?;
        Ok(())
    }

    async fn versions(&self) -> Outcome {
        let (client, bucket, key) = (&self.client, &self.versioned, "kept ü");
        client.create_bucket().bucket(bucket).send().await.map_err(told)?;
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let request = client.put_bucket_versioning().bucket(bucket).versioning_configuration(enabled);
        request.send().await.map_err(told)?;
        let first = self.put(bucket, key, b"first").await?.unwrap_or_default();
        let second = self.put(bucket, key, b"second").await?.unwrap_or_default();
        let old = client.get_object().bucket(bucket).key(key).version_id(&first).send().await.map_err(told)?;
        equal(old.body.collect().await.map_err(told)?.to_vec(), b"first".to_vec(), "the old version")?;
        let marker = client.delete_object().bucket(bucket).key(key).send().await.map_err(told)?;
        equal(marker.delete_marker(), Some(true), "delete marker")?;
        refused(client.get_object().bucket(bucket).key(key).send().await, &["NoSuchKey"])?;
        let all = client.list_object_versions().bucket(bucket).send().await.map_err(told)?;
        let ids: Vec<_> = all.versions().iter().filter_map(|item| item.version_id()).collect();
        equal(ids, vec![second.as_str(), first.as_str()], "versions, newest first")?;
        let request = client.delete_object().bucket(bucket).key(key).set_version_id(marker.version_id);
        request.send().await.map_err(told)?;
        equal(self.get(bucket, key).await?, b"second".to_vec(), "the newest version is back")
    }

    async fn presign_get(&self) -> Outcome {
        let (key, data) = ("signed/a b+ü%.bin", fs::read(file(65537)).map_err(told)?);
        self.put(&self.bucket, key, &data).await?;
        let soon = PresigningConfig::expires_in(Duration::from_secs(300)).map_err(told)?;
        let request = self.client.get_object().bucket(&self.bucket).key(key).presigned(soon).await.map_err(told)?;
        let (status, body) = curl(request.uri(), &[])?;
        check(status == 200 && body == data, format!("curl got {status}"))?;
        let (status, _) = curl(&request.uri().replacen("/signed/", "/signee/", 1), &[])?;
        equal(status, 403, "status for another key")
    }

    async fn presign_put(&self) -> Outcome {
        let key = "signed/put ü";
        let soon = PresigningConfig::expires_in(Duration::from_secs(300)).map_err(told)?;
        let request = self.client.put_object().bucket(&self.bucket).key(key).presigned(soon).await.map_err(told)?;
        let path = file(65537);
        let (status, body) = curl(request.uri(), &["--upload-file", path.to_str().unwrap()])?;
        check(status == 200, format!("{status}: {}", String::from_utf8_lossy(&body)))?;
        check(self.get(&self.bucket, key).await? == fs::read(path).map_err(told)?, "other bytes stand there")
    }

    async fn conditional_writes(&self) -> Outcome {
        let request = |body: &'static [u8]| {
            let body = ByteStream::from_static(body);
            self.client.put_object().bucket(&self.bucket).key("lock").body(body)
        };
        let etag = request(b"1").if_none_match("*").send().await.map_err(told)?.e_tag.unwrap_or_default();
        refused(request(b"2").if_none_match("*").send().await, &["PreconditionFailed"])?;
        let stale = format!("\"{}\"", "0".repeat(32));
        refused(request(b"2").if_match(stale).send().await, &["PreconditionFailed"])?;
        equal(self.get(&self.bucket, "lock").await?, b"1".to_vec(), "body after refused writes")?;
        request(b"3").if_match(etag).send().await.map_err(told)?;
        equal(self.get(&self.bucket, "lock").await?, b"3".to_vec(), "body after the allowed write")
    }

    async fn delete_bucket(&self) -> Outcome {
        refused(self.client.delete_bucket().bucket(&self.bucket).send().await, &["BucketNotEmpty"])?;
        for bucket in [&self.bucket, &self.bucket_2, &self.versioned] {
            let all = self.client.list_object_versions().bucket(bucket).send().await.map_err(told)?;
            let versions = all.versions().iter().map(|item| (item.key(), item.version_id()));
            let markers = all.delete_markers().iter().map(|item| (item.key(), item.version_id()));
            for (key, version) in versions.chain(markers) {
                let request = self.client.delete_object().bucket(bucket).key(key.unwrap_or_default());
                request.set_version_id(version.map(str::to_owned)).send().await.map_err(told)?;
            }
            self.client.delete_bucket().bucket(bucket).send().await.map_err(told)?;
            let gone = self.client.head_bucket().bucket(bucket).send().await;
            refused(gone, &["NotFound", "NoSuchBucket", "404"])?;
        }
        Ok(())
    }
}

async fn step(name: &str, partly: &str, work: impl Future<Output = Outcome>) {
    let started = Instant::now();
    let said = match work.await {
        Ok(()) => {
            json!({"step": name, "result": "passed", "seconds": started.elapsed().as_secs_f64(), "why": partly})
        }
        Err(why) => json!({"step": name, "result": "failed", "why": why}),
    };
    println!("{said}");
}

#[tokio::main]
async fn main() {
    let store = Store::connect();
    let encoded = "asked to list with encoding-type=url, and the program decodes: it does not by itself";
    println!("{}", json!({"client": "aws-sdk-rust", "version": aws_sdk_s3::meta::PKG_VERSION}));
    step("create_bucket", "", store.create_bucket()).await;
    step("put_get_empty", "", store.round_trip(&[0])).await;
    step("put_get_1_byte", "", store.round_trip(&[1])).await;
    step("put_get_64k", "", store.round_trip(&[65535, 65536, 65537])).await;
    step("put_get_8m", "", store.round_trip(&[8 * MIB - 1, 8 * MIB, 8 * MIB + 1])).await;
    step("multipart_100m", "", store.multipart()).await;
    step("ranges", "", store.ranges()).await;
    step("metadata", "", store.metadata()).await;
    step("odd_keys", "", store.own_keys("odd")).await;
    step("slash_keys", "", store.own_keys("slash")).await;
    step("control_keys", encoded, store.own_keys("control")).await;
    step("list_odd_keys", "", store.listed("odd")).await;
    step("list_slash_keys", "", store.listed("slash")).await;
    step("list_control_keys", encoded, store.listed("control")).await;
    step("list_folders", "", store.list_folders()).await;
    step("copy", "", store.copy()).await;
    step("delete_batch", "", store.delete_batch()).await;
    step("tags", "", store.tags()).await;
    step("versions", "", store.versions()).await;
    step("presign_get", "", store.presign_get()).await;
    step("presign_put", "", store.presign_put()).await;
    step("conditional_writes", "", store.conditional_writes()).await;
    step("delete_bucket", "", store.delete_bucket()).await;
}
