// The AWS SDK for Go, version 2.
package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	. "lightningstor.interop/protocol"
)

var (
	ctx    = context.Background()
	client = s3.New(s3.Options{
		BaseEndpoint:     aws.String(Endpoint),
		Region:           Region,
		Credentials:      credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
		UsePathStyle:     true,
		HTTPClient:       &http.Client{Transport: Transport()},
		RetryMaxAttempts: 1,
	})
	str = aws.String
)

// refused ends the step unless err is the server's, with one of the codes.
func refused(err error, codes ...string) {
	var said smithy.APIError
	Check(err != nil, "succeeded, but should have been refused with one of %v", codes)
	Check(errors.As(err, &said) && slices.Contains(codes, said.ErrorCode()), "refused with %v, expected %v", err, codes)
}

func get(bucket, key string, change ...func(*s3.GetObjectInput)) ([]byte, *s3.GetObjectOutput, error) {
	input := &s3.GetObjectInput{Bucket: str(bucket), Key: str(key)}
	for _, apply := range change {
		apply(input)
	}
	answer, err := client.GetObject(ctx, input)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	Must(err)
	return data, answer, nil
}

func mustGet(bucket, key string) []byte {
	data, _, err := get(bucket, key)
	Must(err)
	return data
}

func put(bucket, key string, data []byte, change ...func(*s3.PutObjectInput)) (*s3.PutObjectOutput, error) {
	input := &s3.PutObjectInput{Bucket: str(bucket), Key: str(key), Body: bytes.NewReader(data)}
	for _, apply := range change {
		apply(input)
	}
	return client.PutObject(ctx, input)
}

func mustPut(bucket, key string, data []byte, change ...func(*s3.PutObjectInput)) *s3.PutObjectOutput {
	answer, err := put(bucket, key, data, change...)
	Must(err)
	return answer
}

func listKeys(bucket, prefix string) []string {
	found := []string{}
	input := &s3.ListObjectsV2Input{Bucket: str(bucket), Prefix: str(prefix)}
	if strings.Contains(prefix, "control") {
		input.EncodingType = types.EncodingTypeUrl
	}
	pages := s3.NewListObjectsV2Paginator(client, input)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		Must(err)
		for _, item := range page.Contents {
			key := *item.Key
			if input.EncodingType != "" {
				key, err = url.QueryUnescape(key)
				Must(err)
			}
			found = append(found, key)
		}
	}
	return found
}

func roundTrip(step string) func() {
	return func() {
		for _, size := range SmallSizes[step] {
			data, key := Bytes(size), "sizes/"+filepath.Base(File(size))
			answer := mustPut(Bucket, key, data)
			Equal(*answer.ETag, `"`+MD5(data)+`"`, "ETag")
			Check(bytes.Equal(mustGet(Bucket, key), data), "%d bytes came back changed", size)
			head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: str(Bucket), Key: str(key)})
			Must(err)
			Equal([]any{*head.ETag, *head.ContentLength}, []any{*answer.ETag, int64(size)}, "HeadObject")
		}
	}
}

func ownKeys(kind string) func() {
	return func() {
		keys := Keys("own-" + kind)
		for _, key := range keys {
			mustPut(Bucket, key, []byte(key))
		}
		for _, key := range keys {
			Equal(string(mustGet(Bucket, key)), key, "body")
		}
		Equal(listKeys(Bucket, "own/"+kind+"/"), keys, "listed")
		for _, key := range keys {
			_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: str(Bucket), Key: str(key)})
			Must(err)
		}
		Equal(listKeys(Bucket, "own/"+kind+"/"), []string{}, "listed after all were deleted")
	}
}

func listed(kind string) func() {
	return func() { Equal(listKeys(Seeded, kind+"/"), Keys("listed-"+kind), "keys") }
}

func createBucket() {
	for _, bucket := range []string{Bucket, Bucket2} {
		_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: str(bucket)})
		Must(err)
		_, err = client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: str(bucket)})
		Must(err)
	}
	all, err := client.ListBuckets(ctx, &s3.ListBucketsInput{})
	Must(err)
	names := []string{}
	for _, bucket := range all.Buckets {
		names = append(names, *bucket.Name)
	}
	Check(slices.Contains(names, Bucket) && slices.Contains(names, Bucket2), "not listed: %v", names)
	_, err = client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: str(Bucket + "-absent")})
	refused(err, "NotFound", "NoSuchBucket")
}

func multipart() {
	file, err := os.Open(File(BigSize))
	Must(err)
	defer file.Close()
	uploader := manager.NewUploader(client, func(up *manager.Uploader) { up.PartSize = PartSize })
	_, err = uploader.Upload(ctx, &s3.PutObjectInput{Bucket: str(Bucket), Key: str("big"), Body: file})
	Must(err)
	head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: str(Bucket), Key: str("big")})
	Must(err)
	data := Bytes(BigSize)
	Equal(*head.ETag, `"`+MultipartETag(data)+`"`, "ETag of the parts")
	back := manager.NewWriteAtBuffer(make([]byte, 0, BigSize))
	_, err = manager.NewDownloader(client).Download(ctx, back, &s3.GetObjectInput{Bucket: str(Bucket), Key: str("big")})
	Must(err)
	Check(bytes.Equal(back.Bytes(), data), "other bytes came back")
	_, err = client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: str(Bucket), Key: str("big")})
	Must(err)
}

func ranges() {
	data := Bytes(65537)
	for given, ends := range map[string][2]int{
		"bytes=0-0": {0, 1}, "bytes=1-65535": {1, 65536}, "bytes=65530-": {65530, 65537},
		"bytes=-100": {65437, 65537}, "bytes=65000-99999": {65000, 65537},
	} {
		got, _, err := get(Bucket, "sizes/size-65537", func(input *s3.GetObjectInput) { input.Range = str(given) })
		Must(err)
		Check(bytes.Equal(got, data[ends[0]:ends[1]]), "%s: wrong bytes", given)
	}
	_, _, err := get(Bucket, "sizes/size-65537", func(input *s3.GetObjectInput) { input.Range = str("bytes=65537-70000") })
	refused(err, "InvalidRange")
}

func metadata() {
	given := map[string]string{"plain": "value", "dashed-name": "with  two spaces"}
	mustPut(Bucket, "metadata", []byte("x"), func(input *s3.PutObjectInput) {
		input.ContentType, input.CacheControl = str("text/x-odd; charset=utf-8"), str("max-age=60, private")
		input.Metadata = given
	})
	_, got, err := get(Bucket, "metadata")
	Must(err)
	Equal(got.Metadata, given, "metadata")
	Equal([]string{*got.ContentType, *got.CacheControl}, []string{"text/x-odd; charset=utf-8", "max-age=60, private"}, "headers")
}

func listOdd() {
	listed("odd")()
	page, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: str(Seeded), Prefix: str("odd/"), MaxKeys: aws.Int32(7),
	})
	Must(err)
	Equal([]any{*page.KeyCount, *page.IsTruncated}, []any{int32(7), true}, "a page of 7")
}

func listFolders() {
	got, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: str(Seeded), Prefix: str("folders/"), Delimiter: str("/"),
	})
	Must(err)
	folders, keys := []string{}, []string{}
	for _, item := range got.CommonPrefixes {
		folders = append(folders, *item.Prefix)
	}
	for _, item := range got.Contents {
		keys = append(keys, *item.Key)
	}
	Equal(folders, []string{"folders/a b/", "folders/a/", "folders/b+c/", "folders/ü/"}, "folders")
	Equal(keys, []string{"folders/file", "folders/z%"}, "keys")
}

func copyObject() {
	source, data := "copy/source ü + % a//b", Bytes(65537)
	mustPut(Bucket, source, data, func(input *s3.PutObjectInput) { input.Metadata = map[string]string{"kept": "yes"} })
	// PathEscape leaves a plus as it is, which here would be a space.
	origin := str(Bucket + "/" + strings.ReplaceAll((&url.URL{Path: source}).EscapedPath(), "+", "%2B"))
	copied, err := client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: str(Bucket2), Key: str("copy/target"), CopySource: origin,
	})
	Must(err)
	Equal(*copied.CopyObjectResult.ETag, `"`+MD5(data)+`"`, "ETag of the copy")
	got, answer, err := get(Bucket2, "copy/target")
	Must(err)
	Check(bytes.Equal(got, data), "the copy's bytes differ")
	Equal(answer.Metadata, map[string]string{"kept": "yes"}, "what the copy keeps")
	_, err = client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: str(Bucket), Key: str(source), CopySource: origin,
		MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"new": "1"},
	})
	Must(err)
	_, answer, err = get(Bucket, source)
	Must(err)
	Equal(answer.Metadata, map[string]string{"new": "1"}, "a copy onto itself")
	_, err = client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: str(Bucket), Key: str("x"), CopySource: str(Bucket + "/absent"),
	})
	refused(err, "NoSuchKey")
}

func deleteBatch() {
	objects := []types.ObjectIdentifier{{Key: str("batch/absent")}}
	for _, key := range BatchKeys() {
		mustPut(Bucket, key, []byte("x"))
		objects = append(objects, types.ObjectIdentifier{Key: str(key)})
	}
	answer, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: str(Bucket), Delete: &types.Delete{Objects: objects},
	})
	Must(err)
	Equal([]int{len(answer.Errors), len(answer.Deleted)}, []int{0, 61}, "errors and deleted")
	Equal(listKeys(Bucket, "batch/"), []string{}, "listed afterwards")
}

func tagSet(tags map[string]string) *types.Tagging {
	set := &types.Tagging{TagSet: []types.Tag{}}
	for key, value := range tags {
		set.TagSet = append(set.TagSet, types.Tag{Key: str(key), Value: str(value)})
	}
	return set
}

func tagMap(set []types.Tag) map[string]string {
	tags := map[string]string{}
	for _, tag := range set {
		tags[*tag.Key] = *tag.Value
	}
	return tags
}

func tags() {
	given := map[string]string{"team": "storage", "a b+c": "ü/=@"}
	mustPut(Bucket, "tagged", []byte("x"), func(input *s3.PutObjectInput) { input.Tagging = str("first=1&second=a%20b") })
	where := &s3.GetObjectTaggingInput{Bucket: str(Bucket), Key: str("tagged")}
	got, err := client.GetObjectTagging(ctx, where)
	Must(err)
	Equal(tagMap(got.TagSet), map[string]string{"first": "1", "second": "a b"}, "tags of the header")
	_, err = client.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{
		Bucket: str(Bucket), Key: str("tagged"), Tagging: tagSet(given),
	})
	Must(err)
	got, err = client.GetObjectTagging(ctx, where)
	Must(err)
	Equal(tagMap(got.TagSet), given, "tags of the object")
	_, err = client.DeleteObjectTagging(ctx, &s3.DeleteObjectTaggingInput{Bucket: str(Bucket), Key: str("tagged")})
	Must(err)
	_, err = client.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: str(Bucket)})
	refused(err, "NoSuchTagSet")
	_, err = client.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: str(Bucket), Tagging: tagSet(given)})
	Must(err)
	bucket, err := client.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: str(Bucket)})
	Must(err)
	Equal(tagMap(bucket.TagSet), given, "tags of the bucket")
	_, err = client.DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: str(Bucket)})
	Must(err)
}

func versions() {
	bucket, key := VersionedBucket, "kept ü"
	_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: str(bucket)})
	Must(err)
	_, err = client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket:                  str(bucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	Must(err)
	first := *mustPut(bucket, key, []byte("first")).VersionId
	second := *mustPut(bucket, key, []byte("second")).VersionId
	old, _, err := get(bucket, key, func(input *s3.GetObjectInput) { input.VersionId = str(first) })
	Must(err)
	Equal(string(old), "first", "the old version")
	marker, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: str(bucket), Key: str(key)})
	Must(err)
	Check(*marker.DeleteMarker, "no delete marker")
	_, _, err = get(bucket, key)
	refused(err, "NoSuchKey")
	all, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: str(bucket)})
	Must(err)
	Equal([]string{*all.Versions[0].VersionId, *all.Versions[1].VersionId}, []string{second, first}, "newest first")
	Equal(*all.DeleteMarkers[0].VersionId, *marker.VersionId, "delete marker")
	_, err = client.DeleteObject(ctx, &s3.DeleteObjectInput{
		Bucket: str(bucket), Key: str(key), VersionId: marker.VersionId,
	})
	Must(err)
	Equal(string(mustGet(bucket, key)), "second", "the newest version is back")
}

func presignGet() {
	key, data := "signed/a b+ü%.bin", Bytes(65537)
	mustPut(Bucket, key, data)
	signed, err := s3.NewPresignClient(client).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: str(Bucket), Key: str(key)},
		s3.WithPresignExpires(5*time.Minute))
	Must(err)
	CheckSignedGet(signed.URL, data)
}

func presignPut() {
	key := "signed/put ü"
	signed, err := s3.NewPresignClient(client).PresignPutObject(ctx, &s3.PutObjectInput{Bucket: str(Bucket), Key: str(key)})
	Must(err)
	status, body := Curl(signed.URL, "--upload-file", File(65537))
	Check(status == 200, "%d: %s", status, body)
	Check(bytes.Equal(mustGet(Bucket, key), Bytes(65537)), "other bytes stand there")
}

func conditionalWrites() {
	absent := func(input *s3.PutObjectInput) { input.IfNoneMatch = str("*") }
	etag := mustPut(Bucket, "lock", []byte("1"), absent).ETag
	_, err := put(Bucket, "lock", []byte("2"), absent)
	refused(err, "PreconditionFailed")
	_, err = put(Bucket, "lock", []byte("2"), func(input *s3.PutObjectInput) {
		input.IfMatch = str(`"` + strings.Repeat("0", 32) + `"`)
	})
	refused(err, "PreconditionFailed")
	Equal(string(mustGet(Bucket, "lock")), "1", "body after refused writes")
	mustPut(Bucket, "lock", []byte("3"), func(input *s3.PutObjectInput) { input.IfMatch = etag })
	Equal(string(mustGet(Bucket, "lock")), "3", "body after the allowed write")
}

func deleteBucket() {
	_, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: str(Bucket)})
	refused(err, "BucketNotEmpty")
	for _, bucket := range []string{Bucket, Bucket2, VersionedBucket} {
		all, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: str(bucket)})
		Must(err)
		objects := []types.ObjectIdentifier{}
		for _, item := range all.Versions {
			objects = append(objects, types.ObjectIdentifier{Key: item.Key, VersionId: item.VersionId})
		}
		for _, item := range all.DeleteMarkers {
			objects = append(objects, types.ObjectIdentifier{Key: item.Key, VersionId: item.VersionId})
		}
		if len(objects) > 0 {
			_, err = client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
				Bucket: str(bucket), Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)},
			})
			Must(err)
		}
		_, err = client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: str(bucket)})
		Must(err)
		_, err = client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: str(bucket)})
		refused(err, "NotFound", "NoSuchBucket")
	}
}

func main() {
	encoded := "asked to list with encoding-type=url, and the program decodes: it does not by itself"
	Main("aws-sdk-go-v2", Version("github.com/aws/aws-sdk-go-v2/service/s3"), []Step{
		{Name: "create_bucket", Run: createBucket},
		{Name: "put_get_empty", Run: roundTrip("put_get_empty")},
		{Name: "put_get_1_byte", Run: roundTrip("put_get_1_byte")},
		{Name: "put_get_64k", Run: roundTrip("put_get_64k")},
		{Name: "put_get_8m", Run: roundTrip("put_get_8m")},
		{Name: "multipart_100m", Run: multipart},
		{Name: "ranges", Run: ranges},
		{Name: "metadata", Run: metadata},
		{Name: "odd_keys", Run: ownKeys("odd")},
		{Name: "slash_keys", Run: ownKeys("slash")},
		{Name: "control_keys", Run: ownKeys("control"), Partly: encoded},
		{Name: "list_odd_keys", Run: listOdd},
		{Name: "list_slash_keys", Run: listed("slash")},
		{Name: "list_control_keys", Run: listed("control"), Partly: encoded},
		{Name: "list_folders", Run: listFolders},
		{Name: "copy", Run: copyObject},
		{Name: "delete_batch", Run: deleteBatch},
		{Name: "tags", Run: tags},
		{Name: "versions", Run: versions},
		{Name: "presign_get", Run: presignGet},
		{Name: "presign_put", Run: presignPut},
		{Name: "conditional_writes", Run: conditionalWrites},
		{Name: "delete_bucket", Run: deleteBucket},
	})
}
