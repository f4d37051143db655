// The AWS SDK for JavaScript, version 3. How a driver reports: ../driver_protocol.py.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, readFileSync, statSync } from "node:fs";
import { Agent } from "node:https";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import * as s3 from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const env = process.env;
const MIB = 1024 * 1024;
const PART_SIZE = 8 * MIB;
const BIG_SIZE = 100 * MIB;
const bucket = env.INTEROP_BUCKET;
const bucket2 = `${bucket}-2`;
const versionedBucket = `${bucket}-versions`;
const seeded = env.INTEROP_SEEDED_BUCKET;

const client = new s3.S3Client({
  endpoint: env.INTEROP_ENDPOINT,
  region: env.INTEROP_REGION,
  credentials: { accessKeyId: env.INTEROP_ACCESS_KEY, secretAccessKey: env.INTEROP_SECRET_KEY },
  forcePathStyle: true,
  maxAttempts: 1,
  requestHandler: env.INTEROP_CA_FILE
    ? { httpsAgent: new Agent({ ca: readFileSync(env.INTEROP_CA_FILE), keepAlive: true }) }
    : {},
});

const lacks = {};
const partly = {};

const file = (size) => join(env.INTEROP_FILES, `size-${size}`);
const keys = (kind) =>
  readFileSync(join(env.INTEROP_FILES, kind), "ascii").split("\n").filter(Boolean).map(decodeURIComponent);
const call = (operation, input) => client.send(new s3[`${operation}Command`](input));
const md5 = (data) => createHash("md5").update(data).digest("hex");
const byBytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

function check(holds, message) {
  if (!holds) throw new Error(message);
}

function checkEqual(found, expected, what) {
  const [one, other] = [JSON.stringify(found), JSON.stringify(expected)];
  if (one === other) return;
  if (Array.isArray(found) && Array.isArray(expected)) {
    const missing = expected.filter((item) => !found.includes(item)).slice(0, 5);
    const extra = found.filter((item) => !expected.includes(item)).slice(0, 5);
    throw new Error(`${what}: missing ${JSON.stringify(missing)}, not expected ${JSON.stringify(extra)}`);
  }
  throw new Error(`${what}: found ${one?.slice(0, 300)}, expected ${other?.slice(0, 300)}`);
}

async function refused(names, operation, input) {
  try {
    await call(operation, input);
  } catch (error) {
    check(names.includes(error.name), `${operation}: refused with ${error.name}: ${error.message}, expected ${names}`);
    return;
  }
  throw new Error(`${operation} succeeded, but should have been refused with one of ${names}`);
}

async function getBytes(input) {
  const answer = await call("GetObject", input);
  return Buffer.from(await answer.Body.transformToByteArray());
}

async function listKeys(Bucket, Prefix) {
  const found = [];
  for await (const page of s3.paginateListObjectsV2({ client }, { Bucket, Prefix })) {
    found.push(...(page.Contents ?? []).map((item) => item.Key));
  }
  return found;
}

function curl(url, ...options) {
  const trust = env.INTEROP_CA_FILE ? ["--cacert", env.INTEROP_CA_FILE] : [];
  const fixed = ["-sS", "--globoff", "--path-as-is", "--max-time", "60", ...trust];
  const out = execFileSync("curl", [...fixed, ...options, "--write-out", "\n%{http_code}", url], {
    maxBuffer: 64 * MIB,
  });
  const end = out.lastIndexOf("\n");
  return { status: Number(out.subarray(end + 1)), body: out.subarray(0, end) };
}

function multipartEtag(path) {
  const data = readFileSync(path);
  const digests = [];
  for (let start = 0; start < data.length; start += PART_SIZE) {
    digests.push(createHash("md5").update(data.subarray(start, start + PART_SIZE)).digest());
  }
  return `"${md5(Buffer.concat(digests))}-${digests.length}"`;
}

async function roundTrip(sizes) {
  for (const size of sizes) {
    const data = readFileSync(file(size));
    const Key = `sizes/${size}`;
    const put = await call("PutObject", { Bucket: bucket, Key, Body: data });
    checkEqual(put.ETag, `"${md5(data)}"`, `ETag, ${size} bytes`);
    check((await getBytes({ Bucket: bucket, Key })).equals(data), `${size} bytes came back changed`);
    const head = await call("HeadObject", { Bucket: bucket, Key });
    checkEqual([head.ETag, head.ContentLength], [put.ETag, size], `HeadObject, ${size} bytes`);
    // From a stream: the body goes up in chunks, its checksum behind it.
    const streamed = { Bucket: bucket, Key, Body: createReadStream(file(size)), ContentLength: size };
    checkEqual((await call("PutObject", streamed)).ETag, put.ETag, `ETag from a stream, ${size} bytes`);
  }
}

async function ownKeys(kind, own = keys(`own-${kind}`)) {
  await Promise.all(own.map((Key) => call("PutObject", { Bucket: bucket, Key, Body: Key })));
  for (const Key of own) checkEqual((await getBytes({ Bucket: bucket, Key })).toString(), Key, "body");
  checkEqual(await listKeys(bucket, `own/${kind}/`), own, "listed");
  await Promise.all(own.map((Key) => call("DeleteObject", { Bucket: bucket, Key })));
  checkEqual(await listKeys(bucket, `own/${kind}/`), [], "listed after all were deleted");
}

const steps = {
  async create_bucket() {
    for (const Bucket of [bucket, bucket2]) {
      await call("CreateBucket", { Bucket });
      await call("HeadBucket", { Bucket });
    }
    const names = (await call("ListBuckets", {})).Buckets.map((item) => item.Name);
    check(names.includes(bucket) && names.includes(bucket2), `the new buckets are not listed: ${names}`);
    await refused(["NotFound", "NoSuchBucket"], "HeadBucket", { Bucket: `${bucket}-absent` });
  },
  put_get_empty: () => roundTrip([0]),
  put_get_1_byte: () => roundTrip([1]),
  put_get_64k: () => roundTrip([65535, 65536, 65537]),
  put_get_8m: () => roundTrip([8 * MIB - 1, 8 * MIB, 8 * MIB + 1]),
  async multipart_100m() {
    const path = file(BIG_SIZE);
    const back = join(env.INTEROP_WORK, "big");
    const params = { Bucket: bucket, Key: "big", Body: createReadStream(path) };
    await new Upload({ client, params, partSize: PART_SIZE, queueSize: 4 }).done();
    const head = await call("HeadObject", { Bucket: bucket, Key: "big" });
    checkEqual(head.ETag, multipartEtag(path), "ETag of the parts");
    const got = await call("GetObject", { Bucket: bucket, Key: "big" });
    await pipeline(got.Body, createWriteStream(back));
    checkEqual([statSync(back).size, md5(readFileSync(back))], [BIG_SIZE, md5(readFileSync(path))], "what came back");
    await call("DeleteObject", { Bucket: bucket, Key: "big" });
  },
  async ranges() {
    const data = readFileSync(file(65537));
    const where = { Bucket: bucket, Key: "sizes/65537" };
    for (const [Range, first, last] of [
      ["bytes=0-0", 0, 0],
      ["bytes=1-65535", 1, 65535],
      ["bytes=65530-", 65530, 65536],
      ["bytes=-100", 65437, 65536],
      ["bytes=65000-99999", 65000, 65536],
    ]) {
      const got = await call("GetObject", { ...where, Range });
      const bytes = Buffer.from(await got.Body.transformToByteArray());
      check(bytes.equals(data.subarray(first, last + 1)), `${Range}: wrong bytes`);
      checkEqual(got.ContentRange, `bytes ${first}-${last}/65537`, Range);
    }
    await refused(["InvalidRange"], "GetObject", { ...where, Range: "bytes=65537-70000" });
  },
  async metadata() {
    const given = {
      ContentType: "text/x-odd; charset=utf-8",
      CacheControl: "max-age=60, private",
      ContentDisposition: 'attachment; filename="a b.txt"',
      ContentLanguage: "de",
      Metadata: { plain: "value", "dashed-name": "with  two spaces" },
    };
    await call("PutObject", { Bucket: bucket, Key: "metadata", Body: "x", ...given });
    const got = await call("HeadObject", { Bucket: bucket, Key: "metadata" });
    for (const [name, value] of Object.entries(given)) checkEqual(got[name], value, name);
  },
  odd_keys: () => ownKeys("odd"),
  slash_keys: () => ownKeys("slash"),
  control_keys: () => ownKeys("control"),
  async list_odd_keys() {
    checkEqual(await listKeys(seeded, "odd/"), keys("listed-odd"), "keys");
    const page = await call("ListObjectsV2", { Bucket: seeded, Prefix: "odd/", MaxKeys: 7 });
    checkEqual([page.KeyCount, page.IsTruncated], [7, true], "a page of 7");
  },
  list_slash_keys: async () => checkEqual(await listKeys(seeded, "slash/"), keys("listed-slash"), "keys"),
  list_control_keys: async () => checkEqual(await listKeys(seeded, "control/"), keys("listed-control"), "keys"),
  async list_folders() {
    for (const operation of ["ListObjectsV2", "ListObjects"]) {
      const got = await call(operation, { Bucket: seeded, Prefix: "folders/", Delimiter: "/" });
      const folders = got.CommonPrefixes.map((item) => item.Prefix);
      checkEqual(folders, ["folders/a b/", "folders/a/", "folders/b+c/", "folders/ü/"], `folders, ${operation}`);
      const found = got.Contents.map((item) => item.Key);
      checkEqual(found, ["folders/file", "folders/z%"], `keys, ${operation}`);
    }
  },
  async copy() {
    const source = "copy/source ü + % a//b";
    const data = readFileSync(file(65537));
    const where = { Bucket: bucket, Key: source };
    await call("PutObject", { ...where, Body: data, Metadata: { kept: "yes" } });
    const CopySource = `${bucket}/${source.split("/").map(encodeURIComponent).join("/")}`;
    const copied = await call("CopyObject", { Bucket: bucket2, Key: "copy/target", CopySource });
    checkEqual(copied.CopyObjectResult.ETag, `"${md5(data)}"`, "ETag of the copy");
    check((await getBytes({ Bucket: bucket2, Key: "copy/target" })).equals(data), "the copy's bytes differ");
    const kept = await call("HeadObject", { Bucket: bucket2, Key: "copy/target" });
    checkEqual(kept.Metadata, { kept: "yes" }, "what the copy keeps");
    await call("CopyObject", { ...where, CopySource, MetadataDirective: "REPLACE", Metadata: { new: "1" } });
    checkEqual((await call("HeadObject", where)).Metadata, { new: "1" }, "a copy onto itself");
    await refused(["NoSuchKey"], "CopyObject", { ...where, CopySource: `${bucket}/absent` });
  },
  async delete_batch() {
    const own = keys("own-odd").map((key) => key.replace("own/odd/", "batch/"));
    while (own.length < 60) own.push(`batch/${own.length}`);
    await Promise.all(own.map((Key) => call("PutObject", { Bucket: bucket, Key, Body: "x" })));
    const Objects = [...own, "batch/absent"].map((Key) => ({ Key }));
    const answer = await call("DeleteObjects", { Bucket: bucket, Delete: { Objects } });
    checkEqual(answer.Errors ?? [], [], "errors");
    const deleted = answer.Deleted.map((item) => item.Key).sort(byBytes);
    checkEqual(deleted, [...own, "batch/absent"].sort(byBytes), "what the answer says is deleted");
    checkEqual(await listKeys(bucket, "batch/"), [], "listed afterwards");
  },
  async tags() {
    const TagSet = [{ Key: "a b+c", Value: "ü/=@" }, { Key: "team", Value: "storage" }];
    const sorted = (tags) => tags.map(({ Key, Value }) => ({ Key, Value })).sort((a, b) => byBytes(a.Key, b.Key));
    const where = { Bucket: bucket, Key: "tagged" };
    await call("PutObject", { ...where, Body: "x", Tagging: "first=1&second=a%20b" });
    const first = (await call("GetObjectTagging", where)).TagSet;
    checkEqual(sorted(first), [{ Key: "first", Value: "1" }, { Key: "second", Value: "a b" }], "tags of the header");
    await call("PutObjectTagging", { ...where, Tagging: { TagSet } });
    checkEqual(sorted((await call("GetObjectTagging", where)).TagSet), TagSet, "tags of the object");
    await call("DeleteObjectTagging", where);
    checkEqual((await call("GetObjectTagging", where)).TagSet, [], "tags after they were removed");
    await refused(["NoSuchTagSet"], "GetBucketTagging", { Bucket: bucket });
    await call("PutBucketTagging", { Bucket: bucket, Tagging: { TagSet } });
    checkEqual(sorted((await call("GetBucketTagging", { Bucket: bucket })).TagSet), TagSet, "tags of the bucket");
    await call("DeleteBucketTagging", { Bucket: bucket });
  },
  async versions() {
    const where = { Bucket: versionedBucket, Key: "kept ü" };
    await call("CreateBucket", { Bucket: versionedBucket });
    const enabled = { Bucket: versionedBucket, VersioningConfiguration: { Status: "Enabled" } };
    await call("PutBucketVersioning", enabled);
    checkEqual((await call("GetBucketVersioning", { Bucket: versionedBucket })).Status, "Enabled", "versioning");
    const ids = [];
    for (const Body of ["first", "second"]) ids.push((await call("PutObject", { ...where, Body })).VersionId);
    checkEqual((await getBytes({ ...where, VersionId: ids[0] })).toString(), "first", "the old version");
    const marker = await call("DeleteObject", where);
    checkEqual(marker.DeleteMarker, true, "a delete marker");
    await refused(["NoSuchKey"], "GetObject", where);
    const listed = await call("ListObjectVersions", { Bucket: versionedBucket });
    checkEqual(listed.Versions.map((item) => item.VersionId), [...ids].reverse(), "versions, newest first");
    checkEqual(listed.DeleteMarkers.map((item) => item.VersionId), [marker.VersionId], "delete markers");
    await call("DeleteObject", { ...where, VersionId: marker.VersionId });
    checkEqual((await getBytes(where)).toString(), "second", "the newest version is back");
  },
  async presign_get() {
    const where = { Bucket: bucket, Key: "signed/a b+ü%.bin" };
    const data = readFileSync(file(65537));
    await call("PutObject", { ...where, Body: data });
    const url = await getSignedUrl(client, new s3.GetObjectCommand(where), { expiresIn: 300 });
    const { status, body } = curl(url);
    check(status === 200 && body.equals(data), `curl got ${status}: ${body.subarray(0, 500)}`);
    checkEqual(curl(url.replace("/signed/", "/signee/")).status, 403, "status for another key");
  },
  async presign_put() {
    const where = { Bucket: bucket, Key: "signed/put ü" };
    const url = await getSignedUrl(client, new s3.PutObjectCommand(where), { expiresIn: 300 });
    const { status, body } = curl(url, "--upload-file", file(65537));
    checkEqual(status, 200, body.toString().slice(0, 500));
    check((await getBytes(where)).equals(readFileSync(file(65537))), "other bytes stand there");
  },
  async conditional_writes() {
    const where = { Bucket: bucket, Key: "lock" };
    const { ETag } = await call("PutObject", { ...where, Body: "1", IfNoneMatch: "*" });
    await refused(["PreconditionFailed"], "PutObject", { ...where, Body: "2", IfNoneMatch: "*" });
    await refused(["PreconditionFailed"], "PutObject", { ...where, Body: "2", IfMatch: `"${"0".repeat(32)}"` });
    checkEqual((await getBytes(where)).toString(), "1", "body after refused writes");
    await call("PutObject", { ...where, Body: "3", IfMatch: ETag });
    checkEqual((await getBytes(where)).toString(), "3", "body after the allowed write");
  },
  async delete_bucket() {
    await refused(["BucketNotEmpty"], "DeleteBucket", { Bucket: bucket });
    for (const Bucket of [bucket, bucket2, versionedBucket]) {
      const listed = await call("ListObjectVersions", { Bucket });
      const all = [...(listed.Versions ?? []), ...(listed.DeleteMarkers ?? [])];
      const Objects = all.map(({ Key, VersionId }) => ({ Key, VersionId }));
      if (Objects.length) await call("DeleteObjects", { Bucket, Delete: { Objects, Quiet: true } });
      await call("DeleteBucket", { Bucket });
      await refused(["NotFound", "NoSuchBucket"], "HeadBucket", { Bucket });
    }
  },
};

const say = (fields) => process.stdout.write(JSON.stringify(fields) + "\n");
const manifest = createRequire(import.meta.url)("@aws-sdk/client-s3/package.json");
say({ client: "aws-sdk-js v3", version: manifest.version });
for (const [step, run] of Object.entries(steps)) {
  if (lacks[step]) {
    say({ step, result: "n/a", why: lacks[step] });
    continue;
  }
  const started = performance.now();
  try {
    await run();
    const seconds = Math.round(performance.now() - started) / 1000;
    say({ step, result: "passed", seconds, why: partly[step] ?? "" });
  } catch (error) {
    say({ step, result: "failed", why: `${error.name}: ${error.message}\n${error.stack}` });
  }
}
client.destroy();
