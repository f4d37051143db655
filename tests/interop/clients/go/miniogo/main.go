// minio-go: chunks signed over http, unsigned payloads or trailers over https.
package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/tags"

	. "lightningstor.interop/protocol"
)

var (
	ctx    = context.Background()
	client = connect()
)

func connect() *minio.Client {
	address, err := url.Parse(Endpoint)
	if err != nil {
		panic(err)
	}
	made, err := minio.New(address.Host, &minio.Options{
		Creds:     credentials.NewStaticV4(AccessKey, SecretKey, ""),
		Secure:    address.Scheme == "https",
		Transport: Transport(),
		// It asks for the bucket's region by itself.
		MaxRetries: 1,
	})
	if err != nil {
		panic(err)
	}
	return made
}

func refused(err error, codes ...string) {
	Check(err != nil, "succeeded, but should have been refused with one of %v", codes)
	code := minio.ToErrorResponse(err).Code
	Check(slices.Contains(codes, code), "refused with %v (%s), expected %v", err, code, codes)
}

func put(bucket, key string, data []byte, options minio.PutObjectOptions) (minio.UploadInfo, error) {
	return client.PutObject(ctx, bucket, key, bytes.NewReader(data), int64(len(data)), options)
}

func mustPut(bucket, key string, data []byte, options minio.PutObjectOptions) minio.UploadInfo {
	info, err := put(bucket, key, data, options)
	Must(err)
	return info
}

func get(bucket, key string, options minio.GetObjectOptions) ([]byte, error) {
	object, err := client.GetObject(ctx, bucket, key, options)
	if err != nil {
		return nil, err
	}
	defer object.Close()
	return io.ReadAll(object)
}

func mustGet(bucket, key string) []byte {
	data, err := get(bucket, key, minio.GetObjectOptions{})
	Must(err)
	return data
}

func list(bucket, prefix string, recursive bool) []minio.ObjectInfo {
	found := []minio.ObjectInfo{}
	for item := range client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: recursive}) {
		Must(item.Err)
		found = append(found, item)
	}
	return found
}

func listKeys(bucket, prefix string) []string {
	keys := []string{}
	for _, item := range list(bucket, prefix, true) {
		keys = append(keys, item.Key)
	}
	return keys
}

func roundTrip(step string) func() {
	return func() {
		for _, size := range SmallSizes[step] {
			data, key := Bytes(size), "sizes/"+filepath.Base(File(size))
			info := mustPut(Bucket, key, data, minio.PutObjectOptions{})
			Equal(info.ETag, MD5(data), "ETag")
			Check(bytes.Equal(mustGet(Bucket, key), data), "%d bytes came back changed", size)
			stat, err := client.StatObject(ctx, Bucket, key, minio.StatObjectOptions{})
			Must(err)
			Equal([]any{stat.ETag, stat.Size}, []any{info.ETag, int64(size)}, "StatObject")
		}
	}
}

func ownKeys(kind string, fits func(string) bool) func() {
	return func() {
		keys := []string{}
		for _, key := range Keys("own-" + kind) {
			if fits(key) {
				keys = append(keys, key)
				mustPut(Bucket, key, []byte(key), minio.PutObjectOptions{})
			}
		}
		for _, key := range keys {
			Equal(string(mustGet(Bucket, key)), key, "body")
		}
		Equal(listKeys(Bucket, "own/"+kind+"/"), keys, "listed")
		for _, key := range keys {
			Must(client.RemoveObject(ctx, Bucket, key, minio.RemoveObjectOptions{}))
		}
		Equal(listKeys(Bucket, "own/"+kind+"/"), []string{}, "listed after all were deleted")
	}
}

func listed(kind string) func() {
	return func() { Equal(listKeys(Seeded, kind+"/"), Keys("listed-"+kind), "keys") }
}

func createBucket() {
	for _, bucket := range []string{Bucket, Bucket2} {
		Must(client.MakeBucket(ctx, bucket, minio.MakeBucketOptions{Region: Region}))
		there, err := client.BucketExists(ctx, bucket)
		Must(err)
		Check(there, "%s is not there", bucket)
	}
	all, err := client.ListBuckets(ctx)
	Must(err)
	names := []string{}
	for _, bucket := range all {
		names = append(names, bucket.Name)
	}
	Check(slices.Contains(names, Bucket) && slices.Contains(names, Bucket2), "not listed: %v", names)
	there, err := client.BucketExists(ctx, Bucket+"-absent")
	Must(err)
	Check(!there, "an absent bucket is there")
}

func multipart() {
	info, err := client.FPutObject(ctx, Bucket, "big", File(BigSize), minio.PutObjectOptions{PartSize: PartSize})
	Must(err)
	data := Bytes(BigSize)
	Equal(info.ETag, MultipartETag(data), "ETag of the parts")
	Check(bytes.Equal(mustGet(Bucket, "big"), data), "other bytes came back")
	// A stream whose length it does not know.
	unknown := minio.PutObjectOptions{PartSize: PartSize}
	info, err = client.PutObject(ctx, Bucket, "big", bytes.NewReader(data[:20*MiB]), -1, unknown)
	Must(err)
	Equal(info.ETag, MultipartETag(data[:20*MiB]), "ETag of a stream's parts")
	Must(client.RemoveObject(ctx, Bucket, "big", minio.RemoveObjectOptions{}))
}

func ranges() {
	data := Bytes(65537)
	for _, ends := range [][2]int64{{0, 0}, {1, 65535}, {65530, 0}, {0, -100}, {65000, 99999}} {
		options := minio.GetObjectOptions{}
		Must(options.SetRange(ends[0], ends[1]))
		got, err := get(Bucket, "sizes/size-65537", options)
		Must(err)
		expected := data[ends[0]:]
		switch {
		case ends[1] < 0:
			expected = data[65537+ends[1]:]
		case ends == [2]int64{0, 0}:
			expected = data[:1]
		case ends[1] > 0 && ends[1] < 65537:
			expected = data[ends[0] : ends[1]+1]
		}
		Check(bytes.Equal(got, expected), "%v: wrong bytes", ends)
	}
	options := minio.GetObjectOptions{}
	Must(options.SetRange(65537, 70000))
	_, err := get(Bucket, "sizes/size-65537", options)
	refused(err, "InvalidRange")
}

func metadata() {
	mustPut(Bucket, "metadata", []byte("x"), minio.PutObjectOptions{
		ContentType: "text/x-odd", CacheControl: "max-age=60, private", UserMetadata: map[string]string{"Plain": "value"},
	})
	stat, err := client.StatObject(ctx, Bucket, "metadata", minio.StatObjectOptions{})
	Must(err)
	found := []string{stat.ContentType, stat.Metadata.Get("Cache-Control"), stat.UserMetadata["Plain"]}
	Equal(found, []string{"text/x-odd", "max-age=60, private", "value"}, "StatObject")
}

func listFolders() {
	folders, keys := []string{}, []string{}
	for _, item := range list(Seeded, "folders/", false) {
		if strings.HasSuffix(item.Key, "/") {
			folders = append(folders, item.Key)
		} else {
			keys = append(keys, item.Key)
		}
	}
	Equal(folders, []string{"folders/a b/", "folders/a/", "folders/b+c/", "folders/ü/"}, "folders")
	Equal(keys, []string{"folders/file", "folders/z%"}, "keys")
}

func copyObject() {
	source, data := "copy/source ü + % a//b", Bytes(65537)
	mustPut(Bucket, source, data, minio.PutObjectOptions{UserMetadata: map[string]string{"Kept": "yes"}})
	origin := minio.CopySrcOptions{Bucket: Bucket, Object: source}
	info, err := client.CopyObject(ctx, minio.CopyDestOptions{Bucket: Bucket2, Object: "copy/target"}, origin)
	Must(err)
	Equal(info.ETag, MD5(data), "ETag of the copy")
	Check(bytes.Equal(mustGet(Bucket2, "copy/target"), data), "the copy's bytes differ")
	stat, err := client.StatObject(ctx, Bucket2, "copy/target", minio.StatObjectOptions{})
	Must(err)
	Equal(stat.UserMetadata["Kept"], "yes", "what the copy keeps")
	replaced := minio.CopyDestOptions{
		Bucket: Bucket, Object: source, ReplaceMetadata: true, UserMetadata: map[string]string{"New": "1"},
	}
	_, err = client.CopyObject(ctx, replaced, origin)
	Must(err)
	// Parts copied on the server, from an object of 8 MiB and one of 64 KiB.
	_, err = client.ComposeObject(ctx, minio.CopyDestOptions{Bucket: Bucket2, Object: "copy/composed"},
		minio.CopySrcOptions{Bucket: Bucket, Object: "sizes/size-8388608"}, origin)
	Must(err)
	Check(bytes.Equal(mustGet(Bucket2, "copy/composed"), append(Bytes(8*MiB), data...)), "composed: other bytes")
	_, err = client.CopyObject(ctx, minio.CopyDestOptions{Bucket: Bucket, Object: "x"},
		minio.CopySrcOptions{Bucket: Bucket, Object: "absent"})
	refused(err, "NoSuchKey")
}

func deleteBatch() {
	objects := make(chan minio.ObjectInfo, 61)
	for _, key := range BatchKeys() {
		mustPut(Bucket, key, []byte("x"), minio.PutObjectOptions{})
		objects <- minio.ObjectInfo{Key: key}
	}
	objects <- minio.ObjectInfo{Key: "batch/absent"}
	close(objects)
	for failed := range client.RemoveObjects(ctx, Bucket, objects, minio.RemoveObjectsOptions{}) {
		Fail("%s: %v", failed.ObjectName, failed.Err)
	}
	Equal(listKeys(Bucket, "batch/"), []string{}, "listed afterwards")
}

func tagging() {
	given := map[string]string{"team": "storage", "a b+c": "x/=@"}
	mustPut(Bucket, "tagged", []byte("x"), minio.PutObjectOptions{UserTags: map[string]string{"first": "1"}})
	got, err := client.GetObjectTagging(ctx, Bucket, "tagged", minio.GetObjectTaggingOptions{})
	Must(err)
	Equal(got.ToMap(), map[string]string{"first": "1"}, "tags of the header")
	set, err := tags.NewTags(given, true)
	Must(err)
	Must(client.PutObjectTagging(ctx, Bucket, "tagged", set, minio.PutObjectTaggingOptions{}))
	got, err = client.GetObjectTagging(ctx, Bucket, "tagged", minio.GetObjectTaggingOptions{})
	Must(err)
	Equal(got.ToMap(), given, "tags of the object")
	Must(client.RemoveObjectTagging(ctx, Bucket, "tagged", minio.RemoveObjectTaggingOptions{}))
	_, err = client.GetBucketTagging(ctx, Bucket)
	refused(err, "NoSuchTagSet")
	Must(client.SetBucketTagging(ctx, Bucket, set))
	got, err = client.GetBucketTagging(ctx, Bucket)
	Must(err)
	Equal(got.ToMap(), given, "tags of the bucket")
	Must(client.RemoveBucketTagging(ctx, Bucket))
}

func versions() {
	bucket, key := VersionedBucket, "kept ü"
	Must(client.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}))
	Must(client.EnableVersioning(ctx, bucket))
	state, err := client.GetBucketVersioning(ctx, bucket)
	Must(err)
	Check(state.Enabled(), "versioning is %q", state.Status)
	first := mustPut(bucket, key, []byte("first"), minio.PutObjectOptions{}).VersionID
	second := mustPut(bucket, key, []byte("second"), minio.PutObjectOptions{}).VersionID
	old, err := get(bucket, key, minio.GetObjectOptions{VersionID: first})
	Must(err)
	Equal(string(old), "first", "the old version")
	Must(client.RemoveObject(ctx, bucket, key, minio.RemoveObjectOptions{}))
	_, err = get(bucket, key, minio.GetObjectOptions{})
	refused(err, "NoSuchKey")
	ids, marker := []string{}, ""
	for item := range client.ListObjects(ctx, bucket, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
		Must(item.Err)
		if item.IsDeleteMarker {
			marker = item.VersionID
		} else {
			ids = append(ids, item.VersionID)
		}
	}
	Equal(ids, []string{second, first}, "versions, newest first")
	Must(client.RemoveObject(ctx, bucket, key, minio.RemoveObjectOptions{VersionID: marker}))
	Equal(string(mustGet(bucket, key)), "second", "the newest version is back")
}

func presignGet() {
	key, data := "signed/a b+ü%.bin", Bytes(65537)
	mustPut(Bucket, key, data, minio.PutObjectOptions{})
	signed, err := client.PresignedGetObject(ctx, Bucket, key, 5*time.Minute, nil)
	Must(err)
	CheckSignedGet(signed.String(), data)
}

func presignPut() {
	key := "signed/put ü"
	signed, err := client.PresignedPutObject(ctx, Bucket, key, 5*time.Minute)
	Must(err)
	status, body := Curl(signed.String(), "--upload-file", File(65537))
	Check(status == http.StatusOK, "%d: %s", status, body)
	Check(bytes.Equal(mustGet(Bucket, key), Bytes(65537)), "other bytes stand there")
}

func conditionalWrites() {
	absent, stale, current := minio.PutObjectOptions{}, minio.PutObjectOptions{}, minio.PutObjectOptions{}
	absent.SetMatchETagExcept("*")
	stale.SetMatchETag(strings.Repeat("0", 32))
	info := mustPut(Bucket, "lock", []byte("1"), absent)
	_, err := put(Bucket, "lock", []byte("2"), absent)
	refused(err, "PreconditionFailed")
	_, err = put(Bucket, "lock", []byte("2"), stale)
	refused(err, "PreconditionFailed")
	Equal(string(mustGet(Bucket, "lock")), "1", "body after refused writes")
	current.SetMatchETag(info.ETag)
	mustPut(Bucket, "lock", []byte("3"), current)
	Equal(string(mustGet(Bucket, "lock")), "3", "body after the allowed write")
}

func deleteBucket() {
	refused(client.RemoveBucket(ctx, Bucket), "BucketNotEmpty")
	for _, bucket := range []string{Bucket, Bucket2, VersionedBucket} {
		all := client.ListObjects(ctx, bucket, minio.ListObjectsOptions{WithVersions: true, Recursive: true})
		for failed := range client.RemoveObjects(ctx, bucket, all, minio.RemoveObjectsOptions{}) {
			Fail("%s: %v", failed.ObjectName, failed.Err)
		}
		Must(client.RemoveBucket(ctx, bucket))
		there, err := client.BucketExists(ctx, bucket)
		Must(err)
		Check(!there, "%s is still there", bucket)
	}
}

func main() {
	dots := "refuses names with the segments `.` and `..`"
	anyKey := func(string) bool { return true }
	withoutDots := func(key string) bool {
		segments := strings.Split(key, "/")
		return !slices.Contains(segments, ".") && !slices.Contains(segments, "..")
	}
	Main("minio-go", Version("github.com/minio/minio-go/v7"), []Step{
		{Name: "create_bucket", Run: createBucket},
		{Name: "put_get_empty", Run: roundTrip("put_get_empty")},
		{Name: "put_get_1_byte", Run: roundTrip("put_get_1_byte")},
		{Name: "put_get_64k", Run: roundTrip("put_get_64k")},
		{Name: "put_get_8m", Run: roundTrip("put_get_8m")},
		{Name: "multipart_100m", Run: multipart},
		{Name: "ranges", Run: ranges},
		{Name: "metadata", Run: metadata},
		{Name: "odd_keys", Run: ownKeys("odd", anyKey)},
		{Name: "slash_keys", Run: ownKeys("slash", withoutDots), Partly: dots},
		{Name: "control_keys", Run: ownKeys("control", anyKey)},
		{Name: "list_odd_keys", Run: listed("odd")},
		{Name: "list_slash_keys", Run: listed("slash")},
		{Name: "list_control_keys", Run: listed("control")},
		{Name: "list_folders", Run: listFolders},
		{Name: "copy", Run: copyObject},
		{Name: "delete_batch", Run: deleteBatch},
		{Name: "tags", Run: tagging},
		{Name: "versions", Run: versions},
		{Name: "presign_get", Run: presignGet},
		{Name: "presign_put", Run: presignPut},
		{Name: "conditional_writes", Run: conditionalWrites},
		{Name: "delete_bucket", Run: deleteBucket},
	})
}
