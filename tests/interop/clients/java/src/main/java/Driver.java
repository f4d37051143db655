import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import javax.net.ssl.TrustManagerFactory;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.core.util.VersionInfo;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.DefaultRetryStrategy;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.BucketVersioningStatus;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.CopyObjectRequest;
import software.amazon.awssdk.services.s3.model.EncodingType;
import software.amazon.awssdk.services.s3.model.GetObjectRequest;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.MetadataDirective;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.ObjectVersion;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;
import software.amazon.awssdk.services.s3.model.PutObjectResponse;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;
import software.amazon.awssdk.services.s3.model.Tag;
import software.amazon.awssdk.services.s3.model.Tagging;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;

/** The AWS SDK for Java, version 2. How a driver reports: ../driver_protocol.py. */
public final class Driver {
  private static final int MIB = 1 << 20;
  private static final int PART_SIZE = 8 * MIB;
  private static final int BIG_SIZE = 100 * MIB;
  private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

  private final String bucket = set("BUCKET");
  private final String bucket2 = bucket + "-2";
  private final String versioned = bucket + "-versions";
  private final String seeded = set("SEEDED_BUCKET");
  private final StaticCredentialsProvider credentials =
      StaticCredentialsProvider.create(AwsBasicCredentials.create(set("ACCESS_KEY"), set("SECRET_KEY")));
  private final S3Client client = connect();

  private interface Work {
    void run() throws Exception;
  }

  private static String set(String name) {
    return System.getenv("INTEROP_" + name);
  }

  private S3Client connect() {
    UrlConnectionHttpClient.Builder http = UrlConnectionHttpClient.builder();
    if (!set("CA_FILE").isEmpty()) {
      http.tlsTrustManagersProvider(() -> trust().getTrustManagers());
    }
    return S3Client.builder()
        .endpointOverride(URI.create(set("ENDPOINT")))
        .region(Region.of(set("REGION")))
        .credentialsProvider(credentials)
        .forcePathStyle(true)
        .httpClientBuilder(http)
        .overrideConfiguration(c -> c.retryStrategy(DefaultRetryStrategy.doNotRetry()))
        .build();
  }

  private static TrustManagerFactory trust() {
    try {
      KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null, null);
      byte[] pem = Files.readAllBytes(Path.of(set("CA_FILE")));
      CertificateFactory factory = CertificateFactory.getInstance("X.509");
      store.setCertificateEntry("tests", factory.generateCertificate(new ByteArrayInputStream(pem)));
      TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      managers.init(store);
      return managers;
    } catch (Exception error) {
      throw new IllegalStateException(error);
    }
  }

  private static void check(boolean holds, String message) {
    if (!holds) {
      throw new AssertionError(message);
    }
  }

  private static void equal(Object found, Object expected, String what) {
    if (!found.equals(expected)) {
      throw new AssertionError(what + ": found " + shown(found) + ", expected " + shown(expected));
    }
  }

  private static String shown(Object value) {
    String text = String.valueOf(value);
    return text.length() > 300 ? text.substring(0, 300) + "…" : text;
  }

  private static void refused(Set<String> codes, Work work) throws Exception {
    try {
      work.run();
    } catch (S3Exception error) {
      String said = error.awsErrorDetails() == null ? "" : error.awsErrorDetails().errorCode();
      String code = said == null || said.isEmpty() ? String.valueOf(error.statusCode()) : said;
      check(codes.contains(code), "refused with " + code + ": " + error.getMessage() + ", expected " + codes);
      return;
    }
    throw new AssertionError("succeeded, but should have been refused with one of " + codes);
  }

  private static Path file(int size) {
    return Path.of(set("FILES"), "size-" + size);
  }

  private static byte[] bytes(int size) {
    try {
      return Files.readAllBytes(file(size));
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private static List<String> keys(String kind) throws IOException {
    // The lists encode a plus as %2B and a space as %20, so the form decoder reads them rightly.
    return Files.readAllLines(Path.of(set("FILES"), kind), StandardCharsets.US_ASCII).stream()
        .map(line -> URLDecoder.decode(line, StandardCharsets.UTF_8))
        .collect(Collectors.toList());
  }

  private static String md5(byte[] data) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(data));
  }

  private static String multipartEtag(byte[] data) throws Exception {
    MessageDigest all = MessageDigest.getInstance("MD5");
    int parts = 0;
    for (int start = 0; start < data.length; start += PART_SIZE, parts++) {
      MessageDigest one = MessageDigest.getInstance("MD5");
      one.update(data, start, Math.min(PART_SIZE, data.length - start));
      all.update(one.digest());
    }
    return "\"" + HexFormat.of().formatHex(all.digest()) + "-" + parts + "\"";
  }

  private record Answer(int status, byte[] body) {}

  private static Answer curl(String url, String... options) throws Exception {
    List<String> command = new ArrayList<>(List.of("curl", "-sS", "--globoff", "--path-as-is", "--max-time", "60"));
    if (!set("CA_FILE").isEmpty()) {
      command.addAll(List.of("--cacert", set("CA_FILE")));
    }
    command.addAll(List.of(options));
    command.addAll(List.of("--write-out", "\n%{http_code}", url));
    Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    byte[] out = process.getInputStream().readAllBytes();
    int end = out.length - 4;
    return new Answer(Integer.parseInt(new String(out, end + 1, 3)), Arrays.copyOf(out, end));
  }

  private PutObjectResponse put(String to, String key, byte[] data, Consumer<PutObjectRequest.Builder> change) {
    PutObjectRequest.Builder request = PutObjectRequest.builder().bucket(to).key(key);
    change.accept(request);
    return client.putObject(request.build(), RequestBody.fromBytes(data));
  }

  private PutObjectResponse put(String key, String body) {
    return put(bucket, key, body.getBytes(StandardCharsets.UTF_8), request -> {});
  }

  private ResponseBytes<GetObjectResponse> get(String from, String key, Consumer<GetObjectRequest.Builder> change) {
    GetObjectRequest.Builder request = GetObjectRequest.builder().bucket(from).key(key);
    change.accept(request);
    return client.getObjectAsBytes(request.build());
  }

  private String text(String from, String key) {
    return get(from, key, request -> {}).asUtf8String();
  }

  private List<String> list(String from, String prefix) {
    // Control characters: only encoded can XML hold them; the SDK decodes.
    EncodingType encoding = prefix.contains("control") ? EncodingType.URL : null;
    return client.listObjectsV2Paginator(r -> r.bucket(from).prefix(prefix).encodingType(encoding)).contents().stream()
        .map(S3Object::key)
        .collect(Collectors.toList());
  }

  private void createBucket() throws Exception {
    for (String name : List.of(bucket, bucket2)) {
      client.createBucket(r -> r.bucket(name));
      client.headBucket(r -> r.bucket(name));
    }
    Set<String> names = client.listBuckets().buckets().stream().map(b -> b.name()).collect(Collectors.toSet());
    check(names.containsAll(Set.of(bucket, bucket2)), "the new buckets are not listed: " + names);
    refused(Set.of("NoSuchBucket", "404"), () -> client.headBucket(r -> r.bucket(bucket + "-absent")));
  }

  private Work roundTrip(int... sizes) {
    return () -> {
      for (int size : sizes) {
        byte[] data = bytes(size);
        String key = "sizes/" + size;
        String etag = put(bucket, key, data, request -> {}).eTag();
        equal(etag, "\"" + md5(data) + "\"", "ETag");
        check(Arrays.equals(get(bucket, key, r -> {}).asByteArray(), data), size + " bytes came back changed");
        var head = client.headObject(r -> r.bucket(bucket).key(key));
        equal(List.of(head.eTag(), head.contentLength()), List.of(etag, (long) size), "HeadObject");
        var again = client.putObject(r -> r.bucket(bucket).key(key), RequestBody.fromFile(file(size)));
        equal(again.eTag(), etag, "ETag from a file");
      }
    };
  }

  private void multipart() throws Exception {
    byte[] data = bytes(BIG_SIZE);
    String id = client.createMultipartUpload(r -> r.bucket(bucket).key("big")).uploadId();
    List<CompletedPart> parts = new ArrayList<>();
    for (int start = 0; start < BIG_SIZE; start += PART_SIZE) {
      int number = parts.size() + 1;
      byte[] piece = Arrays.copyOfRange(data, start, Math.min(start + PART_SIZE, BIG_SIZE));
      var part = client.uploadPart(
          r -> r.bucket(bucket).key("big").uploadId(id).partNumber(number), RequestBody.fromBytes(piece));
      parts.add(CompletedPart.builder().partNumber(number).eTag(part.eTag()).checksumCRC32(part.checksumCRC32()).build());
    }
    var completed = client.completeMultipartUpload(
        r -> r.bucket(bucket).key("big").uploadId(id).multipartUpload(u -> u.parts(parts)));
    equal(completed.eTag(), multipartEtag(data), "ETag of the parts");
    Path back = Path.of(set("WORK"), "big");
    client.getObject(r -> r.bucket(bucket).key("big"), back);
    check(Arrays.equals(Files.readAllBytes(back), data), "other bytes came back");
    Files.delete(back);
    client.deleteObject(r -> r.bucket(bucket).key("big"));
  }

  private void ranges() throws Exception {
    byte[] data = bytes(65537);
    Map<String, int[]> asked = new LinkedHashMap<>();
    asked.put("bytes=0-0", new int[] {0, 1});
    asked.put("bytes=1-65535", new int[] {1, 65536});
    asked.put("bytes=65530-", new int[] {65530, 65537});
    asked.put("bytes=-100", new int[] {65437, 65537});
    asked.put("bytes=65000-99999", new int[] {65000, 65537});
    for (var range : asked.entrySet()) {
      byte[] got = get(bucket, "sizes/65537", r -> r.range(range.getKey())).asByteArray();
      byte[] expected = Arrays.copyOfRange(data, range.getValue()[0], range.getValue()[1]);
      check(Arrays.equals(got, expected), range.getKey() + ": wrong bytes");
    }
    refused(Set.of("InvalidRange"), () -> get(bucket, "sizes/65537", r -> r.range("bytes=65537-70000")));
  }

  private void metadata() {
    Map<String, String> given = Map.of("plain", "value", "dashed-name", "with  two spaces");
    put(bucket, "metadata", new byte[1],
        r -> r.contentType("text/x-odd; charset=utf-8").cacheControl("max-age=60, private").metadata(given));
    var head = client.headObject(r -> r.bucket(bucket).key("metadata"));
    equal(head.metadata(), given, "metadata");
    equal(List.of(head.contentType(), head.cacheControl()), List.of("text/x-odd; charset=utf-8", "max-age=60, private"),
        "headers");
  }

  private Work ownKeys(String kind) {
    return () -> {
      List<String> own = keys("own-" + kind);
      for (String key : own) {
        put(key, key);
      }
      for (String key : own) {
        equal(text(bucket, key), key, "body");
      }
      equal(list(bucket, "own/" + kind + "/"), own, "listed");
      for (String key : own) {
        client.deleteObject(r -> r.bucket(bucket).key(key));
      }
      equal(list(bucket, "own/" + kind + "/"), List.of(), "listed after all were deleted");
    };
  }

  private Work listed(String kind) {
    return () -> equal(list(seeded, kind + "/"), keys("listed-" + kind), "keys");
  }

  private void listFolders() {
    var got = client.listObjectsV2(r -> r.bucket(seeded).prefix("folders/").delimiter("/"));
    var folders = got.commonPrefixes().stream().map(p -> p.prefix()).toList();
    equal(folders, List.of("folders/a b/", "folders/a/", "folders/b+c/", "folders/ü/"), "folders");
    equal(got.contents().stream().map(S3Object::key).toList(), List.of("folders/file", "folders/z%"), "keys");
  }

  private void copy() throws Exception {
    String source = "copy/source ü + % a//b";
    byte[] data = bytes(65537);
    put(bucket, source, data, r -> r.metadata(Map.of("kept", "yes")));
    CopyObjectRequest.Builder request = CopyObjectRequest.builder().sourceBucket(bucket).sourceKey(source);
    var copied = client.copyObject(request.destinationBucket(bucket2).destinationKey("copy/target").build());
    equal(copied.copyObjectResult().eTag(), "\"" + md5(data) + "\"", "ETag of the copy");
    var got = get(bucket2, "copy/target", r -> {});
    check(Arrays.equals(got.asByteArray(), data), "the copy's bytes differ");
    equal(got.response().metadata(), Map.of("kept", "yes"), "what the copy keeps");
    request.destinationBucket(bucket).destinationKey(source);
    client.copyObject(request.metadataDirective(MetadataDirective.REPLACE).metadata(Map.of("new", "1")).build());
    equal(client.headObject(r -> r.bucket(bucket).key(source)).metadata(), Map.of("new", "1"), "a copy onto itself");
    refused(Set.of("NoSuchKey"), () -> client.copyObject(
        r -> r.sourceBucket(bucket).sourceKey("absent").destinationBucket(bucket).destinationKey("x")));
  }

  private void deleteBatch() throws Exception {
    List<String> own = keys("own-odd").stream().map(key -> key.replaceFirst("own/odd/", "batch/"))
        .collect(Collectors.toCollection(ArrayList::new));
    while (own.size() < 60) {
      own.add("batch/" + own.size());
    }
    own.forEach(key -> put(key, "x"));
    own.add("batch/absent");
    var objects = own.stream().map(key -> ObjectIdentifier.builder().key(key).build()).toList();
    var answer = client.deleteObjects(r -> r.bucket(bucket).delete(d -> d.objects(objects)));
    equal(List.of(answer.errors().size(), answer.deleted().size()), List.of(0, 61), "errors and deleted");
    equal(list(bucket, "batch/"), List.of(), "listed afterwards");
  }

  private static Map<String, String> shown(List<Tag> tags) {
    return tags.stream().collect(Collectors.toMap(Tag::key, Tag::value));
  }

  private void tags() throws Exception {
    Map<String, String> given = Map.of("team", "storage", "a b+c", "ü/=@");
    Tagging tagging = Tagging.builder()
        .tagSet(given.entrySet().stream().map(e -> Tag.builder().key(e.getKey()).value(e.getValue()).build()).toList())
        .build();
    put(bucket, "tagged", new byte[1], r -> r.tagging("first=1&second=a%20b"));
    var first = client.getObjectTagging(r -> r.bucket(bucket).key("tagged")).tagSet();
    equal(shown(first), Map.of("first", "1", "second", "a b"), "tags of the header");
    client.putObjectTagging(r -> r.bucket(bucket).key("tagged").tagging(tagging));
    equal(shown(client.getObjectTagging(r -> r.bucket(bucket).key("tagged")).tagSet()), given, "tags of the object");
    client.deleteObjectTagging(r -> r.bucket(bucket).key("tagged"));
    refused(Set.of("NoSuchTagSet"), () -> client.getBucketTagging(r -> r.bucket(bucket)));
    client.putBucketTagging(r -> r.bucket(bucket).tagging(tagging));
    equal(shown(client.getBucketTagging(r -> r.bucket(bucket)).tagSet()), given, "tags of the bucket");
    client.deleteBucketTagging(r -> r.bucket(bucket));
  }

  private void versions() throws Exception {
    String key = "kept ü";
    client.createBucket(r -> r.bucket(versioned));
    client.putBucketVersioning(
        r -> r.bucket(versioned).versioningConfiguration(v -> v.status(BucketVersioningStatus.ENABLED)));
    String first = put(versioned, key, "first".getBytes(), r -> {}).versionId();
    String second = put(versioned, key, "second".getBytes(), r -> {}).versionId();
    equal(get(versioned, key, r -> r.versionId(first)).asUtf8String(), "first", "the old version");
    var marker = client.deleteObject(r -> r.bucket(versioned).key(key));
    check(marker.deleteMarker(), "no delete marker");
    refused(Set.of("NoSuchKey"), () -> text(versioned, key));
    var all = client.listObjectVersions(r -> r.bucket(versioned));
    equal(all.versions().stream().map(ObjectVersion::versionId).toList(), List.of(second, first), "newest first");
    client.deleteObject(r -> r.bucket(versioned).key(key).versionId(marker.versionId()));
    equal(text(versioned, key), "second", "the newest version is back");
  }

  private S3Presigner presigner() {
    return S3Presigner.builder().endpointOverride(URI.create(set("ENDPOINT"))).region(Region.of(set("REGION")))
        .credentialsProvider(credentials)
        .serviceConfiguration(S3Configuration.builder().pathStyleAccessEnabled(true).build())
        .build();
  }

  private void presignGet() throws Exception {
    String key = "signed/a b+ü%.bin";
    byte[] data = bytes(65537);
    put(bucket, key, data, r -> {});
    try (S3Presigner presigner = presigner()) {
      String url = presigner.presignGetObject(
          p -> p.signatureDuration(Duration.ofMinutes(5)).getObjectRequest(r -> r.bucket(bucket).key(key))).url().toString();
      Answer answer = curl(url);
      check(answer.status() == 200 && Arrays.equals(answer.body(), data), "curl got " + answer.status());
      equal(curl(url.replace("/signed/", "/signee/")).status(), 403, "status for another key");
    }
  }

  private void presignPut() throws Exception {
    String key = "signed/put ü";
    try (S3Presigner presigner = presigner()) {
      String url = presigner.presignPutObject(
          p -> p.signatureDuration(Duration.ofMinutes(5)).putObjectRequest(r -> r.bucket(bucket).key(key))).url().toString();
      Answer answer = curl(url, "--upload-file", file(65537).toString());
      check(answer.status() == 200, answer.status() + ": " + new String(answer.body(), StandardCharsets.UTF_8));
    }
    check(Arrays.equals(get(bucket, key, r -> {}).asByteArray(), bytes(65537)), "other bytes stand there");
  }

  private void conditionalWrites() throws Exception {
    Set<String> failed = Set.of("PreconditionFailed");
    String etag = put(bucket, "lock", "1".getBytes(), r -> r.ifNoneMatch("*")).eTag();
    refused(failed, () -> put(bucket, "lock", "2".getBytes(), r -> r.ifNoneMatch("*")));
    refused(failed, () -> put(bucket, "lock", "2".getBytes(), r -> r.ifMatch("\"" + "0".repeat(32) + "\"")));
    equal(text(bucket, "lock"), "1", "body after refused writes");
    put(bucket, "lock", "3".getBytes(), r -> r.ifMatch(etag));
    equal(text(bucket, "lock"), "3", "body after the allowed write");
  }

  private void deleteBucket() throws Exception {
    refused(Set.of("BucketNotEmpty"), () -> client.deleteBucket(r -> r.bucket(bucket)));
    for (String name : List.of(bucket, bucket2, versioned)) {
      var all = client.listObjectVersions(r -> r.bucket(name));
      List<ObjectIdentifier> objects = new ArrayList<>();
      all.versions().forEach(v -> objects.add(ObjectIdentifier.builder().key(v.key()).versionId(v.versionId()).build()));
      all.deleteMarkers()
          .forEach(m -> objects.add(ObjectIdentifier.builder().key(m.key()).versionId(m.versionId()).build()));
      if (!objects.isEmpty()) {
        client.deleteObjects(r -> r.bucket(name).delete(d -> d.objects(objects).quiet(true)));
      }
      client.deleteBucket(r -> r.bucket(name));
      refused(Set.of("NoSuchBucket", "404"), () -> client.headBucket(r -> r.bucket(name)));
    }
  }

  private static String json(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char letter : text.toCharArray()) {
      if (letter < 32 || letter == '"' || letter == '\\') {
        quoted.append(String.format("\\u%04x", (int) letter));
      } else {
        quoted.append(letter);
      }
    }
    return quoted.append('"').toString();
  }

  private static void step(String name, Work work) {
    step(name, "", work);
  }

  private static void step(String name, String partly, Work work) {
    long started = System.nanoTime();
    try {
      work.run();
      double seconds = (System.nanoTime() - started) / 1e9;
      String why = ", \"why\": " + json(partly);
      OUT.println("{\"step\": " + json(name) + ", \"result\": \"passed\", \"seconds\": " + seconds + why + "}");
    } catch (Throwable error) {
      // Whatever a client throws is that step's failure; the next step still counts.
      OUT.println("{\"step\": " + json(name) + ", \"result\": \"failed\", \"why\": " + json(error.toString()) + "}");
      error.printStackTrace();
    }
  }

  public static void main(String[] arguments) {
    Driver driver = new Driver();
    String encoded = "asked to list with encoding-type=url";
    OUT.println("{\"client\": \"aws-sdk-java v2\", \"version\": " + json(VersionInfo.SDK_VERSION) + "}");
    step("create_bucket", driver::createBucket);
    step("put_get_empty", driver.roundTrip(0));
    step("put_get_1_byte", driver.roundTrip(1));
    step("put_get_64k", driver.roundTrip(65535, 65536, 65537));
    step("put_get_8m", driver.roundTrip(8 * MIB - 1, 8 * MIB, 8 * MIB + 1));
    step("multipart_100m", driver::multipart);
    step("ranges", driver::ranges);
    step("metadata", driver::metadata);
    step("odd_keys", driver.ownKeys("odd"));
    step("slash_keys", driver.ownKeys("slash"));
    step("control_keys", encoded, driver.ownKeys("control"));
    step("list_odd_keys", driver.listed("odd"));
    step("list_slash_keys", driver.listed("slash"));
    step("list_control_keys", encoded, driver.listed("control"));
    step("list_folders", driver::listFolders);
    step("copy", driver::copy);
    step("delete_batch", driver::deleteBatch);
    step("tags", driver::tags);
    step("versions", driver::versions);
    step("presign_get", driver::presignGet);
    step("presign_put", driver::presignPut);
    step("conditional_writes", driver::conditionalWrites);
    step("delete_bucket", driver::deleteBucket);
  }
}
